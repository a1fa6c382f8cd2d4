"""The engine that a log is aggregated by: DuckDB in this process, or Spark.

Every step of the aggregation is an Ibis expression over tables that the engine holds. What later steps read
more than once is kept: computed once, and spilled to the work folder where memory is short.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from gradus.errors import LogError, MissingExtraError

try:
    import ibis as ibis
except ImportError:
    raise MissingExtraError("aggregating a log", "logs") from None

Table = Any
"""An Ibis table: an expression, nothing computed yet."""

MEMORY = "1500MB"
"""What DuckDB may hold before it spills to disk; the process itself needs some more."""


def _builtin(kind: Any, name: str, takes: str, gives: str) -> Any:
    """A function that an engine has and Ibis does not know."""

    def call(value: Any) -> Any: ...

    return kind.builtin(call, name=name, signature=((takes,), gives))


# DuckDB's; together they take a time with a zone to UTC, where a cast would take it to the zone of the machine.
_EPOCH_US = _builtin(ibis.udf.scalar, "epoch_us", "timestamp", "int64")
_MAKE_TIMESTAMP = _builtin(ibis.udf.scalar, "make_timestamp", "int64", "timestamp")

_BIT_OR = _builtin(ibis.udf.agg, "bit_or", "int64", "int64")


class Engine(ABC):
    """Runs Ibis expressions.

    Attributes:
        con: The Ibis connection.
        folder: Where kept tables and what does not fit into memory lie.
    """

    def __init__(self, con: Any, folder: Path) -> None:
        self.con = con
        self.folder = folder

    @abstractmethod
    def read(self, paths: Sequence[Path]) -> Table:
        """The rows of Parquet files; a column that a file lacks is null in its rows. Times are in UTC."""

    def rows(self, expression: Any) -> Any:
        """The result of an expression that has few rows, as an Arrow table."""
        return self.con.to_pyarrow(expression)

    def row(self, expression: Any) -> dict[str, Any]:
        """The result of an expression that has one row."""
        [row] = self.rows(expression).to_pylist()
        return dict(row)

    def put(self, table: Any, name: str) -> Table:
        """An Arrow table as a table of the engine."""
        path = self.folder / f"{name}.parquet"
        pq.write_table(table, path)
        return self.read([path])

    def bit_or(self, bits: Any) -> Any:
        """The bitwise or over the rows of a group."""
        return bits.bit_or()

    def json_text(self, text: Any, fields: Sequence[str]) -> Any:
        """What lies below these fields of texts of JSON, as text: a text bare, all else as JSON spells it.

        Null where nothing or JSON's null lies there, and where the text is no JSON.
        """
        value = text.try_cast("json")
        for field in fields:
            value = value[field]
        return ibis.coalesce(value.unwrap_as("string"), value.cast("string").nullif("null"))

    @abstractmethod
    def keep(self, expression: Table, name: str) -> Table:
        """The result of an expression, computed once, as a table."""

    @abstractmethod
    def stream(self, expression: Table) -> pa.RecordBatchReader:
        """The result of an expression that has many rows, in batches and in any order."""

    @abstractmethod
    def write(self, expression: Table, path: Path) -> None:
        """Write the result of an expression as Parquet: a file, or with Spark a folder of files."""


class DuckDBEngine(Engine):
    """DuckDB within this process."""

    def read(self, paths: Sequence[Path]) -> Table:
        """The rows of Parquet files, times with a zone taken to UTC."""
        table = self.con.read_parquet([str(path) for path in paths], union_by_name=True)
        zoned = [name for name, kind in table.schema().items() if kind.is_timestamp() and kind.timezone]
        return table.mutate(**{name: _MAKE_TIMESTAMP(_EPOCH_US(table[name])) for name in zoned})

    def rows(self, expression: Any) -> Any:
        """The result as an Arrow table; Ibis would import pandas for it."""
        schema = expression.as_table().schema().to_pyarrow()
        return self._relation(expression).to_arrow_table().cast(schema)

    def keep(self, expression: Table, name: str) -> Table:
        """The result as a temporary table, spilled to disk where memory is short."""
        return self.con.create_table(name, expression, temp=True)

    def stream(self, expression: Table) -> pa.RecordBatchReader:
        """The result in batches, as they come."""
        return self._relation(expression).to_arrow_reader()

    def write(self, expression: Table, path: Path) -> None:
        """Write the result as one Parquet file."""
        self.con.to_parquet(expression, path)

    def _relation(self, expression: Any) -> Any:
        return self.con.con.sql(self.con.compile(expression))


class SparkEngine(Engine):
    """A Spark session, its workers on this machine or elsewhere."""

    def read(self, paths: Sequence[Path]) -> Table:
        """The rows of Parquet files."""
        frame = self._session.read.option("mergeSchema", "true").parquet(*(str(path) for path in paths))
        # Never one again: expressions go by the name, also when the frame is long gone.
        name = f"parquet_{uuid4().hex}"
        frame.createOrReplaceTempView(name)
        return self.con.table(name)

    def bit_or(self, bits: Any) -> Any:
        """Spark's own, which Ibis does not know."""
        return _BIT_OR(bits)

    def json_text(self, text: Any, fields: Sequence[str]) -> Any:
        """As ever; what Spark takes out of JSON is such a text by itself."""
        value = text.cast("json")
        for field in fields:
            value = value[field]
        return value.cast("string")

    def keep(self, expression: Table, name: str) -> Table:
        """The result as a folder of Parquet files."""
        path = self.folder / name
        self.write(expression, path)
        return self.read([path])

    def stream(self, expression: Table) -> pa.RecordBatchReader:
        """The result in batches, by way of a folder of Parquet files."""
        path = self.folder / "streamed"
        self.write(expression, path)
        return ds.dataset(path).scanner().to_reader()

    def write(self, expression: Table, path: Path) -> None:
        """Write the result as a folder of Parquet files."""
        self._session.sql(self.con.compile(expression)).write.mode("overwrite").parquet(str(path))

    @property
    def _session(self) -> Any:
        return self.con._session


