"""Embedding on Spark: many machines make the vectors that one process would make, in the same order.

Rows go out as Arrow, with pictures as paths (or as bytes, where the catalogue holds these); every Python worker loads
the model's folder once, and sends vectors back with the rows they are of. So each executor needs Gradus, the
model under the same path, and the pictures under theirs: a shared disk, or the same copy on each.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.encoder import Encoder
from gradus.encoders.field_parts import part_vectors
from gradus.encoders.saving import document_side, load_model
from gradus.errors import MissingExtraError, ModelError
from gradus.progress import Progress, silent

Vectors = NDArray[np.float32]

_BLOCK = 1024
"""Documents that a worker prepares and embeds at a time."""

_PER_CORE = 4
"""Partitions for each core: enough that none waits long for the last."""

_ROW, _ID, _TEXT, _BYTES = "row", "id", "text", "bytes"
_RESULT = "rows binary, vectors binary"


def embed_on_spark(
    master: str,
    model: Path,
    encoder: Encoder,
    documents: Table,
    out: Vectors,
    of_parts: bool = False,
    precision: torch.dtype = torch.float32,
    progress: Progress = silent,
) -> None:
    """Fill an array with the vectors of documents, or with the parts of these.

    Args:
        master: Spark's: `local[*]`, `spark://host:7077`, `yarn`. A session that is active already is used as it is.
        model: The model's folder, under the same path for every executor.
        encoder: What `load_model(model)` gave here.
        documents: The catalogue.
        out: (n, D), or (n, P, D) for parts.
        of_parts: Whether the parts are wanted, as `gradus.encoders.field_parts.part_vectors` gives them.
        precision: What towers compute in.
        progress: Told about documents as their vectors arrive.

    Raises:
        MissingExtraError: Spark is not installed.
        ModelError: An executor could not embed: the model is another one there, a picture is missing.
    """
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
    except ImportError:
        raise MissingExtraError("index.embed = 'spark'", "spark") from None
    work = partial(_embedded, str(model.resolve()), document_side(model), of_parts, precision)
    count, done = len(documents), 0
    try:
        with _session(master) as session:
            blocks = max(1, -(-count // _BLOCK))
            partitions = min(blocks, _PER_CORE * int(session.sparkContext.defaultParallelism))
            frame = session.createDataFrame(_as_arrow(encoder.fields["document"], documents))
            made = frame.repartition(partitions).mapInArrow(work, _RESULT)
            for record in made.toLocalIterator(prefetchPartitions=True):
                rows = np.frombuffer(record.rows, np.int64)
                out[rows] = np.frombuffer(record.vectors, np.float32).reshape(len(rows), *out.shape[1:])
                done += len(rows)
                progress("embedding", done, count, "on Spark")
    except (PySparkException, Py4JError) as error:
        raise ModelError(f"Spark ({master}) could not embed the documents: {_cause(str(error))}") from None


def _embedded(
    model: str, side: str, of_parts: bool, precision: torch.dtype, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """What a worker does: rows of documents become rows of vectors."""
    encoder = _encoder(model, side)
    for batch in batches:
        rows = batch[_ROW].to_numpy().astype(np.int64)
        documents = _as_table(encoder.fields["document"], batch)
        prepared = encoder.prepare("document", documents)
        here = np.arange(len(rows))
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            if of_parts:
                vectors = part_vectors(encoder, prepared, here)
            else:
                vectors = encoder.embed("document", prepared, here)
        contents = [[rows.tobytes()], [np.ascontiguousarray(vectors, np.float32).tobytes()]]
        yield pa.RecordBatch.from_arrays(
            [pa.array(one, pa.binary()) for one in contents], ["rows", "vectors"]
        )


@lru_cache(maxsize=1)
def _encoder(model: str, side: str) -> Encoder:
    """The model, loaded once in a worker's life.

    Raises:
        ModelError: It embeds documents differently from the one that the job was started with.
    """
    torch.set_num_threads(1)  # there is a worker for each core
    encoder = load_model(Path(model))
    if document_side(Path(model)) != side:
        raise ModelError(f"{model} on an executor is another model than where the job was started")
    return encoder


@contextmanager
def _session(master: str) -> Iterator[Any]:
    """The active session, or one that ends with the block."""
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        yield active
        return
    builder = (
        SparkSession.builder.appName("gradus")
        .master(master)
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", str(_BLOCK))
        .config("spark.ui.enabled", "false")
    )
    if master.startswith("local"):
        # Otherwise workers would be whatever Python comes first, which need not have Gradus.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def _as_arrow(fields: tuple[Field, ...], documents: Table) -> pa.Table:
    """Rows for executors: named by place, since Spark reads dots in a name as a path."""
    columns: dict[str, Any] = {
        _ROW: pa.array(np.arange(len(documents)), pa.int64()),
        _ID: pa.array(documents.ids, pa.string()),
    }
    for place, field in enumerate(fields):
        values = documents.columns[field.name]
        if field.type == "number":
            columns[f"{_TEXT}{place}"] = pa.array(values, pa.float64())
        elif field.type == "image":
            paths = [str(value.resolve()) if isinstance(value, Path) else None for value in values]
            held = [value if isinstance(value, bytes) else None for value in values]
            columns[f"{_TEXT}{place}"] = pa.array(paths, pa.string())
            columns[f"{_BYTES}{place}"] = pa.array(held, pa.binary())
        else:
            columns[f"{_TEXT}{place}"] = pa.array(values, pa.string())
    return pa.table(columns)


def _as_table(fields: tuple[Field, ...], batch: pa.RecordBatch) -> Table:
    """What `_as_arrow` was given, of some rows."""
    columns: Mapping[str, list[Any]] = {
        field.name: batch[f"{_TEXT}{place}"].to_pylist() for place, field in enumerate(fields)
    }
    for place, field in enumerate(fields):
        if field.type == "image":
            values = columns[field.name]
            for row, held in enumerate(batch[f"{_BYTES}{place}"].to_pylist()):
                values[row] = held if held is not None else None if values[row] is None else Path(values[row])
    return Table(batch[_ID].to_pylist(), fields, columns)


def _cause(message: str) -> str:
    """The last line of a worker's traceback, or else the first of what Spark says."""
    raised = re.search(r"^(?:gradus\.errors\.)?(\w+Error: .*)$", message, re.MULTILINE)
    return (raised[1] if raised else message.strip().partition("\n")[0])[:300]
