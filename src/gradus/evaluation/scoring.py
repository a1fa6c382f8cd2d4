"""Meeting point of ranked lists and judgments: the arrays that every metric reads, and the scoring itself.

A metric never sees an id. `ranked_from_run` (ids) and `ranked_from_indices` (row numbers, for large
evaluations) look up the judged score of every returned document once; all metrics then work on the same
three arrays, over all queries at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, count
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gradus.errors import EvaluationError
from gradus.evaluation.runs import Run

if TYPE_CHECKING:
    from gradus.evaluation.metrics.base import Metric

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BLOCK = 2**21
"""Returned documents that are worked on at a time: matrices of so many numbers take 16 MB."""


@dataclass(frozen=True)
class Ranked:
    """The judged scores of what was returned, and of what could have been returned.

    Attributes:
        gains: (n_queries, depth) judged score in [0, 1] of the document at each rank, best rank first.
            NaN where the document is unjudged, and beyond the end of the list.
        lengths: (n_queries,) number of documents returned for each query, at most `depth`.
        judged: (n_queries, max_judged) all judged scores of each query, retrieved or not, in descending
            order, padded with NaN at the end.
    """

    gains: FloatArray
    lengths: IntArray
    judged: FloatArray

    def __post_init__(self) -> None:
        if self.gains.ndim != 2 or self.judged.ndim != 2 or 0 in (self.gains.shape[1], self.judged.shape[1]):
            raise EvaluationError(
                f"gains and judged must be matrices with at least one column, "
                f"but have shapes {self.gains.shape} and {self.judged.shape}"
            )
        if not len(self.gains) == len(self.judged) == len(self.lengths):
            raise EvaluationError(
                f"gains, judged and lengths must have one row per query, "
                f"but have {len(self.gains)}, {len(self.judged)} and {len(self.lengths)}"
            )

    def scores(self, cutoff: int | None = None) -> FloatArray:
        """Judged scores down to rank `cutoff`, unjudged documents as 0; (n_queries, min(depth, cutoff))."""
        return np.nan_to_num(self.gains[:, :cutoff], nan=0.0)

    def ideal(self, cutoff: int | None = None) -> FloatArray:
        """Scores of the best possible list, down to rank `cutoff`; (n_queries, min(max_judged, cutoff))."""
        return np.nan_to_num(self.judged[:, :cutoff], nan=0.0)

    def relevant(self, rel: float = 0.0) -> IntArray:
        """Number of judged documents that are relevant: score above 0 and at least `rel`; (n_queries,)."""
        number: IntArray = is_relevant(self.judged, rel).sum(axis=1)
        return number


def is_relevant(scores: FloatArray, rel: float) -> BoolArray:
    """Whether each score is above 0 and at least `rel`; NaN is not."""
    return (scores > 0) & (scores >= rel)


def score(ranked: Ranked, metrics: "Sequence[Metric]") -> dict[str, FloatArray]:
    """Compute each metric for each query.

    Returns:
        Metric name to (n_queries,) values; NaN where the metric is undefined for the query.
    """
    parts = [
        Ranked(ranked.gains[rows], ranked.lengths[rows], ranked.judged[rows])
        for rows in _blocks(len(ranked.gains), max(ranked.gains.shape[1], ranked.judged.shape[1]))
    ]
    return {str(metric): np.concatenate([metric(part) for part in parts]) for metric in metrics}


def _blocks(n_queries: int, width: int) -> list[slice]:
    """Rows to work on at a time, at least one block; what is computed on the way stays within its memory."""
    size = max(1, BLOCK // width)
    return [slice(start, min(start + size, n_queries)) for start in range(0, max(1, n_queries), size)]


def ranked_from_run(run: Run, query_ids: Sequence[str], judged: Mapping[str, Mapping[str, float]]) -> Ranked:
    """Look up the judged scores of a run.

    Args:
        run: What a system returned. Its queries outside `query_ids` are ignored.
        query_ids: The queries to score, in the order of the result's rows. A query that the run lacks
            counts as an empty list.
        judged: Query id to document id to score in [0, 1].

    Raises:
        EvaluationError: A score is NaN or outside [0, 1], or a query is listed twice.
    """
    row_in_run = {query_id: row for row, query_id in enumerate(run.query_ids)}
    if len(set(query_ids)) < len(query_ids):
        raise EvaluationError("query_ids lists a query twice: each query is scored once")
    lists = [run.document_ids[row_in_run[q]] if q in row_in_run else [] for q in query_ids]
    lengths = np.array([len(documents) for documents in lists], dtype=np.int64)
    gains = np.full((len(lists), max(1, int(lengths.max(initial=0)))), np.nan)
    rows: list[int] = []
    values: list[float] = []
    for row, (query_id, documents) in enumerate(zip(query_ids, lists, strict=True)):
        scores = judged.get(query_id, {})
        for document_id, value in scores.items():
            # `not (...)` also catches NaN, which fails every comparison.
            if not 0.0 <= value <= 1.0:
                raise EvaluationError(
                    f"the judgment of query {query_id!r} and document {document_id!r} has score {value}: "
                    f"scores are numbers from 0 to 1"
                )
        rows.extend([row] * len(scores))
        values.extend(scores.values())
        places = list(compress(count(), map(scores.__contains__, documents)))
        gains[row, places] = [scores[documents[place]] for place in places]
    matrix = _descending(np.array(rows, np.int64), np.array(values, np.float64), len(lists))
    return Ranked(gains, lengths, matrix)


def ranked_from_indices(
    order: npt.ArrayLike,
    query_of_pair: npt.ArrayLike,
    document_of_pair: npt.ArrayLike,
    score_of_pair: npt.ArrayLike,
    n_queries: int,
    n_documents: int,
) -> Ranked:
    """Look up the judged scores of ranked document rows, without ids.

    The returned documents of each query are sorted, their ranks carried in the low bits, and the judged pairs
    looked up among them by binary search.

    Args:
        order: (n_queries, depth) integer rows of the documents returned, best first; lists shorter than
            `depth` are padded with -1 at the end.
        query_of_pair: (n_pairs,) query row of each judgment.
        document_of_pair: (n_pairs,) document row of each judgment.
        score_of_pair: (n_pairs,) score in [0, 1] of each judgment.
        n_queries: Number of queries.
        n_documents: Number of documents.

    Raises:
        EvaluationError: A row is out of range, a document is returned twice for a query, a pair is judged
            twice, or a score is NaN or outside [0, 1].
    """
    returned = _checked_order(order, n_queries, n_documents)
    query = _checked_rows(query_of_pair, n_queries, "query_of_pair")
    document = _checked_rows(document_of_pair, n_documents, "document_of_pair")
    scores = np.asarray(score_of_pair, dtype=np.float64)
    if not query.shape == document.shape == scores.shape:
        raise EvaluationError(
            f"query_of_pair, document_of_pair and score_of_pair must be of one length, "
            f"but have shapes {query.shape}, {document.shape} and {scores.shape}"
        )
    _refuse(
        ~((scores >= 0) & (scores <= 1)),
        lambda at: (
            f"the judgment of query row {query[at]} and document row {document[at]} has score {scores[at]}: "
            f"scores are numbers from 0 to 1"
        ),
    )
    keys = query * n_documents + document
    by_key = np.argsort(keys, kind="stable")
    keys = keys[by_key]
    _refuse(
        keys[1:] == keys[:-1],
        lambda at: (
            f"query row {keys[at] // n_documents} and document row {keys[at] % n_documents} are judged twice: "
            f"merge their scores first"
        ),
    )
    query, document, scores = query[by_key], document[by_key], scores[by_key]
    gains = np.full(returned.shape, np.nan)
    for rows in _blocks(*returned.shape):
        pairs = slice(*np.searchsorted(query, [rows.start, rows.stop]))
        _place(
            returned[rows],
            query[pairs] - rows.start,
            document[pairs],
            scores[pairs],
            gains[rows],
            n_documents,
            rows.start,
        )
    return Ranked(gains, (returned >= 0).sum(axis=1), _descending(query, scores, n_queries))


def _place(
    returned: IntArray,
    query: IntArray,
    document: IntArray,
    scores: FloatArray,
    gains: FloatArray,
    n_documents: int,
    first: int,
) -> None:
    """Write the scores of judged pairs, sorted by query and document, to where the documents were returned."""
    bits = returned.shape[1].bit_length()
    documents_and_ranks = (returned << bits) | np.arange(returned.shape[1])
    documents_and_ranks.sort(axis=1)
    _refuse_repeats(documents_and_ranks >> bits, first)
    # Rows one after the other stay sorted where each row's keys lie above all of the row before.
    above = n_documents.bit_length() + bits + 1
    listed = (documents_and_ranks + (np.arange(len(returned)) << above)[:, None]).ravel()
    wanted = (query << above) + (document << bits)
    at = np.minimum(np.searchsorted(listed, wanted), listed.size - 1)
    hit = listed[at] >> bits == wanted >> bits
    gains[query[hit], listed[at[hit]] & ((1 << bits) - 1)] = scores[hit]


def percent_grades(scores: npt.ArrayLike) -> FloatArray:
    """Scores as the public GCL evaluation grades them: min-max scaled to whole numbers 1 to 100, over 100.

    grade = ⌊99 (s − min) / (max − min)⌋ + 1, with min and max over all judgments of the evaluation. To
    reproduce its figures, pass the judgments through this function before scoring with `nDCG@10`,
    `ERR(max=100,top=query)` and `RBP(p=0.9,top=query)`. When all scores are equal, each becomes 1 / 100.

    Args:
        scores: (n_pairs,) scores of all judgments, none NaN.
    """
    values = np.asarray(scores, dtype=np.float64)
    low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
    if not high > low:
        return np.full(values.shape, 0.01)
    grades: FloatArray = np.floor((values - low) / (high - low) * 99 + 1)
    return grades / 100


def _checked_order(order: npt.ArrayLike, n_queries: int, n_documents: int) -> IntArray:
    rows = np.asarray(order)
    if rows.ndim != 2 or len(rows) != n_queries or rows.shape[1] == 0 or rows.dtype.kind not in "iu":
        raise EvaluationError(
            f"order must be a matrix of integers with {n_queries} rows and at least one column, "
            f"but is {rows.dtype} of shape {rows.shape}"
        )
    rows = rows.astype(np.int64, copy=False)
    if rows.size and not (rows.min() >= -1 and rows.max() < n_documents):
        raise EvaluationError(f"order holds a row outside 0 to {n_documents - 1} (or -1 for no document)")
    _refuse(
        ((rows[:, 1:] >= 0) & (rows[:, :-1] < 0)).any(axis=1),
        lambda at: f"query row {at} has a document after a -1: only the end of a list is padded",
    )
    return rows


def _checked_rows(rows: npt.ArrayLike, count: int, name: str) -> IntArray:
    values = np.asarray(rows)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise EvaluationError(
            f"{name} must be a vector of integers, but is {values.dtype} of shape {values.shape}"
        )
    if values.size and not (values.min() >= 0 and values.max() < count):
        raise EvaluationError(f"{name} holds a row outside 0 to {count - 1}")
    return values.astype(np.int64, copy=False)


def _refuse(bad: npt.ArrayLike, message: Callable[[int], str]) -> None:
    """Raise with the message of the first bad position, if there is one."""
    if np.any(bad):
        raise EvaluationError(message(int(np.argmax(bad))))


def _refuse_repeats(ascending: IntArray, first: int) -> None:
    """Refuse sorted rows, the first of which is query row `first`, in which a document occurs twice."""
    _refuse(
        ((ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)).any(axis=1),
        lambda at: f"query row {first + at} returns a document twice: keep its best rank only",
    )


def _descending(query: IntArray, scores: FloatArray, n_queries: int) -> FloatArray:
    """Scores of each query in descending order; (n_queries, max(1, largest count)), padded with NaN.

    Args:
        query: (n_pairs,) query row of each score, in ascending order.
        scores: (n_pairs,) scores.
        n_queries: Number of queries.
    """
    counts = np.bincount(query, minlength=n_queries)
    negated = np.full((n_queries, max(1, int(counts.max(initial=0)))), np.nan)
    starts = np.cumsum(counts) - counts
    negated[query, np.arange(len(query)) - np.repeat(starts, counts)] = -scores
    negated.sort(axis=1)  # NaN goes to the end
    descending: FloatArray = np.negative(negated, out=negated)
    return descending
