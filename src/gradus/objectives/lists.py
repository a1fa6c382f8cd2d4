"""What losses over ranked lists share: each row of the logits is a query's list of documents.

A list holds the query's positives, sorted by weight, and its unjudged documents, which have no order among
themselves. Everything here is for one direction, queries asking; `directions` turns it into two.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradus.objectives.pairs import Pairs
from gradus.objectives.precision import nothing, wide


def positives(logits: Tensor, pairs: Pairs) -> tuple[Tensor, Pairs]:
    """The logits in float32 (float64 stays), and the pairs without those of weight 0."""
    logits = logits.to(wide(logits.dtype))
    pairs = pairs.positives()
    return logits, replace(pairs, weight=pairs.weight.to(logits.dtype))


def unjudged(logits: Tensor, pairs: Pairs) -> Tensor:
    """(n_q, n_d) the logits of unjudged pairs; `nothing` where a pair is positive or ignored."""
    absent = torch.zeros_like(logits, dtype=torch.bool)
    absent[pairs.ignored_query, pairs.ignored_document] = True
    absent[pairs.query, pairs.document] = True
    return logits.masked_fill(absent, nothing(logits.dtype))


def mean_over_queries(values: Tensor, query: Tensor, queries: int) -> Tensor:
    """() the mean, over the queries that have any of p values, of the mean of their values.

    Args:
        values: (p,) numbers.
        query: (p,) the row of each.
        queries: n_q, the number of rows.
    """
    count = torch.bincount(query, minlength=queries)
    return (values / count[query]).sum() / (count > 0).sum()


@dataclass(frozen=True)
class Sorted:
    """Positives in the order of their lists, lightest first.

    Attributes:
        order: (p,) the pair at each place of the order.
        place: (p,) places from the start of the own list, from 0.
        first: (p,) `place` of the first that has the same weight in the same list.
        last: (p,) `place` of the last.
        most: Length of the longest list.
    """

    order: Tensor
    place: Tensor
    first: Tensor
    last: Tensor
    most: int


def sort_by_weight(row: Tensor, weight: Tensor, rows: int) -> Sorted:
    """Sort the positives of every list.

    Args:
        row: (p,) the list of each positive, p > 0.
        weight: (p,) its weight.
        rows: Number of lists.
    """
    order = torch.argsort(weight, stable=True)
    order = order[torch.argsort(row[order], stable=True)]
    row, weight = row[order], weight[order]
    count = torch.bincount(row, minlength=rows)
    place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    new = torch.ones_like(row, dtype=torch.bool)
    new[1:] = (row[1:] != row[:-1]) | (weight[1:] != weight[:-1])
    group = new.cumsum(0) - 1
    size = torch.bincount(group)
    first = place[new][group]
    return Sorted(order, place, first, first + size[group] - 1, int(count.max()))
