"""Binding: the pairs as a file writes them → judgments that point into tables, every fault named.

All readers of judgments end here, so that each rule about ids, scores and repeats is written once.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.judgments import Judgments
from gradus.judgments.split import PARTS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Judged pairs in the words of their file.

    Attributes:
        files: The file, or the files one after the other, each with its number of pairs; for messages.
        query_ids: (p,) texts.
        document_ids: (p,) texts.
        score: (p,) not yet divided by `scale`.
        low: (p,) or `None`; NaN where a pair has no lower end.
        high: (p,) or `None`; NaN where a pair has no upper end.
        source: (p,) names.
        scale: The score that counts as 1.
        query_part: (p,) the split label of each pair's query, empty where there is none; or `None`.
        document_part: The same of each pair's document.
    """

    files: tuple[tuple[Path, int], ...]
    query_ids: NDArray[np.object_]
    document_ids: NDArray[np.object_]
    score: Floats
    low: Floats | None
    high: Floats | None
    source: NDArray[np.object_]
    scale: float = 1.0
    query_part: NDArray[np.object_] | None = None
    document_part: NDArray[np.object_] | None = None

    def at(self, row: int) -> str:
        """File and row as people count them: rows from 1, below a header."""
        for path, length in self.files:
            if row < length:
                return f"{path}, row {row + 1}"
            row -= length
        raise IndexError(row)


@dataclass(frozen=True)
class JudgmentsFile:
    """What a judgments file says: judgments, and the split where it has one.

    Attributes:
        judgments: The judged pairs.
        query_part: (n_queries,) split label or `None` per row of `judgments.queries`; `None` as a whole
            where the file has no labels for queries.
        document_part: (n_documents,) the same for `judgments.documents`. A document that no pair mentions
            has no label.
    """

    judgments: Judgments
    query_part: NDArray[np.object_] | None = None
    document_part: NDArray[np.object_] | None = None


def bind(evidence: Evidence, queries: Table, documents: Table) -> JudgmentsFile:
    """Point the pairs into the tables.

    Identical repeats of a pair are merged; queries without a judgment are left out of the result.

    Raises:
        JudgmentsError: No pairs at all; an id that a table lacks; a score or interval end that is not a
            number, out of range or out of order; a pair with two scores; a query or document with two
            split labels, or a label that is no part of a split.
    """
    if not len(evidence.score):
        raise JudgmentsError(f"{evidence.files[0][0]} holds no judgments")
    score, low, high = _scaled(evidence)
    query = _rows(evidence, "query", evidence.query_ids, queries)
    document = _rows(evidence, "document", evidence.document_ids, documents)
    judged, query = np.unique(query, return_inverse=True)
    if len(judged) < len(queries):
        queries = queries.take(judged)
    query_part = _labels(evidence, "query", query, queries, evidence.query_part)
    document_part = _labels(evidence, "document", document, documents, evidence.document_part)
    kept = _without_repeats(evidence, query * len(documents) + document, (score, low, high))
    judgments = Judgments(
        queries, documents, query[kept], document[kept], score[kept], low[kept], high[kept],
        evidence.source[kept],
    )  # fmt: skip
    return JudgmentsFile(judgments, query_part, document_part)


def _scaled(evidence: Evidence) -> tuple[Floats, Floats, Floats]:
    """Score, low and high in [0, 1]; a missing end of an interval is the score itself."""
    score = evidence.score / evidence.scale
    if (row := _first(~np.isfinite(score))) is not None:
        raise JudgmentsError(
            f"{evidence.at(row)}: the score is missing or not a finite number; give one, or remove the row"
        )
    if (row := _first((score < 0) | (score > 1))) is not None:
        top = evidence.score.max()
        remedy = (
            f"scores reach up to {_shown(top)}: set judgments.scale to the score that counts as 1, "
            f"such as judgments.scale = {_shown(top)}"
            if top > evidence.scale
            else "correct it, or remove the row"
        )
        scaled = f" divided by judgments.scale = {_shown(evidence.scale)}" if evidence.scale != 1 else ""
        raise JudgmentsError(
            f"{evidence.at(row)}: the score {_shown(evidence.score[row])}{scaled} is not between 0 and 1; {remedy}"
        )
    ends = []
    for end in (evidence.low, evidence.high):
        ends.append(score if end is None else np.where(np.isnan(end), score, end / evidence.scale))
    low, high = ends
    if (row := _first(~((low >= 0) & (low <= score) & (score <= high) & (high <= 1)))) is not None:
        raise JudgmentsError(
            f"{evidence.at(row)}: 0 ≤ low ≤ score ≤ high ≤ 1 does not hold "
            f"({_shown(low[row])}, {_shown(score[row])}, {_shown(high[row])})"
        )
    return score, low, high


