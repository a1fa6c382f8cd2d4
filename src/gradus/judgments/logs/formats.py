"""The formats of a log: which columns each needs, and where in a file they are looked for.

The columns of a format have names of their own (`query`, `document`, `position` …), whatever the file calls
them. A *source* says where the values of one lie:

    rank                        a column
    event_attributes.position   a field of a nested column; as often as needed
    items[].item_id             of every item of a list; the row becomes as many rows as the list has items
    event_params[search_term]   the value of the entry with this key, in a list of keys and values
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from gradus.errors import LogError

Kind = Literal["text", "id", "time", "number", "flag", "list"]

_SOURCE = re.compile(r"(?P<outer>[^\[\]]+)(?:\[(?P<key>[^\[\]]*)\](?:\.(?P<inner>[^\[\]]+))?)?")


@dataclass(frozen=True)
class LogColumn:
    """A column that a format has.

    Attributes:
        name: What the format calls it, and the key in `[log.columns]`.
        kind: What its values are; `time` is a timestamp, a text of ISO 8601 (also 2026/3/1 8:30), or seconds,
            milliseconds or microseconds since 1970, told apart by their size.
        sources: Where it is looked for when `[log.columns]` says nothing; the first that is there is taken.
        required: Whether a log without it cannot be read.
    """

    name: str
    kind: Kind
    sources: tuple[str, ...]
    required: bool = False


@dataclass(frozen=True)
class LogFormat:
    """A format of a log.

    Attributes:
        name: As in `log.format`.
        tables: Table → its columns.
        shown: Event names that say that documents were shown; none where every row says so.
        actions: Event name → the action that it is, where the two differ.
    """

    name: str
    tables: Mapping[str, tuple[LogColumn, ...]]
    shown: tuple[str, ...] = ()
    actions: Mapping[str, str] = field(default_factory=dict)

    def action(self, event: str) -> str:
        """The action that an event name stands for, as `[log.actions]` calls it."""
        return self.actions.get(event, event)


@dataclass(frozen=True)
class Source:
    """Where the values of a column lie, found in a schema.

    Attributes:
        column: The file's column.
        type: Arrow type of the values; of an item where `each`, of the entries' values where `key` is given.
        fields: Nested fields below the column, outermost first.
        each: Whether what lies there is a list whose every item has a value.
        key: Not empty where what lies there is a list of `key` and `value`, and the value of this key is meant.
        inner: Nested fields below an item of the list.
        json: Whether the column holds texts of JSON that `fields` point into.
    """

    column: str
    type: Any
    fields: tuple[str, ...] = ()
    each: bool = False
    key: str = ""
    inner: tuple[str, ...] = ()
    json: bool = False


def get_format(name: str) -> LogFormat:
    """A format by its name in `log.format`.

    Raises:
        LogError: There is none of that name.
    """
    if name not in FORMATS:
        raise LogError(f"log.format is {name!r}; choose one of {', '.join(FORMATS)}")
    return FORMATS[name]


def find_sources(
    log_format: LogFormat,
    table: str,
    schema: Any,
    columns: Mapping[str, str],
    actions: Sequence[str] = (),
    place: str = "the log",
) -> dict[str, Source]:
    """Where each column of a table lies in files of the given schema.

    Args:
        log_format: The format.
        table: One of its tables.
        schema: Arrow schema of the files.
        columns: `[log.columns]`: column → source; `"queries.time"` speaks of one table alone.
        actions: With the flat format, the actions that have a column of their own.
        place: What the files are called in messages.

    Returns:
        Column → source, for every column that is there; actions under their own names.

    Raises:
        LogError: A required column, or one that `columns` names, that the files lack; a key of `columns`
            that the format does not have. The message names the nearest that exists.
    """
    wanted = list(log_format.tables[table])
    if log_format.name == "flat":
        wanted += [LogColumn(name, "flag", (name,), required=True) for name in actions]
    _check_keys(log_format, wanted, columns)
    found = {}
    for column in wanted:
        given = columns.get(f"{table}.{column.name}", columns.get(column.name))
        candidates = column.sources if given is None else (given,)
        source = next((s for text in candidates if (s := find_source(text, schema))), None)
        if source is not None:
            found[column.name] = source
        elif column.required or given is not None:
            raise LogError(_missing(log_format, column.name, candidates, schema, place, given is not None))
    return found


def find_source(text: str, schema: Any) -> Source | None:
    """A source as a schema has it, or `None` where it does not.

    A column whose whole name is `text` comes first, dots and brackets included.
    """
    if text in schema.names:
        return Source(text, schema.field(text).type)
    parts = _SOURCE.fullmatch(text)
    column = _column(parts["outer"], schema.names) if parts else None
    if parts is None or column is None:
        return None
    rest = parts["outer"][len(column) + 1 :]
    fields = tuple(rest.split(".")) if rest else ()
    kind = schema.field(column).type
    if _is_text(kind):
        return Source(column, kind, fields, json=True) if fields and parts["key"] is None else None
    kind = _below(kind, fields)
    if parts["key"] is None or kind is None:
        return None if kind is None else Source(column, kind, fields)
    if not isinstance(kind, pa.ListType | pa.LargeListType | pa.MapType):
        return None
    if parts["key"]:
        value = _below(kind.value_type, () if isinstance(kind, pa.MapType) else ("value",))
        return None if value is None or parts["inner"] else Source(column, value, fields, key=parts["key"])
    inner = tuple(parts["inner"].split(".")) if parts["inner"] else ()
    item = _below(kind.value_type, inner)
    return None if item is None else Source(column, item, fields, each=True, inner=inner)


def list_sources(schema: Any) -> list[str]:
    """Every source that a schema has: columns, their nested fields, and the fields of lists' items."""
    sources: list[str] = []
    for column in schema:
        _add_sources(column.name, column.type, sources)
    return sources


