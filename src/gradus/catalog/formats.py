"""The file formats of a catalogue: delimited text, JSON lines and Parquet, each to and from Arrow."""

import csv
import gzip
import io
import json
import zlib
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from gradus.catalog.values import read_text
from gradus.errors import CatalogError

Format = Literal["csv", "tsv", "jsonl", "parquet"]

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"
}  # fmt: skip
_LARGEST_BLOCK = 1 << 30
_BOM = b"\xef\xbb\xbf"


def format_of(path: Path) -> Format:
    """The format that a file's name says; `.gz` after a text format's suffix is allowed.

    Raises:
        CatalogError: The name has another suffix.
    """
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    found = _SUFFIXES.get(name.suffix.lower())
    if found is None or (found == "parquet" and name != path):
        raise CatalogError(
            f"{path} is of no known format; a catalogue is .csv, .tsv or .jsonl (or these with .gz), "
            ".parquet, or a folder of images"
        )
    return found


def read_delimited(path: Path) -> pa.Table:
    """A CSV or TSV file with a header, all cells as text.

    A .csv without a comma in its header may use semicolons, tabs or bars, as spreadsheets write them.
    Rows are counted from 1 below the header.

    Raises:
        CatalogError: No header, a name twice in it, a row with another number of cells, a quote that is
            never closed, text that is not UTF-8.
    """
    data = _read_utf8(path)
    if not data.strip():
        raise CatalogError(f"{path} is empty; it needs a header and rows")
    if not data.endswith((b"\n", b"\r")):
        data += b"\n"
    delimiter, header = _header(path, data)
    bad: list[str] = []

    def note(row: Any) -> str:
        cells = "cell" if row.actual_columns == 1 else "cells"
        bad.append(f"row {row.number - 1} has {row.actual_columns} {cells}")
        return "skip"

    try:
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            # One thread, or rows have no numbers; one block, or a long cell may lie across two.
            read_options=pa.csv.ReadOptions(
                use_threads=False,
                column_names=header,
                skip_rows_after_names=1,
                block_size=min(len(data) + 1, _LARGEST_BLOCK),
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise CatalogError(f"{path} cannot be read: {error}") from None
    if bad:
        more = f" (and {len(bad) - 1:,} more such rows)" if len(bad) > 1 else ""
        raise CatalogError(
            f"{path}: {bad[0]}, the header {len(header)}{more}; "
            "a cell that holds the delimiter must stand in double quotes"
        )
    # Behind an unclosed quote the last cell has swallowed all further lines.
    if table.num_rows and data.count(b'"') % 2 and any("\n" in c[-1].as_py() for c in table.columns):
        raise CatalogError(f"{path}: row {table.num_rows} opens a double quote that is never closed")
    return table


def read_jsonl(path: Path) -> pa.Table:
    """A file with one JSON object per line; a key that an object lacks is missing there.

    Raises:
        CatalogError: A line that is not a JSON object, text that is not UTF-8.
    """
    # Only cells that are there are kept: records of thousands of rare keys are common in product data.
    filled: dict[str, tuple[list[int], list[Any]]] = {}
    count = 0
    for number, line in enumerate(_read_utf8(path).decode().split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CatalogError(f"{path}: line {number} is not JSON: {error}") from None
        if not isinstance(record, dict):
            raise CatalogError(f"{path}: line {number} must be a JSON object {{…}}, not {line[:40]!r}")
        for name, cell in record.items():
            rows, cells = filled.setdefault(name, ([], []))
            rows.append(count)
            cells.append(cell)
        count += 1
    return pa.table({name: _json_column(rows, cells, count) for name, (rows, cells) in filled.items()})


def read_parquet(path: Path) -> pa.Table:
    """A Parquet file; columns that a tool wrote as numbers of a dictionary's entries come as the entries.

    Raises:
        CatalogError: It is damaged or not Parquet.
    """
    try:
        table = pa.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise CatalogError(f"{path} is not a readable Parquet file: {error}") from None
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
    return table


def write_arrow(table: pa.Table, path: Path, form: Format, compressed: bool) -> None:
    """Write a table in the given format; missing cells are empty in CSV and TSV and left out in JSONL.

    Args:
        table: The rows.
        path: The file to write.
        form: Its format, whatever its name says.
        compressed: Whether a text format is compressed by gzip.
    """
    if form == "parquet":
        pa.parquet.write_table(table, path)
        return
    opener = gzip.open if compressed else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        if form == "jsonl":
            for row in table.to_pylist():
                filled = {name: cell for name, cell in row.items() if cell is not None}
                file.write(json.dumps(filled, ensure_ascii=False) + "\n")
        else:
            writer = csv.writer(file, delimiter="\t" if form == "tsv" else ",", lineterminator="\n")
            writer.writerow(table.column_names)
            for row in table.to_pylist():
                writer.writerow("" if cell is None else cell for cell in row.values())


def _read_utf8(path: Path) -> bytes:
    """The bytes of a text file, decompressed, checked to be UTF-8, without a byte order mark."""
    data = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise CatalogError(f"{path} is not a whole gzip file: {error}") from None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        other = _likely_encoding(data)
        raise CatalogError(
            f"{path} is not UTF-8: byte {error.start:,} (line {line:,}) is 0x{data[error.start]:02x}; it may be "
            f"{other}; convert it, e.g.: iconv -f {other} -t UTF-8 {path.name} > utf8-{path.name}"
        ) from None
    return data.removeprefix(_BOM)


def _likely_encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    for name in ("CP932", "EUC-JP", "CP1252"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        # Accented Latin letters read as Shift-JIS come out as half-width kana and rare kanji among ASCII.
        if name == "CP1252" or any("\u3041" <= letter <= "\u30fe" for letter in text):
            return name
    return "ISO-8859-1"


def _header(path: Path, data: bytes) -> tuple[str, list[str]]:
    """The delimiter and the column names, which may not repeat; an empty one becomes `column_3`."""
    text = io.StringIO(data[: 1 << 20].decode("utf-8", "ignore"), newline="")
    line = text.readline()
    text.seek(0)
    delimiter = "\t" if format_of(path) == "tsv" else ","
    if delimiter == "," and "," not in line:
        delimiter = max(",;\t|", key=line.count)
    names = [
        name.strip() or f"column_{place}"
        for place, name in enumerate(next(csv.reader(text, delimiter=delimiter)), 1)
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CatalogError(
            f"{path}: the header names {', '.join(map(repr, twice))} more than once; rename the columns"
        )
    return delimiter, names


def _json_column(rows: list[int], cells: list[Any], count: int) -> pa.Array:
    """A column of `count` rows from the cells of some, as the Arrow type they share, or else as text."""
    column: list[Any] = [None] * count
    for row, cell in zip(rows, cells, strict=True):
        column[row] = cell
    try:
        return pa.array(column)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        # JSON may spell half a surrogate pair, which no encoding can hold.
        texts = (None if cell is None else read_text(cell) for cell in column)
        return pa.array(
            [t if t is None else t.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for t in texts]
        )
