"""Sessions where a log has none: what one user does until a pause."""

from typing import Any

from gradus.judgments.logs.engine import Table, ibis


def with_sessions(table: Table, pause_minutes: float) -> Table:
    """The table with a column `session`, made from `user` and `time` where it lacks one.

    A session ends with a pause of `pause_minutes` or more. Without times a user is one session; without
    users there are none, and the column is null.
    """
    if "session" in table.columns:
        return table
    if "user" not in table.columns:
        return table.mutate(session=ibis.null("string"))
    if "time" not in table.columns:
        return table.mutate(session=table.user)
    seconds = table.time.epoch_seconds()
    by_time = ibis.window(group_by="user", order_by="time")
    pause = seconds - seconds.lag().over(by_time)
    begun = table.mutate(begins=(pause >= pause_minutes * 60).fill_null(False).cast("int64"))
    # A range, not rows: events of one moment belong to one session, in whatever order they are met.
    until_now = ibis.range_window(group_by="user", order_by="time", preceding=None, following=0)
    number = begun.begins.sum().over(until_now)
    named = begun.user + "\t" + number.cast("string")
    return begun.mutate(session=ibis.ifelse(begun.user.isnull(), ibis.null("string"), named)).drop("begins")


def page_key(table: Table) -> Any:
    """What tells result pages apart where the log does not: session (or user), query and time."""
    person = "session" if "session" in table.columns else "user"
    parts = [
        table[name].cast("string").fill_null("")
        for name in (person, "query", "time")
        if name in table.columns
    ]
    key, *others = parts
    for part in others:
        key = key + "\t" + part
    return key
