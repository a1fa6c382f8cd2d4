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

Every positive counts once per direction, so the loss is a weighted mean of cross-entropies, in nats. One-sided,
L = −(1 / ΣW) Σ_ij W_ij log( exp Z_ij / D_ij ).
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gradus.objectives import masses
from gradus.objectives.lists import sort_by_weight
from gradus.objectives.masses import Masses
from gradus.objectives.pairs import Pairs
from gradus.objectives.precision import nothing, wide

Denominator = Literal["all", "unjudged", "lower"]


def many_to_many(
    queries: Tensor,
    documents: Tensor,
    scale: Tensor,
    pairs: Pairs,
    denominator: Denominator = "lower",
    symmetric: bool = True,
) -> Tensor:
    """The loss, a scalar in float32 (float64 for float64 embeddings).

    Memory grows with n_q, n_d and the number of judged pairs, not with n_q × n_d.

    Args:
        queries: (n_q, D) L, rows of unit length.
        documents: (n_d, D) R, rows of unit length.
        scale: () s of the logits Z = s · L Rᵀ.
        pairs: The positive pairs with their weights; each (query, document) at most once.
        denominator: What a positive competes with.
        symmetric: Whether documents ask for queries, too.

    Returns:
        The loss; 0, with zero gradients, when the weights sum to 0.
    """
    pairs = pairs.positives()
    if not len(pairs.weight):
        return (queries.sum() + documents.sum() + scale).to(wide(queries.dtype)) * 0.0
    found = masses.of_embeddings(queries, documents, scale, pairs, symmetric)
    return _mean(found, pairs, denominator)


def many_to_many_of_logits(
    logits: Tensor, pairs: Pairs, denominator: Denominator = "lower", symmetric: bool = True
) -> Tensor:
    """The same loss of (n_q, n_d) logits in memory, for logits that are no scaled product."""
    pairs = pairs.positives()
    if not len(pairs.weight):
        return logits.sum().to(wide(logits.dtype)) * 0.0
    return _mean(masses.of_logits(logits, pairs, symmetric), pairs, denominator)


def _mean(found: Masses, pairs: Pairs, denominator: Denominator) -> Tensor:
    """The weighted mean of the positives' cross-entropies in one direction or both."""
    weight = pairs.weight.to(found.own.dtype)
    entropies = _cross_entropies(found.rows, found.own, pairs.query, weight, denominator)
    if found.columns is not None:
        other = _cross_entropies(found.columns, found.own, pairs.document, weight, denominator)
        entropies = (entropies + other) / 2
    return (weight * entropies).sum() / weight.sum()


def _cross_entropies(
    mass: Tensor, own: Tensor, row: Tensor, weight: Tensor, denominator: Denominator
) -> Tensor:
    """(p,) log D_ij − Z_ij of every positive.

    Args:
        mass: (n,) log-sum-exp of the unjudged logits of each row.
        own: (p,) logits of the positives.
        row: (p,) their rows.
        weight: (p,) their weights.
        denominator: What a positive competes with.
    """
    if denominator == "all":
        return _with_positives(mass, own, row)[row] - own
    competing = mass[row]
    if denominator == "lower":
        competing = torch.logaddexp(competing, _lighter(own, row, weight))
    return -logsigmoid(own - competing)


def _with_positives(mass: Tensor, own: Tensor, row: Tensor) -> Tensor:
    """(n,) log-sum-exp of each row's mass and its positives."""
    most = mass.detach().scatter_reduce(0, row, own.detach(), "amax")
    return (mass - most).exp().index_add(0, row, (own - most[row]).exp()).log() + most


def _lighter(own: Tensor, row: Tensor, weight: Tensor) -> Tensor:
    """(p,) log-sum-exp of the positives of the same row with a smaller weight."""
    lists = sort_by_weight(row, weight, int(row.max()) + 1)
    position = torch.arange(len(row), device=row.device)

    # A running log-sum-exp within each row, by doubling: after the k-th turn of 2^k lightest so far.
    empty = own.new_full((1,), nothing(own.dtype))
    running, shift = own[lists.order], 1
    while shift < lists.most:
        earlier = torch.cat([empty.expand(shift), running[:-shift]])
        running = torch.where(lists.place >= shift, torch.logaddexp(running, earlier), running)
        shift *= 2

    # Equal weights do not compete: each takes the running sum from before the first of its equals.
    first = position - lists.place + lists.first
    before = torch.cat([empty, running])[torch.where(lists.first > 0, first, 0)]
    return torch.zeros_like(own).index_put((lists.order,), before)
