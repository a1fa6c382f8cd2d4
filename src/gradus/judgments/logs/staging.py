"""A log's files, whatever their format and state, as Parquet files that aggregation reads.

Parquet is used where it lies. Text files are streamed, in blocks, into clean Parquet with one schema for all of
them: values are texts, nesting is kept (see `shape`), and a column that a file lacks is null in its rows. Every
row that was read is either staged or rejected with its reason.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gradus.judgments.logs.parts import PartsWriter
from gradus.judgments.logs.reading import TextReader, kind_of, log_files, no_rows, read_footer, skipped_files
from gradus.judgments.logs.rejects import collect_rejects
from gradus.judgments.logs.shape import Shape, merge, paths, seen
from gradus.progress import Progress, silent


@dataclass(frozen=True)
class StagedFile:
    """What was found in one file of a log.

    Attributes:
        name: Path below the log's folder, or the file's name.
        staged: Rows that aggregation reads.
        rejected: Reason → rows that could not be read.
        columns: Its columns, nested ones dotted; in text files without those that are null throughout.
    """

    name: str
    staged: int
    rejected: Mapping[str, int]
    columns: tuple[str, ...]

    @property
    def read(self) -> int:
        """Rows that the file holds; what is left of a damaged file counts as one."""
        return self.staged + sum(self.rejected.values())


@dataclass(frozen=True)
class Drift:
    """A column that not all files with rows have.

    Attributes:
        column: Its name, dotted where nested.
        present: Names of the files that have it.
        absent: Names of the files that lack it.
    """

    column: str
    present: tuple[str, ...]
    absent: tuple[str, ...]

    def __str__(self) -> str:
        has = len(self.present) <= len(self.absent)
        names = self.present if has else self.absent
        which = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} files)"
        of = len(self.present) + len(self.absent)
        return (
            f"{self.column}: of {of} files only in {which}"
            if has
            else f"{self.column}: not in {which}, of {of} files"
        )


@dataclass(frozen=True)
class Staged:
    """A log ready for aggregation.

    Attributes:
        paths: Parquet files with its rows.
        schema: The Arrow schema that holds for all of them; a column that Parquet files type differently has
            its type in the first.
        files: What was found in each file of the log, in order.
        rejects: Parquet file with the rejected rows: file, line, reason, text.
        skipped: Names of the files in the log's folder that are of no known format.
    """

    paths: tuple[Path, ...]
    schema: Any
    files: tuple[StagedFile, ...]
    rejects: Path
    skipped: tuple[str, ...] = ()

    @property
    def read(self) -> int:
        """Rows that the log holds: those staged and those rejected."""
        return sum(file.read for file in self.files)

    @property
    def staged(self) -> int:
        """Rows that aggregation reads."""
        return sum(file.staged for file in self.files)

    @property
    def rejected(self) -> Counter[str]:
        """Reason → rows that could not be read."""
        return sum((Counter(file.rejected) for file in self.files), Counter())

    def drift(self) -> list[Drift]:
        """The columns that some files with rows have and others lack."""
        filled = [file for file in self.files if file.staged]
        found = []
        for column in dict.fromkeys(name for file in filled for name in file.columns):
            present = tuple(file.name for file in filled if column in file.columns)
            absent = tuple(file.name for file in filled if column not in file.columns)
            if absent:
                found.append(Drift(column, present, absent))
        return found


def stage(path: Path, folder: Path, progress: Progress = silent, key: str = "") -> Staged:
    """Make a log ready for aggregation.

    Args:
        path: A file or a folder of files, at any depth: CSV, TSV or JSON lines (.jsonl, .ndjson, .json), each
            also .gz, and Parquet. Files and folders whose names begin with a dot or an underscore are left out,
            and so are files of other formats (`Staged.skipped`).
        folder: Where Parquet made from text files goes, and `rejects.parquet`.
        progress: Called with the files done, and the rows read.
        key: The setting that names the log, for messages.

    Raises:
        LogError: No such file or folder, none of a known format, or no row that can be read.
        MissingExtraError: The log holds JSON lines, and DuckDB is not installed.
    """
    files = log_files(path, key)
    rejects_path = folder / "rejects.parquet"
    done: list[StagedFile] = []
    shapes: list[dict[str, Shape]] = []
    in_place: list[Path] = []
    with collect_rejects(rejects_path) as rejects, PartsWriter(folder) as writer:
        text = TextReader()
        for file in files:
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name

            def reject(line: int, reason: str, raw: bytes, name: str = name) -> None:
                rejects.add(name, line, reason, raw)

            rows, columns, shape = 0, tuple[str, ...](), dict[str, Shape]()
            if kind_of(file) == "parquet":
                footer = read_footer(file, reject)
                if footer is not None:
                    rows, columns = footer.num_rows, _leaves(footer)
                    in_place.append(file)
            else:
                for table, own in text.read(file, reject):
                    rows += table.num_rows
                    shape = merge(shape, own)
                    writer.write(table)
                    progress("reading", len(done), len(files), f"{writer.rows:,} rows")
            shapes.append(shape)
            done.append(StagedFile(name, rows, dict(rejects.counts.get(name, {})), columns))
        parts = writer.finish(text.columns)
    done = [
        replace(file, columns=(*file.columns, *paths(seen(shape, text.columns))))
        for file, shape in zip(done, shapes, strict=True)
    ]
    staged = Staged(
        (*in_place, *parts),
        _schema(in_place, parts),
        tuple(done),
        rejects_path,
        tuple(skipped_files(path)),
    )
    if not staged.staged:
        first = pq.read_table(rejects_path).slice(0, 1).to_pylist()
        raise no_rows(path, staged.rejected, *((r["file"], r["line"], r["text"].encode()) for r in first))
    return staged


def _leaves(footer: Any) -> tuple[str, ...]:
    """The columns of a Parquet file, nested ones dotted."""
    return tuple(dict.fromkeys(_dotted(footer.schema.to_arrow_schema())))


def _dotted(fields: Any) -> Iterator[str]:
    for field in fields:
        inner, mark = field.type, ""
        if isinstance(inner, pa.ListType | pa.LargeListType):
            inner, mark = inner.value_type, "[]"
        if isinstance(inner, pa.StructType):
            yield from (f"{field.name}{mark}.{below}" for below in _dotted(inner))
        else:
            yield field.name


def _schema(in_place: Sequence[Path], parts: Sequence[Path]) -> Any:
    """The union of the files' schemas."""
    fields: dict[str, Any] = {}
    for path in (*in_place, *parts[:1]):
        for field in pq.read_schema(path):
            if field.name not in fields or pa.types.is_null(fields[field.name].type):
                fields[field.name] = field
    return pa.schema(list(fields.values()))
