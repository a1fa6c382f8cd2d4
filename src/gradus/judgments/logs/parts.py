"""Parquet files with one schema, written while the schema still grows."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gradus.files import atomic_file
from gradus.judgments.logs.shape import Shape, arrow_schema, fit


class PartsWriter:
    """Writes tables of a growing schema to `part-000.parquet` …; in the end all files have the last one.

    Attributes:
        rows: Rows written so far.
    """

    def __init__(self, folder: Path) -> None:
        self.rows = 0
        self._folder = folder
        self._parts: list[tuple[Path, Any]] = []
        self._stack = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> "PartsWriter":
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def write(self, table: Any) -> None:
        """Append rows; a new schema begins a new file."""
        if not table.num_rows:
            return
        if not self._parts or not self._parts[-1][1].equals(table.schema):
            self._close()
            path = self._folder / f"part-{len(self._parts):03d}.parquet"
            self._writer = self._open(path, table.schema)
            self._parts.append((path, table.schema))
        self._writer.write_table(table)
        self.rows += table.num_rows

    def finish(self, columns: dict[str, Shape]) -> list[Path]:
        """Close the files, and bring those of earlier schemas to the last; their paths."""
        self._close()
        last = arrow_schema(columns)
        for path, schema in self._parts:
            if not schema.equals(last):
                with (
                    atomic_file(path) as aside,
                    pq.ParquetFile(path) as old,
                    pq.ParquetWriter(aside, last) as new,
                ):
                    for batch in old.iter_batches():
                        new.write_table(fit(pa.table(batch), columns))
        return [path for path, _ in self._parts]

    def _open(self, path: Path, schema: Any) -> Any:
        aside = self._stack.enter_context(atomic_file(path))
        return self._stack.enter_context(pq.ParquetWriter(aside, schema))

    def _close(self) -> None:
        self._stack.close()
