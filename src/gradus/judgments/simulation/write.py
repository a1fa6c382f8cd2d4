"""A simulated log as files, written part by part, with the truth that it was made from."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from gradus.errors import LogError
from gradus.files import atomic_file
from gradus.judgments.simulation.dirt import Dirt
from gradus.judgments.simulation.flat import SCHEMA, flat_tables
from gradus.judgments.simulation.simulate import Simulation, simulate
from gradus.judgments.simulation.truth import Truth
from gradus.judgments.simulation.ubi import EVENTS, QUERIES, ubi_tables
from gradus.progress import Progress, silent

LAYOUTS = {
    "ubi": {"ubi_queries.parquet": QUERIES, "ubi_events.parquet": EVENTS},
    "flat": {"log.parquet": SCHEMA},
    "flat-csv": {"log.csv": SCHEMA},
}
"""Layout → its files and their schemas."""


@dataclass(frozen=True)
class WrittenLog:
    """What was written, and what people did before any dirt.

    Attributes:
        folder: Where the files lie.
        rows: File name → its rows.
        pages: Result pages.
        impressions: Documents shown on them.
        clicks: Documents clicked.
        carts: Documents put into the cart.
        purchases: Documents bought.
        robot_pages: Pages that robots asked for.
    """

    folder: Path
    rows: dict[str, int]
    pages: int
    impressions: int
    clicks: int
    carts: int
    purchases: int
    robot_pages: int


def write_log(
    folder: Path,
    simulation: Simulation,
    layout: str = "ubi",
    dirt: Dirt | None = None,
    progress: Progress = silent,
) -> WrittenLog:
    """Write a simulated log, and `truth.parquet` with each pair's relevance and attraction.

    Args:
        folder: Where to; files of the same names are replaced, others stay.
        simulation: What the log depends on.
        layout: ubi, flat or flat-csv.
        dirt: What goes wrong; nothing when `None`.
        progress: Told the impressions written.

    Raises:
        LogError: An unknown layout.
    """
    if layout not in LAYOUTS:
        raise LogError(f"the layout is {layout!r}; choose one of {', '.join(LAYOUTS)}")
    tables: Callable[..., tuple[pa.Table, ...]] = ubi_tables if layout == "ubi" else flat_tables
    counts = np.zeros(6, np.int64)
    rows = dict.fromkeys(LAYOUTS[layout], 0)
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(_writer(stack.enter_context(atomic_file(folder / name)), name, schema))
            for name, schema in LAYOUTS[layout].items()
        }
        for number, part in enumerate(simulate(simulation)):
            # A stream of its own: the same pages, clean or dirty.
            rng = np.random.default_rng([simulation.seed, 4, number])
            made = tables(simulation.truth, part, dirt or Dirt(), rng)
            for (name, writer), table in zip(writers.items(), made, strict=True):
                writer.write_table(table)
                rows[name] += len(table)
            done = (part.shown, part.click, part.cart, part.purchase, part.robot)
            counts += [len(part), *(int(mask.sum()) for mask in done)]
            progress("log", min(int(counts[1]), simulation.impressions), simulation.impressions, "")
    rows["truth.parquet"] = write_truth(folder / "truth.parquet", simulation.truth)
    pages, impressions, clicks, carts, purchases, robots = counts.tolist()
    return WrittenLog(folder, rows, pages, impressions, clicks, carts, purchases, robots)


def write_truth(path: Path, truth: Truth) -> int:
    """Write a truth as Parquet: query, document, relevance, attraction. Returns its rows."""
    table = pa.table(
        {
            "query": pa.array(truth.queries, pa.string()).take(pa.array(truth.query)),
            "document": pa.array(truth.documents, pa.string()).take(pa.array(truth.document)),
            "relevance": truth.relevance,
            "attraction": truth.attraction,
        }
    )
    with atomic_file(path) as aside:
        pq.write_table(table, aside)
    return len(table)


def _writer(aside: Path, name: str, schema: pa.Schema) -> AbstractContextManager[Any]:
    make: Callable[..., AbstractContextManager[Any]]
    make = pyarrow.csv.CSVWriter if name.endswith(".csv") else pq.ParquetWriter
    return make(aside, schema)
