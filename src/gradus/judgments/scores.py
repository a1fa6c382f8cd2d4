"""Scores: what every kind of evidence is turned into before it is fused."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gradus.errors import JudgmentsError

Floats = NDArray[np.float64]

LEVEL = 0.9
"""Every interval [low, high] is meant to hold the true score with this probability."""

Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Half the width of such an interval of a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class Scores:
    """One source's scores of (query, document) pairs, with intervals.

    Attributes:
        source: Name of the source: log, grades, business, hierarchy.
        queries: Texts or ids of the queries; `query` points into them.
        documents: Document ids; `document` points into them.
        query: (p,) rows of `queries`.
        document: (p,) rows of `documents`. No pair repeats.
        score: (p,) in [0, 1].
        low: (p,) lower end of the interval that holds the true score with probability `LEVEL`.
        high: (p,) upper end; low ≤ score ≤ high.
        count: (p,) how much evidence there is: impressions, grades; 1 where counting makes no sense.

    Raises:
        JudgmentsError: Arrays that differ in length, a repeated pair, or 0 ≤ low ≤ score ≤ high ≤ 1 broken.
    """

    source: str
    queries: Sequence[str]
    documents: Sequence[str]
    query: NDArray[np.int64]
    document: NDArray[np.int64]
    score: Floats
    low: Floats
    high: Floats
    count: Floats

    def __post_init__(self) -> None:
        columns = (self.query, self.document, self.score, self.low, self.high, self.count)
        if len({len(column) for column in columns}) != 1:
            raise JudgmentsError(f"{self.source}: the columns of Scores differ in length")
        held = (self.low >= 0) & (self.low <= self.score) & (self.score <= self.high) & (self.high <= 1)
        if not held.all():
            row = int(np.argmin(held))
            raise JudgmentsError(
                f"{self.source}: 0 ≤ low ≤ score ≤ high ≤ 1 does not hold in row {row} "
                f"({self.low[row]}, {self.score[row]}, {self.high[row]})"
            )
        pair = self.query.astype(np.int64) * max(len(self.documents), 1) + self.document
        if not (pair[1:] > pair[:-1]).all() and len(np.unique(pair)) != len(pair):
            raise JudgmentsError(f"{self.source}: a (query, document) pair has two scores")

    def __len__(self) -> int:
        return len(self.query)
