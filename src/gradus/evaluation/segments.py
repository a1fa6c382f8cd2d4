"""Segments: kinds of queries that a mean over all of them hides.

traffic             head, torso and tail: the most asked queries that together hold a third of the evidence, those that
                    hold the next third, and all others; where judgments carry counts of evidence
judged              how many documents of a query are judged: few, some and many, a third of the queries each
input               text, image, or mixed
language            by script: Latin, Japanese (Han alone too, where some query holds kana), Chinese, other; none for
                    queries without letters
FIELD               each category of a query's field, the most frequent ones alone and the others together
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.catalog.text import has_kana, scripts_of
from gradus.evaluation.bootstrap import Interval, bootstrap_interval
from gradus.evaluation.results import Evaluation
from gradus.judgments.judgments import Judgments

Labels = NDArray[np.object_]

CATEGORIES = 20
"""Categories of a field that are segments of their own."""


@dataclass(frozen=True)
class SegmentResult:
    """A system on the queries of one kind, in one cell.

    Attributes:
        cell: The cell of the split.
        segment: What the queries are told apart by.
        value: Which of them these are.
        queries: How many.
        metrics: Metric → mean with its bootstrap interval (95 %).
    """

    cell: str
    segment: str
    value: str
    queries: int
    metrics: dict[str, Interval]


def query_segments(judgments: Judgments, evidence: NDArray[np.float64] | None = None) -> dict[str, Labels]:
    """Segment → (n_q,) the value of each query, `None` where it has none.

    Segments that do not tell queries apart are left out.

    Args:
        judgments: The judged pairs.
        evidence: (n_q,) how much evidence there is of each query, such as its searches; `None` if that is not known.
    """
    queries = judgments.queries
    counts = np.bincount(judgments.query, minlength=len(queries))
    texts = [_text(queries, row) for row in range(len(queries))]
    japanese = any(map(has_kana, texts))
    found: dict[str, Labels] = {
        "judged": _thirds(counts),
        "input": _objects([_input(queries, row) for row in range(len(queries))]),
        "language": _objects([_language(text, japanese) for text in texts]),
    }
    if evidence is not None:
        found = {"traffic": _traffic(evidence)} | found
    for field in queries.fields:
        if field.type == "category":
            found[field.name] = _frequent(queries.columns[field.name])
    return {name: labels for name, labels in found.items() if len(set(labels) - {None}) > 1}


def measure_segments(
    evaluation: Evaluation, queries: Table, segments: Mapping[str, Labels], metrics: Sequence[str]
) -> list[SegmentResult]:
    """A system's metrics on every segment of every cell.

    Args:
        evaluation: The system, measured.
        queries: The queries of `Judgments`.
        segments: What `query_segments` gave.
        metrics: Those of the evaluation's metrics that are wanted.
    """
    rows = []
    for cell, result in evaluation.cells.items():
        places = [queries.row_of[name] for name in result.query_ids]
        for segment, labels in segments.items():
            own = labels[places]
            for value in sorted({label for label in own if label is not None}):
                here = own == value
                intervals = {metric: bootstrap_interval(result.per_query[metric][here]) for metric in metrics}
                rows.append(SegmentResult(cell, segment, value, int(here.sum()), intervals))
    return rows


def _traffic(evidence: NDArray[np.float64]) -> Labels:
    order = np.argsort(-evidence, kind="stable")
    # A query belongs to the third in which its own evidence begins.
    before = np.cumsum(evidence[order]) - evidence[order]
    third = np.empty(len(evidence), np.int64)
    third[order] = np.minimum(3 * before / max(evidence.sum(), 1e-12), 2).astype(np.int64)
    return _objects([("head", "torso", "tail")[number] for number in third])


def _thirds(counts: NDArray[np.int64]) -> Labels:
    """Few, some, many; queries with the same count are never told apart."""
    low, high = np.quantile(counts, [1 / 3, 2 / 3])
    place = (counts > low).astype(int) + (counts > high)
    return _objects([("few", "some", "many")[number] for number in place])


def _input(queries: Table, row: int) -> str | None:
    given = {
        field.type == "image" for field in queries.encoded if queries.columns[field.name][row] is not None
    }
    if not given:
        return None
    return "mixed" if len(given) == 2 else "image" if True in given else "text"


def _language(text: str, japanese: bool) -> str | None:
    scripts = scripts_of(text)
    if not scripts:
        return None
    if has_kana(text) or (japanese and "CJK" in scripts):
        return "Japanese"
    return "Chinese" if "CJK" in scripts else "Latin" if scripts == {"LATIN"} else "other"


def _frequent(values: Sequence[str | None]) -> Labels:
    counts = Counter(value for value in values if value is not None)
    alone = {value for value, _ in counts.most_common(CATEGORIES)}
    return _objects([value if value is None or value in alone else "other" for value in values])


def _text(queries: Table, row: int) -> str:
    values = (queries.columns[field.name][row] for field in queries.fields if field.type == "text")
    return " ".join(value for value in values if value is not None)


def _objects(values: Sequence[str | None]) -> Labels:
    labels = np.empty(len(values), object)
    labels[:] = values
    return labels