@contextmanager
def open_engine(
    name: str, folder: Path, memory: str = MEMORY, threads: int | None = None
) -> Iterator[Engine]:
    """Open an engine whose kept tables live as long as the block.

    Args:
        name: `duckdb` or `pyspark`, as `log.engine`.
        folder: An existing folder for intermediate files; the caller removes it.
        memory: With DuckDB, how much it may hold before it spills to `folder`.
        threads: How many threads work; as many as there are cores when `None`.

    Raises:
        MissingExtraError: The engine is not installed.
    """
    if name == "duckdb":
        yield from _duckdb(folder, memory, threads)
    elif name == "pyspark":
        yield from _spark(folder, threads)
    else:
        raise LogError(f"log.engine is {name!r}; choose duckdb or pyspark")


def _duckdb(folder: Path, memory: str, threads: int | None) -> Iterator[Engine]:
    options = {
        "memory_limit": memory,
        "temp_directory": str(folder / "spilled"),
        "preserve_insertion_order": False,
    }
    if threads is not None:
        options["threads"] = threads
    con = ibis.duckdb.connect(**options)
    try:
        yield DuckDBEngine(con, folder)
    finally:
        con.disconnect()


def _spark(folder: Path, threads: int | None) -> Iterator[Engine]:
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtraError("log.engine = 'pyspark'", "spark") from None
    session = (
        SparkSession.builder.appName("gradus")
        .master(f"local[{threads or '*'}]")
        .config("spark.sql.session.timeZone", "UTC")
        # What cannot be read is null, as in DuckDB, and no error.
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.sql.shuffle.partitions", str(2 * (threads or 8)))
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    try:
        yield SparkEngine(ibis.pyspark.connect(session), folder)
    finally:
        session.stop()
