"""From an objective of queries asking for documents to the options that all such objectives share."""

from dataclasses import replace

import torch
from torch import Tensor

from gradus.objectives.objective import Objective
from gradus.objectives.pairs import Pairs


def both_ways(objective: Objective) -> Objective:
    """½ [ℓ(L, R, W) + ℓ(R, L, Wᵀ)]: queries ask for documents, and documents for queries."""

    def symmetric(queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs) -> Tensor:
        there = objective(queries, documents, scale, pairs)
        return (there + objective(documents, queries, scale, pairs.flipped())) / 2

    return symmetric


def per_query(objective: Objective) -> Objective:
    """ℓ(L, R, W̃) with W̃_ij = W_ij / Σ_k W_ik, so that every query counts the same.

    The order within a query's list stays. Inside `both_ways`, documents are normalised where they ask.
    """

    def normalised(queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs) -> Tensor:
        weight = pairs.weight
        total = weight.new_zeros(len(queries)).index_add(0, pairs.query, weight)[pairs.query]
        weight = torch.where(weight > 0, weight / total, 0.0)
        return objective(queries, documents, scale, replace(pairs, weight=weight))

    return normalised
