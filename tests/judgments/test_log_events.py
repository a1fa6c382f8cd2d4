"""Logs of every format become the cells that a person would count."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from naive_log import aggregate_tables, write_tables

from gradus.errors import LogError
from gradus.judgments.clicks.logged import fit_logged
from gradus.judgments.logs.aggregate import Aggregation, aggregate
from gradus.judgments.logs.engine import open_engine
from gradus.judgments.logs.guess import as_list, as_time
from gradus.judgments.logs.read_log import read_impressions
from gradus.judgments.logs.staging import stage
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation
from gradus.judgments.simulation.truth import Truth
from gradus.judgments.simulation.write import write_log
from gradus.settings.evidence import LogSettings

NOON = datetime(2026, 1, 5, 12)


def minutes(n: float) -> datetime:
    return NOON + timedelta(minutes=n)


def counted(folder: Path, settings: LogSettings, **tables: pa.Table) -> tuple[set, Aggregation]:
    """Cells as (query, document, position, previous, impressions, clicks)."""
    with open_engine("duckdb", folder, threads=1) as engine:
        result = aggregate_tables(engine, folder, settings, **tables)
    c = result.cells
    return {
        (c.queries[q], c.documents[d], int(p), int(v), i, k)
        for q, d, p, v, i, k in zip(
            c.query, c.document, c.position, c.previous, c.impressions, c.clicks, strict=True
        )
    }, result


def ubi_event(action: str, page: str, document: str | None, place: int | None, at: float) -> dict:
    attributes = {"object": {"object_id": document}, "position": {"ordinal": place}}
    return {
        "action_name": action, "query_id": page, "client_id": "u", "timestamp": minutes(at).isoformat(),
        "event_attributes": attributes,
    }  # fmt: skip


QUERIES = pa.Table.from_pylist([
    {"query_id": "q1", "user_query": "Screw", "query_response_hit_ids": ["a", "b", "c"], "client_id": "u", "timestamp": "2026-01-05T12:00:00Z"},
    {"query_id": "q2", "user_query": "nut", "query_response_hit_ids": ["a"], "client_id": "u", "timestamp": "2026-01-05T12:05:00Z"},
])  # fmt: skip


def test_ubi_with_impressions(tmp_path: Path) -> None:
    events = pa.Table.from_pylist([
        ubi_event("impression", "q1", "a", 1, 0),
        ubi_event("impression", "q1", "b", 2, 0),
        ubi_event("impression", "q1", "b", 2, 0.1),  # sent twice
        ubi_event("impression", "q1", "c", 3, 0),
        ubi_event("click_through", "q1", "a", None, 1),
        ubi_event("click", "q1", "a", None, 1.01),  # a double click
        ubi_event("add_to_cart", "q1", "c", None, 2),
        ubi_event("click", "q1", "z", None, 2),  # never shown
        ubi_event("scroll", "q1", None, None, 2),
        ubi_event("impression", "q9", "a", 1, 2),  # a query that nobody knows
        ubi_event("impression", "q1", None, 4, 2),
    ])  # fmt: skip
    settings = LogSettings(format="ubi", actions={"click": 1.0, "cart": 2.0})
    cells, result = counted(tmp_path, settings, events=events, queries=QUERIES)
    assert cells == {("screw", "a", 1, 0, 1, 1), ("screw", "b", 2, 1, 1, 0), ("screw", "c", 3, 1, 1, 1)}
    assert result.cells.utility.tolist() == [0.5, 0.0, 1.0]
    assert result.cells.last.tolist() == [0, 0, 1]
    summary = result.summary
    # Three shown, two clicks and a cart stand behind the cells.
    assert (summary.read, summary.used) == (11, 6)
    assert summary.filtered == {
        "repeats an impression or action": 1,
        "action on a document that was not shown": 1,
        "event that log.actions does not name": 1,
    }
    assert summary.rejected == {"query is missing": 1, "document is missing": 1}
    assert summary.ignored == {"scroll": 1}


def test_ubi_without_impressions_takes_what_the_queries_list(tmp_path: Path) -> None:
    events = pa.Table.from_pylist(
        [ubi_event("click", "q1", "b", None, 1), ubi_event("click", "q2", "a", None, 6)]
    )
    cells, result = counted(tmp_path, LogSettings(format="ubi"), events=events, queries=QUERIES)
    assert cells == {
        ("screw", "a", 1, 0, 1, 0), ("screw", "b", 2, 0, 1, 1), ("screw", "c", 3, 2, 1, 0), ("nut", "a", 1, 0, 1, 1)
    }  # fmt: skip
    assert (result.summary.read, result.summary.used) == (6, 6)  # four listed, two clicked
    assert result.summary.sessions == 1


def test_ubi_that_never_says_what_was_shown_is_refused(tmp_path: Path) -> None:
    events = pa.Table.from_pylist([ubi_event("click", "q1", "b", None, 1)])
    queries = QUERIES.drop_columns(["query_response_hit_ids"])
    with pytest.raises(LogError, match="does not say what was shown"):
        counted(tmp_path, LogSettings(format="ubi"), events=events, queries=queries)


def ga4_event(
    name: str, at: float, items: list[tuple[str, int]], term: str | None = None, session: int = 1
) -> dict:
    parameters = [{"key": "ga_session_id", "value": {"string_value": None, "int_value": session}}]
    if term:
        parameters.append({"key": "search_term", "value": {"string_value": term, "int_value": None}})
    return {
        "event_name": name, "event_timestamp": int(minutes(at).timestamp() * 1e6), "user_pseudo_id": "u",
        "event_params": parameters, "items": [{"item_id": i, "item_list_index": k} for i, k in items],
    }  # fmt: skip


def test_ga4_actions_belong_to_the_latest_list_of_the_session_that_held_the_item(tmp_path: Path) -> None:
    events = pa.Table.from_pylist([
        ga4_event("view_search_results", 0, [], "screw"),
        ga4_event("view_item_list", 0.1, [("a", 0), ("b", 1)]),
        ga4_event("select_item", 1, [("b", 1)]),
        ga4_event("view_item_list", 2, [("b", 0), ("c", 1)], "nut"),
        ga4_event("select_item", 3, [("a", 0)]),  # on the first list: the second does not hold it
        ga4_event("add_to_cart", 4, [("b", 0)]),  # on the second
        ga4_event("select_item", 5, [("z", 0)]),  # on none
        ga4_event("select_item", 6, [("a", 0)], session=2),  # on none of its session
        ga4_event("page_view", 7, []),
    ])  # fmt: skip
    settings = LogSettings(format="ga4", actions={"click": 1.0, "cart": 1.0})
    cells, result = counted(tmp_path, settings, events=events)
    assert cells == {
        ("screw", "a", 1, 0, 1, 1), ("screw", "b", 2, 1, 1, 1), ("nut", "b", 1, 0, 1, 1), ("nut", "c", 2, 1, 1, 0)
    }  # fmt: skip
    summary = result.summary
    assert (summary.first, summary.pages, summary.sessions) == (0, 2, 1)
    assert summary.read == 11  # an item of an event is a row, and so is an event without items
    assert summary.filtered == {
        "action on a document that was not shown": 2,
        "event without a document": 1,
        "event that log.actions does not name": 1,
    }
    assert result.cells.actions["cart"].sum() == 1


def test_result_pages_of_a_sessions_log(tmp_path: Path) -> None:
    pages = pa.Table.from_pylist([
        {"query": "screw", "documents": ["a", "b", "c"], "clicks": ["b"]},
        {"query": "screw", "documents": ["a", "b", "c"], "clicks": []},
        {"query": "screw", "documents": ["b"], "clicks": ["a"]},
        {"query": "screw", "documents": [], "clicks": None},
    ])  # fmt: skip
    cells, result = counted(tmp_path, LogSettings(format="sessions"), pages=pages)
    assert cells == {
        ("screw", "a", 1, 0, 2, 0), ("screw", "b", 2, 0, 2, 1), ("screw", "c", 3, 2, 1, 0),
        ("screw", "c", 3, 0, 1, 0), ("screw", "b", 1, 0, 1, 0),
    }  # fmt: skip
    assert (result.summary.read, result.summary.used) == (9, 7)
    assert result.summary.rejected == {"document is missing": 1}


def test_lists_written_as_text(tmp_path: Path) -> None:
    pages = pa.Table.from_pylist([
        {"query": "x", "documents": "a|b", "clicks": ""}, {"query": "x", "documents": '["c", "d"]', "clicks": "d"}
    ])  # fmt: skip
    cells, _ = counted(tmp_path, LogSettings(format="sessions"), pages=pages)
    assert cells == {
        ("x", "a", 1, 0, 1, 0),
        ("x", "b", 2, 0, 1, 0),
        ("x", "c", 1, 0, 1, 0),
        ("x", "d", 2, 0, 1, 1),
    }


@pytest.mark.parametrize("clicks", ["2, d1, 4, d9", '[2, "d1", 4, "d9"]', ["2.0", "d1", "4", "d9"]])
def test_clicks_may_be_positions(tmp_path: Path, clicks: str | list[str]) -> None:
    pages = pa.table({"query": ["x"], "documents": [["d1", "d2", "d3"]], "clicks": [clicks]})
    cells, result = counted(tmp_path, LogSettings(format="sessions"), pages=pages)
    assert cells == {("x", "d1", 1, 0, 1, 1), ("x", "d2", 2, 1, 1, 1), ("x", "d3", 3, 2, 1, 0)}
    # There is no fourth, and no d9.
    assert result.summary.filtered == {"action on a document that was not shown": 2}
    assert (result.summary.read, result.summary.used) == (5, 3)


@pytest.mark.parametrize("clicks", [[[2, 0, -1]], [[2.0, 0.5, 1e9]], [["2", "02", "inf"]], [2]])
def test_positions_are_whole_numbers_from_1(tmp_path: Path, clicks: list) -> None:
    pages = pa.table({"query": ["x"], "documents": [["a", "b"]], "clicks": clicks})
    cells, result = counted(tmp_path, LogSettings(format="sessions"), pages=pages)
    assert cells == {("x", "a", 1, 0, 1, 0), ("x", "b", 2, 0, 1, 1)}
    others = len(clicks[0]) - 1 if isinstance(clicks[0], list) else 0
    assert result.summary.filtered.get("action on a document that was not shown", 0) == others


def test_a_click_is_a_document_rather_than_a_position(tmp_path: Path) -> None:
    pages = pa.table({"query": ["x"], "documents": [[2, 7, 1]], "clicks": [[1, 3]]})
    cells, result = counted(tmp_path, LogSettings(format="sessions"), pages=pages)
    # The document 1, at 3, is clicked twice over; the place 1 is not.
    assert cells == {("x", "2", 1, 0, 1, 0), ("x", "7", 2, 0, 1, 0), ("x", "1", 3, 0, 1, 1)}
    assert (result.summary.read, result.summary.used) == (3, 3)


JSON_CELLS = pa.Table.from_pylist([
    {"q": "nut", "info": '{"doc": "a", "at": {"pos": 1}, "click": false, "time": 1767614400000}'},
    {"q": "nut", "info": '{"doc": 7, "at": {"pos": 2.0}, "click": true, "time": "2026-01-05T12:00:00Z"}'},
    {"q": "nut", "info": '{"doc": "null", "at": {"pos": "3"}, "click": 1, "time": 1767614400.0}'},
    {"q": "nut", "info": '{"doc": null, "at": {"pos": 4}, "time": 1767614400}'},
    {"q": "nut", "info": '{"at": {}}'},
    {"q": "nut", "info": "broken"},
])  # fmt: skip
IN_JSON = LogSettings(
    columns={"query": "q", "document": "info.doc", "position": "info.at.pos", "click": "info.click", "time": "info.time"}
)  # fmt: skip


def test_values_of_json_in_a_cell_are_those_of_nested_rows(tmp_path: Path) -> None:
    cells, result = counted(tmp_path, IN_JSON, impressions=JSON_CELLS)
    assert cells == {("nut", "a", 1, 0, 1, 0), ("nut", "7", 2, 0, 1, 1), ("nut", "null", 3, 2, 1, 1)}
    assert result.summary.rejected == {"document is missing": 3}
    assert result.summary.window == (NOON, NOON)


def test_lists_of_json_in_a_cell(tmp_path: Path) -> None:
    pages = pa.table({"query": ["x"], "serp": ['{"shown": ["a", 7], "clicked": [7]}']})
    settings = LogSettings(format="sessions", columns={"documents": "serp.shown", "clicks": "serp.clicked"})
    cells, _ = counted(tmp_path, settings, pages=pages)
    assert cells == {("x", "a", 1, 0, 1, 0), ("x", "7", 2, 0, 1, 1)}


def test_pages_and_sessions_are_derived_where_a_flat_log_has_none(tmp_path: Path) -> None:
    def shown(user: str, at: float, document: str, position: str, click: str) -> dict:
        time = minutes(at).isoformat()
        return {
            "user": user,
            "time": time,
            "query": "q",
            "document": document,
            "position": position,
            "click": click,
        }

    log = pa.Table.from_pylist([
        shown("u", 0, "a", "1", "true"), shown("u", 0, "b", "2", "0"),
        shown("u", 29, "a", "1", "no"), shown("u", 29, "b", "2", "1"),
        shown("u", 59, "b", "two", "0"), shown("u", 59, "b", "2", "0"),  # after a pause of 30 minutes
        shown("v", 0, "b", "2", ""),
    ])  # fmt: skip
    cells, result = counted(tmp_path, LogSettings(), impressions=log)
    assert cells == {("q", "a", 1, 0, 2, 1), ("q", "b", 2, 1, 1, 0), ("q", "b", 2, 0, 3, 1)}
    assert (result.summary.sessions, result.summary.pages) == (3, 4)
    assert result.summary.rejected == {"position is not a whole number": 1}


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T12:00:00Z", "2026-01-05 12:00:00", "2026-01-05T13:30:00+01:30", "2026-01-05T09:00:00-0300",
        "2026-01-05 21:00:00+09", "2026-01-05 07:00:00.000-05", "2026-01-05 21:30+0930", "2026-01-05T08:30:00-0330",
        "1767614400", "1767614400000", "1767614400000000",
    ],
)  # fmt: skip
def test_times_however_written(tmp_path: Path, text: str) -> None:
    log = pa.table({"query": ["q"], "document": ["d"], "position": [1], "click": [0], "time": [text]})
    with open_engine("duckdb", tmp_path, threads=1) as engine:
        impressions = read_impressions(engine, write_tables(tmp_path, impressions=log), LogSettings())
        assert engine.row(impressions.table.select("time")) == {"time": NOON}


def test_ubi_with_propensities(tmp_path: Path) -> None:
    def shown(page: str, document: str, place: int, propensity: float | None) -> dict:
        event = ubi_event("impression", page, document, place, 0)
        event["event_attributes"]["propensity"] = propensity
        return event

    events = pa.Table.from_pylist([
        shown("q1", "a", 1, 0.5),
        shown("q1", "b", 2, 0.25),
        shown("q1", "b", 2, 0.25),  # sent twice
        shown("q1", "c", 3, None),
        shown("q2", "a", 1, 1.5),
        ubi_event("click", "q1", "b", None, 1),
    ])  # fmt: skip
    _, result = counted(tmp_path, LogSettings(format="ubi"), events=events, queries=QUERIES)
    cells = result.cells
    assert [cells.documents[row] for row in cells.document] == ["a", "b", "c"]
    assert cells.propensity.tolist() == [1 / 0.5, 1 / 0.25, 0]
    assert cells.logged.tolist() == [1, 1, 0]
    assert result.summary.rejected == {"propensity is not in (0, 1]": 1}


def test_logged_propensities_of_ubi_tell_the_position_curve(tmp_path: Path) -> None:
    query, document = np.divmod(np.arange(200), 10)
    truth = Truth(
        [f"q{n}" for n in range(20)], [f"d{n}" for n in range(10)], query, document,
        np.random.default_rng(0).random(200),
    )  # fmt: skip
    simulation = Simulation(truth, policy=Policy(randomised=0.5), impressions=100_000, page=5)
    found = {}
    for layout, tables in {
        "ubi": {"events": "ubi_events", "queries": "ubi_queries"},
        "flat": {"impressions": "log"},
    }.items():
        folder = tmp_path / layout
        write_log(folder, simulation, layout)
        staged = {name: stage(folder / f"{file}.parquet", folder / name) for name, file in tables.items()}
        (folder / "work").mkdir()
        settings = LogSettings(format=layout)
        with open_engine("duckdb", folder / "work", threads=1) as engine:
            found[layout] = aggregate(engine, read_impressions(engine, staged, settings), settings).cells
    ubi, flat = found["ubi"], found["flat"]
    assert ubi.logged.sum() == ubi.impressions.sum() > 90_000
    np.testing.assert_array_equal(ubi.propensity, flat.propensity)
    theta = fit_logged(ubi).curve.examination
    np.testing.assert_allclose(theta, 1 / np.arange(1, 6), rtol=0.15)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a|b", ["a", "b"]),
        (" a 1 | b,2 ", ["a 1", "b,2"]),
        ("a;b", ["a", "b"]),
        ("a, b", ["a", "b"]),
        ("a b  c", ["a", "b", "c"]),
        ('["a 1", "b"]', ["a 1", "b"]),
        ("['a', 'b']", ["a", "b"]),
        ("[1, 2]", ["1", "2"]),
        ("a", ["a"]),
        ("[]", []),
        ("", []),
    ],
)
def test_lists_in_texts_are_read_as_they_are_proposed(tmp_path: Path, text: str, items: list[str]) -> None:
    assert as_list(text) == items
    pages = pa.table({"query": ["nut"], "documents": [text], "clicks": [items[-1] if items else "z"]})
    pages = pa.concat_tables([pages, pa.table({"query": ["bolt"], "documents": ["d"], "clicks": [""]})])
    cells, _ = counted(tmp_path, LogSettings(format="sessions"), pages=pages)
    shown = {(document, place) for query, document, place, *_ in cells if query == "nut"}
    assert shown == {(document, place) for place, document in enumerate(items, 1)}


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026/03/01 08:05:00", datetime(2026, 3, 1, 8, 5)),
        ("2026/3/1 8:05", datetime(2026, 3, 1, 8, 5)),
        ("2026/3/1", datetime(2026, 3, 1)),
        ("2026-03-01 17:05:00+09", datetime(2026, 3, 1, 8, 5)),
        ("2026-03-01T08:05:00.5+09:00", datetime(2026, 2, 28, 23, 5, 0, 500_000)),
        ("1772352300", datetime(2026, 3, 1, 8, 5)),
        ("1772352300000", datetime(2026, 3, 1, 8, 5)),
    ],
)
def test_times_are_read_as_they_are_proposed(tmp_path: Path, text: str, time: datetime) -> None:
    assert as_time(text) == time.replace(tzinfo=UTC)
    log = pa.table({"query": ["nut"], "document": ["a"], "position": [1], "click": [1], "time": [text]})
    with open_engine("duckdb", tmp_path) as engine:
        staged = write_tables(tmp_path, impressions=log)
        impressions = read_impressions(engine, staged, LogSettings())
        assert engine.row(impressions.table.select("time")) == {"time": time}


def test_an_empty_id_is_none(tmp_path: Path) -> None:
    log = pa.table({
        "query": ["nut"] * 3, "document": ["a", "", "a"], "position": [1, 2, 1], "click": [1, 0, 0],
        "page": ["p", "p", ""], "session": [""] * 3,
    })  # fmt: skip
    cells, result = counted(tmp_path, LogSettings(), impressions=log)
    assert cells == {("nut", "a", 1, 0, 1, 1)}
    assert result.summary.rejected == {"document is missing": 1, "page is missing": 1}
    assert result.summary.sessions == 0
