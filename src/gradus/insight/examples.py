"""Example result lists, chosen by a rule instead of by hand, with pictures and true scores."""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gradus.catalog.images import decode_image
from gradus.catalog.table import ImageSource, Table
from gradus.catalog.text import has_kana, scripts_of
from gradus.errors import CatalogError
from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.results import Evaluation
from gradus.judgments.judgments import Judgments

RULE = (
    "Chosen by a rule, not by hand. Queries are told apart by kind: by picture; misspelt (a word that no document "
    "has, one slip of the fingers away from one that does); and the rest by their script. Of each kind the query "
    "is shown whose difference is the median, then of all queries the greatest gain and the greatest loss."
)
KINDS = ("Latin script", "Japanese script", "Chinese script", "other script", "misspelt", "by picture")
HITS = 5
_SHADES = 48
"""Colours of a thumbnail: enough for drawings and, dithered, for photographs, at a third of the bytes."""

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Hit:
    """A document in a list.

    Attributes:
        doc_id: Its id.
        titles: Values of its first text fields, two at most.
        picture: Its picture as a data URI; `None` where it has none that can be read.
        score: Its judged score for the query; `None` where the pair is unjudged.
    """

    doc_id: str
    titles: tuple[str, ...]
    picture: str | None
    score: float | None


@dataclass(frozen=True)
class RankedList:
    """The first documents that a system returned: its name, the metric of the whole list, and the hits."""

    system: str
    value: float
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Example:
    """A query with what the baseline and the system returned.

    Attributes:
        query_id: Its id.
        kind: One of `KINDS`.
        reason: Why the rule chose it.
        text: Its text; empty where it has none.
        picture: Its picture as a data URI, or `None`.
        difference: The metric, system − baseline.
        lists: Those of the baseline and of the system.
    """

    query_id: str
    kind: str
    reason: str
    text: str
    picture: str | None
    difference: float
    lists: tuple[RankedList, RankedList]


