"""Evaluation of a model's vectors, or of any search, on the cells of a split."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.nearest import nearest
from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.results import CellResult, Evaluation
from gradus.evaluation.runs import Run
from gradus.evaluation.scoring import Ranked, ranked_from_indices, score
from gradus.judgments.judgments import Judgments

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

Search = Callable[[Rows, Rows, int], tuple[Rows, Vectors]]
"""From query rows (n,), the document rows (m,) that make the corpus, and a depth k, to the lists: places in
the corpus and their scores, best first, both (n, min(k, m)). A list that ends earlier is filled with place −1 and
score −∞."""


def evaluate_cells(
    name: str,
    queries: Vectors,
    documents: Vectors,
    judgments: Judgments,
    cells: Mapping[str, tuple[Rows, Rows]],
    metrics: Sequence[str],
    depth: int,
) -> Evaluation:
    """Rank each cell's documents for each of its queries and measure the order.

    Queries without a positive judgment in the cell have nothing to be found and are left out, and so is a
    cell without any other query.

    Args:
        name: The system's name.
        queries: (n_q, D) vectors of `judgments.queries`.
        documents: (n_d, D) vectors of `judgments.documents`.
        judgments: The judged pairs.
        cells: Cell → its query rows and the document rows that make its corpus.
        metrics: Names of metrics.
        depth: How many documents are returned for a query.

    Raises:
        EvaluationError: An unknown metric.
    """

    def search(query_rows: Rows, document_rows: Rows, k: int) -> tuple[Rows, Vectors]:
        return nearest(queries[query_rows], documents[document_rows], k)

    return evaluate_search(name, search, judgments, cells, metrics, depth)


def evaluate_search(
    name: str,
    search: Search,
    judgments: Judgments,
    cells: Mapping[str, tuple[Rows, Rows]],
    metrics: Sequence[str],
    depth: int,
) -> Evaluation:
    """Measure what a search returns; arguments and the queries left out are those of `evaluate_cells`.

    Raises:
        EvaluationError: An unknown metric.
    """
    parsed = [parse_metric(metric) for metric in metrics]
    results = {}
    for cell, (query_rows, document_rows) in cells.items():
        query_rows = answerable(judgments, query_rows, document_rows)
        if not len(query_rows):
            continue
        order, scores = search(query_rows, document_rows, depth)
        ranked = look_up(order, judgments, query_rows, document_rows)
        ids = [judgments.queries.ids[row] for row in query_rows]
        run = Run(
            name,
            ids,
            [[judgments.documents.ids[document_rows[place]] for place in row if place >= 0] for row in order],
            [row[places >= 0].tolist() for row, places in zip(scores, order, strict=True)],
        )
        results[cell] = CellResult(len(document_rows), ids, score(ranked, parsed), run)
    return Evaluation(name, results)


def answerable(judgments: Judgments, query_rows: Rows, document_rows: Rows) -> Rows:
    """Those of the queries that have a positive judgment among the documents."""
    inside = np.isin(judgments.document, document_rows) & (judgments.score > 0)
    return query_rows[np.isin(query_rows, judgments.query[inside])]


def rank(
    queries: Vectors,
    documents: Vectors,
    judgments: Judgments,
    query_rows: Rows,
    document_rows: Rows,
    depth: int,
) -> tuple[Ranked, Rows, Vectors]:
    """Rank documents for queries and look the judged scores up.

    Args:
        queries: (n, D) vectors of `query_rows`.
        documents: (m, D) vectors of `document_rows`.
        judgments: The judged pairs.
        query_rows: (n,) rows of `judgments.queries`.
        document_rows: (m,) rows of `judgments.documents`: the corpus.
        depth: How many documents are returned for a query.

    Returns:
        The judged scores along the rankings, the rankings themselves (n, k) as places in
        `document_rows`, and their dot products.
    """
    order, scores = nearest(queries, documents, depth)
    return look_up(order, judgments, query_rows, document_rows), order, scores


def look_up(order: Rows, judgments: Judgments, query_rows: Rows, document_rows: Rows) -> Ranked:
    """The judged scores along lists.

    Args:
        order: (n, k) places in `document_rows`, best first; −1 after the end of a list.
        judgments: The judged pairs.
        query_rows: (n,) rows of `judgments.queries`.
        document_rows: (m,) rows of `judgments.documents`: the corpus.
    """
    place_of_query = np.full(len(judgments.queries), -1)
    place_of_query[query_rows] = np.arange(len(query_rows))
    place_of_document = np.full(len(judgments.documents), -1)
    place_of_document[document_rows] = np.arange(len(document_rows))
    query, document = place_of_query[judgments.query], place_of_document[judgments.document]
    inside = (query >= 0) & (document >= 0)
    return ranked_from_indices(
        order,
        query[inside],
        document[inside],
        judgments.score[inside],
        len(query_rows),
        len(document_rows),
    )
