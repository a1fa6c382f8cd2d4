"""Lines of JSON objects into tables, by DuckDB; lines that it cannot read one by one."""

import json
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from gradus.errors import MissingExtraError
from gradus.judgments.logs.lines import Block, Reject
from gradus.judgments.logs.shape import Shape, arrow_schema, merge, simplify

_DEEPEST = 500
"""Brackets opened within brackets that a line may have."""

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

_NO_OBJECT = "not a JSON object, or an empty one"


class JsonReader:
    """Reads the blocks of one log's files; what it has seen of a column shapes it in further blocks."""

    def __init__(self) -> None:
        try:
            import duckdb
        except ImportError:
            raise MissingExtraError("reading logs of JSON lines", "logs") from None
        self._seen: dict[str, Shape] = {}
        self._duckdb = duckdb.connect()

    def read(self, block: Block, reject: Reject) -> tuple[Any, dict[str, Shape]]:
        """The rows of a block as a table of the columns that the block has, and their shape in this block."""
        lines = self._objects(block, reject)
        if not len(lines):
            return pa.table({}), {}
        own = self._shape(lines)
        self._seen = merge(self._seen, own)
        wide = {name: simplify(self._seen[name]) for name in own}
        rows = self._duckdb.from_arrow(pa.table({"line": lines}))
        table = rows.project(f"unnest(json_transform(line, {_literal(_spelled(wide))}))").to_arrow_table()
        return table.cast(arrow_schema(wide)), own

    def _objects(self, block: Block, reject: Reject) -> Any:
        """The lines that hold an object; lines that JavaScript or Python would read are mended."""
        lines = [line.decode() for line in block.lines]
        texts = pa.array(lines, pa.string())
        valid = self._duckdb.from_arrow(pa.table({"line": texts})).project("json_valid(line) AS valid")
        good = pc.and_(
            valid.to_arrow_table()["valid"].combine_chunks(),
            pc.match_substring_regex(texts, r"^\s*\{\s*[^\s}]"),
        )
        deep = [row for row, line in enumerate(block.lines) if len(line) > _DEEPEST and _is_deep(line)]
        if not deep and good.true_count == len(lines):
            return texts
        kept: list[str | None] = list(lines)
        too_deep = set(deep)
        for row in sorted(too_deep | set(pc.indices_nonzero(pc.invert(good)).to_pylist())):
            kept[row] = None
            if not lines[row].strip():
                continue
            mended = None if row in too_deep else _mended(lines[row])
            if mended is None:
                reject(block.numbers[row], _NO_OBJECT, block.lines[row])
            kept[row] = mended
        return pa.array([line for line in kept if line is not None], pa.string())

    def _shape(self, lines: Any) -> dict[str, Shape]:
        """The columns that the lines have, in the order in which they are met.

        Arrow finds them several times faster than DuckDB, but refuses values of one column that differ in type.
        """
        try:
            data = pa.py_buffer("\n".join(lines.to_pylist()).encode())
            return _top_level(_arrow_shape(pa.struct(list(pa.json.read_json(data).schema))) or {})
        except pa.ArrowInvalid:
            rows = self._duckdb.from_arrow(pa.table({"line": lines}))
            found = rows.aggregate("json_group_structure(line::JSON) AS found").fetchall()
            return _top_level(_duckdb_shape(json.loads(found[0][0])) or {})


def _mended(line: str) -> str | None:
    """The object of a line with a comma behind it, or with half a surrogate pair; `None` if it has none."""
    try:
        value = json.loads(line.strip().removesuffix(","))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not value:
        return None
    text = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
    return text.decode("utf-16", "replace")


def _is_deep(line: bytes) -> bool:
    """Whether brackets nest beyond what the readers' recursion stands; those in texts may count as well."""
    brackets = line.translate(None, _NO_BRACKETS)
    if len(brackets) <= _DEEPEST:
        return False
    return max(accumulate(1 if letter in b"[{" else -1 for letter in brackets)) > _DEEPEST


def _arrow_shape(kind: Any) -> Shape:
    if isinstance(kind, pa.StructType):
        return {field.name: _arrow_shape(field.type) for field in kind} or None
    if isinstance(kind, pa.ListType):
        return [_arrow_shape(kind.value_type)]
    return None if pa.types.is_null(kind) else "text"


def _duckdb_shape(structure: Any) -> Shape:
    if isinstance(structure, dict):
        return {name: _duckdb_shape(inner) for name, inner in structure.items()} or None
    if isinstance(structure, list):
        return [_duckdb_shape(structure[0])]
    return None if structure == "NULL" else "text"


def _top_level(columns: dict[str, Shape]) -> dict[str, Shape]:
    """The columns a table can have: of names that differ only in case, the first."""
    first: dict[str, str] = {}
    for name in columns:
        first.setdefault(name.casefold(), name)
    return {name: columns[name] for name in first.values()}


def _spelled(shape: Shape) -> Any:
    """A shape as DuckDB wants it described."""
    if isinstance(shape, dict):
        return {name: _spelled(inner) for name, inner in shape.items()}
    return [_spelled(shape[0])] if isinstance(shape, list) else "VARCHAR"


def _literal(structure: Any) -> str:
    return "'" + json.dumps(structure, ensure_ascii=False).replace("'", "''") + "'"
