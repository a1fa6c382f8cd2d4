"""Any system's run as a stage: what it returned, looked up instead of searched for."""

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.errors import EvaluationError
from gradus.evaluation.runs import Run

Rows = NDArray[np.int64]


class GivenRun:
    """A run as a system.

    Its lists are cut down to the corpus that is searched: a run over the whole catalogue serves every cell of a split,
    if its lists are deep enough to hold documents of each. Documents that the catalogue does not have are left
    out; a query that the run does not have gets an empty list.

    Args:
        run: What the system returned.
        queries: The queries.
        documents: The catalogue.

    Raises:
        EvaluationError: The run has none of the queries, or none of the documents.
    """

    def __init__(self, run: Run, queries: Table, documents: Table) -> None:
        self._lists: dict[int, tuple[Rows, NDArray[np.float32]]] = {}
        for query, found, scores in zip(run.query_ids, run.document_ids, run.scores, strict=True):
            rows = np.array([documents.row_of.get(name, -1) for name in found], np.int64)
            if query in queries.row_of:
                self._lists[queries.row_of[query]] = rows[rows >= 0], np.array(scores, np.float32)[rows >= 0]
        self._size = len(documents)
        if not any(len(rows) for rows, _ in self._lists.values()):
            asked, some = run.query_ids[0], next((ids[0] for ids in run.document_ids if ids), "")
            raise EvaluationError(
                f"run {run.name!r} has no query with a document that are known here; its first ids are {asked!r} and "
                f"{some!r}, those here are such as {queries.ids[0]!r} and {documents.ids[0]!r}"
            )

    def knows(self, query_rows: Rows) -> bool:
        """Whether the run has one of some queries."""
        return not self._lists.keys().isdisjoint(query_rows.tolist())

    def __call__(self, query_rows: Rows, document_rows: Rows, depth: int) -> tuple[Rows, NDArray[np.float32]]:
        """The lists, as `gradus.evaluation.cells.Search` describes."""
        depth = min(depth, len(document_rows))
        order = np.full((len(query_rows), depth), -1)
        scores = np.full(order.shape, -np.inf, np.float32)
        place_of = np.full(self._size, -1)
        place_of[document_rows] = np.arange(len(document_rows))
        for place, query in enumerate(query_rows.tolist()):
            if query in self._lists:
                rows, values = self._lists[query]
                inside = place_of[rows] >= 0
                kept = place_of[rows][inside][:depth]
                order[place, : len(kept)], scores[place, : len(kept)] = kept, values[inside][:depth]
        return order, scores
