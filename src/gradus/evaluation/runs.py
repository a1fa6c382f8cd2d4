"""Runs: the ranked lists a system returned, in memory, in Parquet and in the TREC text format.

Both formats hold one row per returned document, so a query with an empty list has no row and is absent
after reading; every metric treats an absent query and an empty list alike.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gradus.errors import EvaluationError
from gradus.files import atomic_file

TREC_SUFFIXES = (".trec", ".run", ".txt")
_COLUMNS = ("query_id", "doc_id", "rank", "score")
_NAME_KEY = b"gradus.run"


@dataclass(frozen=True)
class Run:
    """What a system returned.

    Attributes:
        name: The system's name.
        query_ids: The queries, each once.
        document_ids: For each query, the documents returned, best first, each once.
        scores: For each query, the system's scores of these documents: finite, never rising down the list.

    Raises:
        EvaluationError: The lists do not fit together, a query or a document of a query occurs twice, or
            scores are not finite or rise.
    """

    name: str
    query_ids: list[str]
    document_ids: list[list[str]]
    scores: list[list[float]]

    def __post_init__(self) -> None:
        if not len(self.query_ids) == len(self.document_ids) == len(self.scores):
            raise EvaluationError(
                f"run {self.name!r} has {len(self.query_ids)} queries, {len(self.document_ids)} lists of "
                f"documents and {len(self.scores)} lists of scores: it needs one of each per query"
            )
        if len(set(self.query_ids)) < len(self.query_ids):
            raise EvaluationError(f"run {self.name!r} lists a query twice")
        for query_id, documents, scores in zip(self.query_ids, self.document_ids, self.scores, strict=True):
            where = f"run {self.name!r}, query {query_id!r}"
            if len(documents) != len(scores):
                raise EvaluationError(f"{where}: {len(documents)} documents but {len(scores)} scores")
            if len(set(documents)) < len(documents):
                twice = next(d for i, d in enumerate(documents) if d in documents[:i])
                raise EvaluationError(f"{where}: document {twice!r} is returned twice")
            values = np.array(scores, np.float64)
            if not np.isfinite(values).all():
                raise EvaluationError(f"{where}: a score is NaN or infinite")
            if (values[1:] > values[:-1]).any():
                raise EvaluationError(f"{where}: scores rise down the list; higher scores must rank first")


def read_run(path: Path) -> Run:
    """Read a run: `.parquet`, or the TREC text format with the ending `.trec`, `.run` or `.txt`.

    Lists are ordered by descending score; equal scores keep the order of the rank column, then of the
    file. Parquet columns are query_id, doc_id, rank and score; others are ignored. A TREC line is
    `qid Q0 docid rank score tag`; the first tag names the run.

    Raises:
        EvaluationError: The file is missing, empty or malformed (the message gives the line or row), a
            document occurs twice for a query, or a score is NaN or infinite.
    """
    read = _read_parquet if is_parquet(path) else _read_trec
    if not path.is_file():
        raise EvaluationError(f"{path}: no such run file")
    return read(path)


def write_run(run: Run, path: Path) -> None:
    """Write a run in the format that the file's ending names (see `read_run`), ranks counted from 1.

    Raises:
        EvaluationError: The ending is unknown, or an id or the name holds whitespace, which the TREC
            format cannot express.
    """
    write = _write_parquet if is_parquet(path) else _write_trec
    with atomic_file(path) as aside:
        write(run, aside)


def is_parquet(path: Path) -> bool:
    """Whether a run file is Parquet, by its ending, and not TREC text.

    Raises:
        EvaluationError: It is neither.
    """
    suffix = path.suffix.lower()
    if suffix != ".parquet" and suffix not in TREC_SUFFIXES:
        raise EvaluationError(f"{path}: a run file ends in .parquet or {', '.join(TREC_SUFFIXES)}")
    return suffix == ".parquet"


def _read_parquet(path: Path) -> Run:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        missing = [column for column in _COLUMNS if column not in schema.names]
        if missing:
            raise EvaluationError(
                f"{path}: column {missing[0]!r} is missing; a run has {', '.join(_COLUMNS)}, "
                f"and this file has {', '.join(schema.names)}"
            )
        table = pq.read_table(path, columns=list(_COLUMNS))
    except pa.ArrowInvalid as error:
        raise EvaluationError(f"{path}: not a readable Parquet file ({error})") from error
    types = dict(zip(_COLUMNS, (pa.string(), pa.string(), pa.int64(), pa.float64()), strict=True))
    columns: dict[str, list[Any]] = {}
    for name, kind in types.items():
        try:
            columns[name] = table[name].cast(kind).to_pylist()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise EvaluationError(f"{path}: column {name!r} does not hold {kind} values ({error})") from error
        if None in columns[name]:
            raise EvaluationError(f"{path}, row {columns[name].index(None) + 1}: {name} is empty")
    metadata = schema.metadata or {}
    name = metadata[_NAME_KEY].decode() if _NAME_KEY in metadata else path.stem
    return _assemble(path, name, *columns.values(), place=lambda i: f"{path}, row {i + 1}")


def _read_trec(path: Path) -> Run:
    name = None
    lines: list[int] = []
    queries: list[str] = []
    documents: list[str] = []
    ranks: list[int] = []
    scores: list[float] = []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    # Not splitlines(): that also breaks at separators an id may hold, and would shift the line numbers.
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 6:
            raise EvaluationError(
                f"{path}, line {number}: {len(fields)} fields, but a TREC run line has 6: "
                f"qid Q0 docid rank score tag"
            )
        try:
            ranks.append(int(fields[3]))
            scores.append(float(fields[4]))
        except ValueError:
            raise EvaluationError(
                f"{path}, line {number}: rank {fields[3]!r} must be a whole number "
                f"and score {fields[4]!r} a number"
            ) from None
        lines.append(number)
        queries.append(fields[0])
        documents.append(fields[2])
        name = name or fields[5]
    place = lambda i: f"{path}, line {lines[i]}"  # noqa: E731
    return _assemble(path, name or path.stem, queries, documents, ranks, scores, place=place)


def _assemble(
    path: Path,
    name: str,
    queries: list[str],
    documents: list[str],
    ranks: list[int],
    scores: list[float],
    *,
    place: Callable[[int], str],
) -> Run:
    """Group rows by query, in order of first appearance, and order each list; `place` names a row."""
    if not queries:
        raise EvaluationError(f"{path}: the run holds no results")
    first: dict[tuple[str, str], int] = {}
    for i, pair in enumerate(zip(queries, documents, strict=True)):
        if not math.isfinite(scores[i]):
            raise EvaluationError(f"{place(i)}: score {scores[i]} is not a finite number")
        if first.setdefault(pair, i) != i:
            raise EvaluationError(
                f"{place(i)}: document {pair[1]!r} is returned twice for query {pair[0]!r} "
                f"(first in {place(first[pair])})"
            )
    query_ids = list(dict.fromkeys(queries))
    row = {query_id: i for i, query_id in enumerate(query_ids)}
    codes = np.array([row[query_id] for query_id in queries])
    # lexsort is stable, so the file's order decides where score and rank are equal.
    order = np.lexsort((np.array(ranks), -np.array(scores), codes))
    lists = [part.tolist() for part in np.split(order, np.cumsum(np.bincount(codes))[:-1])]
    return Run(
        name,
        query_ids,
        [[documents[i] for i in part] for part in lists],
        [[float(scores[i]) for i in part] for part in lists],
    )


def _write_parquet(run: Run, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lengths = [len(documents) for documents in run.document_ids]
    table = pa.table(
        {
            "query_id": pa.array(
                [q for q, length in zip(run.query_ids, lengths, strict=True) for _ in range(length)],
                pa.string(),
            ),
            "doc_id": pa.array([d for documents in run.document_ids for d in documents], pa.string()),
            "rank": pa.array([rank for length in lengths for rank in range(1, length + 1)], pa.int32()),
            "score": pa.array([s for scores in run.scores for s in scores], pa.float64()),
        }
    )
    pq.write_table(table.replace_schema_metadata({_NAME_KEY: run.name.encode()}), path)


def _write_trec(run: Run, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        tag = _word(run.name, "name")
        for query_id, documents, scores in zip(run.query_ids, run.document_ids, run.scores, strict=True):
            query = _word(query_id, "query id")
            for rank, (document_id, score) in enumerate(zip(documents, scores, strict=True), start=1):
                document = _word(document_id, "document id")
                file.write(f"{query} Q0 {document} {rank} {float(score)!r} {tag}\n")


def _word(text: str, what: str) -> str:
    if text.split() != [text]:
        raise EvaluationError(
            f"{what} {text!r} is empty or holds whitespace, which a TREC run cannot express: write .parquet"
        )
    return text
