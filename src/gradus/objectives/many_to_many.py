"""Many-to-many GCL: unique queries × unique documents, every judged pair among them a positive.

With logits Z (n_q × n_d) and sparse weights W,

    L = −(1 / 2ΣW) Σ_ij W_ij [ log( exp Z_ij / D_ij ) + log( exp Z_ij / D'_ij ) ],

where D_ij sums exp Z_ik over the documents k that the positive (i, j) competes with, and D'_ij the same
over queries. What competes is the variant:

    all        every document of the batch: D_ij = Σ_k exp Z_ik (Generalized Contrastive Learning,
               arXiv 2404.08535, carried from a diagonal W to a sparse one)
    unjudged   the positive itself and the documents that have no weight for query i
    lower      the positive itself and the documents with W_ik < W_ij, unjudged ones included: the order of
               the documents as in Plackett-Luce, each item drawn from those ranked below it

Every positive counts once per direction, so the loss is a weighted mean of cross-entropies, in nats.
"""

from typing import Literal

import torch
from torch import Tensor

from gradus.objectives.pairs import Pairs

Denominator = Literal["all", "unjudged", "lower"]


def many_to_many(logits: Tensor, pairs: Pairs, denominator: Denominator = "lower") -> Tensor:
    """The loss, a scalar in float32 (float64 for float64 logits).

    Args:
        logits: (n_q, n_d) similarities over temperature.
        pairs: The positive pairs with their weights; each (query, document) at most once.
        denominator: What a positive competes with.

    Returns:
        The loss; 0, with zero gradients, when the weights sum to 0.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    positive = pairs.weight > 0
    pairs = Pairs(
        pairs.query[positive],
        pairs.document[positive],
        pairs.weight[positive].to(logits.dtype),
        pairs.ignored_query,
        pairs.ignored_document,
    )
    if not len(pairs.weight):
        return logits.sum() * 0.0
    rows = _cross_entropies(logits, pairs, denominator)
    columns = _cross_entropies(logits.T, pairs.flipped(), denominator)
    return (pairs.weight * (rows + columns)).sum() / (2 * pairs.weight.sum())


def _cross_entropies(logits: Tensor, pairs: Pairs, denominator: Denominator) -> Tensor:
    """(p,) log D_ij − Z_ij of every positive, documents competing within each query's row."""
    # A finite stand-in for −∞: it vanishes in every sum of exponentials and leaves no NaN in a backward pass.
    nothing = torch.finfo(logits.dtype).min / 4
    own = logits[pairs.query, pairs.document]
    absent = torch.zeros_like(logits, dtype=torch.bool)
    absent[pairs.ignored_query, pairs.ignored_document] = True
    if denominator == "all":
        # A positive stays in its own denominator even where another pair of the batch ignores it.
        absent[pairs.query, pairs.document] = False
        return logits.masked_fill(absent, nothing).logsumexp(dim=1)[pairs.query] - own
    absent[pairs.query, pairs.document] = True
    below = logits.masked_fill(absent, nothing).logsumexp(dim=1)
    if denominator == "unjudged":
        return torch.logaddexp(below[pairs.query], own) - own

    # The positives of each row, lightest first, side by side in a padded (n_q, 1 + most) matrix whose
    # first column is the row's unjudged mass: a running log-sum-exp then gives everything lighter.
    order = torch.argsort(pairs.weight, stable=True)
    order = order[torch.argsort(pairs.query[order], stable=True)]
    row, weight = pairs.query[order], pairs.weight[order]
    count = torch.bincount(row, minlength=len(logits))
    place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    padded = torch.cat([below[:, None], logits.new_full((len(logits), int(count.max())), nothing)], dim=1)
    running = torch.logcumsumexp(padded.index_put((row, place + 1), own[order]), dim=1)
    # Equal weights do not compete: each takes the running sum from before the first of its equals.
    new = torch.ones_like(row, dtype=torch.bool)
    new[1:] = (row[1:] != row[:-1]) | (weight[1:] != weight[:-1])
    first = torch.where(new, place, 0)
    first = first[torch.cummax(torch.where(new, torch.arange(len(row), device=row.device), 0), dim=0).values]
    lighter = running[row, first]
    entropies = torch.logaddexp(lighter, own[order]) - own[order]
    return torch.zeros_like(entropies).index_put((order,), entropies)
