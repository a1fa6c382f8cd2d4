"""What commands print: results on standard output, progress on standard error."""

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from gradus.progress import Progress

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_WIDTH_OF_A_FILE = 160
"""Columns where standard output is no terminal and has no width of its own."""

_NEVER_FOLDED = 12
"""Width up to which a column stays whole when the table is too wide: numbers, short ids."""


def print_json(value: Any) -> None:
    """Print one JSON document; NaN, which JSON lacks, becomes null."""
    print(json.dumps(_json(value), ensure_ascii=False, indent=2, allow_nan=False))


def print_text(*lines: str) -> None:
    """Print lines as they are."""
    print(*lines, sep="\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, longest: int | None = None
) -> None:
    """Print a table with an empty line below; numbers are aligned to the right.

    Args:
        title: What stands above it.
        columns: Their heads.
        rows: Cells in the order of the columns.
        longest: Width to which longer cells are cut.
    """
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    cells = [list(row) for row in rows]
    for place, column in enumerate(columns):
        values = [row[place] for row in cells]
        numeric = all(isinstance(value, int | float) for value in values)
        widest = max(cell_len(text) for text in (column, *map(_cell, values)))
        table.add_column(
            Text(column),
            justify="right" if numeric else "left",
            overflow="fold",
            min_width=min(widest, _NEVER_FOLDED),
        )
    for row in cells:
        texts = [Text(_cell(cell)) for cell in row]
        if longest is not None:
            for text in texts:
                text.truncate(longest, overflow="ellipsis")
        table.add_row(*texts)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE, highlight=False)
    console.print(table)
    console.print()


def show_interval(mean: float, low: float, high: float) -> str:
    """A mean and its interval; without one where a single query has none, a dash where there is no value."""
    if math.isnan(mean):
        return "–"
    return f"{mean:.3f}" if math.isnan(low) else f"{mean:.3f} [{low:.3f}, {high:.3f}]"


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Yield a `Progress` that draws bars on a terminal and otherwise writes one line per stage."""
    if not sys.stderr.isatty():
        yield _line_per_stage()
        return
    console = Console(stderr=True, highlight=False)
    with Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
    ) as bars:
        yield _bar_per_stage(bars)


def _bar_per_stage(bars: Bars) -> Progress:
    tasks: dict[str, TaskID] = {}

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=None, note="")
        bars.update(tasks[stage], completed=done, total=total or None, note=note)

    return report


def _line_per_stage() -> Progress:
    seen: set[str] = set()

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        if stage not in seen:
            seen.add(stage)
            print(f"{stage} …", file=sys.stderr, flush=True)

    return report


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, bytes):
        return "(picture)"
    return str(value)


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
