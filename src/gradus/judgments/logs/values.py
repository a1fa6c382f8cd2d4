"""The columns of a format, drawn out of files: nested values unfolded, texts turned into numbers and times."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from gradus.judgments.logs.engine import Engine, Table, ibis
from gradus.judgments.logs.formats import Kind, LogFormat, Source

Value = Any
"""An Ibis column."""

_MILLISECONDS = 1e11
"""From here on a number of seconds since 1970 would lie beyond the year 5000, so it counts milliseconds."""

_MICROSECONDS = 1e14


_TYPES: Mapping[str, str] = {
    "list": "array<string>", "time": "timestamp", "number": "float64", "flag": "boolean"
}  # fmt: skip


def draw_columns(
    engine: Engine,
    table: Table,
    log_format: LogFormat,
    name: str,
    sources: Mapping[str, Source],
    empty_ids: bool = True,
) -> Table:
    """A table of the format, from the files' own columns.

    Args:
        engine: What runs the expressions.
        table: The rows of the files.
        log_format: The format.
        name: Which of its tables.
        sources: Where each column lies; those that the format does not list are flags, the actions'.
        empty_ids: Whether an id may be an empty text, which counts as null.

    Returns:
        The table with the columns of `sources`: text and ids as text, numbers as float64 (whole ones stay
        whole), times as timestamps in UTC, flags as booleans, lists as lists of texts. What cannot be read
        as its kind is null. A row whose `each` source is an empty list stays, with nulls.
    """
    kinds: dict[str, Kind] = {column.name: column.kind for column in log_format.tables[name]}
    unfolded = {s.column: s for s in sources.values() if s.each}
    for source in unfolded.values():
        items = _below(table[source.column], source.fields)
        table = table.mutate(**{_items(source): items}).unnest(_items(source), keep_empty=True)
    columns = {
        column: _drawn(engine, table, source, kinds.get(column, "flag")) for column, source in sources.items()
    }
    if empty_ids:
        # Taken for an id, it would make one session of all rows without a session.
        columns |= {column: columns[column].nullif("") for column in columns if kinds.get(column) == "id"}
    return table.select(**columns)


def is_plain(table: Table, log_format: LogFormat, name: str, sources: Mapping[str, Source]) -> bool:
    """Whether drawing the columns is so cheap that it may be done again in every step."""
    kinds: dict[str, Kind] = {column.name: column.kind for column in log_format.tables[name]}
    for column, source in sources.items():
        if source.fields or source.each or source.key:
            return False
        if (
            kinds.get(column, "flag") in ("time", "number", "flag")
            and table[source.column].type().is_string()
        ):
            return False
    return True


def empty_ids(
    table: Table, log_format: LogFormat, name: str, sources: Mapping[str, Source]
) -> Iterator[Table]:
    """For each id of a plain table, one row: the number `n` of its empty texts.

    One at a time, an engine answers them from the statistics of Parquet files, without reading a row.
    """
    for column in log_format.tables[name]:
        if column.kind == "id" and column.name in sources:
            value = table[sources[column.name].column]
            if value.type().is_string():
                empty = table.filter(value == "")
                yield empty.agg(n=empty.count())


def _items(source: Source) -> str:
    return f"items of {source.column}"


def _drawn(engine: Engine, table: Table, source: Source, kind: Kind) -> Value:
    if pa.types.is_null(source.type):
        # A column without any value has no type; DuckDB cannot read one within a struct.
        return ibis.null(_TYPES.get(kind, "string"))
    return _as_kind(_value(engine, table, source), kind)


def _value(engine: Engine, table: Table, source: Source) -> Value:
    if source.each:
        return _below(table[_items(source)], source.inner)
    column = table[source.column]
    if source.json:
        return engine.json_text(column, source.fields)
    value = _below(column, source.fields)
    if not source.key:
        return value
    if value.type().is_map():
        return _any_text(value.get(source.key))
    return _any_text(value.filter(lambda entry: entry["key"] == source.key)[0]["value"])


def _below(value: Value, fields: tuple[str, ...]) -> Value:
    for field in fields:
        value = value[field]
    return value


def _any_text(value: Value) -> Value:
    """The value; of a struct with a field for each type, as GA4 has, the one that is there, as text."""
    if not value.type().is_struct():
        return value
    return ibis.coalesce(*(value[name].cast("string") for name in value.type().names))


def _as_kind(value: Value, kind: Kind) -> Value:
    if kind == "list":
        return value.cast("array<string>") if value.type().is_array() else _as_list(value.cast("string"))
    if kind == "time":
        return _as_time(value)
    if kind == "number":
        return value.try_cast("float64") if value.type().is_string() else value
    if kind == "flag":
        return _as_flag(value)
    return value if value.type().is_string() else value.cast("string")


def _as_list(text: Value) -> Value:
    """The items of a text: a JSON list, or values with one of | ; , or else space between them."""
    text = text.strip()
    # Python's lists have single quotes.
    listed = text.re_replace(r"""^\[\s*["']?|["']?\s*\]$""", "").re_replace(r"""["']?\s*,\s*["']?""", "|")
    joined = ibis.cases(
        (text.startswith("["), listed),
        (text.contains("|"), text),
        (text.contains(";"), text.replace(";", "|")),
        (text.contains(","), text.replace(",", "|")),
        else_=text.re_replace(r"\s+", "|"),
    )
    # Spark splits at a regular expression, of which this is one that stands for itself.
    return joined.re_replace(r"\s*\|\s*", "\x1f").nullif("").split("\x1f")


def _as_flag(value: Value) -> Value:
    """True where something was done: true, or a number (or a count) above 0."""
    if value.type().is_boolean():
        return value.fill_null(False)
    if value.type().is_string():
        number = value.try_cast("float64").fill_null(0)
        return value.lower().isin(["true", "t", "yes", "y"]).fill_null(False) | (number > 0)
    return (value > 0).fill_null(False)


def _as_time(value: Value) -> Value:
    kind = value.type()
    if kind.is_timestamp():
        return value
    if kind.is_date():
        return value.cast("timestamp")
    if kind.is_string():
        return ibis.coalesce(_since_1970(value.try_cast("float64")), _iso_time(value))
    return _since_1970(value)


def _since_1970(number: Value) -> Value:
    """A number of seconds, milliseconds or microseconds since 1970 as a time."""
    seconds = ibis.cases(
        (number >= _MICROSECONDS, number / 1e6), (number >= _MILLISECONDS, number / 1e3), else_=number
    )
    # Beyond this the engines' times overflow; it is no time.
    usual = seconds.between(-1e10, 1e11)
    microseconds = ibis.ifelse(usual, (seconds * 1e6).round().cast("int64"), ibis.null("int64"))
    return ibis.timestamp("1970-01-01") + microseconds.as_interval("us")


def _iso_time(text: Value) -> Value:
    """A text of ISO 8601, or with slashes in its date, as a time in UTC.

    Engines differ in what they do with an offset, so it is taken off.
    """
    text = text.replace("/", "-")
    bare = text.strip().re_replace(r"(Z|[+-]\d\d(:?\d\d)?)$", "")
    # A date alone ends in what looks like an offset.
    timed = text.contains(":")
    offset = text.strip().re_extract(r"([+-]\d\d(:?\d\d)?)$", 1).replace(":", "")
    hours = offset.substr(1, 2).try_cast("int64")
    minutes = offset.substr(3, 2).try_cast("int64").fill_null(0)
    sign = ibis.ifelse(offset.startswith("-"), -1, 1)
    ahead = ibis.ifelse(timed, sign * (hours * 60 + minutes), 0).fill_null(0)
    return ibis.ifelse(timed, bare, text).try_cast("timestamp") - ahead.as_interval("m")
