"""Simulated logs as files: read back, counted naively, and held against the cells made without files."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from gradus.errors import LogError
from gradus.judgments.simulation import simulate as simulation_module
from gradus.judgments.simulation.dirt import JUMPS, Dirt
from gradus.judgments.simulation.flat import SCHEMA
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation, simulate_cells
from gradus.judgments.simulation.traffic import Traffic
from gradus.judgments.simulation.truth import random_truth
from gradus.judgments.simulation.ubi import EVENTS, QUERIES
from gradus.judgments.simulation.users import DBN
from gradus.judgments.simulation.write import write_log


def uneven():
    """A truth in which some queries have fewer documents than a page."""
    full = random_truth(20, 8, 4)
    kept = (full.query % 3 != 0) | (np.arange(len(full)) % 8 < 4)
    return replace(full, query=full.query[kept], document=full.document[kept], relevance=full.relevance[kept])


TRUTH = uneven()
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Logs of a few thousand rows in several parts."""
    monkeypatch.setattr(simulation_module, "_PART", 150)


def simulation(**changes):
    values = {
        "truth": TRUTH,
        "users": DBN(0.9),
        "policy": Policy(epochs=2, swaps=0.1, randomised=0.3),
        "traffic": Traffic(days=2),
        "impressions": 3000,
        "page": 6,
        "seed": 7,
    }
    return Simulation(**{**values, **changes})


def flat(folder, dirt=None, **changes):
    write_log(folder, simulation(**changes), "flat", dirt)
    return pq.read_table(folder / "log.parquet").to_pylist()


def counted(rows, by_day):
    """Cells by hand: (query, document, position, previous, day) → counts."""
    by_page = defaultdict(list)
    for row in rows:
        by_page[row["page"]].append(row)
    cells = defaultdict(Counter)
    for page in by_page.values():
        page.sort(key=lambda row: row["position"])
        clicks = [row["position"] for row in page if row["click"]]
        for row in page:
            position = row["position"]
            previous = max((click for click in clicks if click < position), default=0)
            day = (row["time"] - BEGIN).days if by_day else 0
            cell = cells[row["query"], row["document"], position, previous, day]
            cell["impressions"] += 1
            cell["above_last"] += bool(clicks) and position <= clicks[-1]
            cell["last"] += bool(clicks) and position == clicks[-1]
            if row["propensity"] is not None:
                cell["logged"] += 1
                cell["propensity"] += 1 / row["propensity"]
            for action in ("click", "cart", "purchase"):
                cell[action] += row[action]
    return cells


@pytest.mark.parametrize("by_day", [False, True])
@pytest.mark.parametrize("randomised", [0.0, 0.3])
def test_cells_equal_a_naive_count_of_the_file(tmp_path, by_day, randomised):
    changes = {"policy": Policy(epochs=2, swaps=0.1, randomised=randomised)}
    expected = counted(flat(tmp_path, **changes), by_day)
    cells = simulate_cells(simulation(**changes), by_day=by_day)
    assert len(cells) == len(expected) > 300
    assert len(cells.windows) == 1 + max(key[-1] for key in expected)
    assert str(cells.windows[0]) == "2026-01-05T00:00:00"
    counts = {
        **{
            name: getattr(cells, name)
            for name in ("impressions", "above_last", "last", "logged", "propensity")
        },
        **cells.actions,
    }
    for row in range(len(cells)):
        key = (
            cells.queries[cells.query[row]], cells.documents[cells.document[row]],
            int(cells.position[row]), int(cells.previous[row]), int(cells.window[row]),
        )  # fmt: skip
        got = {name: column[row] for name, column in counts.items()}
        assert got == pytest.approx({name: expected[key][name] for name in counts})
    assert np.array_equal(cells.clicks, cells.actions["click"])
    assert np.array_equal(cells.utility, cells.clicks)
    assert not np.isnan(TRUTH.attraction_of(cells.query, cells.document)).any()


def test_flat_in_csv_says_the_same_as_in_parquet(tmp_path):
    rows = flat(tmp_path)
    write_log(tmp_path, simulation(), "flat-csv")
    options = pyarrow.csv.ConvertOptions(column_types=SCHEMA)
    table = pyarrow.csv.read_csv(tmp_path / "log.csv", convert_options=options)
    assert table.column_names == SCHEMA.names
    assert table.to_pylist() == rows


