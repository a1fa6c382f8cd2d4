"""Impressions from logs whose rows say what was shown: a row per impression, or per result page."""

from typing import Any

from gradus.judgments.logs.engine import Engine, Table, ibis
from gradus.judgments.logs.impressions import Actions, Impressions, as_impressions
from gradus.judgments.logs.sessions import page_key, with_sessions

_PLACE = r"^([1-9]\d{0,8})(\.0)?$"
"""A place on a page as a text; pandas makes 2.0 of a 2 in a column with gaps. As `_is_clicked` spells it."""


def flat_impressions(table: Table, actions: Actions, pause_minutes: float) -> Table:
    """Impressions of a flat log.

    Args:
        table: Its rows: the columns of the format, and a flag per action under the action's name.
        actions: The actions that are counted.
        pause_minutes: What ends a session where the log has users but no sessions.
    """
    table = with_sessions(table, pause_minutes)
    columns = {name: table[name] for name in table.columns}
    columns.setdefault("page", page_key(table))
    columns |= {column: table[name] for name, column in actions.columns.items()}
    return as_impressions(table, actions, columns)


def listed_impressions(table: Table, actions: Actions, pause_minutes: float) -> Table:
    """Impressions of a log with a row per result page: what it lists, and what was clicked without being listed.

    Each listed document, and each click on none of them, counts as a row of the log. A page of nothing counts
    as one, with a null document that was not shown. An entry of `clicks` that is no document of the page is the
    position of one, from 1, where it can be.
    """
    table = with_sessions(table, pause_minutes)
    if "page" not in table.columns:
        # A row is a page, so its number will do; the result is computed once.
        table = table.mutate(page=ibis.row_number().cast("string"))
    table = table.mutate(
        documents=ibis.coalesce(table.documents, ibis.literal([], "array<string>")),
        clicks=ibis.coalesce(table.clicks, ibis.literal([], "array<string>")),
    )
    kept = [name for name in ("page", "session", "query", "time") if name in table.columns]

    listed = table.mutate(seen=table.documents).unnest("documents", offset="place")
    listed = listed.mutate(done=_is_clicked(listed))
    listed = listed.select(
        *kept, document="documents", position=(listed.place + 1).cast("float64"), shown=True, done="done"
    )
    clicked = table.mutate(seen=table.documents).unnest("clicks")
    place = clicked.clicks.re_extract(_PLACE, 1).try_cast("int64")
    on_page = _holds(clicked.seen, clicked.clicks) | place.between(1, clicked.seen.length()).fill_null(False)
    clicked = clicked.filter(~on_page)
    clicked = clicked.select(*kept, document="clicks", position=ibis.null("float64"), shown=False, done=True)
    empty = table.filter((table.documents.length() == 0) & (table.clicks.length() == 0))
    empty = empty.select(
        *kept, document=ibis.null("string"), position=ibis.null("float64"), shown=False, done=False
    )
    rows = ibis.union(listed, clicked, empty)
    columns = {name: rows[name] for name in rows.columns if name != "done"}
    if "click" in actions.columns:
        columns[actions.columns["click"]] = rows.done
    return as_impressions(rows, actions, columns)


def _is_clicked(listed: Table) -> Any:
    """Whether the clicks of a listed document's page name it, or its place where no document is called that."""
    done = _holds(listed.clicks, listed.documents)
    place = (listed.place + 1).cast("string")
    for spelled in (place, place + ".0"):
        done = done | (_holds(listed.clicks, spelled) & ~_holds(listed.seen, spelled))
    return done


def _holds(items: Any, item: Any) -> Any:
    return items.contains(item).fill_null(False)


def read_flat(
    engine: Engine, table: Table, actions: Actions, pause_minutes: float, plain: bool
) -> Impressions:
    """The impressions of a flat log; computed once where they take more than reading (`plain`)."""
    impressions = flat_impressions(table, actions, pause_minutes)
    plain = plain and {"page", "session"} <= set(table.columns)
    kept = impressions if plain else engine.keep(impressions, "impressions")
    return Impressions(kept, timed="time" in table.columns, logged="propensity" in table.columns)


def read_listed(engine: Engine, table: Table, actions: Actions, pause_minutes: float) -> Impressions:
    """The impressions of a log with a row per result page."""
    impressions = listed_impressions(table, actions, pause_minutes)
    return Impressions(engine.keep(impressions, "impressions"), timed="time" in table.columns)
