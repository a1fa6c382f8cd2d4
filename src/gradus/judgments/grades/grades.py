"""Grades: what raters said of (query, document) pairs, on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.errors import JudgmentsError

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Grades:
    """Grades of pairs by raters; a rater grades a pair at most once and need not grade all.

    Attributes:
        queries: Texts or ids of the queries.
        documents: Document ids.
        raters: Names of the raters.
        levels: The grades of the scale as they are written, from worst to best.
        values: (k,) where each level lies in [0, 1]: rising, the worst at 0, the best at 1.
        query: (i,) row of `queries` of each graded pair.
        document: (i,) row of `documents`. No pair repeats.
        pair: (n,) which pair each grade is of.
        rater: (n,) row of `raters` of each grade.
        level: (n,) row of `levels` of each grade.

    Raises:
        JudgmentsError: Arrays that differ in length, fewer than two levels, or values that do not rise
            from 0 to 1.
    """

    queries: Sequence[str]
    documents: Sequence[str]
    raters: Sequence[str]
    levels: Sequence[str]
    values: Floats
    query: Rows
    document: Rows
    pair: Rows
    rater: Rows
    level: Rows

    def __post_init__(self) -> None:
        if len(self.query) != len(self.document) or not len(self.pair) == len(self.rater) == len(self.level):
            raise JudgmentsError("the columns of Grades differ in length")
        rising = len(self.values) == len(self.levels) >= 2 and (np.diff(self.values) > 0).all()
        if not rising or self.values[0] != 0 or self.values[-1] != 1:
            raise JudgmentsError(
                f"a scale of grades needs two levels or more that rise from 0 to 1, not {self.values}"
            )

    def __len__(self) -> int:
        return len(self.pair)

    @property
    def per_pair(self) -> Rows:
        """(i,) how many grades each pair has."""
        return np.bincount(self.pair, minlength=len(self.query))

    @property
    def per_rater(self) -> Rows:
        """(r,) how many grades each rater gave."""
        return np.bincount(self.rater, minlength=len(self.raters))

    def dense(self) -> Rows:
        """(i, r) the level that each rater gave each pair, -1 where there is no grade."""
        levels = np.full((len(self.query), len(self.raters)), -1, np.int64)
        levels[self.pair, self.rater] = self.level
        return levels