def test_ubi_and_flat_are_one_log(tmp_path):
    rows = flat(tmp_path)
    written = write_log(tmp_path, simulation(), "ubi")
    queries, events = (pq.read_table(tmp_path / f"ubi_{name}.parquet") for name in ("queries", "events"))
    assert (queries.schema, events.schema) == (QUERIES, EVENTS)
    assert (len(queries), len(events)) == (written.pages, written.rows["ubi_events.parquet"])
    assert len(events) == written.impressions + written.clicks + written.carts + written.purchases

    shown = {row["query_id"]: row for row in queries.to_pylist()}
    by_page = defaultdict(list)
    for row in rows:
        by_page[row["page"]].append(row)
        query = shown[row["page"]]
        assert (query["user_query"], query["client_id"]) == (row["query"], row["user"])
        assert query["timestamp"] == row["time"]
        assert query["query_response_hit_ids"][row["position"] - 1] == row["document"]
    assert all(len(row["query_response_hit_ids"]) == len(by_page[page]) for page, row in shown.items())

    told = Counter()
    names = {"impression": None, "click": "click", "add_to_cart": "cart", "purchase": "purchase"}
    for event in events.to_pylist():
        attributes = event["event_attributes"]
        position = attributes["position"]["ordinal"]
        row = by_page[event["query_id"]][position - 1]
        assert attributes["object"] == {"object_id": row["document"], "object_id_field": "doc_id"}
        assert event["session_id"] == row["session"]
        action = names[event["action_name"]]
        if action is None:
            assert event["timestamp"] == row["time"]
            assert attributes["propensity"] == row["propensity"]
        else:
            assert row[action] == 1
            assert event["timestamp"] > row["time"]
            assert attributes["propensity"] is None
        assert attributes["dwell_time"] == (row["dwell"] if action == "click" else None)
        told[event["action_name"]] += 1
    assert told == {
        "impression": len(rows),
        "click": sum(row["click"] for row in rows),
        "add_to_cart": sum(row["cart"] for row in rows),
        "purchase": sum(row["purchase"] for row in rows),
    }
    assert min(told.values()) > 0
    sessions = {(row["session"], row["user"]) for row in rows}
    assert len({user for _, user in sessions}) < len({session for session, _ in sessions}) == len(sessions)


def test_the_truth_is_written_beside_the_log(tmp_path):
    written = write_log(tmp_path, simulation())
    table = pq.read_table(tmp_path / "truth.parquet")
    assert table.column_names == ["query", "document", "relevance", "attraction"]
    assert written.rows["truth.parquet"] == len(table) == len(TRUTH)
    row = table.slice(5, 1).to_pylist()[0]
    assert (row["query"], row["document"]) == ("query 1", TRUTH.documents[TRUTH.document[5]])
    assert row["attraction"] == TRUTH.attraction[5] == 0.03 + 0.57 * row["relevance"]


def test_equal_seeds_make_equal_files(tmp_path):
    for name in ("one", "same"):
        write_log(tmp_path / name, simulation(), "ubi", Dirt(0.1, False, 0.1, 0.1, 0.1))
    for file in ("ubi_queries.parquet", "ubi_events.parquet", "truth.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "same" / file).read_bytes()


def identity(row):
    return row["page"], row["document"]


def test_dropped_impressions_are_lost_but_no_clicks(tmp_path):
    clean, dirty = flat(tmp_path), flat(tmp_path, Dirt(dropped=0.4))
    kept = {identity(row) for row in dirty}
    unclicked = [row for row in clean if not row["click"]]
    assert all(identity(row) in kept for row in clean if row["click"])
    lost = sum(identity(row) not in kept for row in unclicked)
    assert lost / len(unclicked) == pytest.approx(0.4, abs=0.05)


def test_ubi_loses_impressions_of_clicked_documents_too(tmp_path):
    write_log(tmp_path, simulation(), "ubi", Dirt(dropped=1.0))
    assert "impression" not in pq.read_table(tmp_path / "ubi_events.parquet")["action_name"].to_pylist()


def test_positions_from_zero(tmp_path):
    clean, dirty = flat(tmp_path), flat(tmp_path, Dirt(zero_based=True))
    assert [row["position"] - 1 for row in clean] == [row["position"] for row in dirty]


def test_double_clicks_follow_within_a_second(tmp_path):
    clean, dirty = flat(tmp_path), flat(tmp_path, Dirt(double_clicks=0.5))
    groups = defaultdict(list)
    for row in dirty:
        groups[identity(row)].append(row)
    for row in clean:
        group = groups.pop(identity(row))
        assert group[0] == row
        for again in group[1:]:
            assert row["click"] == 1
            assert timedelta(0) < again["time"] - row["time"] < timedelta(seconds=1)
            assert again | {"time": row["time"]} == row
    assert not groups
    doubled = len(dirty) - len(clean)
    assert doubled / sum(row["click"] for row in clean) == pytest.approx(0.5, abs=0.1)


def test_duplicates_repeat_a_row_as_it_is(tmp_path):
    clean, dirty = flat(tmp_path), flat(tmp_path, Dirt(duplicates=0.2))
    assert list({identity(row): row for row in dirty}.values()) == clean
    assert all(row in clean for row in dirty[:200])
    assert len(dirty) / len(clean) == pytest.approx(1.2, abs=0.03)


def test_clocks_jump_for_whole_pages(tmp_path):
    clean, dirty = flat(tmp_path), flat(tmp_path, Dirt(clock_jumps=0.3))
    jumps = defaultdict(set)
    for one, other in zip(clean, dirty, strict=True):
        jumps[one["page"]].add((other["time"] - one["time"]).total_seconds())
    assert all(len(values) == 1 for values in jumps.values())
    seen = Counter(next(iter(values)) for values in jumps.values())
    assert set(seen) == {0.0, *(JUMPS / np.timedelta64(1, "s"))}
    assert seen[0.0] / len(jumps) == pytest.approx(0.7, abs=0.07)


def test_an_interrupted_log_leaves_nothing(tmp_path):
    def stop(stage, done, total, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_log(tmp_path, simulation(), progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(LogError, match="choose one of ubi, flat, flat-csv"):
        write_log(tmp_path, simulation(), "csv")
    with pytest.raises(LogError, match="duplicates is 2"):
        Dirt(duplicates=2)
