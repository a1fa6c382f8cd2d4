"""A log's files, found and read: which there are, and their rows as tables."""

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


def log_files(path: Path) -> list[Path]:
    """The files of a log, by name.

    Raises:
        LogError: No such file or folder, or none of a known format.
    """
    known = "CSV, TSV or JSON lines (.csv, .tsv, .jsonl, .ndjson, .json, each also .gz), or .parquet"
    if not path.exists():
        raise LogError(f"no file or folder {path} (log.path in gradus.toml)")
    if path.is_file():
        if kind_of(path) is None:
            raise LogError(f"{path} is of no known format; a log is {known}")
        return [path]
    found = [
        file
        for file in path.rglob("*")
        if file.is_file()
        and kind_of(file)
        and not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
    ]
    if not found:
        raise LogError(f"the folder {path} holds no log; its files are {known}")
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
        reject(1, "not a readable Parquet file", str(error).encode())
        return None


def read_some(path: Path, rows: int) -> tuple[Any, int]:
    """The first rows of a log's first file that holds any, and how many it rejects on the way.

    Raises:
        LogError: No such file or folder, none of a known format, or no row that can be read.
    """
    rejected = Counter[str]()

    def reject(line: int, reason: str, raw: bytes) -> None:
        rejected[reason] += 1

    for file in log_files(path):
        if kind_of(file) == "parquet":
            if read_footer(file, reject) is None:
                continue
            batches = pq.ParquetFile(file).iter_batches(batch_size=rows)
            table = next((pa.table(batch) for batch in batches), None)
        else:
            table = next((table for table, _ in TextReader().read(file, reject) if table.num_rows), None)
        if table is not None and table.num_rows:
            return table.slice(0, rows), rejected.total()
    reasons = f": {', '.join(rejected)}" if rejected else ""
    raise LogError(f"{path} holds no row that can be read{reasons}")


class TextReader:
    """Reads text files one after the other into tables of one growing shape.

    Attributes:
        columns: Column → shape, of all files so far.
    """

    def __init__(self) -> None:
        self.columns: dict[str, Shape] = {}
        self._json: JsonReader | None = None

    def read(self, path: Path, reject: Reject) -> Iterator[tuple[Any, dict[str, Shape]]]:
        """The rows of a file as tables of the shape `columns`, each with the columns that it has itself."""
        try:
            yield from (
                self._read_json(path, reject) if kind_of(path) == "jsonl" else self._read_csv(path, reject)
            )
        except OSError as error:
            raise LogError(f"{path} cannot be read: {error}") from None

    def _read_json(self, path: Path, reject: Reject) -> Iterator[tuple[Any, dict[str, Shape]]]:
        self._json = self._json or JsonReader()
        for block in read_blocks(path, reject):
            table, own = self._json.read(block, reject)
            yield self._fitted(table, own), own

    def _read_csv(self, path: Path, reject: Reject) -> Iterator[tuple[Any, dict[str, Shape]]]:
        reader = DelimitedReader(tabs=kind_of(path) == "tsv")
        for block in read_blocks(path, reject):
            table = reader.read(block, reject)
            if table is not None:
                own: dict[str, Shape] = dict.fromkeys(reader.header, "text")
                yield self._fitted(table, own), own

    def _fitted(self, table: Any, own: dict[str, Shape]) -> Any:
        spelled = {name.casefold(): name for name in self.columns}
        names = {name: spelled.get(name.casefold(), name) for name in own}
        self.columns = simplify_columns(
            merge(self.columns, {names[name]: shape for name, shape in own.items()})
        )
        return fit(table.rename_columns([names[name] for name in table.column_names]), self.columns)
