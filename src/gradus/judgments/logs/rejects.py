"""The rows of a log that could not be read: counted by reason, and written down for people to look at."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gradus.files import atomic_file

SHOWN = 500
"""How many characters of a rejected row are kept."""

SCHEMA = pa.schema({"file": pa.string(), "line": pa.int64(), "reason": pa.string(), "text": pa.string()})

_BATCH = 10_000


class Rejects:
    """Collects rejected rows into a Parquet file with the columns file, line (from 1), reason, text.

    Attributes:
        counts: File → reason → rows.
    """

    def __init__(self, writer: Any) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self._writer = writer
        self._rows: list[tuple[str, int, str, str]] = []

    def add(self, file: str, line: int, reason: str, raw: bytes) -> None:
        """Take down one row; reasons come from a short list, so that they can be counted."""
        self.counts.setdefault(file, Counter())[reason] += 1
        # A character takes at most four bytes.
        text = raw[: 4 * SHOWN].decode("utf-8", "replace")[:SHOWN]
        self._rows.append((file, line, reason, text))
        if len(self._rows) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        columns = [list(column) for column in zip(*self._rows, strict=True)]
        if columns:
            self._writer.write_table(pa.table(columns, schema=SCHEMA))
        self._rows = []


@contextmanager
def collect_rejects(path: Path) -> Iterator[Rejects]:
    """Collect rejected rows in a file that appears when the block ends well; it may hold no rows."""
    with atomic_file(path) as aside, pq.ParquetWriter(aside, SCHEMA) as writer:
        rejects = Rejects(writer)
        yield rejects
        rejects.flush()


def write_rejects(path: Path, rejects: Mapping[str, Path]) -> None:
    """Write the rejected rows of several tables as one file, whose first column says which table.

    Args:
        path: The file.
        rejects: Table of the log's format → its rejected rows, as `collect_rejects` writes them.
    """
    schema = pa.schema([pa.field("table", pa.string()), *SCHEMA])
    with atomic_file(path) as aside, pq.ParquetWriter(aside, schema) as writer:
        for name, rows in rejects.items():
            for batch in pq.ParquetFile(rows).iter_batches():
                table = pa.repeat(pa.scalar(name), batch.num_rows)
                writer.write_table(pa.table([table, *batch.columns], schema=schema))