def choose_examples(
    baseline: Evaluation, system: Evaluation, judgments: Judgments, cell: str, metric: str
) -> list[Example]:
    """The examples that `RULE` names: at most six, fewer where queries or kinds are.

    Args:
        baseline: One system.
        system: The other.
        judgments: What both were measured with; its tables hold titles and pictures.
        cell: The cell of the split whose queries are shown.
        metric: The metric whose difference decides.
    """
    ids, before, after = paired(baseline, system, cell, metric)
    sign = 1 if parse_metric(metric).higher_is_better else -1
    gain = sign * (after - before)
    order = sorted(range(len(ids)), key=lambda i: (gain[i], ids[i]))
    kinds = kinds_of(judgments)
    kind_of = {ids[i]: kinds[judgments.queries.row_of[ids[i]]] for i in order}
    chosen: dict[int, str] = {}
    for kind in KINDS:
        members = [i for i in order if kind_of[ids[i]] == kind]
        if members:
            chosen[members[(len(members) - 1) // 2]] = "the median of its kind"
    for reason, ranked in (("the greatest gain", order[::-1]), ("the greatest loss", order)):
        rest = [i for i in ranked if i not in chosen]
        if rest and (gain[rest[0]] > 0) == (reason == "the greatest gain") and gain[rest[0]] != 0:
            chosen[rest[0]] = reason
    return [
        _example(ids[i], kind_of[ids[i]], reason, judgments, cell, (baseline, before[i]), (system, after[i]))
        for i, reason in chosen.items()
    ]


def paired(
    baseline: Evaluation, system: Evaluation, cell: str, metric: str
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """The queries of a cell on which both systems have the metric, and its values, each (n,)."""
    ours, theirs = (
        dict(zip(e.cells[cell].query_ids, e.cells[cell].per_query[metric], strict=True))
        for e in (baseline, system)
    )
    ids = [q for q in ours if q in theirs and np.isfinite(ours[q]) and np.isfinite(theirs[q])]
    return ids, np.array([ours[q] for q in ids]), np.array([theirs[q] for q in ids])


def kinds_of(judgments: Judgments) -> list[str]:
    """The kind of each row of `judgments.queries`, as `RULE` tells them apart."""
    documents = judgments.documents
    known = {
        word
        for field in documents.fields
        if field.type in ("text", "category")
        for value in documents.columns[field.name]
        if value is not None
        for word in _words(value)
    }
    near = {shorter for word in known if len(word) > 2 for shorter in _one_slip(word)}
    queries = judgments.queries
    # Kanji alone are Japanese where other queries have kana.
    japanese = any(has_kana(_text(queries, row)) for row in range(len(queries)))
    return [_kind(queries, row, known, near, japanese) for row in range(len(queries))]


def thumbnail(source: ImageSource | None, side: int = 176) -> str | None:
    """A small PNG of a picture as a data URI; `None` where there is none or it cannot be read."""
    if source is None:
        return None
    try:
        image = decode_image(source, side)
    except CatalogError:
        return None
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.quantize(_SHADES).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _kind(queries: Table, row: int, known: set[str], near: set[str], japanese: bool) -> str:
    if any(
        field.type == "image" and queries.columns[field.name][row] is not None for field in queries.fields
    ):
        return "by picture"
    text = _text(queries, row)
    if any(_is_misspelt(word, known, near) for word in _words(text)):
        return "misspelt"
    scripts = scripts_of(text)
    if has_kana(text) or (japanese and "CJK" in scripts):
        return "Japanese script"
    return (
        "Chinese script" if "CJK" in scripts else "Latin script" if scripts <= {"LATIN"} else "other script"
    )


def _is_misspelt(word: str, known: set[str], near: set[str]) -> bool:
    # Short words are too often one slip away from another word.
    long_enough = len(word) >= (4 if word.isascii() else 3)
    return long_enough and word not in known and not near.isdisjoint(_one_slip(word))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _one_slip(word: str) -> Iterable[str]:
    """The word and all it can become by losing one letter.

    Two words that share one of these differ by a letter lost, added, replaced, or swapped with its
    neighbour, or by one that moved.
    """
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def _text(table: Table, row: int) -> str:
    record = table.record(row)
    texts = [str(record[f.name]) for f in table.fields if f.type == "text" and f.name in record]
    others = [
        f"{f.name} {record[f.name]}"
        for f in table.encoded
        if f.type in ("category", "number") and f.name in record
    ]
    return " · ".join(texts + others)


def _picture(table: Table, row: int) -> str | None:
    sources = (table.columns[field.name][row] for field in table.fields if field.type == "image")
    return next((shown for source in sources if (shown := thumbnail(source))), None)


def _example(
    query_id: str,
    kind: str,
    reason: str,
    judgments: Judgments,
    cell: str,
    *systems: tuple[Evaluation, float],
) -> Example:
    queries, documents = judgments.queries, judgments.documents
    row = queries.row_of[query_id]
    pairs = np.flatnonzero(judgments.query == row)
    score_of = dict(zip(judgments.document[pairs].tolist(), judgments.score[pairs].tolist(), strict=True))
    first, second = (
        RankedList(e.name, float(value), tuple(_hits(e, cell, query_id, documents, score_of)))
        for e, value in systems
    )
    return Example(
        query_id,
        kind,
        reason,
        _text(queries, row),
        _picture(queries, row),
        second.value - first.value,
        (first, second),
    )


def _hits(
    evaluation: Evaluation, cell: str, query_id: str, documents: Table, score_of: dict[int, float]
) -> Iterable[Hit]:
    run = evaluation.cells[cell].run
    # A run that was read from its file lacks the queries for which nothing was returned.
    found: Sequence[str] = (
        run.document_ids[run.query_ids.index(query_id)] if query_id in run.query_ids else ()
    )
    titled = [field for field in documents.fields if field.type == "text"]
    for doc_id in found[:HITS]:
        row = documents.row_of[doc_id]
        record = documents.record(row)
        titles = tuple(record[field.name] for field in titled if field.name in record)[:2]
        yield Hit(doc_id, titles, _picture(documents, row), score_of.get(row))
