"""CoSENT: whenever one pair is judged above another, its similarity should be the larger.

    L = log( 1 + Σ_{W_a > W_b} exp(Z_b − Z_a) )

over all pairs of cells a, b of the batch, of the same query or not; unjudged cells weigh 0. Only the order of
the weights matters. Su Jianlin, "CoSENT: a more efficient sentence vector scheme than Sentence-BERT" (2022,
kexue.fm/archives/8847), carried from judged sentence pairs to all cells of a batch.

The sum has no more terms to compute than there are cells: with the positives sorted by weight, a running
log-sum-exp holds everything lighter than each.
"""

import torch
from torch import Tensor
from torch.nn import functional

from gradus.objectives.lists import positives, sort_by_weight, unjudged
from gradus.objectives.pairs import Pairs


def cosent(logits: Tensor, pairs: Pairs) -> Tensor:
    """The loss, a scalar in float32 (float64 for float64 logits).

    Args:
        logits: (n_q, n_d) similarities over temperature.
        pairs: The positive pairs with their weights; each (query, document) at most once.

    Returns:
        The loss; 0, with zero gradients, when the weights sum to 0.
    """
    logits, pairs = positives(logits, pairs)
    if not len(pairs.weight):
        return logits.sum() * 0.0
    one_list = sort_by_weight(torch.zeros_like(pairs.query), pairs.weight, 1)
    own = logits[pairs.query, pairs.document][one_list.order]
    below = unjudged(logits, pairs).flatten().logsumexp(dim=0)
    # running[m] sums the unjudged cells and the m lightest positives; equals are not compared.
    running = torch.logcumsumexp(torch.cat([below[None], own]), dim=0)
    return functional.softplus((running[one_list.first] - own).logsumexp(dim=0))
