"""Judgments: how well each (query, document) pair does, as a score in [0, 1] with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.errors import JudgmentsError


@dataclass(frozen=True)
class Judgments:
    """Judged pairs as parallel arrays, bound to a table of queries and to one of documents.

    Attributes:
        queries: The judged queries, each once.
        documents: The catalogue that the pairs point into.
        query: (p,) rows of `queries`.
        document: (p,) rows of `documents`. No (query, document) pair repeats.
        score: (p,) in [0, 1].
        low: (p,) lower end of the score's interval, at most `score`; equal to it where none was given.
        high: (p,) upper end, at least `score`.
        source: (p,) names of the sources the scores came from.

    Raises:
        JudgmentsError: Arrays of different lengths, a row out of range, or low ≤ score ≤ high broken.
    """

    queries: Table
    documents: Table
    query: NDArray[np.int64]
    document: NDArray[np.int64]
    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    source: NDArray[np.object_]

    def __post_init__(self) -> None:
        lengths = {len(a) for a in (self.query, self.document, self.score, self.low, self.high, self.source)}
        if len(lengths) != 1:
            raise JudgmentsError(f"the arrays of a Judgments differ in length: {sorted(lengths)}")
        if len(self.query) and not (
            self.query.min() >= 0 and self.query.max() < len(self.queries)
            and self.document.min() >= 0 and self.document.max() < len(self.documents)
        ):  # fmt: skip
            raise JudgmentsError("a judgment points outside its table of queries or documents")
        in_order = (self.low >= 0) & (self.low <= self.score) & (self.score <= self.high) & (self.high <= 1)
        if not in_order.all():
            row = int(np.flatnonzero(~in_order)[0])
            raise JudgmentsError(
                f"judgment {row}: 0 ≤ low ≤ score ≤ high ≤ 1 does not hold "
                f"({self.low[row]}, {self.score[row]}, {self.high[row]})"
            )

    def __len__(self) -> int:
        return len(self.query)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(p,) how much the interval says: 1 - (high - low), from 0 for anything to 1 for one number."""
        return 1.0 - (self.high - self.low)

    def take(self, rows: Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]) -> "Judgments":
        """The judgments of the given rows (or mask), over the same tables."""
        index = np.asarray(rows)
        return Judgments(
            self.queries, self.documents, self.query[index], self.document[index], self.score[index],
            self.low[index], self.high[index], self.source[index],
        )  # fmt: skip
