"""The judgments file: one judged pair a row, in CSV, TSV, JSONL or Parquet.

Columns: query_id, the query's fields (unless the queries have a file of their own), doc_id, score, and optionally
low, high, source, query_split and doc_split. Other columns, such as counts of evidence and its window, are for
people.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from gradus.catalog.fields import Field
from gradus.catalog.read import fields_from, open_queries
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.files import atomic_file
from gradus.judgments.binding import Evidence, JudgmentsFile, bind
from gradus.judgments.columns import Columns
from gradus.judgments.judgments import Judgments
from gradus.judgments.split import Labels
from gradus.settings import JudgmentsSettings, Settings

EVIDENCE = "evidence"
"""The column with how much evidence there is of a pair."""

_ARROW_TYPES = {"text": pa.string(), "category": pa.string(), "number": pa.float64()}


def read_table_file(settings: Settings, documents: Table) -> JudgmentsFile:
    """Read a judgments file.

    The score and the ends of its interval are divided by `judgments.scale`. Where the file has no column
    query_id, `judgments.query_id` names no other and a query is a single text, that text is its id.

    Raises:
        JudgmentsError: A missing or misspelt column, rows of one query that differ in a field, or what
            `bind` refuses.
        CatalogError: The file, or the queries file, cannot be read.
    """
    names = settings.judgments
    columns = Columns.read(settings.resolve(names.path))
    if settings.query.path:
        ids = columns.ids(names.query_id, "judgments.query_id")
        queries = open_queries(settings)
    else:
        fields = fields_from(settings.query.fields)
        ids = _query_ids(columns, fields, names)
        queries = columns.queries(ids, fields)
    source = columns.texts("source")
    evidence = Evidence(
        files=((columns.path, len(columns)),),
        query_ids=ids,
        document_ids=columns.ids(names.doc_id, "judgments.doc_id"),
        score=columns.numbers(names.score, "judgments.score"),
        low=columns.numbers("low", "low") if "low" in columns else None,
        high=columns.numbers("high", "high") if "high" in columns else None,
        source=np.full(len(columns), columns.path.stem, object) if source is None else source,
        scale=names.scale,
        query_part=columns.texts("query_split"),
        document_part=columns.texts("doc_split"),
    )
    return bind(evidence, queries, documents)


def read_table_evidence(settings: Settings, queries: Table) -> NDArray[np.float64] | None:
    """(n_q,) the evidence behind each query's judgments, where a judgments file has a column `evidence`.

    Args:
        settings: Name the file.
        queries: The queries of the judgments that it was read as.

    Returns:
        The sum over the query's pairs; `None` where the file has no such column.

    Raises:
        JudgmentsError: The column holds something else than numbers.
        CatalogError: The file cannot be read.
    """
    columns = Columns.read(settings.resolve(settings.judgments.path))
    if EVIDENCE not in columns:
        return None
    ids = (
        columns.ids(settings.judgments.query_id, "judgments.query_id")
        if settings.query.path
        else _query_ids(columns, fields_from(settings.query.fields), settings.judgments)
    )
    numbers = np.nan_to_num(columns.numbers(EVIDENCE, EVIDENCE))
    rows = np.array([queries.row_of.get(name, -1) for name in ids], np.int64)
    return np.bincount(rows[rows >= 0], numbers[rows >= 0], len(queries)).astype(np.float64)


def read_asked(settings: Settings, path: Path) -> Table:
    """The distinct queries of a file in which queries may repeat, as in a log.

    Args:
        settings: `[query.fields]` names the columns; a query's id is in the column `query.id` where queries have a file
            of their own, else in that of `judgments.query_id`. Without that column a single text is its own id.
        path: The file.

    Raises:
        JudgmentsError: A missing or misspelt column, or rows of one query that differ in a field.
        CatalogError: The file cannot be read.
    """
    columns = Columns.read(path, "--queries")
    fields = fields_from(settings.query.fields)
    names = settings.judgments
    if settings.query.path and settings.query.id in columns:
        return columns.queries(columns.ids(settings.query.id, "query.id"), fields)
    return columns.queries(_query_ids(columns, fields, names), fields)


def write_judgments(
    path: Path,
    judgments: Judgments,
    query_part: Labels | None = None,
    document_part: Labels | None = None,
    evidence: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write a judgments file that `read_table_file` reads back.

    Paths of images are written relative to the file's folder where they lie under it, else absolute.

    Args:
        path: The file, .csv or .parquet.
        judgments: The pairs, written in their order with their queries' fields.
        query_part: (n_queries,) the split label of each query, for the column query_split.
        document_part: (n_documents,) the split label of each document, for the column doc_split.
        evidence: Column name → (p,) numbers or times to write beside each judgment; reading leaves them out.

    Raises:
        JudgmentsError: Another extension; a query field named as one of the file's own columns; or image
            bytes in a CSV.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise JudgmentsError(f"{path}: judgments are written as .csv or .parquet")
    query, document = judgments.query.tolist(), judgments.document.tolist()
    columns = {"query_id": pa.array([judgments.queries.ids[row] for row in query], pa.string())}
    own = {
        "query_id",
        "doc_id",
        "score",
        "low",
        "high",
        "source",
        "query_split",
        "doc_split",
        *(evidence or ()),
    }
    for field in judgments.queries.fields:
        if field.name in own:
            raise JudgmentsError(
                f"{path}: a query field cannot be named {field.name!r}, as the file's own column"
            )
        cells = _cells(path, field, judgments.queries.columns[field.name])
        columns[field.name] = cells.take(pa.array(query, pa.int64()))
    columns["doc_id"] = pa.array([judgments.documents.ids[row] for row in document], pa.string())
    columns |= {"score": judgments.score, "low": judgments.low, "high": judgments.high}
    columns["source"] = pa.array(judgments.source.tolist(), pa.string())
    for name, part, rows in (("query_split", query_part, query), ("doc_split", document_part, document)):
        if part is not None:
            columns[name] = pa.array([part[row] for row in rows], pa.string())
    table = pa.table(columns | dict(evidence or {}))
    with atomic_file(path) as aside:
        if path.suffix == ".csv":
            pa.csv.write_csv(table, aside)
        else:
            pa.parquet.write_table(table, aside)


def _query_ids(columns: Columns, fields: Sequence[Field], names: JudgmentsSettings) -> NDArray[np.object_]:
    """(p,) the id of each row's query, which may be its text."""
    left_alone = names.query_id == JudgmentsSettings().query_id
    if left_alone and names.query_id not in columns and len(fields) == 1 and fields[0].type == "text":
        taken = {fields[0].name, names.doc_id, names.score}
        if columns.nearest(names.query_id, taken) is None:
            texts, which = columns.values(fields[0])
            if None in texts:
                row = int(np.argmax(which == texts.index(None)))
                raise JudgmentsError(
                    f"{columns.at(row, fields[0].name)} is empty; a query without an id needs a text"
                )
            return np.array(texts, object)[which]
    return columns.ids(names.query_id, "judgments.query_id")


def _cells(path: Path, field: Field, values: Sequence[Any]) -> pa.Array:
    """A query field's values as a file holds them."""
    if field.type != "image":
        return pa.array(values, _ARROW_TYPES[field.type])
    if not any(isinstance(value, bytes) for value in values):
        return pa.array(
            [None if value is None else _written(value, path.parent) for value in values], pa.string()
        )
    if path.suffix == ".csv":
        raise JudgmentsError(f"{path}: a CSV cannot hold the images of field {field.name!r}; write .parquet")
    return pa.array(
        [value.read_bytes() if isinstance(value, Path) else value for value in values], pa.binary()
    )


def _written(image: Path, folder: Path) -> str:
    image, folder = image.resolve(), folder.resolve()
    return (image.relative_to(folder) if image.is_relative_to(folder) else image).as_posix()
