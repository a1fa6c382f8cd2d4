"""The health of a log: what it can support, before anything is computed from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from gradus.judgments.logs.engine import Engine, Table, ibis
from gradus.judgments.logs.filters import page_marks
from gradus.judgments.logs.impressions import Actions, Impressions, with_dwell
from gradus.judgments.logs.screening import DEEPEST, EARLIEST, first_rank, first_ranks, is_whole
from gradus.judgments.logs.staging import Staged
from gradus.settings.evidence import LogSettings

Severity = Literal["error", "warning", "note"]

_NAMED = 5
"""How many files or columns a finding names."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found about a log.

    Attributes:
        name: What was checked.
        severity: `error` where scores from this log would be wrong, `warning` where part of it is lost or
            doubtful, `note` where it is only worth knowing.
        text: What was found.
        remedy: What to do about it.
        numbers: The numbers behind the text.
    """

    name: str
    severity: Severity
    text: str
    remedy: str
    numbers: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self.severity}: {self.text}; {self.remedy}"


def check_health(
    engine: Engine,
    impressions: Impressions,
    staged: Mapping[str, Staged],
    settings: LogSettings,
    now: datetime,
) -> list[Finding]:
    """What a log can support and what is wrong with it, the worst first.

    Args:
        engine: What runs the expressions.
        impressions: As `read_impressions` gives them.
        staged: The files that they come from.
        settings: `[log]`.
        now: The moment after which nothing can have happened, UTC without a zone.
    """
    actions = Actions(settings.actions)
    table = with_dwell(impressions.table, actions, settings.dwell)
    ranks = engine.row(first_ranks(table))
    first = first_rank(settings.rank, ranks["at_0"], ranks["at_1"])
    facts = engine.row(row_facts(table, first, settings.page, now))
    pages = page_facts(table, actions, engine.bit_or)
    found = [
        *_staging(staged),
        *_ignored(impressions),
        *_ranks(ranks, first, facts),
        *_pages(engine.row(page_counts(pages, first))),
        *_actions(facts),
        *_depth(facts, settings),
        *_queries(engine.row(query_counts(pages))),
        *_people(engine.row(session_counts(table)), facts),
    ]
    if impressions.timed:
        sound = table.filter(table.time >= ibis.literal(EARLIEST), table.time <= ibis.literal(now))
        days = engine.rows(sound.select(day=sound.time.date()).distinct()).to_pylist()
        found += [*_times(facts), *_days([row["day"] for row in days])]
    order = ("error", "warning", "note")
    return sorted(found, key=lambda finding: order.index(finding.severity))


def row_facts(table: Table, first: int, page: int, now: datetime) -> Table:
    """One row of counts over impressions."""
    position, time = table.position, table.time
    deepest = first + page if page else 1_000_000
    return table.agg(
        impressions=table.count(where=table.shown),
        never_shown=table.count(where=~table.shown),
        unranked=table.count(where=table.shown & ~is_whole(position)),
        too_deep=table.count(where=position >= deepest),
        untimed=table.count(where=time.isnull()),
        early=table.count(where=time < ibis.literal(EARLIEST)),
        future=table.count(where=time > ibis.literal(now)),
        repeats=table.repeats.sum().fill_null(0),
    )


def page_facts(table: Table, actions: Actions, bit_or: Callable[[Any], Any]) -> Table:
    """Per page what it shows: `shown` rows, `clicked` ones, its `deepest` position, and its query."""
    position = table.position
    shown = table.filter(
        table.shown & is_whole(position) & position.between(0, DEEPEST) & table.page.notnull()
    )
    shown = shown.mutate(clicked=actions.clicked(shown), position=shown.position.cast("int64"))
    facts = shown.group_by("page").agg(
        shown=shown.count(),
        clicked=shown.count(where=shown.clicked),
        deepest=shown.position.max(),
        query=shown["query"].min(),
    )
    return facts.left_join(page_marks(shown, bit_or), "page").drop("page_right")


def page_counts(pages: Table, first: int) -> Table:
    """One row of counts over pages."""
    return pages.agg(
        pages=pages.count(),
        clicked=pages.count(where=pages.clicked > 0),
        only_clicks=pages.count(where=(pages.clicked > 0) & (pages.clicked == pages.shown)),
        holes=pages.count(where=pages.deepest - first + 1 > pages.shown),
        repeating=pages.count(where=pages.may_repeat),
    )


def query_counts(pages: Table) -> Table:
    """One row: impressions, those of queries that only one page is about, and the number of such queries."""
    queries = pages.group_by("query").agg(pages=pages.count(), impressions=pages.shown.sum())
    once = queries.pages == 1
    return queries.agg(
        queries=queries.count(),
        once=queries.count(where=once),
        impressions=queries.impressions.sum().fill_null(0),
        impressions_once=queries.impressions.sum(where=once).fill_null(0),
    )


def session_counts(table: Table) -> Table:
    """One row: the impressions of the session that has most."""
    known = table.filter(table.session.notnull())
    sessions = known.group_by("session").agg(impressions=known.count())
    return sessions.agg(most=sessions.impressions.max().fill_null(0))


def _staging(staged: Mapping[str, Staged]) -> Iterator[Finding]:
    for name, log in staged.items():
        lost = log.read - log.staged
        if lost:
            yield Finding(
                "unreadable rows",
                "warning" if lost > 0.01 * log.read else "note",
                f"{lost:,} of {log.read:,} rows of the log's {name} cannot be read",
                "unreadable_rows.parquet, beside the judgments, says which and why",
                {"rows": lost, "read": log.read},
            )
        if log.skipped:
            yield Finding(
                "skipped files",
                "warning",
                f"files of the log's {name} are of no known format and were not read: {_some(log.skipped, ', ')}",
                "unpack them or give them a name that says what they are; if they are no log, take them out of the folder",
                {"files": len(log.skipped)},
            )
        drift = log.drift()
        if drift:
            yield Finding(
                "schema drift",
                "warning",
                f"the files of the log's {name} differ in columns: {_some(drift, '; ')}",
                "if a column was renamed on the way, rename it in the older files; a column that a file lacks "
                "is empty in its rows",
                {"columns": len(drift)},
            )


def _some(items: Sequence[object], separator: str) -> str:
    """The first few, and how many more there are."""
    more = f", and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return separator.join(map(str, items[:_NAMED])) + more


def _ignored(impressions: Impressions) -> Iterator[Finding]:
    if impressions.ignored:
        names = ", ".join(f"{name or 'no name'} ({n:,})" for name, n in impressions.ignored.items())
        yield Finding(
            "events that are not counted",
            "note",
            f"events that log.actions does not name: {names}",
            "give those that say that a document was wanted a weight in [log.actions]",
            {"names": len(impressions.ignored)},
        )


def _ranks(ranks: Mapping[str, int], first: int, facts: Mapping[str, int]) -> Iterator[Finding]:
    if first == 0:
        yield Finding(
            "first rank",
            "note",
            f"positions begin at 0 ({ranks['at_0']:,} impressions are there); 1 is added to each",
            'if they do not, set [log] rank = "1"',
            dict(ranks),
        )
    elif ranks["at_0"]:
        yield Finding(
            "first rank",
            "warning",
            f"positions begin at 1, yet {ranks['at_0']:,} impressions are at 0; they are rejected",
            'if the log begins at 0, set [log] rank = "0"',
            dict(ranks),
        )
    if facts["unranked"]:
        yield Finding(
            "missing positions",
            "error" if facts["unranked"] > 0.5 * facts["impressions"] else "warning",
            f"{facts['unranked']:,} of {facts['impressions']:,} impressions have no position that is a whole number",
            "log the position with every impression; without it the bias of position cannot be removed",
            {"impressions": facts["unranked"]},
        )


def _pages(counts: Mapping[str, int]) -> Iterator[Finding]:
    pages, clicked = counts["pages"], counts["clicked"]
    if pages and not clicked:
        yield Finding(
            "no actions",
            "error",
            "nothing that was shown was acted on",
            "name the column of clicks in [log.columns] (gradus judge --inspect LOG shows which hold yes and no), or give "
            "the events that say that a document was wanted a weight in [log.actions]",
            {"pages": pages},
        )
    if clicked and counts["only_clicks"] > 0.5 * clicked:
        share = counts["only_clicks"] / clicked
        yield Finding(
            "missing impressions",
            "error",
            f"on {share:.0%} of the pages with a click, all that is logged was clicked",
            "log what was shown and not clicked, too; from clicks alone no rate can be had",
            {"pages": clicked, "only_clicks": counts["only_clicks"]},
        )
    if counts["holes"] > 0.05 * pages:
        yield Finding(
            "holes in pages",
            "warning",
            f"{counts['holes'] / pages:.0%} of the pages lack positions above their deepest",
            "log every result that was shown; where results are logged as they scroll into view, nothing is wrong",
            {"pages": pages, "holes": counts["holes"]},
        )
    if counts["repeating"] > 0.01 * pages:
        yield Finding(
            "repeated positions",
            "warning",
            f"{counts['repeating'] / pages:.0%} of the pages hold a position twice; repeats of one document are folded",
            "give every view of a result page an id of its own, and send events once",
            {"pages": pages, "repeating": counts["repeating"]},
        )


def _actions(facts: Mapping[str, int]) -> Iterator[Finding]:
    lost = facts["never_shown"]
    if lost:
        share = lost / (lost + facts["impressions"])
        yield Finding(
            "actions without impressions",
            "warning" if share > 0.01 else "note",
            f"{lost:,} documents were acted on without being shown ({share:.1%} of all); they are not used",
            "carry the page's id with every action, and log impressions on every page",
            {"documents": lost},
        )


def _depth(facts: Mapping[str, int], settings: LogSettings) -> Iterator[Finding]:
    if facts["too_deep"] and settings.page:
        yield Finding(
            "positions beyond the page",
            "note",
            f"{facts['too_deep']:,} impressions lie beyond position {settings.page} and are not used",
            "raise log.page to use them",
            {"impressions": facts["too_deep"]},
        )


def _queries(counts: Mapping[str, Any]) -> Iterator[Finding]:
    if counts["impressions"] and counts["impressions_once"] > 0.5 * counts["impressions"]:
        share = counts["impressions_once"] / counts["impressions"]
        yield Finding(
            "unique queries",
            "warning",
            f"{share:.0%} of the impressions belong to queries that were seen once "
            f"({counts['once']:,} of {counts['queries']:,} queries)",
            "take a longer log, or bring queries together with log.stem and log.synonyms",
            {name: float(value) for name, value in counts.items()},
        )


def _people(counts: Mapping[str, int], facts: Mapping[str, int]) -> Iterator[Finding]:
    total = facts["impressions"]
    if total >= 1000 and counts["most"] > 0.05 * total:
        yield Finding(
            "one session too large",
            "warning",
            f"one session holds {counts['most'] / total:.0%} of the impressions",
            "lower log.robot_events, so that it is left out, or find out whether sessions are told apart",
            {"impressions": counts["most"], "of": total},
        )


def _times(facts: Mapping[str, int]) -> Iterator[Finding]:
    bad = {name: facts[name] for name in ("untimed", "early", "future")}
    how = {"untimed": "without one", "early": f"before {EARLIEST.year}", "future": "in the future"}
    if any(bad.values()):
        counted = ", ".join(f"{bad[name]:,} {words}" for name, words in how.items() if bad[name])
        yield Finding(
            "unusable times",
            "warning",
            f"impressions whose time cannot be used are rejected: {counted}",
            "set the clocks of the machines that log, and write times as ISO 8601 in UTC",
            bad,
        )


def _days(days: list[Any]) -> Iterator[Finding]:
    if not days:
        return
    span = (max(days) - min(days)).days + 1
    if span > len(days):
        yield Finding(
            "days without rows",
            "warning",
            f"{span - len(days):,} of the {span:,} days from {min(days)} to {max(days)} have no row",
            "look for lost files, or for clocks that jumped",
            {"days": span, "empty": span - len(days)},
        )
