"""Lines of CSV or TSV into tables of texts, by Arrow; rows that it cannot read one by one.

Quotes follow RFC 4180: a cell that begins with a double quote ends with one, and may hold delimiters and line
feeds. Where a row does not read so, its quotes are taken literally if it then has the right number of cells: search
queries such as `"hex bolt` are often logged as they were typed. A row that reads neither way is rejected alone: a
quote that is never closed does not swallow the rows behind it.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from gradus.errors import LogError
from gradus.judgments.logs.lines import Block, Reject

_MOST_LINES = 1000
_MOST_BYTES = 1 << 20
"""A row in quotes that spans more lines, or bytes, is taken for one whose quote was never closed."""


class DelimitedReader:
    """Reads the blocks of one file, whose first row names the columns.

    Attributes:
        header: The columns; empty before the first row. A name that repeats but for its case has `_2`, `_3` …
            behind it.
    """

    def __init__(self, path: Path, tabs: bool) -> None:
        self.header: list[str] = []
        self._path = path
        self._tabs = tabs
        self._delimiter = b","
        self._row = self._open = self._run = re.compile(b"")
        self._waiting: tuple[list[bytes], list[int]] = ([], [])

    def read(self, block: Block, reject: Reject) -> Any:
        """The rows that end in a block, as a table of texts; `None` while there is no header.

        Raises:
            LogError: The header names a column more than once.
        """
        lines, numbers = block.lines, block.numbers
        if self._waiting[0]:
            lines, numbers = self._waiting[0] + lines, [*self._waiting[1], *numbers]
            self._waiting = ([], [])
        start = 0
        if not self.header:
            start = next((place for place, line in enumerate(lines) if line.strip()), len(lines))
            if start == len(lines):
                return None
            self._set_header(lines[start])
            start += 1
        rows, end = self._rows(lines, numbers, start, block.last, reject)
        self._waiting = (lines[end:], list(numbers[end:]))
        return self._table(rows)

    def _set_header(self, line: bytes) -> None:
        self._delimiter = b"\t" if self._tabs else max((b",", b";", b"\t", b"|"), key=line.count)
        cells = _cells(line, self._delimiter)
        given = [cell.strip() or f"column_{place}" for place, cell in enumerate(cells, 1)]
        twice = sorted({name for name in given if given.count(name) > 1})
        if twice:
            raise LogError(
                f"{self._path}: the header names {', '.join(map(repr, twice))} more than once; rename the columns"
            )
        names: list[str] = []
        for name in given:
            unique, times = name, 1
            while unique.casefold() in {known.casefold() for known in names}:
                times += 1
                unique = f"{name}_{times}"
            names.append(unique)
        self.header = names
        mark, more = re.escape(self._delimiter), len(names) - 1
        opened = rb'"[^"]*+(?:""[^"]*+)*+'
        any_cell = rb'(?:%b"|(?!")[^%b\n]*+)' % (opened, mark)
        line_cell = any_cell.replace(rb'[^"]', rb'[^"\n]')
        self._row = re.compile(rb"%b(?:%b%b){%d}\r?" % (any_cell, mark, any_cell, more))
        self._open = re.compile(rb"(?:%b%b){0,%d}%b" % (any_cell, mark, more, opened))
        # Many rows of a line each in one match; a blank line is none.
        self._run = re.compile(rb"(?:(?!\r?\n)%b(?:%b%b){%d}\r?\n)*+" % (line_cell, mark, line_cell, more))

    def _rows(
        self, lines: Sequence[bytes], numbers: Sequence[int], start: int, last: bool, reject: Reject
    ) -> tuple[list[bytes], int]:
        """The good rows from line `start` on, and the first line of a row that goes on in the next block."""
        rows: list[bytes] = []
        data = b"".join([line + b"\n" for line in lines[start:]])
        place, at = start, 0
        while place < len(lines):
            run = self._run.match(data, at)
            end = run.end() if run else at
            used = data.count(b"\n", at, end)
            rows += lines[place : place + used]
            place, at = place + used, end
            if place < len(lines):
                used, row = self._odd_row(lines, place, last)
                if not used:
                    break
                if row is not None:
                    rows.append(row)
                elif lines[place].strip():
                    reject(numbers[place], self._reason(lines[place]), lines[place])
                at += sum(len(line) + 1 for line in lines[place : place + used])
                place += used
        return rows, place

    def _odd_row(self, lines: Sequence[bytes], place: int, last: bool) -> tuple[int, bytes | None]:
        """The row at a line that is none by itself as (lines, row).

        (1, None) says that there is none, (0, None) that it goes on behind the last line.
        """
        line = lines[place]
        used, row = self._quoted(lines, place, last) if b'"' in line else (1, None)
        if used == 1 and b'"' in line and line.count(self._delimiter) == len(self.header) - 1:
            cells = line.removesuffix(b"\r").split(self._delimiter)
            return 1, self._delimiter.join(b'"' + cell.replace(b'"', b'""') + b'"' for cell in cells)
        return used, row

    def _quoted(self, lines: Sequence[bytes], place: int, last: bool) -> tuple[int, bytes | None]:
        """The row over several lines that begins with a line, as `_odd_row` returns it."""
        row = lines[place]
        if not self._open.fullmatch(row):
            return 1, None
        for used in range(1, _MOST_LINES):
            if len(row) > _MOST_BYTES:
                return 1, None
            if place + used == len(lines):
                return (1, None) if last else (0, None)
            row += b"\n" + lines[place + used]
            if b'"' in lines[place + used]:
                if self._row.fullmatch(row):
                    return used + 1, row
                if not self._open.fullmatch(row):
                    return 1, None
        return 1, None

    def _reason(self, line: bytes) -> str:
        if line.count(b'"') % 2:
            return "a quote that is never closed"
        return "too few cells" if line.count(self._delimiter) < len(self.header) - 1 else "too many cells"

    def _table(self, rows: list[bytes]) -> Any:
        schema = pa.schema([(name, pa.string()) for name in self.header])
        if not rows:
            return schema.empty_table()
        data = b"\n".join(rows) + b"\n"
        try:
            table = pa.csv.read_csv(
                pa.py_buffer(data),
                read_options=pa.csv.ReadOptions(
                    column_names=self.header, block_size=len(data) + 1, use_threads=True
                ),
                parse_options=pa.csv.ParseOptions(
                    delimiter=self._delimiter.decode(), newlines_in_values=b'"' in data
                ),
                convert_options=pa.csv.ConvertOptions(
                    column_types=schema, strings_can_be_null=False, check_utf8=False
                ),
            )
        except pa.ArrowInvalid:
            table = None
        # Arrow ends a row at a carriage return as well, which a cell may hold.
        if table is None or table.num_rows != len(rows):
            cells = zip(*(_cells(row, self._delimiter) for row in rows), strict=True)
            table = pa.table([pa.array(column, pa.string()) for column in cells], schema=schema)
        return table


def _cells(row: bytes, delimiter: bytes) -> list[str]:
    """The cells of one row; of one whose quotes do not match, as they stand."""
    mark = re.escape(delimiter)
    found = re.compile(rb'(?:"((?:[^"]|"")*+)"|((?!")[^' + mark + rb"]*+))(?:" + mark + rb"|\r?\Z)")
    cells, place = [], 0
    row = row.removesuffix(b"\r")
    while True:
        match = found.match(row, place)
        if match is None:
            return [cell.decode() for cell in row.split(delimiter)]
        quoted, plain = match.groups()
        cells.append((plain if quoted is None else quoted.replace(b'""', b'"')).decode())
        place = match.end()
        if not match[0].endswith(delimiter):
            return cells
