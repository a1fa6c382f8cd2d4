"""Impressions from logs of events: OpenSearch UBI, and e-commerce events as GA4 exports them.

Both are brought to one table of events, each with its page, its document and what it says (shown, or an action),
and then folded: one impression for each document of each page.
"""

from typing import Any

from gradus.errors import LogError
from gradus.judgments.logs.engine import Engine, Table, ibis
from gradus.judgments.logs.formats import LogFormat
from gradus.judgments.logs.impressions import Actions, Impressions, as_impressions, taken
from gradus.judgments.logs.sessions import with_sessions

IGNORED = 20
"""How many names of events that are not counted are reported."""

_FACTS = {
    "session": "string", "query": "string", "position": "float64", "time": "timestamp", "dwell": "float64",
    "propensity": "float64",
}  # fmt: skip
"""Columns of an event beside its page, document and action."""


def as_events(table: Table, log_format: LogFormat, actions: Actions) -> Table:
    """The events that count, all columns present: `shown`, and `action_0` … as `Actions` orders them."""
    columns: dict[str, Any] = {
        name: (table[name].cast(kind) if name in table.columns else ibis.null(kind))
        for name, kind in _FACTS.items()
    }
    columns |= {"page": table.page, "document": table.document, "shown": _is_shown(table, log_format)}
    columns |= {
        column: table.action.isin(_event_names(name, log_format)).fill_null(False)
        for name, column in actions.columns.items()
    }
    events = table.select(**columns)
    return events.filter(events.shown | taken(events, list(actions.columns.values())))


def fold_events(events: Table, actions: Actions) -> Table:
    """Impressions: the events of one document on one page.

    An impression stands for the event that shows the document and for all actions on it; events that show it
    again are repeats. Where nothing shows it, `shown` is false.
    """
    shown = events.shown
    folded = events.group_by("page", "document").agg(
        events=events.count(),
        showings=events.count(where=shown),
        position=events.position.min(where=shown),
        shown_at=events.time.min(where=shown),
        acted_at=events.time.min(),
        session=events.session.min(),
        # An action's own query may be that of a later page.
        query=ibis.coalesce(events["query"].min(where=shown), events["query"].min()),
        dwell=events.dwell.max(),
        propensity=events.propensity.min(where=shown),
        **{column: events[column].any() for column in actions.columns.values()},
    )
    repeats = ibis.greatest(folded.showings - 1, 0)
    folded = folded.mutate(
        time=ibis.coalesce(folded.shown_at, folded.acted_at),
        shown=folded.showings > 0,
        rows=folded.events - repeats,
        repeats=repeats,
    )
    return as_impressions(folded, actions, {name: folded[name] for name in folded.columns})


def with_queries(impressions: Table, queries: Table, actions: Actions) -> Table:
    """Impressions of UBI with what only the table of queries says about their pages: the text above all."""
    known = [name for name in ("query", "session", "time") if name in queries.columns]
    facts = queries.group_by("page").agg(**{f"page_{name}": queries[name].min() for name in known})
    joined = impressions.left_join(facts, "page")
    columns = {name: joined[name] for name in impressions.columns}
    columns |= {name: ibis.coalesce(joined[name], joined[f"page_{name}"]) for name in known}
    return as_impressions(joined, actions, columns)


def listed_events(queries: Table, actions: Actions) -> Table:
    """What the queries of UBI say was shown: every id that a response lists is an event."""
    listed = queries.unnest("documents", offset="place")
    columns: dict[str, Any] = {
        name: (listed[name] if name in listed.columns else ibis.null(kind)) for name, kind in _FACTS.items()
    }
    columns |= {"page": listed.page, "document": listed.documents, "shown": ibis.literal(True)}
    columns["position"] = (listed.place + 1).cast("float64")
    columns |= dict.fromkeys(actions.columns.values(), ibis.literal(False))
    return listed.select(**columns)


