"""The shape of nested rows: what of them is a list, what has fields, and what is a text.

Values of text files stay texts: an id that is `7` in one file and `"7"` or `007` in another is no reason for two
days of a log to differ in type. Only the nesting is kept, and where two rows disagree on it, the value is the text
of its JSON.
"""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

Shape = Any
"""`"text"`, `None` where only nulls and empty objects were seen, `[shape]` for a list, `{name: shape}` for an object."""

MOST_FIELDS = 200
"""A nested object with more fields is kept as text: its keys are values, such as ids."""


def merge(one: Shape, other: Shape) -> Shape:
    """The shape that holds the values of both; fields keep the order in which they were met."""
    if one is None or one == other:
        return other
    if other is None:
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: merge(one.get(name), other.get(name)) for name in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return [merge(one[0], other[0])]
    return "text"


def simplify(shape: Shape) -> Shape:
    """A nested shape that a table can have: objects that cannot be, by their keys, become text."""
    if isinstance(shape, list):
        return [simplify(shape[0])]
    if not isinstance(shape, dict):
        return shape
    if not shape or len(shape) > MOST_FIELDS or len({name.casefold() for name in shape}) < len(shape):
        return "text"
    return {name: simplify(inner) for name, inner in shape.items()}


def simplify_columns(columns: dict[str, Shape]) -> dict[str, Shape]:
    """Columns of shapes that a table can have, however many there are."""
    return {name: simplify(shape) for name, shape in columns.items()}


def arrow_type(shape: Shape) -> Any:
    """The Arrow type of a shape."""
    if isinstance(shape, dict):
        return pa.struct([pa.field(name, arrow_type(inner)) for name, inner in shape.items()])
    return pa.list_(arrow_type(shape[0])) if isinstance(shape, list) else pa.string()


def arrow_schema(columns: dict[str, Shape]) -> Any:
    """The Arrow schema of a table whose rows have the given shape."""
    return pa.schema([pa.field(name, arrow_type(shape)) for name, shape in columns.items()])


def paths(columns: dict[str, Shape]) -> Iterator[str]:
    """The dotted names of all texts in the shape of a row."""
    for name, shape in columns.items():
        inner, mark = (shape[0], "[]") if isinstance(shape, list) else (shape, "")
        if isinstance(inner, dict):
            yield from (f"{name}{mark}.{below}" for below in paths(inner))
        else:
            yield name


def seen(columns: dict[str, Shape], whole: dict[str, Shape]) -> dict[str, Shape]:
    """Columns of a part of the rows without those that are null there, and without what is text in `whole`."""
    return {name: _seen(shape, whole[name]) for name, shape in columns.items() if shape is not None}


def _seen(shape: Shape, whole: Shape) -> Shape:
    if isinstance(shape, dict) and isinstance(whole, dict):
        return seen(shape, whole)
    if isinstance(shape, list) and isinstance(whole, list):
        return [_seen(shape[0], whole[0])]
    return "text"


def fit(table: Any, columns: dict[str, Shape]) -> Any:
    """A table, of a narrower shape, as one of the given shape: new columns are null."""
    schema = arrow_schema(columns)
    if table.schema.equals(schema):
        return table
    arrays = []
    for field in schema:
        place = table.schema.get_field_index(field.name)
        if place < 0:
            arrays.append(pa.nulls(table.num_rows, field.type))
        else:
            arrays.append(_fit_array(table.column(place).combine_chunks(), field.type))
    return pa.table(arrays, schema=schema)


def _fit_array(array: Any, kind: Any) -> Any:
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if array.type.equals(kind):
        return array
    if pa.types.is_string(kind):
        if pa.types.is_nested(array.type):
            texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in array.to_pylist()]
            return pa.array(texts, kind)
        return array.cast(kind)
    # Where only empty objects were seen before, the column was one of texts.
    if array.null_count == len(array) or pa.types.is_string(array.type):
        return pa.nulls(len(array), kind)
    if pa.types.is_struct(kind):
        children = []
        for field in kind:
            place = array.type.get_field_index(field.name)
            nulls = place < 0
            children.append(
                pa.nulls(len(array), field.type) if nulls else _fit_array(array.field(place), field.type)
            )
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=array.is_null())
    # `flatten` leaves out what lies under null lists, so offsets are counted anew.
    lengths = array.value_lengths().fill_null(0)
    ends = lengths.to_numpy(zero_copy_only=False).cumsum(dtype="int32")
    offsets = pa.array([0, *ends.tolist()], pa.int32())
    values = _fit_array(array.flatten(), kind.value_type)
    return pa.ListArray.from_arrays(offsets, values, type=kind, mask=array.is_null())
