"""What the aggregation of a flat log is, as loops over rows; and a log written down for it to read."""

import math
import unicodedata
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gradus.judgments.logs.aggregate import Aggregation, aggregate
from gradus.judgments.logs.engine import Engine
from gradus.judgments.logs.read_log import read_impressions
from gradus.judgments.logs.staging import stage
from gradus.settings.evidence import LogSettings

Row = dict[str, Any]

NOW = datetime(2026, 2, 1)
COUNTS = (
    "impressions", "clicks", "above_last", "last", "utility", "utility_square", "propensity", "logged"
)  # fmt: skip


def naive_cells(
    rows: list[Row], settings: LogSettings, first: int
) -> tuple[dict[tuple, Row], dict[str, int]]:
    """Cells by (query, document, position, previous, window), and rows of the log by what became of them.

    Knows the reasons for which a row is left out, but not the order in which they are looked for, so every row of
    the tests has at most one.
    """
    fates: dict[str, int] = defaultdict(int)
    usable = []
    for row in rows:
        fate = naive_fate(row, settings, first)
        if fate == "used":
            usable.append({**row, "position": int(row["position"]) - first + 1})
        else:
            fates[fate] += 1

    sessions: dict[tuple, list[Row]] = defaultdict(list)
    for row in usable:
        if row["session"] is not None:
            sessions[row["session"], row["time"].date()].append(row)
    robots = {
        session
        for (session, _), own in sessions.items()
        if (settings.robot_events and len(own) > settings.robot_events)
        or (len(own) >= 50 and sum(is_click(row, settings) for row in own) >= 0.9 * len(own))
    }
    people = [row for row in usable if row["session"] not in robots]
    fates["robot"] = len(usable) - len(people)

    seen: dict[tuple, Row] = {}
    for row in people:
        key = (row["page"], row["query"], row["document"], row["position"])
        if key in seen:
            fates["repeat"] += 1
            for name in settings.actions:
                seen[key][name] = did(seen[key], name, settings) or did(row, name, settings)
            seen[key]["dwell"] = None
            if row["propensity"] is not None:
                known = seen[key]["propensity"]
                seen[key]["propensity"] = (
                    row["propensity"] if known is None else min(known, row["propensity"])
                )
            seen[key]["time"] = min(seen[key]["time"], row["time"])
        else:
            seen[key] = {**row}
    fates["used"] = len(seen)

    newest = max((row["time"] for row in seen.values()), default=NOW)
    cells: dict[tuple, Row] = defaultdict(lambda: defaultdict(float))
    top = max(settings.actions.values())
    for row in seen.values():
        on_page = [other for other in seen.values() if other["page"] == row["page"]]
        clicked = [other["position"] for other in on_page if is_click(other, settings)]
        previous = max((p for p in clicked if p < row["position"]), default=0)
        last = max(clicked, default=0)
        weight = 1.0
        if settings.half_life:
            weight = 0.5 ** (math.floor((newest - row["time"]).total_seconds() / 86400) / settings.half_life)
        done = [w / top for name, w in settings.actions.items() if w > 0 and did(row, name, settings)]
        query = " ".join(unicodedata.normalize("NFKC", row["query"]).lower().split())
        cell = cells[query, row["document"], row["position"], previous, naive_window(row["time"], settings)]
        cell["impressions"] += weight
        cell["clicks"] += weight * bool(done)
        cell["above_last"] += weight * (row["position"] <= last)
        cell["last"] += weight * (bool(done) and row["position"] == last)
        cell["utility"] += weight * max(done, default=0)
        cell["utility_square"] += weight * max(done, default=0) ** 2
        cell["logged"] += weight * (row["propensity"] is not None)
        cell["propensity"] += weight / row["propensity"] if row["propensity"] is not None else 0
        for name in settings.actions:
            cell[f"actions.{name}"] += weight * did(row, name, settings)
    return dict(cells), {fate: n for fate, n in fates.items() if n}


def naive_fate(row: Row, settings: LogSettings, first: int) -> str:
    if not (row["query"] or "").strip():
        return "query is missing"
    if row["document"] is None:
        return "document is missing"
    if row["page"] is None:
        return "page is missing"
    position = row["position"]
    if position is None or position != math.floor(position):
        return "position is not a whole number"
    if position < first:
        return f"position is below the first, {first}"
    if row["time"] is None:
        return "time is missing or unreadable"
    if row["time"] > NOW:
        return "time is in the future"
    if row["time"].year < 2000:
        return "time is before 2000"
    if row["propensity"] is not None and not 0 < row["propensity"] <= 1:
        return "propensity is not in (0, 1]"
    if settings.page and position - first + 1 > settings.page:
        return "position beyond log.page"
    return "used"


def naive_window(time: datetime, settings: LogSettings) -> datetime | None:
    day = datetime(time.year, time.month, time.day)
    return {
        "none": None, "day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)
    }[settings.window]  # fmt: skip


def did(row: Row, name: str, settings: LogSettings) -> bool:
    """Whether an action was taken; a click shorter than `dwell` is none."""
    short = name == "click" and row["dwell"] is not None and row["dwell"] < settings.dwell
    return bool(row[name]) and not short


def is_click(row: Row, settings: LogSettings) -> bool:
    return any(weight > 0 and did(row, name, settings) for name, weight in settings.actions.items())


def table_of(rows: list[Row], actions: list[str]) -> pa.Table:
    types = {
        "page": pa.string(), "session": pa.string(), "query": pa.string(), "document": pa.string(),
        "position": pa.float64(), "time": pa.timestamp("us"), "dwell": pa.float64(), "propensity": pa.float64(),
    } | dict.fromkeys(actions, pa.bool_())  # fmt: skip
    return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()})


def write_tables(folder: Path, **tables: pa.Table) -> dict[str, Any]:
    """Tables as a staged log."""
    staged = {}
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
        staged[name] = stage(folder / f"{name}.parquet", folder)
    return staged


def aggregate_tables(
    engine: Engine, folder: Path, settings: LogSettings, rejects: Path | None = None, **tables: pa.Table
) -> Aggregation:
    impressions = read_impressions(engine, write_tables(folder, **tables), settings)
    return aggregate(engine, impressions, settings, NOW, rejects)


def cells_by_key(result: Aggregation, settings: LogSettings) -> dict[tuple, Row]:
    """Cells in the form of `naive_cells`."""
    cells = result.cells
    found = {}
    for row in range(len(cells)):
        window = None if settings.window == "none" else cells.windows[cells.window[row]].item()
        key = (
            cells.queries[cells.query[row]], cells.documents[cells.document[row]],
            int(cells.position[row]), int(cells.previous[row]), window,
        )  # fmt: skip
        assert key not in found
        found[key] = {name: getattr(cells, name)[row] for name in COUNTS} | {
            f"actions.{name}": column[row] for name, column in cells.actions.items()
        }
    return found
