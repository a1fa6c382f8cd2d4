"""The flat layout of a simulated log: one row per impression, with what was done there."""

from typing import Any

import numpy as np
import pyarrow as pa

from gradus.judgments.simulation.columns import TIME, Columns, times
from gradus.judgments.simulation.dirt import CLICK, IMPRESSION, Dirt, Rows
from gradus.judgments.simulation.pages import Pages
from gradus.judgments.simulation.truth import Truth

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("page", "session", "user", "query", "document")),
        ("position", pa.int32()),
        ("time", TIME),
        *((name, pa.int8()) for name in ("click", "cart", "purchase")),
        ("dwell", pa.float32()),
        ("propensity", pa.float64()),
    ]
)


def flat_tables(truth: Truth, part: Pages, dirt: Dirt, rng: np.random.Generator) -> tuple[pa.Table]:
    """A part of a log as the one table of this layout, with `SCHEMA`.

    Actions are 0 or 1; `dwell` is null where nothing was clicked, `propensity` where none was logged.

    Args:
        truth: What the pages' pairs point into.
        part: The pages.
        dirt: What goes wrong.
        rng: Where the chance of dirt comes from.
    """
    page, place = np.nonzero(part.shown)
    action = np.where(part.click[page, place], CLICK, IMPRESSION).astype(np.int8)
    rows = dirt.on(Rows(page, place, action, place + 1, part.time[page]), len(part), rng)
    columns = Columns(truth, part)
    data: list[Any] = [
        columns.page(rows.page),
        columns.session(rows.page),
        columns.user(rows.page),
        columns.query(rows.page),
        columns.document(rows.page, rows.place),
        rows.position.astype(np.int32),
        times(rows.time),
        *(done[rows.page, rows.place].astype(np.int8) for done in (part.click, part.cart, part.purchase)),
        columns.dwell(rows, part.click[rows.page, rows.place]),
        columns.propensity(rows),
    ]
    return (pa.Table.from_arrays([pa.array(column) for column in data], schema=SCHEMA),)
