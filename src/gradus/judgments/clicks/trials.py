"""Trials: cells as an estimator sees them, so many chances of a click at so many levels of examination.

Every click model here says the same thing in its own way: an impression of document d for query q at level l is
examined with probability θ_l and, once examined, clicked with probability a_qd,

    P(click) = θ_l · a_qd.

Models differ in what a level is (the position; the position and the click above it), in which impressions count
at all, and in how θ is found. What follows from θ, attractiveness with an interval, is the same for all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError
from gradus.judgments.logs.cells import Cells

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trials:
    """Counts by pair and level, sorted by pair.

    Attributes:
        query: (p,) rows of the cells' queries.
        document: (p,) rows of the cells' documents.
        impressions: (p,) impressions of the pair, whether they count or not.
        place: (p,) mean of the logarithm of the positions they were at.
        start: (p + 1,) the counts of pair i are those from start[i] to start[i + 1].
        level: (m,) level of each count.
        shown: (m,) impressions that count.
        clicks: (m,) clicks among them.
        levels: How many levels there are.
    """

    query: NDArray[np.int32]
    document: NDArray[np.int32]
    impressions: Floats
    place: Floats
    start: NDArray[np.int64]
    level: NDArray[np.int32]
    shown: Floats
    clicks: Floats
    levels: int

    def __len__(self) -> int:
        return len(self.query)

    @property
    def pair(self) -> NDArray[np.int64]:
        """(m,) the pair of each count."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def per_pair(self, values: Floats) -> Floats:
        """(p, …) sums over each pair's counts of values (m, …)."""
        return np.add.reduceat(values, self.start[:-1], axis=0) if len(self) else values[:0]

    def per_level(self, values: Floats) -> Floats:
        """(levels,) sums over each level's counts of values (m,)."""
        total: Floats = np.bincount(self.level, values, self.levels).astype(np.float64)
        return total

    def rows(self, pairs: NDArray[np.integer]) -> NDArray[np.int64]:
        """The counts of some pairs, one pair's after the other's."""
        return ranges(self.start[pairs], np.diff(self.start)[pairs])

    def take(self, pairs: NDArray[np.integer]) -> "Trials":
        """The trials of some pairs, repeats allowed: what a resample needs."""
        start, rows = np.r_[0, np.cumsum(np.diff(self.start)[pairs])], self.rows(pairs)
        return Trials(
            self.query[pairs], self.document[pairs], self.impressions[pairs], self.place[pairs],
            start, self.level[rows], self.shown[rows], self.clicks[rows], self.levels,
        )  # fmt: skip


def ranges(first: NDArray[np.integer], length: NDArray[np.integer]) -> NDArray[np.int64]:
    """The numbers of several ranges, one range's after the other's: firsts 5, 0 of lengths 2, 3 give 5 6 0 1 2."""
    before = np.cumsum(length) - length
    numbers: NDArray[np.int64] = np.arange(length.sum()) + np.repeat(first - before, length)
    return numbers


def make_trials(
    cells: Cells, level: NDArray[np.integer], levels: int, shown: Floats, clicks: Floats
) -> Trials:
    """Group cells by pair and level.

    Args:
        cells: The cells.
        level: (n,) level of each cell, from 0.
        levels: How many levels there are.
        shown: (n,) impressions of each cell that count; pairs without any keep their place, with a zero.
        clicks: (n,) clicks among them.

    Raises:
        LogError: No cells.
    """
    if not len(cells):
        raise LogError("the log holds no impressions that count; see the counts of what was filtered and why")
    query, document = cells.query, cells.document
    order = _order(query, document, level)
    query, document, level = query[order], document[order], level[order]
    is_start = np.r_[True, (query[1:] != query[:-1]) | (document[1:] != document[:-1])]
    is_first = is_start.copy()
    is_first[1:] |= level[1:] != level[:-1]
    first = np.flatnonzero(is_first)
    start = np.flatnonzero(is_start[first])
    rows = first[start]
    logs = np.log(cells.position)
    logs *= cells.impressions
    impressions = np.add.reduceat(cells.impressions[order], rows)
    return Trials(
        query[rows],
        document[rows],
        impressions,
        np.add.reduceat(logs[order], rows) / np.maximum(impressions, 1e-300),
        np.r_[start, len(first)],
        level[first].astype(np.int32),
        np.add.reduceat(shown[order], first),
        np.add.reduceat(clicks[order], first),
        levels,
    )


def _order(
    query: NDArray[np.integer], document: NDArray[np.integer], level: NDArray[np.integer]
) -> NDArray[np.int64] | slice:
    """What brings cells in the order of query, document and level; often they are, and nothing is copied."""
    falls = level[1:] < level[:-1]
    for key in (document, query):
        falls &= key[1:] == key[:-1]
        falls |= key[1:] < key[:-1]
    return np.lexsort((level, document, query)) if falls.any() else slice(None)
