"""BiXSE: binary cross-entropy with the weight as the probability that the pair is relevant.

    L = −(1 / p) Σ_ij [ W_ij log σ(Z_ij + β) + (1 − W_ij) log σ(−Z_ij − β) ]

over all cells that are not ignored, unjudged ones with W_ij = 0; p is the number of positive pairs, β a learned
bias. Tsirigotis et al., arXiv 2508.06781, carried from one judged pair per query to all judged cells of a batch.
At the optimum Z_ij + β = logit W_ij: the loss sets similarities themselves, not only their gaps. With W ≡ 1 it
is the weighted sigmoid. Cells are independent, so there are no directions.
"""

from torch import Tensor
from torch.nn import functional

from gradus.objectives.lists import positives, unjudged
from gradus.objectives.pairs import Pairs


def bixse(logits: Tensor, pairs: Pairs, bias: Tensor) -> Tensor:
    """The loss, a scalar in float32 (float64 for float64 logits).

    Args:
        logits: (n_q, n_d) similarities over temperature.
        pairs: The positive pairs with weights in (0, 1]; each (query, document) at most once.
        bias: () β.

    Returns:
        The loss; 0, with zero gradients, when no weight is above 0.
    """
    logits, pairs = positives(logits, pairs)
    if not len(pairs.weight):
        return (logits.sum() + bias) * 0.0
    own = logits[pairs.query, pairs.document] + bias
    negatives = functional.softplus(unjudged(logits, pairs) + bias).sum()
    judged = functional.binary_cross_entropy_with_logits(own, pairs.weight, reduction="sum")
    return (judged + negatives) / len(own)
