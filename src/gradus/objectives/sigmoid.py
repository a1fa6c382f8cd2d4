"""Weighted sigmoid: every cell a yes-or-no question of its own, positives weighing what they are worth.

    L = −(1 / ΣW) [ Σ_{W_ij > 0} W_ij log σ(Z_ij + b) + Σ_{ij unjudged} log σ(−Z_ij − b) ],

b a learned bias, which starts low since nearly all cells are negatives. With one positive per query and W ≡ 1
it is the loss of SigLIP (Zhai et al., arXiv 2303.15343). Cells are independent, so there are no directions.
"""

from torch import Tensor
from torch.nn import functional

from gradus.objectives.lists import positives, unjudged
from gradus.objectives.pairs import Pairs


def sigmoid(logits: Tensor, pairs: Pairs, bias: Tensor) -> Tensor:
    """The loss, a scalar in float32 (float64 for float64 logits).

    Args:
        logits: (n_q, n_d) similarities over temperature.
        pairs: The positive pairs with their weights; each (query, document) at most once.
        bias: () b.

    Returns:
        The loss; 0, with zero gradients, when the weights sum to 0.
    """
    logits, pairs = positives(logits, pairs)
    if not len(pairs.weight):
        return (logits.sum() + bias) * 0.0
    own = logits[pairs.query, pairs.document] + bias
    negatives = functional.softplus(unjudged(logits, pairs) + bias).sum()
    return ((pairs.weight * functional.softplus(-own)).sum() + negatives) / pairs.weight.sum()
