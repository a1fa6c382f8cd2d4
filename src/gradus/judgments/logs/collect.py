"""From the rows that an engine counted to `Cells`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gradus.judgments.logs.cells import Cells
from gradus.judgments.logs.grouping import AGE_UNIT, PROPENSITY_UNIT, Grouping


def collect_cells(
    rows: pa.RecordBatchReader, path: Path, grouping: Grouping, queries: Sequence[str], start: np.datetime64
) -> Cells:
    """Collect cells in the order of query, document, position, previous click and window.

    The order makes the result one and the same, whichever thread or engine was first. The rows are streamed to
    a file and read back one column at a time, so that beside the result only one of them is in memory.

    Args:
        rows: As `Grouping.cells` describes them, in any order.
        path: The file that is written on the way.
        grouping: What made them.
        queries: The normal forms that codes of queries point into; those without cells are left out.
        start: The window of cells without windows.
    """
    with pa.ipc.new_file(path, rows.schema) as file:
        for batch in rows:
            file.write_batch(batch)
    used, query = _compact(_read(path, "query").to_numpy(), len(queries))
    documents, document = _texts(path, "document")
    pa.default_memory_pool().release_unused()  # Arrow would keep what it no longer uses, and scoring needs room
    position = _read(path, "position").to_numpy().astype(np.int16)
    previous = _read(path, "previous").to_numpy().astype(np.int16)
    windows = np.array([start], "datetime64[s]")
    window = np.zeros(len(query), np.int16)
    if "window" in grouping.keys:
        windows, row = np.unique(
            _read(path, "window").to_numpy().astype("datetime64[s]"), return_inverse=True
        )
        window = row.astype(np.int16)
    order = _order([query, document, position, previous, window])

    def counts(name: str, unit: float = 1.0) -> NDArray[np.float64]:
        values: NDArray[np.float64] = _read(path, name).to_numpy()[order]
        unit *= AGE_UNIT if grouping.half_life else 1
        return values if unit == 1 else values / unit

    none = np.broadcast_to(0.0, len(query))  # all zeros, in no memory
    actions = grouping.actions
    clicks = counts("clicks")
    if grouping.simple:
        utility = utility_square = clicks
        taken = {actions.names[0]: clicks}
    else:
        utility, utility_square = np.zeros_like(clicks), np.zeros_like(clicks)
        for number, (level, _) in enumerate(actions.levels):
            reached = counts(f"level_{number}")
            utility += level * reached
            utility_square += level**2 * reached
        taken = {name: counts(column) for name, column in actions.columns.items()}
    return Cells(
        queries=[queries[row] for row in used],
        documents=documents,
        windows=windows,
        query=query[order],
        document=document[order],
        position=position[order],
        previous=previous[order],
        window=window[order],
        impressions=counts("impressions"),
        clicks=clicks,
        above_last=counts("above_last"),
        last=counts("last"),
        utility=utility,
        utility_square=utility_square,
        propensity=counts("propensity", PROPENSITY_UNIT) if grouping.logged else none,
        logged=counts("logged") if grouping.logged else none,
        actions=taken,
    )


def _read(path: Path, name: str) -> Any:
    # Mapped, the file's other columns are not touched.
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()[name]


def _compact(codes: NDArray[np.integer], size: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The codes that occur, ascending, and each code's row among them."""
    occurs = np.zeros(size, bool)
    occurs[codes] = True
    row_of = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(occurs), row_of[codes]


def _texts(path: Path, name: str) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct texts of a column, sorted, and each value's row among them."""
    column = _read(path, name).dictionary_encode()
    if not len(column):
        return [], np.zeros(0, np.int32)
    texts = column.chunk(0).dictionary
    order = pc.array_sort_indices(texts).to_numpy()
    row_of = np.empty(len(order), np.int32)
    row_of[order] = np.arange(len(order), dtype=np.int32)
    return texts.take(order).to_pylist(), np.concatenate(
        [row_of[c.indices.to_numpy()] for c in column.chunks]
    )


def _order(keys: Sequence[NDArray[np.integer]]) -> NDArray[np.int64]:
    """The order of rows by several keys, none negative, no two rows alike; the first key counts most."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    sizes = [int(key.max()) + 1 for key in keys]
    if np.prod(sizes, dtype=float) >= 2**62:
        return np.lexsort(keys[::-1])
    packed = np.zeros(len(keys[0]), np.int64)
    for key, size in zip(keys, sizes, strict=True):
        packed *= size
        packed += key
    # No two are alike, so that any sort gives one order; NumPy's default is the fastest, by vector instructions.
    return np.argsort(packed)
