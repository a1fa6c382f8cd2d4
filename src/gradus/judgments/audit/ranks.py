"""Ranks within groups, and their correlation."""

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.scores import Floats

Rows = NDArray[np.int64]


def ranks(values: Floats, group: Rows) -> Floats:
    """(n,) ranks from 1, the smallest value first, within each group; equal values share their mean rank.

    Args:
        values: (n,) what is ranked.
        group: (n,) group of each, from 0.
    """
    order = np.lexsort((values, group))
    value, of = values[order], group[order]
    changes = np.r_[True, (value[1:] != value[:-1]) | (of[1:] != of[:-1])][: len(order)]
    run = np.cumsum(changes) - 1
    first = np.flatnonzero(changes)
    last = np.r_[first[1:], len(order)] - 1
    start = np.searchsorted(of, of)
    found = np.empty(len(values))
    found[order] = (first[run] + last[run]) / 2 - start + 1
    return found


def rank_correlation(x: Floats, y: Floats, group: Rows) -> Floats:
    """(groups,) Spearman's ρ of x and y within each group; NaN where x or y is the same throughout.

    Args:
        x: (n,) values.
        y: (n,) values.
        group: (n,) group of each, from 0.
    """
    middle = (np.bincount(group)[group] + 1) / 2
    rx, ry = ranks(x, group) - middle, ranks(y, group) - middle
    xy, xx, yy = (np.bincount(group, product) for product in (rx * ry, rx * rx, ry * ry))
    scale = np.sqrt(xx * yy)
    rho: Floats = np.divide(xy, scale, out=np.full(len(scale), np.nan), where=scale > 0)
    return rho