def _rows(evidence: Evidence, noun: str, ids: NDArray[np.object_], table: Table) -> NDArray[np.int64]:
    """(p,) rows of the ids in the table."""
    found = np.array([table.row_of.get(name, -1) for name in ids], np.int64)
    missing = np.flatnonzero(found < 0)
    if len(missing):
        names = list(dict.fromkeys(ids[missing]))
        shown = ", ".join(repr(name) for name in names[:3]) + (", …" if len(names) > 3 else "")
        where, key = {
            "query": ("the queries file", "query.path, query.id and judgments.query_id"),
            "document": ("the catalogue", "catalog.id and judgments.doc_id"),
        }[noun]
        raise JudgmentsError(
            f"{evidence.at(missing[0])}: {len(names)} {noun} id{'s' if len(names) > 1 else ''} "
            f"not in {where}: {shown}. Check {key}, or remove "
            f"{'its judgment' if len(missing) == 1 else f'the {len(missing):,} judgments'}"
        )
    return found


def _first(mask: NDArray[np.bool_]) -> int | None:
    """Where the mask is true for the first time."""
    return int(np.argmax(mask)) if mask.any() else None


def _shown(number: float) -> str:
    """A number as short as it can be without becoming another one: 3, 0.1, 1.0000000000000002."""
    short = f"{number:g}"
    return short if float(short) == number else repr(float(number))


def _without_repeats(
    evidence: Evidence, pair: NDArray[np.int64], values: tuple[Floats, ...]
) -> NDArray[np.int64]:
    """The first row of every pair, in the order of the file."""
    order = np.argsort(pair, kind="stable")
    repeat = np.r_[False, pair[order][1:] == pair[order][:-1]]
    for value in values:
        changed = np.r_[False, value[order][1:] != value[order][:-1]] & repeat
        if (place := _first(changed)) is not None:
            one, other = order[place - 1], order[place]
            raise JudgmentsError(
                f"{evidence.at(one)} and {evidence.at(other)} judge the same pair differently: "
                f"query {evidence.query_ids[one]!r}, document {evidence.document_ids[one]!r}, "
                f"{_shown(value[one])} and {_shown(value[other])}; keep one"
            )
    return np.sort(order[~repeat])


def _labels(
    evidence: Evidence, noun: str, rows: NDArray[np.int64], table: Table, labels: NDArray[np.object_] | None
) -> NDArray[np.object_] | None:
    """The labels of pairs → one label per row of the table; `test` is another word for novel."""
    if labels is None:
        return None
    given = np.array([str(label or "").strip().lower() for label in labels], object)
    given[given == "test"] = "novel"
    labelled = given != ""
    if not labelled.any():
        return None
    if (row := _first(labelled & ~np.isin(given.astype(str), PARTS))) is not None:
        raise JudgmentsError(
            f"{evidence.at(row)}: {given[row]!r} is no part of a split; write train, validation or novel"
        )
    part_of = np.full(len(table), None, object)
    part_of[rows[labelled][::-1]] = given[labelled][::-1]  # the first row of each decides
    if (row := _first(labelled & (given != part_of[rows]))) is not None:
        raise JudgmentsError(
            f"{evidence.at(row)}: {noun} {table.ids[rows[row]]!r} is {given[row]} here and "
            f"{part_of[rows[row]]} above; a {noun} belongs to one part"
        )
    return part_of
