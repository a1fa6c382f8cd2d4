"""Catalogues from files: any of the formats into Arrow, and Arrow into a table of typed fields."""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from gradus.catalog.fields import Field
from gradus.catalog.formats import format_of, read_delimited, read_jsonl, read_parquet
from gradus.catalog.table import Table
from gradus.catalog.values import read_id, read_values
from gradus.errors import CatalogError
from gradus.settings import Settings

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})

_METADATA_NAMES = ("metadata", "catalog", "catalogue")
_SHOWN = 5
"""How many examples an error message names."""


def read_arrow(path: Path) -> pa.Table:
    """Read a file or folder without interpreting its cells.

    CSV, TSV and JSONL (each also as .gz) must be UTF-8; a byte order mark is skipped. All columns of CSV
    and TSV are text. A folder holds a metadata file (`metadata` or `catalog`, in any of the formats) beside
    its images, whose `file_name` column becomes `image`; or only images, each of them a document. Where a
    folder's documents have no `doc_id` or `id`, the image's path is their `doc_id`, without its suffix where
    that is no other's too.

    Raises:
        CatalogError: No such file, an unknown format, a row with too few or too many cells, text that is
            not UTF-8, a damaged file.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise CatalogError(f"no file or folder {path}")
    try:
        match format_of(path):
            case "csv" | "tsv":
                return read_delimited(path)
            case "jsonl":
                return read_jsonl(path)
            case "parquet":
                return read_parquet(path)
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error}") from None


def read_table(
    path: Path, id_column: str, fields: Sequence[Field], images: Path | None = None, section: str = "catalog"
) -> Table:
    """Read documents, or queries, with the given fields.

    Args:
        path: A file or folder that `read_arrow` reads.
        id_column: The column with one distinct id per row.
        fields: The columns to keep, and how to read them.
        images: What image paths are relative to; the file's own folder, or the folder itself, when `None`.
        section: The section of `gradus.toml` that describes the file, `catalog` or `query`, for messages.

    Raises:
        CatalogError: What `read_arrow` raises; a column that is missing; no rows; an id that is empty or
            repeated; a cell that is not what its field's type says.
    """
    table = read_arrow(path)
    if table.num_rows == 0:
        raise CatalogError(f"{path} has no rows")
    ids = [read_id(cell) for cell in pick_column(table, id_column, path, f"{section}.id").to_pylist()]
    _check_ids(ids, id_column, path, section)
    columns: dict[str, Sequence[Any]] = {}
    for field in fields:
        cells = pick_column(table, field.name, path, f"{section}.fields").to_pylist()
        columns[field.name], bad = read_values(field, cells, images or image_folder(path))
        if bad:
            listed = "; `gradus check` lists them" if section == "catalog" else ""
            more = f" ({len(bad) - 1:,} more such cells{listed})" if len(bad) > 1 else ""
            raise CatalogError(f"{path}, {bad[0]}{more}")
    return Table(ids, tuple(fields), columns)


def fields_from(settings_fields: Mapping[str, Mapping[str, Any]]) -> tuple[Field, ...]:
    """The fields of `[catalog.fields]` or `[query.fields]`, in the file's order.

    Raises:
        CatalogError: An unknown type or a negative weight.
    """
    return tuple(
        Field(name, values.get("type", "text"), float(values.get("weight", 1.0)))
        for name, values in settings_fields.items()
    )


def catalog_fields(settings: Settings) -> tuple[Field, ...]:
    """The fields of `[catalog.fields]`.

    Raises:
        CatalogError: There are none, or one is not as `fields_from` takes it.
    """
    if not settings.catalog.fields:
        raise CatalogError(
            "gradus.toml names no [catalog.fields]; `gradus init` writes them for a given catalogue"
        )
    return fields_from(settings.catalog.fields)


def open_catalog(settings: Settings) -> Table:
    """The documents that `[catalog]` describes.

    Raises:
        CatalogError: As `read_table`; or no fields are given.
    """
    catalog = settings.catalog
    return read_table(
        settings.resolve(catalog.path), catalog.id, catalog_fields(settings), images_of(settings)
    )


def open_queries(settings: Settings) -> Table:
    """The queries of the file that `query.path` names.

    Raises:
        CatalogError: As `read_table`; or `query.path` is empty, as it is where the judgments file holds
            the queries' fields.
    """
    query = settings.query
    if not query.path:
        raise CatalogError("query.path is empty: name the file with the queries' ids and fields")
    return read_table(settings.resolve(query.path), query.id, fields_from(query.fields), section="query")


def pick_column(table: pa.Table, name: str, path: Path, key: str) -> pa.ChunkedArray:
    """A column by name.

    Args:
        table: What `read_arrow` read.
        name: The column.
        path: Where the table comes from, for the message.
        key: The setting that names the column, for the message.

    Raises:
        CatalogError: There is none; the message has the nearest name and all of them.
    """
    if name in table.column_names:
        return table.column(name)
    lower = {column.lower(): column for column in table.column_names}
    near = difflib.get_close_matches(name.lower(), lower, 1)
    hint = f"did you mean {lower[near[0]]!r}? " if near else ""
    raise CatalogError(
        f"{path} has no column {name!r} ({key} in gradus.toml); {hint}it has {', '.join(table.column_names)}"
    )


def image_folder(path: Path) -> Path:
    """What a catalogue's image paths are relative to where nothing else is said."""
    return path if path.is_dir() else path.parent