def with_lists(table: Table, log_format: LogFormat) -> Table:
    """Events of GA4 with the page that each belongs to, and the query of that page.

    A page is a list that was shown at one moment of a session. Its query is its own search term, else the one
    before it in the session. An action belongs to the latest list of its session that held its item.
    """
    shown = _is_shown(table, log_format)
    by_time = {"order_by": "time", "preceding": None, "following": 0}
    table = table.mutate(
        searches=table["query"].notnull().cast("int64").sum().over(
            ibis.range_window(group_by="session", **by_time)
        ),
        listed_at=ibis.ifelse(shown, table.time, ibis.null("timestamp")).max().over(
            ibis.range_window(group_by=["session", "document"], **by_time)
        ),
    )  # fmt: skip
    table = table.mutate(query=table["query"].max().over(ibis.window(group_by=["session", "searches"])))
    moment = table.listed_at.cast("string").fill_null("never listed")
    return table.mutate(page=table.session + "\t" + moment)


def read_ubi(
    engine: Engine,
    log_format: LogFormat,
    events: Table,
    queries: Table | None,
    actions: Actions,
    pause_minutes: float,
) -> Impressions:
    """The impressions of a UBI log: events that show documents where there are any, else what the queries list.

    Raises:
        LogError: Neither says what was shown, or nothing says what was searched for.
    """
    if queries is None and "query" not in events.columns:
        raise LogError("a UBI log needs its queries; name their file in gradus.toml: [log] queries = …")
    events = engine.keep(with_sessions(events, pause_minutes), "events")
    left_out, ignored = _left_out(engine, events, log_format, actions)
    counted = as_events(events, log_format, actions)
    if not engine.row(events.agg(n=events.count(where=_is_shown(events, log_format))))["n"]:
        if queries is None or "documents" not in queries.columns:
            names = ", ".join(log_format.shown)
            raise LogError(
                f"the log does not say what was shown: it has no event {names}, and its queries list no "
                "documents; log what was shown, since clicks alone cannot be scored"
            )
        sessions = with_sessions(queries, pause_minutes)
        counted = ibis.union(counted, listed_events(sessions, actions).select(*counted.columns))
    folded = fold_events(counted, actions)
    if queries is not None:
        folded = with_queries(folded, with_sessions(queries, pause_minutes), actions)
    timed = "time" in events.columns or (queries is not None and "time" in queries.columns)
    # Logs have the column whether or not anything was randomised, and it costs as much when it is empty.
    logged = "propensity" in events.columns and bool(engine.row(events.agg(n=events.propensity.count()))["n"])
    return Impressions(engine.keep(folded, "impressions"), timed, logged, left_out, ignored)


def read_ga4(
    engine: Engine, log_format: LogFormat, events: Table, actions: Actions, pause_minutes: float
) -> Impressions:
    """The impressions of a GA4 log."""
    if "session" in events.columns:
        # The number of a session is one of its user.
        events = events.mutate(session=events.user + "\t" + events.session.fill_null(""))
    events = engine.keep(with_lists(with_sessions(events, pause_minutes), log_format), "events")
    left_out, ignored = _left_out(engine, events, log_format, actions)
    counted = as_events(events, log_format, actions)
    bare = engine.row(counted.agg(n=counted.count(where=counted.document.isnull())))["n"]
    left_out |= {"event without a document": bare} if bare else {}
    folded = fold_events(counted.filter(counted.document.notnull()), actions)
    return Impressions(engine.keep(folded, "impressions"), timed=True, left_out=left_out, ignored=ignored)


def _is_shown(table: Table, log_format: LogFormat) -> Any:
    return table.action.isin(log_format.shown).fill_null(False)


def _event_names(action: str, log_format: LogFormat) -> list[str]:
    """What an action is called in the log: its own name, and those that the format has for it."""
    return [action, *(event for event in log_format.actions if log_format.action(event) == action)]


def _left_out(
    engine: Engine, events: Table, log_format: LogFormat, actions: Actions
) -> tuple[dict[str, int], dict[str, int]]:
    """How many events are not counted, and the commonest names among them."""
    counted = [*log_format.shown, *(e for name in actions.names for e in _event_names(name, log_format))]
    other = events.filter(~events.action.isin(counted).fill_null(False))
    names = other.group_by("action").agg(n=other.count())
    total = engine.row(names.agg(n=names.n.sum()))["n"]
    commonest = engine.rows(names.order_by(ibis.desc("n"), "action").limit(IGNORED)).to_pylist()
    left_out = {"event that log.actions does not name": int(total)} if total else {}
    return left_out, {row["action"] or "": row["n"] for row in commonest}
