"""Hints: what a pipeline's lists say of pairs, for those with few clicks.

Clicks on alike pairs tell something about a pair that was hardly shown; a pipeline that learned from them, or one that
only reads words, has it in the scores and ranks of its lists. What these are worth, the log itself says: they join
exposure in the regression of `gradus.judgments.clicks.expectation`. So a pipeline that knows nothing changes nothing,
and one of any scale will do.

Its list for a query must not rest on what people clicked for this query, or evidence would count twice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.distil import READINGS
from gradus.judgments.lookup import places_of

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_READ = ("as it is", "by rank")
_FAR = 3.0
"""Standard deviations beyond which a score counts as this far: its square must not rule the regression."""


@dataclass(frozen=True)
class Hints:
    """The lists of a pipeline, by the rows of a log's queries and documents.

    Attributes:
        query: (l,) rows of the cells' queries, each list whole.
        document: (l,) rows of the cells' documents, −1 for one that the log never showed.
        score: (l,) the pipeline's scores, higher is better.
    """

    query: Rows
    document: Rows
    score: Floats

    def of(self, query: NDArray[np.integer], document: NDArray[np.integer]) -> Floats:
        """(p, 2) score and −log rank of pairs, both standardised; NaN for pairs that are not listed."""
        shown = np.flatnonzero(self.document >= 0)
        read = np.empty((0, len(_READ)))
        if len(shown):
            read = np.stack([READINGS[name](self.query, self.score) for name in _READ], axis=1)
            read = (read - read.mean(axis=0)) / np.maximum(read.std(axis=0), 1e-12)
        at = places_of((self.query[shown], self.document[shown]), (query, document))
        return np.append(np.clip(read[shown], -_FAR, _FAR), np.full((1, len(_READ)), np.nan), axis=0)[at]
