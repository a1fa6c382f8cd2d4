"""RINCE: an InfoNCE per rank of positives, each rank against everything ranked below it.

The positives of query i fall into ranks P_i1, P_i2, …, the best first; N_ir holds the positives of later ranks
and the unjudged documents. Each rank has a temperature of its own, rising from rank to rank, so that better
ranks are pulled harder:

    L = (1 / n) Σ_i Σ_r ℓ_ir,   with x_ij = Z_ij τ/τ_r,
    ℓ_ir = −log( Σ_{j ∈ P_ir} exp x_ij / Σ_{j ∈ P_ir ∪ N_ir} exp x_ij )                    ("in")
    ℓ_ir = −Σ_{j ∈ P_ir} log( exp x_ij / (exp x_ij + Σ_{k ∈ N_ir} exp x_ik) )               ("out")

n the number of queries with a positive; "out-in" takes "out" for the best rank and "in" for the others: "in" is
content when any one of a rank is above the rest, which suits ranks that are noisy. Hoffmann et al., arXiv
2201.11736, written from the paper.

Weights in (0, 1] become ranks by R equal steps: rank r holds weights in (1 − r/R, 1 − (r − 1)/R].
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from gradus.objectives.lists import positives
from gradus.objectives.pairs import Pairs
from gradus.objectives.precision import nothing

Sums = Literal["in", "out", "out-in"]


def rince(
    logits: Tensor,
    pairs: Pairs,
    ranks: int = 4,
    rank_temperatures: float = 2.0,
    rank_sums: Sums = "in",
) -> Tensor:
    """The loss of queries asking, a scalar in float32 (float64 for float64 logits).

    Args:
        logits: (n_q, n_d) similarities over the temperature τ of the best rank.
        pairs: The positive pairs with weights in (0, 1]; each (query, document) at most once.
        ranks: R.
        rank_temperatures: τ_R / τ_1; the temperatures between rise evenly.
        rank_sums: Which ℓ.

    Returns:
        The loss; 0, with zero gradients, when the weights sum to 0.
    """
    logits, pairs = positives(logits, pairs)
    if not len(pairs.weight):
        return logits.sum() * 0.0
    empty = nothing(logits.dtype)
    rank = (ranks - torch.ceil(pairs.weight * ranks)).long().clamp(0, ranks - 1)
    rank_of = torch.full_like(logits, ranks, dtype=torch.long)
    rank_of[pairs.ignored_query, pairs.ignored_document] = -1
    rank_of[pairs.query, pairs.document] = rank
    losses = []
    for number in torch.unique(rank).tolist():
        scaled = logits / (1 + (rank_temperatures - 1) * number / max(ranks - 1, 1))
        below = scaled.masked_fill(rank_of <= number, empty).logsumexp(dim=1)
        if rank_sums == "out" or (rank_sums == "out-in" and number == 0):
            here = rank == number
            query = pairs.query[here]
            losses.append(functional.softplus(below[query] - scaled[query, pairs.document[here]]).sum())
        else:
            query = torch.unique(pairs.query[rank == number])
            together = scaled[query].masked_fill(rank_of[query] != number, empty).logsumexp(dim=1)
            losses.append(functional.softplus(below[query] - together).sum())
    return torch.stack(losses).sum() / len(torch.unique(pairs.query))