def images_of(settings: Settings) -> Path | None:
    """The folder that `catalog.images` names, or `None` for the catalogue's own."""
    return settings.resolve(settings.catalog.images) if settings.catalog.images else None


def metadata_file(folder: Path) -> Path | None:
    """The one metadata file of a folder, or `None` where it holds none.

    Raises:
        CatalogError: There are several.
    """
    found = [
        file
        for name in _METADATA_NAMES
        for suffix in (".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz", ".parquet")
        if (file := folder / f"{name}{suffix}").is_file()
    ]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise CatalogError(
            f"{folder} holds several metadata files ({names}); name one of them as the catalogue"
        )
    return found[0] if found else None


def _read_folder(folder: Path) -> pa.Table:
    metadata = metadata_file(folder)
    if metadata is None:
        files = sorted(
            file.relative_to(folder).as_posix()
            for file in folder.rglob("*")
            if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
        )
        if not files:
            other = next(
                (f" (it holds {file.name})" for file in sorted(folder.iterdir()) if _is_table(file)), ""
            )
            raise CatalogError(
                f"{folder} holds neither a metadata file (metadata.csv, .jsonl, …) nor images; name the "
                f"catalogue's file{other}"
            )
        table = pa.table({"image": files})
    else:
        table = read_arrow(metadata)
        if "file_name" in table.column_names and "image" not in table.column_names:
            table = table.rename_columns(
                ["image" if name == "file_name" else name for name in table.column_names]
            )
    names = table.column_names
    if "image" in names and not {"doc_id", "id"} & set(names) and _is_text(table["image"].type):
        paths = table["image"].to_pylist()
        stems = [None if name is None else Path(name).with_suffix("").as_posix() for name in paths]
        # Pictures that differ in their suffix alone, as a.jpg and a.png, keep it.
        count = Counter(stem for name, stem in set(zip(paths, stems, strict=True)))
        ids = [name if count[stem] > 1 else stem for name, stem in zip(paths, stems, strict=True)]
        table = table.add_column(0, "doc_id", pa.chunked_array([pa.array(ids, pa.string())]))
    return table


def _is_table(file: Path) -> bool:
    """Whether a file's name says that it may be a catalogue."""
    try:
        return bool(format_of(file))
    except CatalogError:
        return False


def _is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts; tools other than pandas write them with longer offsets."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _check_ids(ids: list[str], column: str, path: Path, section: str) -> None:
    """Refuse empty and repeated ids; `gradus check` knows a remedy for those of a catalogue alone."""
    of_catalog = section == "catalog"
    empty = [row + 1 for row, name in enumerate(ids) if not name]
    if empty:
        remedy = " (`gradus check --fix` drops the rows without)" if of_catalog else ""
        raise CatalogError(
            f"{path}: column {column!r} is empty in {_listed(empty, 'row')}; every row needs an id{remedy}"
        )
    repeated = [name for name, times in Counter(ids).items() if times > 1]
    if repeated:
        remedy = (
            "`gradus check --fix` keeps the first of each"
            if of_catalog
            else "a query has one row; keep one of each"
        )
        raise CatalogError(
            f"{path}: column {column!r} repeats {_listed([repr(name) for name in repeated], 'id')}; {remedy}"
        )


def _listed(items: Sequence[Any], noun: str) -> str:
    shown = ", ".join(str(item) for item in items[:_SHOWN])
    more = f" and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else ""
    return f"{noun}{'s' if len(items) > 1 else ''} {shown}{more}"