def list_values(schema: Any) -> list[str]:
    """The sources of a schema that have one value a row, or a list of such: no objects, and no lists of them."""
    return [text for text in list_sources(schema) if "[]" not in text and _is_value(text, schema)]


def _is_value(text: str, schema: Any) -> bool:
    source = find_source(text, schema)
    if source is None:
        return False
    listed = isinstance(source.type, pa.ListType | pa.LargeListType)
    return not pa.types.is_nested(source.type.value_type if listed else source.type)


def _add_sources(name: str, kind: Any, sources: list[str]) -> None:
    sources.append(name)
    if isinstance(kind, pa.StructType):
        for inner in kind:
            _add_sources(f"{name}.{inner.name}", inner.type, sources)
    elif isinstance(kind, pa.ListType | pa.LargeListType) and isinstance(kind.value_type, pa.StructType):
        if "[]" in name:
            return
        for inner in kind.value_type:
            _add_sources(f"{name}[].{inner.name}", inner.type, sources)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _column(outer: str, names: Sequence[str]) -> str | None:
    """The column that a dotted source begins with: the longest, since names may hold dots themselves."""
    fitting = [name for name in names if outer == name or outer.startswith(f"{name}.")]
    return max(fitting, key=len, default=None)


def _below(kind: Any, fields: Sequence[str]) -> Any:
    """The type of a nested field, or `None`."""
    for name in fields:
        if not isinstance(kind, pa.StructType) or kind.get_field_index(name) < 0:
            return None
        kind = kind.field(name).type
    return kind


def _check_keys(log_format: LogFormat, wanted: Sequence[LogColumn], columns: Mapping[str, str]) -> None:
    names = {c.name for c in wanted} | {c.name for table in log_format.tables.values() for c in table}
    names |= {f"{table}.{c.name}" for table, own in log_format.tables.items() for c in own}
    for key in columns:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(names))}"
            raise LogError(f"log.columns names {key!r}, which the format {log_format.name} lacks; {hint}")


