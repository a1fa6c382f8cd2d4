"""Per-positive cross-entropy: each positive against what its query has not judged above it.

For a query i with positives P_i,

    L = −(1 / Σ_i |P_i|) Σ_i Σ_{j ∈ P_i} log( exp Z_ij / Σ_{k: W_ik ≤ W_ij} exp Z_ik ),

unjudged documents having W_ik = 0. Documents of a higher grade are masked out of a positive's denominator;
those of its own grade stay, as in InfoNCE. Only the order of the weights matters, every positive counts alike.

When all documents of a query are judged and no two weights are equal, Σ_j is the negative log-likelihood of the
ranking under Plackett and Luce: ListMLE (Xia et al., ICML 2008). Masking higher grades in a contrastive batch
is what trainers of graded text embeddings do, such as FlagEmbedding's.
"""

import torch
from torch import Tensor

from gradus.objectives.lists import mean_over_queries, positives, sort_by_weight, unjudged
from gradus.objectives.pairs import Pairs
from gradus.objectives.precision import nothing


def per_positive(logits: Tensor, pairs: Pairs, per_query: bool = False) -> Tensor:
    """The loss of queries asking, a scalar in float32 (float64 for float64 logits).

    Args:
        logits: (n_q, n_d) similarities over temperature.
        pairs: The positive pairs; each (query, document) at most once.
        per_query: Take the mean over queries of the mean over their positives, not the mean over positives.

    Returns:
        The loss; 0, with zero gradients, when no weight is above 0.
    """
    logits, pairs = positives(logits, pairs)
    if not len(pairs.weight):
        return logits.sum() * 0.0
    below = unjudged(logits, pairs).logsumexp(dim=1)
    lists = sort_by_weight(pairs.query, pairs.weight, len(logits))
    query, own = pairs.query[lists.order], logits[pairs.query, pairs.document][lists.order]
    # A row's unjudged mass, then its positives, lightest first, padded to the longest list.
    padded = torch.cat(
        [below[:, None], logits.new_full((len(logits), lists.most), nothing(logits.dtype))], dim=1
    )
    running = torch.logcumsumexp(padded.index_put((query, lists.place + 1), own), dim=1)
    entropies = running[query, lists.last + 1] - own
    return mean_over_queries(entropies, query, len(logits)) if per_query else entropies.mean()
