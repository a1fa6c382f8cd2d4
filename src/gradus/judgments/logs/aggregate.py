"""Aggregation: from impressions to cells, with a count of everything that was left out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from gradus.errors import LogError
from gradus.judgments.logs.cells import Cells
from gradus.judgments.logs.collect import collect_cells
from gradus.judgments.logs.context import click_intervals, with_context
from gradus.judgments.logs.engine import Engine, Table, ibis
from gradus.judgments.logs.filters import REPEATED, merged, page_marks, robots, session_days
from gradus.judgments.logs.grouping import Grouping
from gradus.judgments.logs.impressions import Actions, Impressions, with_dwell
from gradus.judgments.logs.queries import Normaliser, read_synonyms
from gradus.judgments.logs.screening import (
    FILTERS,
    Screen,
    count_rows,
    first_rank,
    first_ranks,
    reasons,
    rejected,
)
from gradus.judgments.logs.summary import Day, LogSummary
from gradus.settings.evidence import LogSettings


@dataclass(frozen=True)
class Aggregation:
    """A log, aggregated.

    Attributes:
        cells: The counts.
        summary: What became of the rows.
    """

    cells: Cells
    summary: LogSummary


def aggregate(
    engine: Engine,
    impressions: Impressions,
    settings: LogSettings,
    now: datetime | None = None,
    rejects: Path | None = None,
) -> Aggregation:
    """Aggregate the impressions of a log to cells.

    Args:
        engine: What runs the expressions; its folder holds what is in between.
        impressions: As `read_impressions` gives them.
        settings: `[log]`.
        now: The moment after which nothing can have happened; the present when `None`.
        rejects: Where broken impressions are written as Parquet, with their `reason`; nowhere when `None` or
            when there are none.

    Raises:
        LogError: Nothing of the log is usable, or it lacks the times that a window or half-life needs.
    """
    actions = Actions(settings.actions)
    table = with_dwell(impressions.table, actions, settings.dwell)
    codes, queries, blank = _queries(engine, table, settings)
    ranks = engine.row(first_ranks(table)) if settings.rank == "auto" else {"at_0": 0, "at_1": 0}
    screen = Screen(
        first=first_rank(settings.rank, **ranks),
        page=settings.page,
        now=now or datetime.now(UTC),
        timed=impressions.timed,
        logged=impressions.logged,
        blank=tuple(blank),
    )
    counts = _Counts(dict(impressions.left_out), {})
    rows = screen.usable(table)
    read = engine.row(table.agg(n=(table.rows + table.repeats).sum().fill_null(0)))["n"]
    used = engine.row(count_rows(rows))
    usable = used["rows"] + used["repeats"]
    if usable < read:
        for row in engine.rows(reasons(table, screen)).to_pylist():
            kind = counts.filtered if row["reason"] in FILTERS else counts.rejected
            kind[row["reason"]] = int(row["rows"])
    if counts.rejected and rejects is not None:
        engine.write(rejected(table, screen), rejects)
    if not usable:
        found = ", ".join(f"{reason} ({n:,})" for reason, n in {**counts.rejected, **counts.filtered}.items())
        raise LogError(f"the log holds no impression that can be used: {found or 'it is empty'}")

    days = engine.keep(session_days(rows, actions, impressions.timed), "session_days")
    people, days = _without_robots(engine, rows, days, settings, counts)
    once, pages = _without_repeats(engine, people, actions)
    if once is not rows:
        rows, used = once, engine.row(count_rows(once))
    intervals = engine.keep(
        click_intervals(rows.filter(actions.clicked(rows)).select("page", "position")), "intervals"
    )
    by_day = engine.rows(
        days.group_by("day").agg(impressions=days.impressions.sum(), clicks=days.clicks.sum()).order_by("day")
    )
    grouping = _grouping(settings, impressions, used["end"])
    counted = grouping.cells(with_context(rows, intervals), codes)
    start = np.datetime64(used["start"] or datetime(1970, 1, 1), "s")
    cells = collect_cells(engine, counted, grouping, queries, start)

    if used["repeats"]:
        counts.filtered[REPEATED] = int(used["repeats"])
    summary = LogSummary(
        read=sum(impressions.left_out.values()) + int(read),
        used=int(used["rows"]),
        filtered=counts.filtered,
        rejected=counts.rejected,
        ignored=impressions.ignored,
        first=screen.first,
        start=used["start"],
        end=used["end"],
        sessions=engine.row(days.agg(n=days.session.nunique()))["n"],
        pages=pages,
        days=tuple(
            Day(row["day"], int(row["impressions"]), int(row["clicks"])) for row in by_day.to_pylist()
        ),
    )
    return Aggregation(cells, summary)


@dataclass(frozen=True)
class _Counts:
    filtered: dict[str, int]
    rejected: dict[str, int]


def _queries(engine: Engine, table: Table, settings: LogSettings) -> tuple[Table, list[str], list[str]]:
    """Query as typed → code of its normal form, as a table; the normal forms; and texts that hold none."""
    synonyms = read_synonyms(Path(settings.synonyms)) if settings.synonyms else None
    typed = engine.rows(table.select("query").distinct())["query"].drop_null()
    texts = typed.to_pylist()
    queries, codes = Normaliser(settings.stem, synonyms).codes(texts)
    coded = pa.table({"text": typed, "code": pa.array(codes, pa.int32())})
    blank = [text for text, code in zip(texts, codes, strict=True) if code < 0]
    return engine.put(coded, "queries_typed"), queries, blank


def _without_robots(
    engine: Engine, rows: Table, days: Table, settings: LogSettings, counts: _Counts
) -> tuple[Table, Table]:
    """The impressions and days of sessions that are people's; the others are counted."""
    found = robots(days, settings.robot_events)
    by_reason = engine.rows(found.group_by("reason").agg(rows=found.rows.sum())).to_pylist()
    if not by_reason:
        return rows, days
    counts.filtered.update({row["reason"]: int(row["rows"]) for row in by_reason})
    found = engine.keep(found, "robots")
    return rows.anti_join(found, "session"), days.anti_join(found, "session")


def _without_repeats(engine: Engine, rows: Table, actions: Actions) -> tuple[Table, int]:
    """The impressions, those that repeat one folded into it; and the number of pages."""
    marks = page_marks(rows, engine.bit_or)
    pages = engine.row(marks.agg(pages=marks.count(), repeating=marks.count(where=marks.may_repeat)))
    if not pages["repeating"]:
        return rows, pages["pages"]
    pages_to_fold = engine.keep(marks.filter(marks.may_repeat).select("page"), "repeating_pages")
    folded = engine.keep(merged(rows.semi_join(pages_to_fold, "page"), actions), "folded")
    others = rows.anti_join(pages_to_fold, "page")
    # What was kept may have come back with narrower integers.
    return ibis.union(others, folded.cast(others.schema())), pages["pages"]


def _grouping(settings: LogSettings, impressions: Impressions, newest: Any) -> Grouping:
    for name, wanted in (("window", settings.window != "none"), ("half_life", settings.half_life > 0)):
        if wanted and not impressions.timed:
            raise LogError(f"log.{name} needs the time of every impression, and the log has none")
    actions = Actions(settings.actions)
    return Grouping(actions, settings.window, settings.half_life, newest, impressions.logged)