def _missing(
    log_format: LogFormat, name: str, candidates: Sequence[str], schema: Any, place: str, given: bool
) -> str:
    has = list_sources(schema)
    lower = {source.lower(): source for source in has}
    near = next(
        (close[0] for text in candidates if (close := difflib.get_close_matches(text.lower(), lower, 1))),
        None,
    )
    hint = f"did you mean {lower[near]!r}? " if near else ""
    looked = " or ".join(map(repr, candidates))
    why = f"log.columns.{name}" if given else f"{name} of the format {log_format.name}"
    remedy = "" if given else f'; name it in gradus.toml: [log.columns] {name} = "…"'
    return f"{place} has no column {looked} ({why}); {hint}it has {', '.join(has)}{remedy}"


def _wrapped(*sources: str) -> tuple[str, ...]:
    """Sources, and the same below `_source`, where OpenSearch's exports keep the document."""
    return (*sources, *(f"_source.{source}" for source in sources))


_PEOPLE = (
    LogColumn("session", "id", ("session", "session_id")),
    LogColumn("user", "id", ("user", "user_id", "client_id")),
    LogColumn("time", "time", ("time", "timestamp")),
)

FORMATS: Mapping[str, LogFormat] = {
    "flat": LogFormat(
        "flat",
        {
            "impressions": (
                LogColumn("query", "text", ("query",), required=True),
                LogColumn("document", "id", ("document", "doc_id", "document_id"), required=True),
                LogColumn("position", "number", ("position", "rank"), required=True),
                LogColumn("page", "id", ("page", "page_id", "query_id")),
                *_PEOPLE,
                LogColumn("propensity", "number", ("propensity",)),
                LogColumn("dwell", "number", ("dwell",)),
            )
        },
    ),
    "ubi": LogFormat(
        "ubi",
        {
            "events": (
                LogColumn("action", "text", _wrapped("action_name"), required=True),
                LogColumn("page", "id", _wrapped("query_id"), required=True),
                LogColumn(
                    "document",
                    "id",
                    _wrapped("event_attributes.object.object_id", "event_attributes.object.internal_id"),
                    required=True,
                ),
                LogColumn("position", "number", _wrapped("event_attributes.position.ordinal")),
                LogColumn("session", "id", _wrapped("session_id", "event_attributes.session_id")),
                LogColumn("user", "id", _wrapped("client_id", "user_id")),
                LogColumn("time", "time", _wrapped("timestamp")),
                LogColumn("query", "text", _wrapped("user_query")),
                LogColumn("dwell", "number", _wrapped("event_attributes.dwell_time")),
                LogColumn("propensity", "number", _wrapped("event_attributes.propensity")),
            ),
            "queries": (
                LogColumn("page", "id", _wrapped("query_id"), required=True),
                LogColumn("query", "text", _wrapped("user_query"), required=True),
                LogColumn(
                    "documents", "list", _wrapped("query_response_hit_ids", "query_response_objects_ids")
                ),
                LogColumn("session", "id", _wrapped("session_id")),
                LogColumn("user", "id", _wrapped("client_id")),
                LogColumn("time", "time", _wrapped("timestamp")),
            ),
        },
        shown=("impression",),
        actions={"click_through": "click", "add_to_cart": "cart"},
    ),
    "sessions": LogFormat(
        "sessions",
        {
            "pages": (
                LogColumn("query", "text", ("query",), required=True),
                LogColumn("documents", "list", ("documents", "doc_ids", "results"), required=True),
                LogColumn("clicks", "list", ("clicks", "clicked"), required=True),
                LogColumn("page", "id", ("page", "page_id", "query_id")),
                *_PEOPLE,
            )
        },
    ),
    "ga4": LogFormat(
        "ga4",
        {
            "events": (
                LogColumn("action", "text", ("event_name",), required=True),
                LogColumn("time", "time", ("event_timestamp",), required=True),
                LogColumn("user", "id", ("user_pseudo_id",), required=True),
                LogColumn("session", "id", ("event_params[ga_session_id]", "ga_session_id")),
                LogColumn("query", "text", ("event_params[search_term]", "search_term"), required=True),
                LogColumn("document", "id", ("items[].item_id", "item_id"), required=True),
                LogColumn("position", "number", ("items[].item_list_index", "item_list_index")),
            )
        },
        shown=("view_item_list", "view_search_results"),
        actions={"select_item": "click", "add_to_cart": "cart"},
    ),
}
