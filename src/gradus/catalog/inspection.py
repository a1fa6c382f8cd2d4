"""A catalogue read to the end, whatever is wrong with it: the values, and where the errors are."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gradus.catalog.fields import Field
from gradus.catalog.image_cache import ImageCache, cache_folder
from gradus.catalog.read import catalog_fields, image_folder, images_of, pick_column, read_arrow
from gradus.catalog.values import BadCell, read_id, read_text, read_values
from gradus.errors import CatalogError
from gradus.settings import Settings

_MOST_THREADS = 8


@dataclass(frozen=True)
class Inspection:
    """What a catalogue holds, good and bad.

    Attributes:
        source: The catalogue's file or folder.
        folder: What its image paths are relative to.
        table: Its raw cells, as `read_arrow` gives them.
        ids: (n,) the ids; empty and repeated ones stay.
        empty_ids: Rows without an id.
        repeated_ids: Rows whose id an earlier row has.
        fields: The declared fields.
        values: Field name → (n,) values as in a `Table`; `None` also where the cell is bad.
        images: Image field name → (n,) number of the image's content, equal for equal bytes; -1 where
            missing or unusable.
        bad: Cells that cannot be used, images among them.
    """

    source: Path
    folder: Path
    table: pa.Table
    ids: list[str]
    empty_ids: list[int]
    repeated_ids: list[int]
    fields: tuple[Field, ...]
    values: dict[str, list[Any]]
    images: dict[str, NDArray[np.int64]]
    bad: list[BadCell]


def inspect_catalog(settings: Settings, progress: Callable[[int, int], None] | None = None) -> Inspection:
    """Read all of a catalogue and decode all of its images, into the cache that training uses.

    Args:
        settings: Where the catalogue is and which fields it has.
        progress: Called with the number of images done and their total.

    Raises:
        CatalogError: The file cannot be read at all, has no rows, or lacks a declared column; or none is declared.
    """
    source = settings.resolve(settings.catalog.path)
    table = read_arrow(source)
    if table.num_rows == 0:
        raise CatalogError(f"{source} has no rows")
    fields = catalog_fields(settings)
    folder = images_of(settings) or image_folder(source)
    ids = [
        read_id(cell) for cell in pick_column(table, settings.catalog.id, source, "catalog.id").to_pylist()
    ]
    first: dict[str, int] = {}
    for row, name in enumerate(ids):
        first.setdefault(name, row)
    values: dict[str, list[Any]] = {}
    images: dict[str, NDArray[np.int64]] = {}
    bad: list[BadCell] = []
    total = len(ids) * sum(field.type == "image" for field in fields)
    for field in fields:
        cells = pick_column(table, field.name, source, "catalog.fields").to_pylist()
        values[field.name], unread = read_values(field, cells, folder)
        bad += unread
        if field.type == "image":
            cache = ImageCache.open(
                values[field.name],
                settings.encoder.pixels,
                cache_folder(settings),
                _part(progress, len(ids) * len(images), total),
                min(os.cpu_count() or 1, _MOST_THREADS),
            )
            for problem in cache.problems:
                shown = cells[problem.row] if isinstance(cells[problem.row], str) else "(bytes)"
                bad.append(BadCell(problem.row, field.name, read_text(shown), problem.reason))
                values[field.name][problem.row] = None
            images[field.name] = cache.row
    return Inspection(
        source=source,
        folder=folder,
        table=table,
        ids=ids,
        empty_ids=[row for row, name in enumerate(ids) if not name],
        repeated_ids=[row for row, name in enumerate(ids) if name and first[name] != row],
        fields=fields,
        values=values,
        images=images,
        bad=bad,
    )


def _part(
    progress: Callable[[int, int], None] | None, before: int, total: int
) -> Callable[[int, int], None] | None:
    """Progress of one column as progress of all, of which `before` values are done."""
    return None if progress is None else lambda done, _: progress(before + done, total)
