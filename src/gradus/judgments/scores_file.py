"""Scores and the judgments file: a gold set is read from one, what fusion comes to is written to one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.fields import Field
from gradus.catalog.read import fields_from
from gradus.catalog.table import Table
from gradus.catalog.text import normalise
from gradus.errors import JudgmentsError
from gradus.judgments.binding import Evidence, bind
from gradus.judgments.columns import Columns
from gradus.judgments.fusion import Fused
from gradus.judgments.judgments import Judgments
from gradus.judgments.scores import Scores
from gradus.judgments.table_format import EVIDENCE, write_judgments
from gradus.settings import Settings


def read_gold(settings: Settings, query_form: Callable[[str], str] = normalise) -> Scores:
    """Read the judgments file that `fusion.gold` names, its scores divided by `fusion.gold_scale`.

    A query goes by its text where the file has it and queries are single texts without a file of their own, as in logs;
    else by its id.

    Args:
        settings: The section fusion says where; judgments and query name the columns.
        query_form: Brings a query's text to the form in which sources are compared, as logs do.

    Raises:
        JudgmentsError: As for a judgments file.
        CatalogError: The file cannot be read.
    """
    names = settings.judgments
    columns = Columns.read(settings.resolve(settings.fusion.gold), "fusion.gold")
    text = None if settings.query.path else _text_field(settings)
    if text is not None and text in columns:
        queries = np.array([query_form(name) for name in columns.ids(text, "query.fields")], object)
    else:
        queries = columns.ids(names.query_id, "judgments.query_id")
    documents = columns.ids(names.doc_id, "judgments.doc_id")
    evidence = Evidence(
        files=((columns.path, len(columns)),),
        query_ids=queries,
        document_ids=documents,
        score=columns.numbers(names.score, "judgments.score"),
        low=columns.numbers("low", "low") if "low" in columns else None,
        high=columns.numbers("high", "high") if "high" in columns else None,
        source=np.full(len(columns), "gold", object),
        scale=settings.fusion.gold_scale,
    )
    judged = bind(evidence, _named(queries), _named(documents)).judgments
    return Scores(
        "gold", judged.queries.ids, judged.documents.ids, judged.query, judged.document, judged.score,
        judged.low, judged.high, np.ones(len(judged)),
    )  # fmt: skip


def write_fused(
    path: Path,
    fused: Fused,
    settings: Settings,
    documents: Table,
    queries: Table | None = None,
    window: tuple[datetime, datetime] | None = None,
) -> NDArray[np.bool_]:
    """Write fused scores as a judgments file, with counts of evidence: in all, and of each source.

    Pairs whose document the catalogue does not have, or whose query `queries` does not, are left out: logs
    know documents that were taken down.

    Args:
        path: The file, .csv or .parquet; its columns evidence, evidence_log and so on hold the counts,
            window_start and window_end the window of the pairs that a log judges.
        fused: What fusion came to.
        settings: `query.fields` names the column of the query's text where there is no table of queries.
        documents: The catalogue.
        queries: The queries by the ids that the evidence uses; without it, a query's text is its id.
        window: Times of the log's first and last impression; `None` for a log without times, or no log.

    Returns:
        (p,) whether each pair was written.

    Raises:
        JudgmentsError: No pair is left; or there is no table of queries, and a query is no single text.
    """
    queries = query_table(fused.queries, settings) if queries is None else queries
    judgments, kept = as_judgments(fused, fused.source, documents, queries)
    evidence: dict[str, NDArray[Any]] = {EVIDENCE: fused.evidence[kept]}
    for column, name in enumerate(fused.sources):
        evidence[f"{EVIDENCE}_{name}"] = fused.count[kept, column]
        if name == "log" and window is not None:
            judges = np.isfinite(fused.calibrated[kept, column])
            for end, moment in zip(("start", "end"), window, strict=True):
                evidence[f"window_{end}"] = np.where(
                    judges, np.datetime64(moment, "s"), np.datetime64("NaT", "s")
                )
    write_judgments(path, judgments, evidence=evidence)
    return kept


def query_table(names: Sequence[str], settings: Settings) -> Table:
    """Queries whose texts are their ids, as a log has them.

    Raises:
        JudgmentsError: `query.fields` says that a query is no single text.
    """
    field = _text_field(settings)
    if field is None:
        raise JudgmentsError(
            "queries of the evidence are texts, but [query.fields] says otherwise; name the queries' file in "
            "query.path, or give [query.fields] a single field of type text"
        )
    return Table(list(names), (Field(field),), {field: [normalise(text) or None for text in names]})


def as_judgments(
    scored: Scores | Fused, source: Sequence[str], documents: Table, queries: Table
) -> tuple[Judgments, NDArray[np.bool_]]:
    """The scored pairs whose document and query the tables have, as judgments over them.

    Args:
        scored: The scores.
        source: (p,) names of each pair's sources.
        documents: The catalogue.
        queries: The queries by the ids that the evidence uses.

    Returns:
        The judgments, and the (p,) mask of the pairs that they are made of.

    Raises:
        JudgmentsError: No pair is left.
    """
    query = _rows(scored.queries, queries)[scored.query]
    document = _rows(scored.documents, documents)[scored.document]
    kept = (query >= 0) & (document >= 0)
    if not len(scored):
        raise JudgmentsError("the evidence judges no pair of a query and a document")
    if not kept.any():
        which, names, table = (
            ("document", scored.documents, documents)
            if (document < 0).all()
            else ("query", scored.queries, queries)
        )
        raise JudgmentsError(
            f"none of the {len(scored)} scored pairs is of a query and a document that are known: the evidence has "
            f"{which} {names[0]!r}, the ids here are such as {table.ids[0]!r}; check {_ID_KEYS[which]} and the "
            "columns of the evidence"
        )
    judgments = Judgments(
        queries, documents, query[kept], document[kept], scored.score[kept], scored.low[kept],
        scored.high[kept], np.array(source, object)[kept],
    )  # fmt: skip
    return judgments, kept


def unknown_of(fused: Fused, documents: Table, queries: Table | None) -> list[str]:
    """A sentence each on the documents and the queries of scored pairs that the tables do not have.

    Args:
        fused: The scores.
        documents: The catalogue.
        queries: The queries by the ids that the evidence uses; `None` where any text is one.
    """
    sentences = []
    for kind, names, rows, table in (
        ("document", fused.documents, fused.document, documents),
        ("query", fused.queries, fused.query, queries),
    ):
        missing = np.zeros(len(names), bool) if table is None else _rows(names, table) < 0
        pairs = int(missing[rows].sum())
        if table is not None and pairs:
            sentences.append(
                f"{pairs:,} pairs left out: their {kind} is not known here ({int(missing.sum()):,} of them, such as "
                f"{names[int(np.argmax(missing))]!r}, where ids are such as {table.ids[0]!r}); if they should be, "
                f"check {_ID_KEYS[kind]}"
            )
    return sentences


_ID_KEYS = {"document": "catalog.id", "query": "query.id"}


def _text_field(settings: Settings) -> str | None:
    """The query's only field, where that is a text."""
    fields = fields_from(settings.query.fields)
    return fields[0].name if len(fields) == 1 and fields[0].type == "text" else None


def _named(ids: NDArray[np.object_]) -> Table:
    """A table of nothing but ids."""
    return Table(list(dict.fromkeys(ids)), (), {})


def _rows(names: Sequence[str], table: Table) -> NDArray[np.int64]:
    """The row of each name in a table, -1 where it has none."""
    return np.array([table.row_of.get(name, -1) for name in names], np.int64)
