"""Listwise KL: the softmax over a query's judged documents is pulled to the softmax of their weights.

For a query i with positives P_i,

    L = (1 / n) Σ_i [ KL(p_i ‖ q_i) + (λ / |P_i|) Σ_{j ∈ P_i} ℓ_ij ],
    p_i = softmax_{j ∈ P_i}(W_ij / τ_t),   q_i = softmax_{j ∈ P_i}(Z_ij),
    ℓ_ij = −log( exp Z_ij / (exp Z_ij + Σ_{k unjudged} exp Z_ik) ),

n the number of queries with a positive. The first term is ListNet's top-one loss (Cao et al., ICML 2007) as
used to distil re-rankers; it says nothing about documents that nobody judged, so λ times InfoNCE (arXiv
1807.03748) holds the positives above those. The order within P_i is the first term's alone: at its optimum two
judged documents of a query are (W_ij − W_ik) / τ_t logits apart.
"""

import torch
from torch import Tensor

from gradus.objectives.lists import mean_over_queries, positives, sort_by_weight, unjudged
from gradus.objectives.pairs import Pairs
from gradus.objectives.precision import nothing


def listwise(
    logits: Tensor, pairs: Pairs, target_temperature: float = 0.1, info_nce_term: float = 0.3
) -> Tensor:
    """The loss of queries asking, a scalar in float32 (float64 for float64 logits).

    Args:
        logits: (n_q, n_d) similarities over temperature.
        pairs: The positive pairs with their weights; each (query, document) at most once.
        target_temperature: τ_t of the target.
        info_nce_term: λ.

    Returns:
        The loss; 0, with zero gradients, when the weights sum to 0.
    """
    logits, pairs = positives(logits, pairs)
    if not len(pairs.weight):
        return logits.sum() * 0.0
    lists = sort_by_weight(pairs.query, pairs.weight, len(logits))
    query, weight = pairs.query[lists.order], pairs.weight[lists.order]
    own = logits[pairs.query, pairs.document][lists.order]
    at = query, lists.place
    empty = logits.new_full((len(logits), lists.most), nothing(logits.dtype))
    target = empty.index_put(at, weight / target_temperature).log_softmax(dim=1)[at]
    predicted = empty.index_put(at, own).log_softmax(dim=1)[at]
    divergence = (target.exp() * (target - predicted)).sum() / len(torch.unique(query))
    below = unjudged(logits, pairs).logsumexp(dim=1)[query]
    entropies = torch.logaddexp(below, own) - own
    return divergence + info_nce_term * mean_over_queries(entropies, query, len(logits))
