"""Screening: which impressions are broken, and which are not to be counted, each with its reason."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gradus.judgments.logs.engine import Table, ibis

DEEPEST = 10_000
"""Positions from here on are a fault of the log."""

EARLIEST = datetime(2000, 1, 1)

NEVER_SHOWN = "action on a document that was not shown"
NO_QUERY = "query is missing"
TOO_DEEP = "position beyond log.page"
FILTERS = (NEVER_SHOWN, TOO_DEEP)
"""Reasons of impressions that are sound, yet not counted."""


@dataclass(frozen=True)
class Screen:
    """What makes an impression usable.

    Attributes:
        first: The first position, 0 or 1.
        page: Deepest position that is used, counted from 1; 0 for all.
        now: The time after which none can be, UTC.
        timed: Whether an impression without time is broken.
        logged: Whether there may be propensities.
        blank: Texts, as typed, that hold no query.
    """

    first: int
    page: int
    now: datetime
    timed: bool
    logged: bool = True
    blank: tuple[str, ...] = ()

    def conditions(self, impressions: Table) -> list[tuple[Any, str]]:
        """What holds of a usable impression, and the reason where it does not.

        The order matters: a condition can be null only where one before it does not hold.
        """
        position, propensity = impressions.position, impressions.propensity
        query = impressions["query"]
        conditions = [
            (impressions.document.notnull(), "document is missing"),
            (impressions.page.notnull(), "page is missing"),
            (impressions.shown, NEVER_SHOWN),
            (query.notnull(), NO_QUERY),
            (is_whole(position), "position is not a whole number"),
            (position >= self.first, f"position is below the first, {self.first}"),
            (position < DEEPEST, f"position is {DEEPEST:,} or above"),
        ]
        if self.blank:
            conditions.insert(4, (query.notin(self.blank), NO_QUERY))
        if self.timed:
            now = self.now.astimezone(UTC).replace(tzinfo=None) if self.now.tzinfo else self.now
            conditions += [
                (impressions.time.notnull(), "time is missing or unreadable"),
                (impressions.time >= ibis.literal(EARLIEST), f"time is before {EARLIEST.year}"),
                (impressions.time <= ibis.literal(now), "time is in the future"),
            ]
        if self.logged:
            sound = propensity.isnull() | ((propensity > 0) & (propensity <= 1))
            conditions.append((sound, "propensity is not in (0, 1]"))
        if self.page:
            conditions.append((position < self.first + self.page, TOO_DEEP))
        return conditions

    def reason(self, impressions: Table) -> Any:
        """Why each impression is not used: a text, null where it is used. The first reason is given."""
        cases = [(~condition, reason) for condition, reason in self.conditions(impressions)]
        return ibis.cases(*cases, else_=ibis.null("string"))

    def usable(self, impressions: Table) -> Table:
        """The impressions that are used, with positions from 1 as integers."""
        # Plain conditions, unlike the reason, are checked against a file's statistics before its rows are read.
        sound = impressions.filter(*(condition for condition, _ in self.conditions(impressions)))
        return sound.mutate(position=(sound.position - (self.first - 1)).cast("int32"))


def reasons(impressions: Table, screen: Screen) -> Table:
    """Per `reason` for which impressions are not used: the `rows` of the log behind them, repeats included."""
    named = impressions.mutate(reason=screen.reason(impressions))
    named = named.filter(named.reason.notnull())
    return named.group_by("reason").agg(rows=(named.rows + named.repeats).sum())


def count_rows(impressions: Table) -> Table:
    """One row: the `rows` of the log behind impressions, how many more `repeats` there are, `start` and `end`."""
    return impressions.agg(
        rows=impressions.rows.sum().fill_null(0),
        repeats=impressions.repeats.sum().fill_null(0),
        start=impressions.time.min(),
        end=impressions.time.max(),
    )


def rejected(impressions: Table, screen: Screen) -> Table:
    """The broken impressions, each with its `reason`."""
    named = impressions.mutate(reason=screen.reason(impressions))
    return named.filter(named.reason.notnull() & named.reason.notin(FILTERS))


def first_ranks(impressions: Table) -> Table:
    """One row: how many impressions are `at_0` and `at_1`."""
    position = impressions.position
    return impressions.agg(
        at_0=impressions.count(where=position == 0), at_1=impressions.count(where=position == 1)
    )


def first_rank(rank: str, at_0: int, at_1: int) -> int:
    """The first position of a log: as `log.rank` says, or by its data.

    Pages begin at the first position, so it is shown at least about as often as the next; a few zeros in a log
    that begins at 1 are broken rows.
    """
    if rank != "auto":
        return int(rank)
    return 0 if 2 * at_0 > at_1 else 1


def is_whole(position: Any) -> Any:
    """Whether positions are whole numbers; never null."""
    if position.type().is_integer():
        return position.notnull()
    # Numbers that are none (NaN) or infinite are no integers that an engine could compare them with.
    small = ibis.ifelse(position.between(-1e15, 1e15), position, 0.5)
    return small == small.floor()
