"""Two stages as one system: a re-ranker puts the top of a first stage's lists into an order of its own."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gradus.evaluation.cells import Search

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

Scorer = Callable[[Rows, Rows], Vectors]
"""A re-ranker: from query rows (n,) and the document rows (n, k) listed for each to their scores (n, k), higher is
better. Where a row is listed again, as after the end of a list, its score is not looked at."""


class Reranked:
    """A first stage and a re-ranker.

    The documents below the re-ranked ones follow in the first stage's order, so that a shallow second stage does not
    shorten lists.

    Args:
        first: The first stage.
        scorer: The re-ranker.
        depth: How many documents of each list it sees.
    """

    def __init__(self, first: Search, scorer: Scorer, depth: int) -> None:
        self.first, self.scorer, self.depth = first, scorer, depth

    def __call__(self, query_rows: Rows, document_rows: Rows, depth: int) -> tuple[Rows, Vectors]:
        """The lists, as `gradus.evaluation.cells.Search` describes.

        Scores of the re-ranked documents are the re-ranker's. Below them, differences are those of the first
        stage's scores.
        """
        places, before = self.first(query_rows, document_rows, max(depth, self.depth))
        if not places.size:
            return places[:, :depth], before[:, :depth]
        top = places[:, : self.depth]
        scores = self.scorer(query_rows, document_rows[filled(top)])
        scores = np.where(top >= 0, scores, np.float32(-np.inf))
        order = np.argsort(-scores, axis=1, kind="stable")
        top, scores = np.take_along_axis(top, order, axis=1), np.take_along_axis(scores, order, axis=1)
        rest, width = places[:, self.depth :], top.shape[1]
        below = np.full(rest.shape, -np.inf, np.float32)
        # Lists that have a rest are re-ranked in full: the last of the top has a score.
        rows, columns = np.nonzero(rest >= 0)
        below[rows, columns] = scores[rows, -1] + (before[rows, width + columns] - before[rows, width - 1])
        found = np.concatenate([top, rest], axis=1)[:, :depth]
        return found, np.concatenate([scores, below], axis=1)[:, :depth]


def filled(places: Rows) -> Rows:
    """Lists (n, k) with their first place repeated after their end; 0 throughout where a list is empty."""
    return np.where(places >= 0, places, np.maximum(places[:, :1], 0))
