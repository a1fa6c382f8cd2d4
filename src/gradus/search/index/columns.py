"""Documents as Arrow: a base's ids and attributes in a file, and the changes that a journal holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gradus.search.index.block import Block
from gradus.search.index.index import Documents, Schema

_ID, _VECTOR, _PARTS = "id", "vector", "parts"


class Texts(Sequence[Any]):
    """Texts in a mapped file, each made a `str` (or `None`, where there is none) when it is asked for."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: Any) -> Any:
        return self._column[int(row)].as_py()


def write_columns(path: Path, schema: Schema, blocks: Sequence[Block], order: NDArray[np.int64]) -> None:
    """Write ids, attributes and texts of the documents that are alive, as an Arrow file that any Arrow library opens.

    Args:
        path: Where.
        schema: The index's.
        blocks: The documents.
        order: Their order in the file, as places among those alive, one block after the other.
    """
    rows = [np.flatnonzero(block.alive) for block in blocks]
    ids = [block.ids[int(row)] for block, picked in zip(blocks, rows, strict=True) for row in picked]
    columns = {_ID: pa.array(ids, pa.large_string())}
    for field in schema.texts:
        texts = [
            block.texts[field][int(row)] for block, picked in zip(blocks, rows, strict=True) for row in picked
        ]
        columns[_text(field)] = pa.array(texts, pa.large_string())
    for field, kind in schema.attributes.items():
        if kind == "category":
            columns[_named(field)] = _categories(field, blocks, rows)
        else:
            numbers = np.concatenate(
                [block.numbers[field][picked] for block, picked in zip(blocks, rows, strict=True)]
            )
            columns[_named(field)] = pa.array(numbers, pa.float64(), from_pandas=True)
    table = pa.table(columns).take(order)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read_columns(
    path: Path, schema: Schema
) -> tuple[
    Sequence[str],
    dict[str, tuple[NDArray[np.int32], Sequence[str]]],
    dict[str, NDArray[np.float64]],
    dict[str, Sequence[str | None]],
]:
    """Ids, categories, numbers and texts of a base, mapped into memory: what a `Block` holds."""
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    columns = {name: _whole(table[name]) for name in table.column_names}
    categories = {
        field: (
            np.asarray(columns[_named(field)].indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int32),
            columns[_named(field)].dictionary.to_pylist(),
        )
        for field, kind in schema.attributes.items()
        if kind == "category"
    }
    numbers = {
        field: np.asarray(columns[_named(field)].to_numpy(zero_copy_only=False), np.float64)
        for field, kind in schema.attributes.items()
        if kind == "number"
    }
    texts: dict[str, Sequence[str | None]] = {field: Texts(columns[_text(field)]) for field in schema.texts}
    return Texts(columns[_ID]), categories, numbers, texts


def record_of(change: Documents | Sequence[str], schema: Schema) -> bytes:
    """A change as the body of a journal's record: documents that were put, or ids that were removed."""
    if isinstance(change, Documents):
        columns = {_ID: pa.array(change.ids, pa.string()), _VECTOR: _lists(change.vectors)}
        for field, values in change.attributes.items():
            kind = pa.string() if schema.attributes[field] == "category" else pa.float64()
            columns[_named(field)] = pa.array(values, kind)
        for field, texts in change.texts.items():
            columns[_text(field)] = pa.array(texts, pa.string())
        if change.parts is not None:
            columns[_PARTS] = _lists(change.parts.reshape(len(change), -1))
    else:
        columns = {_ID: pa.array(change, pa.string())}
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def change_of(body: bytes, schema: Schema) -> Documents | list[str]:
    """What `record_of` was given."""
    table = pa.ipc.open_stream(body).read_all()
    ids = table[_ID].to_pylist()
    if _VECTOR not in table.column_names:
        return list(ids)
    vectors = _whole(table[_VECTOR]).flatten().to_numpy().reshape(len(ids), schema.dimensions)
    parts = None
    if schema.parts is not None:
        shape = (len(ids), schema.parts.count, schema.parts.dimensions)
        parts = _whole(table[_PARTS]).flatten().to_numpy().reshape(shape)
    return Documents(
        ids,
        vectors,
        {field: table[_named(field)].to_pylist() for field in schema.attributes},
        {field: table[_text(field)].to_pylist() for field in schema.texts},
        parts,
    )


def _named(field: str) -> str:
    """A column's name, which no field can take from `id` and `vector`."""
    return f"field:{field}"


def _text(field: str) -> str:
    return f"text:{field}"


def _lists(vectors: NDArray[np.float32]) -> Any:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])


def _categories(field: str, blocks: Sequence[Block], rows: Sequence[NDArray[np.int64]]) -> Any:
    """One dictionary-coded column of several blocks' values, only those in use."""
    values: dict[str, int] = {}
    codes = []
    for block, picked in zip(blocks, rows, strict=True):
        own, names = block.categories[field]
        used = own[picked]
        place = np.full(len(names) + 1, -1, np.int32)
        for code in np.unique(used[used >= 0]):
            place[code] = values.setdefault(names[code], len(values))
        codes.append(place[used])
    coded = np.concatenate(codes)
    return pa.DictionaryArray.from_arrays(
        pa.array(coded, mask=coded < 0), pa.array(list(values), pa.large_string())
    )


def _whole(column: Any) -> Any:
    """A column as one array: as it lies in the file where it is one chunk there."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
