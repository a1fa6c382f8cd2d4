"""Screening: which impressions are broken, and which are not to be counted, each with its reason."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gradus.judgments.logs.engine import Table, ibis

DEEPEST = 10_000
"""Positions from here on are a fault of the log."""

EARLIEST = datetime(2000, 1, 1)  # noqa: DTZ001 - times of a log are UTC without saying so

NEVER_SHOWN = "action on a document that was not shown"
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
        blank: Texts, as typed, that hold no query.
    """

    first: int
    page: int
    now: datetime
    timed: bool
    blank: tuple[str, ...] = ()

    def reason(self, impressions: Table) -> Any:
        """Why each impression is not used: a text, null where it is used. The first reason is given."""
        position, propensity = impressions.position, impressions.propensity
        query = impressions["query"]
        no_query = query.isnull()
        if self.blank:
            no_query = no_query | query.isin(self.blank)
        cases = [
            (impressions.document.isnull(), "document is missing"),
            (impressions.page.isnull(), "page is missing"),
            (~impressions.shown, NEVER_SHOWN),
            (no_query, "query is missing"),
            (_not_whole(position), "position is not a whole number"),
            (position < self.first, f"position is below the first, {self.first}"),
            (position >= DEEPEST, f"position is {DEEPEST:,} or above"),
        ]
        if self.timed:
            time = impressions.time
            now = self.now.astimezone(UTC).replace(tzinfo=None) if self.now.tzinfo else self.now
            cases += [
                (time.isnull(), "time is missing or unreadable"),
                (time < ibis.literal(EARLIEST), f"time is before {EARLIEST.year}"),
                (time > ibis.literal(now), "time is in the future"),
            ]
        cases.append(((propensity <= 0) | (propensity > 1), "propensity is not in (0, 1]"))
        if self.page:
            cases.append((position >= self.first + self.page, TOO_DEEP))
        return ibis.cases(*cases, else_=ibis.null("string"))

    def usable(self, impressions: Table) -> Table:
        """The impressions that are used, with positions from 1 as integers."""
        sound = impressions.filter(self.reason(impressions).isnull())
        return sound.mutate(position=(sound.position - (self.first - 1)).cast("int32"))


def reasons(impressions: Table, screen: Screen) -> Table:
    """Per reason (null for usable): `impressions`, and `rows` of the log, repeats included."""
    named = impressions.mutate(reason=screen.reason(impressions))
    return named.group_by("reason").agg(
        impressions=named.count(), rows=(named.rows + named.repeats).sum(), repeats=named.repeats.sum()
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


def _not_whole(position: Any) -> Any:
    if position.type().is_integer():
        return position.isnull()
    return position.isnull() | position.isnan() | (position != position.floor())
