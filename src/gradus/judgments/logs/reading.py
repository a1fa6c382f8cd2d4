"""A log's files, found and read: which there are, and their rows as tables."""

import errno
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from gradus.errors import LogError
from gradus.judgments.logs.delimited import DelimitedReader
from gradus.judgments.logs.json_lines import JsonReader
from gradus.judgments.logs.lines import Reject, read_blocks
from gradus.judgments.logs.shape import Shape, fit, merge, simplify_columns

Kind = Literal["csv", "tsv", "jsonl", "parquet"]

_SUFFIXES: Mapping[str, Kind] = {
    ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"
}  # fmt: skip

_DAMAGED = "not a readable Parquet file"


def log_files(path: Path, key: str = "") -> list[Path]:
    """The files of a log, by name.

    Args:
        path: A file, or a folder of files at any depth.
        key: The setting that names it, for the message; empty where none does.

    Raises:
        LogError: No such file or folder, or none of a known format.
    """
    known = "CSV, TSV or JSON lines (.csv, .tsv, .jsonl, .ndjson, .json, each also .gz), or .parquet"
    if not path.exists():
        raise LogError(f"no file or folder {path}" + (f" ({key} in gradus.toml)" if key else ""))
    if path.is_file():
        if kind_of(path) is None:
            raise LogError(f"{path} is of no known format; a log is {known}")
        return [path]
    found = [file for file in _files_below(path) if kind_of(file)]
    if not found:
        raise LogError(f"the folder {path} holds no log; its files are {known}")
    return found


def skipped_files(path: Path) -> list[str]:
    """The files below a log's folder that are of no known format, by name; none where the log is a file."""
    return [file.relative_to(path).as_posix() for file in _files_below(path) if not kind_of(file)]


def _files_below(path: Path) -> list[Path]:
    """The files of a folder at any depth, by name, without those whose names say that they are not meant."""
    found = [
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
    ]
    return sorted(found, key=lambda file: file.relative_to(path).as_posix())


def kind_of(path: Path) -> Kind | None:
    """The format that a file's name says, or `None`."""
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    kind = _SUFFIXES.get(name.suffix.lower())
    return None if kind == "parquet" and name != path else kind


def read_footer(path: Path, reject: Reject) -> Any:
    """A Parquet file's metadata, or `None` where it is damaged."""
    try:
        return pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        reject(1, _DAMAGED, str(error).encode())
        return None


def is_damaged(path: Path) -> bool:
    """Whether a Parquet file whose footer is sound cannot be read to its end."""
    try:
        with pq.ParquetFile(path) as parquet:
            for _ in parquet.iter_batches():
                pass
    except (pa.ArrowException, OSError):
        return True
    return False


def read_some(path: Path, rows: int) -> tuple[Any, int]:
    """The first rows of a log's first file that holds any, and how many it rejects on the way.

    Raises:
        LogError: No such file or folder, none of a known format, or no row that can be read.
    """
    rejected = Counter[str]()
    first: list[tuple[str, int, bytes]] = []
    for file in log_files(path):

        def reject(line: int, reason: str, raw: bytes, name: str = file.name) -> None:
            rejected[reason] += 1
            if not first:
                first.append((name, line, raw))

        table = _first_batch(file, rows, reject)
        if table is not None:
            return table.slice(0, rows), rejected.total()
    raise no_rows(path, rejected, *first)


def no_rows(path: Path, rejected: Mapping[str, int], *first: tuple[str, int, bytes]) -> LogError:
    """The error that a log holds no row, which says what was found in place of rows.

    Args:
        path: The log.
        rejected: Reason → rows.
        first: A rejected row, if there is one: its file, line and content.
    """
    if not first:
        return LogError(f"{path} is empty: it holds no row")
    reasons = ", ".join(f"{reason} ({rows:,})" for reason, rows in Counter(rejected).most_common(3))
    [(file, line, raw)] = first
    text = raw[:200].decode("utf-8", "replace").strip()
    hint = ""
    if kind_of(Path(file)) == "jsonl" and (text.startswith("[") or text == "{"):
        # One array of all rows, or objects over many lines.
        command = "jq -c '.[]'" if text.startswith("[") else "jq -c ."
        hint = f"; JSON is read with one object a line, as {command} {file} writes it"
    return LogError(
        f"{path} holds no row that can be read: {reasons}; such as {file}, line {line}: {text[:60]!r}{hint}"
    )


def _first_batch(file: Path, rows: int, reject: Reject) -> Any:
    """The first rows of a file; `None` where it has none."""
    if kind_of(file) != "parquet":
        return next((table for table, _ in TextReader().read(file, reject) if table.num_rows), None)
    if read_footer(file, reject) is None:
        return None
    try:
        with pq.ParquetFile(file) as parquet:
            return next((pa.table(batch) for batch in parquet.iter_batches(batch_size=rows)), None)
    except (pa.ArrowException, OSError) as error:
        reject(1, _DAMAGED, str(error).encode())
        return None


class TextReader:
    """Reads text files one after the other into tables of one growing shape.

    Attributes:
        columns: Column → shape, of all files so far.
    """

    def __init__(self) -> None:
        self.columns: dict[str, Shape] = {}
        self._json: JsonReader | None = None

    def read(self, path: Path, reject: Reject) -> Iterator[tuple[Any, dict[str, Shape]]]:
        """The rows of a file as tables of the shape `columns`, each with the columns that it has itself.

        Raises:
            LogError: The file cannot be opened, reading it breaks off, or its header names a column twice.
        """
        try:
            yield from (
                self._read_json(path, reject) if kind_of(path) == "jsonl" else self._read_csv(path, reject)
            )
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise  # It is the rejects that found no room.
            raise LogError(f"{path} cannot be read: {error.strerror or error}") from None

    def _read_json(self, path: Path, reject: Reject) -> Iterator[tuple[Any, dict[str, Shape]]]:
        self._json = self._json or JsonReader()
        for block in read_blocks(path, reject):
            yield self._fitted(*self._json.read(block, reject))

    def _read_csv(self, path: Path, reject: Reject) -> Iterator[tuple[Any, dict[str, Shape]]]:
        reader = DelimitedReader(path, tabs=kind_of(path) == "tsv")
        for block in read_blocks(path, reject):
            table = reader.read(block, reject)
            if table is not None:
                yield self._fitted(table, dict.fromkeys(reader.header, "text"))

    def _fitted(self, table: Any, own: dict[str, Shape]) -> tuple[Any, dict[str, Shape]]:
        """A table in the shape of all so far, and its own columns; spelled as they were met first."""
        spelled = {name.casefold(): name for name in self.columns}
        names = {name: spelled.get(name.casefold(), name) for name in own}
        own = {names[name]: shape for name, shape in own.items()}
        self.columns = simplify_columns(merge(self.columns, own))
        return fit(table.rename_columns([names[name] for name in table.column_names]), self.columns), own
