"""What would count twice or should not count: repeated rows, and sessions of robots."""

from collections.abc import Callable
from typing import Any

from gradus.judgments.logs.engine import Table, ibis
from gradus.judgments.logs.impressions import Actions

ROBOT = "robot: more than log.robot_events in a day"
CLICKS_ALL = "robot: clicks nearly everything"
REPEATED = "repeats an impression or action"

CLICKS_ALL_FROM = 50
"""A session is judged by its share of clicks only with this many impressions a day."""

CLICKS_ALL_SHARE = 0.9

_BITS = 50


def session_days(rows: Table, actions: Actions, timed: bool) -> Table:
    """Per session (null where unknown) and day: `impressions`, `clicks`, and the `rows` of the log behind them."""
    day = rows.time.date() if timed else ibis.null("date")
    return rows.group_by(session=rows.session, day=day).agg(
        impressions=rows.count(),
        clicks=rows.count(where=actions.clicked(rows)),
        rows=(rows.rows + rows.repeats).sum(),
    )


def robots(days: Table, robot_events: int) -> Table:
    """The sessions that are robots', with the first `reason` that holds on any of their days.

    Args:
        days: As `session_days` gives them.
        robot_events: More rows than this in a day are no person's; 0 keeps all.
    """
    days = days.filter(days.session.notnull())
    many = (days.rows > robot_events) & ibis.literal(bool(robot_events))
    greedy = (days.impressions >= CLICKS_ALL_FROM) & (days.clicks >= CLICKS_ALL_SHARE * days.impressions)
    flagged = days.group_by("session").agg(many=many.any(), greedy=greedy.any(), rows=days.rows.sum())
    flagged = flagged.filter(flagged.many | flagged.greedy)
    return flagged.select("session", "rows", reason=ibis.ifelse(flagged.many, ROBOT, CLICKS_ALL))


def page_marks(rows: Table, bit_or: Callable[[Any], Any]) -> Table:
    """Per page: whether it `may_repeat` an impression.

    The sum of 2^position over a page's rows equals their bitwise or exactly if no position occurs twice. Beyond
    the bits of an integer, positions share bits, which can only raise a false alarm. This costs a tenth of
    grouping by page, document and position, and few pages need that afterwards.

    Args:
        rows: Usable impressions.
        bit_or: The engine's bitwise or.
    """
    # Made of a column, since Spark takes a literal 1 for an integer of 32 bits.
    one = (rows.position * 0 + 1).cast("int64")
    bit = one << (rows.position % _BITS).cast("int64")
    bits = rows.mutate(bit=bit)
    marks = bits.group_by("page").agg(total=bits.bit.sum(), either=bit_or(bits.bit))
    return marks.select("page", may_repeat=marks.total != marks.either)


def merged(rows: Table, actions: Actions) -> Table:
    """Rows in which each document stands once at each position of a page: repeats are folded into the first."""
    folded = rows.group_by("page", "query", "document", "position").agg(
        session=rows.session.min(),
        time=rows.time.min(),
        dwell=rows.dwell.max(),
        propensity=rows.propensity.min(),
        shown=ibis.literal(True),
        first=rows.rows.max(),
        all=(rows.rows + rows.repeats).sum(),
        **{column: rows[column].any() for column in actions.columns.values()},
    )
    folded = folded.mutate(rows=folded.first, repeats=folded["all"] - folded.first)
    return folded.select(*rows.columns)
