"""A proposal for the section `[log]`, from the first rows of a log."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gradus.errors import LogError
from gradus.judgments.logs.formats import FORMATS, LogColumn, Source, find_source, list_values
from gradus.judgments.logs.guess import (
    ACTIONS,
    as_text,
    as_time,
    by_name,
    by_values,
    is_list,
    is_true,
)
from gradus.judgments.logs.reading import kind_of, read_some, skipped_files

ROWS = 20_000
"""How many rows are looked at."""

_WEIGHTS = {"click": 1.0, "cart": 2.0, "purchase": 4.0}
_SHOWN_EVENTS = 8
_TRUTH = "truth.parquet"
"""What `gradus simulate` writes beside a log: no part of it."""


@dataclass(frozen=True)
class Proposal:
    """What a log seems to be.

    Attributes:
        path: The log; with ubi, its events.
        queries: With ubi, its queries, where they were found.
        format: As `log.format`.
        columns: Column of the format → source, where the default would not find it.
        actions: Action → how often it was taken in the rows looked at.
        other: Event name → how often, for events that are neither impressions nor proposed actions.
        first_rank: The least position; `None` without positions.
        span: The first and the last time; `None` without times.
        rows: Rows looked at.
        rejected: Rows among them that could not be read.
        unsure: What a person should look at, a sentence each.
    """

    path: Path
    queries: Path | None
    format: str
    columns: Mapping[str, str]
    actions: Mapping[str, int]
    other: Mapping[str, int]
    first_rank: int | None
    span: tuple[datetime, datetime] | None
    rows: int
    rejected: int
    unsure: tuple[str, ...]

    def toml(self) -> str:
        """The section `[log]`, with what was seen as comments."""
        seen = f"# From {self.rows:,} rows"
        if self.span is not None:
            seen += f", {self.span[0]:%Y-%m-%d %H:%M} to {self.span[1]:%Y-%m-%d %H:%M} UTC"
        lines = ["[log]", seen + (f"; {self.rejected:,} more could not be read" if self.rejected else "")]
        lines += [f"# Look at this: {sentence}" for sentence in self.unsure]
        lines.append(f"path = {_quoted(self.path.as_posix())}")
        lines.append(f"format = {_quoted(self.format)}")
        if self.queries is not None:
            lines.append(f"queries = {_quoted(self.queries.as_posix())}")
        if self.first_rank in (0, 1):
            lines.append(f'rank = "{self.first_rank}"')
        if self.columns:
            lines += ["", "[log.columns]"]
            lines += [f"{_key(name)} = {_quoted(source)}" for name, source in self.columns.items()]
        lines += ["", "[log.actions]"]
        for name, times in self.actions.items():
            lines.append(f"{_key(name)} = {_WEIGHTS.get(name, 1.0)}  # {times:,} seen")
        if not self.actions:
            lines.append("# click = 1.0")
        lines += [f"# {_key(name)}: {times:,} seen, not counted" for name, times in self.other.items()]
        return "\n".join(lines) + "\n"


def propose(path: Path) -> Proposal:
    """Look at the first rows of a log and propose how to read it.

    Args:
        path: A file or a folder; for ubi also a folder with events and queries as two files or folders, told
            apart by their names; also the folder of a simulated log, with its truth.

    Raises:
        LogError: There is no such log, or no row of it can be read.
    """
    path, queries = _parts(path)
    table, rejected = read_some(path, ROWS)
    log_format = _format(table)
    finders = {"flat": _flat, "sessions": _sessions}
    unsure: list[str] = []
    skipped = skipped_files(path)
    if skipped:
        more = f" and {len(skipped) - 1:,} more are" if len(skipped) > 1 else " is"
        unsure.append(f"{skipped[0]}{more} of no known format and will not be read")
    found, actions = finders.get(log_format, _events)(log_format, table, unsure)
    other: dict[str, int] = {}
    if log_format in ("ubi", "ga4"):
        actions, other = _event_counts(log_format, table, found, unsure)
    if log_format == "ubi" and queries is None and "query" not in found:
        unsure.append("the events hold no query texts; name the file of queries as log.queries")
    positions = [int(float(text)) for text in _texts(table, found.get("position")) if _is_whole(text)]
    first = min(positions, default=None)
    if first is not None and first not in (0, 1):
        unsure.append(f"the least position is {first}; positions should start at 0 or 1")
    if first is None and log_format == "flat":
        unsure.append("no positions were read; without them position bias cannot be told from relevance")
    times = [time for value in _values(table, found.get("time")) if (time := as_time(value))]
    if not times:
        unsure.append("no times were read; decay, windows and sessions need them")
    defaults = {c.name: c.sources for own in FORMATS[log_format].tables.values() for c in own}
    mapped = {
        name: source
        for name, source in found.items()
        if source != next((s for s in defaults.get(name, (name,)) if find_source(s, table.schema)), None)
    }
    return Proposal(
        path, queries, log_format, mapped, actions, other, first, (min(times), max(times)) if times else None,
        table.num_rows, rejected, tuple(unsure),
    )  # fmt: skip


def _parts(path: Path) -> tuple[Path, Path | None]:
    """The events and the queries in a folder that holds both; the log beside its truth; else the path itself."""
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if not p.name.startswith((".", "_")))
        events = [p for p in inside if "event" in p.name.lower()]
        queries = [p for p in inside if "quer" in p.name.lower() and p not in events]
        if len(events) == len(queries) == 1:
            return events[0], queries[0]
        logs = [p for p in inside if p.name != _TRUTH and (p.is_dir() or kind_of(p))]
        if len(logs) == 1 and path / _TRUTH in inside:
            return logs[0], None
    return path, None


def _format(table: Any) -> str:
    """The format whose required columns are there under their own names; else pages, or impressions."""
    for name in ("ubi", "ga4"):
        events = FORMATS[name].tables["events"]
        if all(_default(c, table) for c in events if c.required and c.name != "query"):
            return name
    queries = FORMATS["ubi"].tables["queries"]
    if all(_default(c, table) for c in queries if c.required or c.name == "documents"):
        raise LogError("these are the queries of a UBI log; give its events, and these as log.queries")
    documents = by_name("documents", list_values(table.schema))
    return "sessions" if documents and is_list(_values(table, documents)) else "flat"


def _events(log_format: str, table: Any, unsure: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    """Where the columns of an event log are: where its standard says."""
    columns = next(iter(FORMATS[log_format].tables.values()))
    found = {c.name: s for c in columns if (s := _default(c, table)) is not None}
    if "position" not in found:
        unsure.append(
            "the events say no positions; they are taken from the lists of results, if there are any"
        )
    return found, {}


def _sessions(log_format: str, table: Any, unsure: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    found = _named(log_format, table, unsure, needed=("query", "documents", "clicks"))
    clicked = sum(bool(text) and text != "[]" for text in _texts(table, found.get("clicks")))
    return found, {"click": clicked}


def _flat(log_format: str, table: Any, unsure: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    found = _named(log_format, table, unsure, needed=("query", "document", "position"))
    actions = {}
    for action in ACTIONS:
        column = by_name(action, [n for n in list_values(table.schema) if n not in found.values()])
        if column is not None:
            found[action] = column
            actions[action] = sum(map(is_true, _values(table, column)))
            if not actions[action]:
                unsure.append(f"{column!r} never says yes")
    if not actions:
        unsure.append("no column of clicks was found; name it as log.columns.click")
    return found, actions


def _named(log_format: str, table: Any, unsure: list[str], needed: Sequence[str]) -> dict[str, str]:
    """Columns by name; those that are needed, and the time, also by their values."""
    columns = next(iter(FORMATS[log_format].tables.values()))
    names = list_values(table.schema)
    actions = {name for role in ACTIONS if (name := by_name(role, names))}
    found: dict[str, str] = {}
    for column in columns:
        free = [n for n in names if n not in found.values()]
        name = by_name(column.name, free)
        if name is not None:
            found[column.name] = name
    for role in ("time", "position", "query", "document"):
        if role in found or role not in {*needed, "time"}:
            continue
        free = [n for n in names if n not in found.values() and n not in actions]
        guess = by_values(role, {n: _values(table, n) for n in free})
        if guess is not None:
            found[role] = guess.column
            unsure.append(f"{guess.column!r} was taken for the {role} because {guess.why}")
    missing = [name for name in needed if name not in found]
    for name in missing:
        unsure.append(f"no column for {name} was found; name it as log.columns.{name}")
    return {c.name: found[c.name] for c in columns if c.name in found}


def _event_counts(
    log_format: str, table: Any, found: Mapping[str, str], unsure: list[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """The actions of an event log, and its other events, by frequency."""
    own = FORMATS[log_format]
    counts = Counter(text for text in _texts(table, found.get("action")) if text)
    shown = sum(counts.pop(name, 0) for name in own.shown)
    if not shown:
        unsure.append(f"no event says what was shown ({' or '.join(own.shown)})")
    actions: Counter[str] = Counter()
    other: dict[str, int] = {}
    for event, times in counts.most_common():
        if own.action(event) in ACTIONS:
            actions[own.action(event)] += times
        elif len(other) < _SHOWN_EVENTS:
            other[event] = times
    if not actions:
        unsure.append("no clicks were found; name the events that count in log.actions")
    return dict(actions), other


def _default(column: LogColumn, table: Any) -> str | None:
    return next((s for s in column.sources if find_source(s, table.schema)), None)


def _texts(table: Any, source: str | None) -> list[str]:
    return [as_text(value) for value in _values(table, source)]


def _values(table: Any, source: str | None) -> list[Any]:
    """All values at a source; none without one."""
    found = None if source is None else find_source(source, table.schema)
    if found is None:
        return []
    return [value for cell in table[found.column].to_pylist() for value in _drill(cell, found)]


def _drill(cell: Any, source: Source) -> list[Any]:
    if source.json:
        try:
            cell = json.loads(cell or "null")
        except ValueError:
            return []
    cell = _field(cell, source.fields)
    if source.each:
        return [_field(item, source.inner) for item in cell or []]
    if source.key:
        entries = [entry["value"] for entry in cell or [] if entry["key"] == source.key]
        values = list(entries[0].values()) if entries and isinstance(entries[0], dict) else entries
        return [next((value for value in values if value is not None), None)]
    return [cell]


def _field(cell: Any, names: Sequence[str]) -> Any:
    for name in names:
        cell = cell.get(name) if isinstance(cell, dict) else None
    return cell


def _is_whole(text: str) -> bool:
    try:
        return float(text).is_integer()
    except ValueError:
        return False


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)
