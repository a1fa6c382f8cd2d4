"""`gradus check --fix`: a copy of the catalogue without its errors, and a list of what was taken out."""

import csv
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from gradus.catalog.formats import Format, format_of, write_arrow
from gradus.catalog.inspection import Inspection, inspect_catalog
from gradus.catalog.read import metadata_file
from gradus.catalog.values import BadCell
from gradus.errors import CatalogError
from gradus.files import atomic_file
from gradus.settings import Settings


@dataclass(frozen=True)
class FixSummary:
    """What a fix wrote.

    Attributes:
        catalog: The cleaned copy.
        rejects: CSV with row (from 1), id, column, value and reason of everything that was taken out.
        kept: Rows in the copy.
        dropped: Rows left out: those without an id, and all but the first with the same id.
        emptied: Cells of kept rows that were emptied: numbers that are none and unusable images.
    """

    catalog: Path
    rejects: Path
    kept: int
    dropped: int
    emptied: int


def write_fixed(
    settings: Settings, out: Path, progress: Callable[[int, int], None] | None = None
) -> FixSummary:
    """Write a cleaned copy of the catalogue, in its own format, and `….rejects.csv` beside it.

    The copy has all columns of the catalogue, declared or not. Relative image paths are rewritten where
    the copy lies in another folder than the catalogue and `catalog.images` does not say what they are
    relative to, so that they lead to the same files.

    Args:
        settings: Where the catalogue is and which fields it has.
        out: The file to write; its name must end as the catalogue's does, or that and .gz.
        progress: Called with the number of images done and their total.

    Raises:
        CatalogError: As `check_catalog`; `out` has the suffix of another format, or is the catalogue.
    """
    form = _source_format(settings.resolve(settings.catalog.path))
    if format_of(out) != form:
        raise CatalogError(f"{out}: the catalogue is {form}, so the cleaned copy's name must end in .{form}")
    if out.exists() and out.samefile(settings.resolve(settings.catalog.path)):
        raise CatalogError(f"{out} is the catalogue itself; choose another name for the cleaned copy")
    seen = inspect_catalog(settings, progress)
    dropped = {*seen.empty_ids, *seen.repeated_ids}
    emptied: dict[str, set[int]] = defaultdict(set)
    for cell in seen.bad:
        emptied[cell.column].add(cell.row)
    moved = not settings.catalog.images and seen.folder.resolve() != out.parent.resolve()
    table = seen.table
    for field in seen.fields:
        rewrite = _mover(seen.folder, out.parent) if moved and field.type == "image" else None
        if field.name in emptied or rewrite is not None:
            table = _edit(table, field.name, emptied[field.name], rewrite)
    table = table.take(pa.array([row for row in range(len(seen.ids)) if row not in dropped], pa.int64()))
    rejects = out.with_name(f"{_stem(out)}.rejects.csv")
    _write_rejects(seen, settings.catalog.id, rejects)
    with atomic_file(out) as aside:
        write_arrow(table, aside, form, compressed=out.suffix.lower() == ".gz")
    count = sum(len(rows - dropped) for rows in emptied.values())
    return FixSummary(out, rejects, table.num_rows, len(dropped), count)


def _source_format(source: Path) -> Format:
    if source.is_dir():
        metadata = metadata_file(source)
        return "csv" if metadata is None else format_of(metadata)
    return format_of(source)


def _stem(path: Path) -> str:
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).stem


def _mover(folder: Path, target: Path) -> Callable[[Any], Any]:
    """What makes an image cell relative to `folder` one relative to `target`."""
    # Real paths on both sides, because ".." leaves a linked folder by its real parent.
    source, real = folder.resolve(), target.resolve()

    def move(cell: Any) -> Any:
        if isinstance(cell, dict) and not cell.get("bytes"):
            return {**cell, "path": move(cell.get("path"))}
        if not isinstance(cell, str) or not cell.strip() or Path(cell.strip()).is_absolute():
            return cell
        return Path(os.path.relpath(source / cell.strip(), real)).as_posix()

    return move


def _edit(table: pa.Table, name: str, empty: set[int], rewrite: Callable[[Any], Any] | None) -> pa.Table:
    """The table with cells of one column emptied and the others rewritten."""
    column = table.column(name)
    cells = [
        None if row in empty else cell if rewrite is None else rewrite(cell)
        for row, cell in enumerate(column.to_pylist())
    ]
    place = table.column_names.index(name)
    return table.set_column(
        place, table.schema.field(place).with_nullable(True), [pa.array(cells, column.type)]
    )


def _write_rejects(seen: Inspection, id_column: str, path: Path) -> None:
    rejected = [
        *(BadCell(row, id_column, "", "no id; row left out") for row in seen.empty_ids),
        *(
            BadCell(row, id_column, seen.ids[row], "id of an earlier row; row left out")
            for row in seen.repeated_ids
        ),
        *seen.bad,
    ]
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "id", "column", "value", "reason"])
        for cell in sorted(rejected, key=lambda cell: cell.row):
            writer.writerow([cell.row + 1, seen.ids[cell.row], cell.column, cell.value, cell.reason])
