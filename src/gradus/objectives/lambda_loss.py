"""LambdaLoss with NDCG-Loss2++: pairwise logistic losses, each weighing what its order is worth in nDCG.

A query's list holds every document of the batch, unjudged ones with W = 0, ranked 1, 2, … by its logits now.
With gains G_j = W_ij / maxDCG_i and discounts D(r) = log₂(1 + r),

    L = (1 / n) Σ_i Σ_{W_ij > W_ik} (ρ_jk + μ δ_jk) (G_j − G_k) log₂(1 + exp(Z_ik − Z_ij)),
    ρ_jk = | 1/D(r_j) − 1/D(r_k) |,   δ_jk = | 1/D(|r_j − r_k|) − 1/D(|r_j − r_k| + 1) |,

n the number of queries with a positive. ρ is LambdaRank's weight, δ bounds nDCG's loss of the pair more closely.
Wang et al.: The LambdaLoss Framework for Ranking Metric Optimization, CIKM 2018, with linear gains (the score-
to-weight function can make others) and lists made of the batch. Ranks are constants in the backward pass.

It compares each of p positives with n_d documents; comparisons are made in parts and made again in the backward
pass, so that memory grows with n_q × n_d.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from gradus.objectives.lists import positives, sort_by_weight
from gradus.objectives.pairs import Pairs
from gradus.objectives.precision import nothing

PART = 2**21
"""Comparisons at a time."""


def lambda_loss(logits: Tensor, pairs: Pairs, mu: float = 10.0) -> Tensor:
    """The loss of queries asking, a scalar in float32 (float64 for float64 logits).

    Args:
        logits: (n_q, n_d) similarities over temperature.
        pairs: The positive pairs with their weights; each (query, document) at most once.
        mu: μ.

    Returns:
        The loss; 0, with zero gradients, when the weights sum to 0.
    """
    logits, pairs = positives(logits, pairs)
    if not len(pairs.weight):
        return logits.sum() * 0.0
    query, document = pairs.query, pairs.document
    listed = torch.ones_like(logits, dtype=torch.bool)
    listed[pairs.ignored_query, pairs.ignored_document] = False
    listed[query, document] = True
    gain = torch.zeros_like(logits)
    gain[query, document] = pairs.weight / _best_dcg(query, pairs.weight, len(logits))[query]
    rank = _ranks(logits.detach().masked_fill(~listed, nothing(logits.dtype)))
    size = max(1, PART // logits.shape[1])
    parts = [
        checkpoint(
            _compared, logits, gain, rank, listed, q, d, mu, use_reentrant=False, preserve_rng_state=False
        )
        for q, d in zip(torch.split(query, size), torch.split(document, size), strict=True)
    ]
    return torch.stack(parts).sum() / len(torch.unique(query))


def _compared(
    logits: Tensor, gain: Tensor, rank: Tensor, listed: Tensor, query: Tensor, document: Tensor, mu: float
) -> Tensor:
    """() the losses of some positives against every document of their lists."""
    gap = (gain[query, document][:, None] - gain[query]).clamp(min=0) * listed[query]
    own, other = rank[query, document][:, None], rank[query]
    rho = (1 / torch.log2(1 + own) - 1 / torch.log2(1 + other)).abs()
    # A document is not compared with itself: its gap is 0, and clamping keeps 1/D(0) out of the way.
    apart = (own - other).abs().clamp(min=1)
    delta = 1 / torch.log2(1 + apart) - 1 / torch.log2(2 + apart)
    logistic = functional.softplus(logits[query] - logits[query, document][:, None])
    return ((rho + mu * delta) * gap * logistic).sum() / math.log(2)


def _ranks(logits: Tensor) -> Tensor:
    """(n_q, n_d) the place of each document in its row, from 1; of equal logits the first comes first."""
    order = torch.argsort(logits, dim=1, descending=True, stable=True)
    places = torch.arange(1, logits.shape[1] + 1, device=logits.device, dtype=logits.dtype)
    return torch.empty_like(logits).scatter_(1, order, places.expand_as(logits).contiguous())


def _best_dcg(query: Tensor, weight: Tensor, queries: int) -> Tensor:
    """(n_q,) the DCG of each list in the order of its weights."""
    lists = sort_by_weight(query, weight, queries)
    row = query[lists.order]
    rank = (torch.bincount(query, minlength=queries)[row] - lists.place).to(weight.dtype)
    return weight.new_zeros(queries).index_add(0, row, weight[lists.order] / torch.log2(1 + rank))
