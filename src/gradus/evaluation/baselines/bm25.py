"""BM25 as a system: the baseline without a model."""

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.encoders.bm25 import Bm25, joined_texts
from gradus.encoders.nearest import largest

Rows = NDArray[np.int64]


class Bm25Search:
    """All fields but pictures of a document as one text, all of a query as another.

    The statistics of terms are those of the whole catalogue, whichever part of it is searched. A list ends where
    documents share no term with the query.

    Args:
        queries: The queries.
        documents: The catalogue.
    """

    def __init__(self, queries: Table, documents: Table) -> None:
        self.queries, self.index = joined_texts(queries), Bm25(joined_texts(documents))

    def __call__(self, query_rows: Rows, document_rows: Rows, depth: int) -> tuple[Rows, NDArray[np.float32]]:
        """The best documents for each query, as `gradus.evaluation.cells.Search` describes."""
        found = [
            largest(self.index.scores(self.queries[row])[document_rows], depth) for row in query_rows.tolist()
        ]
        depth = min(depth, len(document_rows))
        order = np.array([places for places, _ in found], np.int64).reshape(len(query_rows), depth)
        scores = np.array([scores for _, scores in found], np.float32).reshape(order.shape)
        shared = scores > 0
        return np.where(shared, order, -1), np.where(shared, scores, np.float32(-np.inf))
