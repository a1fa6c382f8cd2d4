"""From the cells that an engine counted to `Cells`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gradus.judgments.logs.cells import Cells
from gradus.judgments.logs.engine import Engine, Table, ibis
from gradus.judgments.logs.grouping import AGE_UNIT, PROPENSITY_UNIT, Grouping

_KEYS = {"query": np.int32, "document": np.int32, "position": np.int16, "previous": np.int16}


def collect_cells(
    engine: Engine, counted: Table, grouping: Grouping, queries: Sequence[str], start: np.datetime64
) -> Cells:
    """Collect cells in the order of query, document, position, previous click and window.

    The order makes the result one and the same, whichever thread or engine was first. The engine sorts, with all
    its threads and on disk where memory is short; what it streams goes straight to its place.

    Args:
        engine: What counts.
        counted: As `Grouping.cells` describes it.
        grouping: What made it.
        queries: The normal forms that codes of queries point into; those without cells are left out.
        start: The window of cells without windows.
    """
    cells = engine.keep(counted, "cells")
    documents = engine.keep(numbered_documents(cells), "documents")
    n = engine.row(cells.agg(n=cells.count()))["n"]
    rows = _filled(engine.stream(in_order(cells, documents, grouping.keys)), n)
    used, query = _compact(rows["query"])
    windows, window = np.array([start], "datetime64[s]"), np.zeros(n, np.int16)
    if "window" in grouping.keys:
        windows, row = np.unique(rows["window"], return_inverse=True)
        window = row.astype(np.int16)

    if grouping.half_life:
        for name in rows.keys() - grouping.keys:
            rows[name] /= AGE_UNIT
    if grouping.logged:
        rows["propensity"] /= PROPENSITY_UNIT
    none = np.broadcast_to(0.0, n)  # all zeros, in no memory
    actions = grouping.actions
    clicks = rows["clicks"]
    if grouping.simple:
        utility = utility_square = clicks
        taken = {actions.names[0]: clicks}
    else:
        utility, utility_square = np.zeros(n), np.zeros(n)
        for number, (level, _) in enumerate(actions.levels):
            reached = rows[f"level_{number}"]
            utility += level * reached
            utility_square += level**2 * reached
        taken = {name: rows[column] for name, column in actions.columns.items()}
    return Cells(
        queries=[queries[row] for row in used],
        documents=engine.rows(documents.order_by("row").select("document"))["document"].to_pylist(),
        windows=windows,
        query=query,
        document=rows["document"],
        position=rows["position"],
        previous=rows["previous"],
        window=window,
        impressions=rows["impressions"],
        clicks=clicks,
        above_last=rows["above_last"],
        last=rows["last"],
        utility=utility,
        utility_square=utility_square,
        propensity=rows["propensity"] if grouping.logged else none,
        logged=rows["logged"] if grouping.logged else none,
        actions=taken,
    )


def numbered_documents(cells: Table) -> Table:
    """Each `document` of the cells with its `row` in the order of their UTF-8 bytes, from 0."""
    distinct = cells.select("document").distinct()
    return distinct.mutate(row=ibis.row_number().over(order_by="document"))


def in_order(cells: Table, documents: Table, keys: Sequence[str]) -> Table:
    """The cells, with the row of each document in its place, sorted by these keys."""
    numbered = cells.join(documents, "document").drop("document").rename(document="row")
    return numbered.select(*cells.columns).order_by(keys)


def _filled(batches: Any, n: int) -> dict[str, NDArray[Any]]:
    """The columns of n streamed rows."""
    columns = {name: np.empty(n, _type(name)) for name in batches.schema.names}
    begin = 0
    for batch in batches:
        end = begin + batch.num_rows
        for name, column in columns.items():
            column[begin:end] = batch.column(name).to_numpy(zero_copy_only=False)
        begin = end
    return columns


def _type(name: str) -> DTypeLike:
    return "datetime64[s]" if name == "window" else _KEYS.get(name, np.float64)


def _compact(codes: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The distinct codes of an ascending column, and each code's row among them."""
    first = np.flatnonzero(np.diff(codes, prepend=np.int32(-1)))
    sizes = np.diff(first, append=len(codes))
    return codes[first], np.repeat(np.arange(len(first), dtype=np.int32), sizes)
