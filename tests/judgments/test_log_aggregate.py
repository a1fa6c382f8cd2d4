"""The whole aggregation against loops over rows, and by hand where hands suffice."""

import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from naive_log import NOW, aggregate_tables, cells_by_key, naive_cells, table_of

from gradus.errors import LogError
from gradus.judgments.logs.engine import open_engine
from gradus.settings.evidence import LogSettings

DAY = datetime(2026, 1, 30)


FAULTS = [
    {"query": None}, {"query": " \t"}, {"document": None}, {"page": None}, {"position": None}, {"position": 1.5},
    {"position": -1.0}, {"time": NOW + timedelta(seconds=1)}, {"time": None}, {"time": datetime(1999, 12, 31)},
    {"propensity": 0.0}, {"propensity": 1.5},
]  # fmt: skip


def random_rows(rng: np.random.Generator, n: int, actions: list[str]) -> list[dict]:
    """Rows of a dirty log with repeats; a row has at most one fault."""
    rows = []
    for number in range(n):
        page = int(rng.integers(n // 4 + 1))
        robot = page % 7 == 0
        row = {
            "page": f"p{page}",
            "session": "robot" if robot else None if page % 5 == 0 else f"s{page // 3}",
            "query": ["red screw", "Red  Screw", "nut ", "ＮＵＴ"][page % 4],
            "document": str(rng.choice(list("abcd"))),
            "position": float(rng.choice([1, 2, 3, 4, 5, 52, 60])),
            "time": DAY - timedelta(minutes=100 * page) + timedelta(seconds=number % 3),
            "dwell": [None, 1.0, 40.0][rng.integers(3)],
            "propensity": [None, 0.5, 1.0, 0.3][rng.integers(4)],
            **{name: bool(rng.random() < (0.97 if robot else 0.3)) for name in actions},
        }
        if rng.random() < 0.15:
            row |= FAULTS[rng.integers(len(FAULTS))]
        rows.append(row)
    return rows


def random_table(rng: np.random.Generator, n: int, actions: list[str]) -> pa.Table:
    return table_of(random_rows(rng, n, actions), actions)


def log_settings() -> st.SearchStrategy[LogSettings]:
    return st.builds(
        LogSettings,
        actions=st.sampled_from([{"click": 1.0}, {"click": 1.0, "cart": 4.0, "share": 0.0}]),
        dwell=st.sampled_from([0.0, 30.0]),
        page=st.sampled_from([0, 3]),
        window=st.sampled_from(["none", "day", "week", "month"]),
        half_life=st.sampled_from([0.0, 2.0]),
        robot_events=st.sampled_from([0, 30]),
        rank=st.just("1"),
    )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from([1, 20, 400]), settings=log_settings())
@examples(max_examples=10, phases=(Phase.generate,), derandomize=True)
def test_equals_a_loop_over_rows(folder: Path, seed: int, n: int, settings: LogSettings) -> None:
    rows = random_rows(np.random.default_rng(seed), n, ["click", "cart", "share"])
    expected, fates = naive_cells(rows, settings, first=1)
    with open_engine("duckdb", folder, threads=1) as engine:
        table = table_of(rows, ["click", "cart", "share"])
        if "used" not in fates and "robot" not in fates:
            with pytest.raises(LogError, match="no impression that can be used"):
                aggregate_tables(engine, folder, settings, impressions=table)
            return
        result = aggregate_tables(engine, folder, settings, impressions=table)
    found = cells_by_key(result, settings)
    assert found.keys() == expected.keys()
    cells = result.cells
    keys = list(zip(cells.query, cells.document, cells.position, cells.previous, cells.window, strict=True))
    assert keys == sorted(keys)
    assert (cells.queries, cells.documents) == (sorted(cells.queries), sorted(cells.documents))
    for key, cell in found.items():
        for name, value in cell.items():
            # Ages are counted in 2^-16 and propensities in 2^-20.
            assert value == pytest.approx(
                expected[key][name], rel=1e-3, abs=1e-3 if settings.half_life else 1e-9
            )
    summary = result.summary
    assert summary.read == len(rows)
    assert summary.used == fates.get("used", 0)
    robots = sum(n for reason, n in summary.filtered.items() if reason.startswith("robot"))
    repeats = summary.filtered.get("repeats an impression or action", 0)
    assert (robots, repeats) == (fates.get("robot", 0), fates.get("repeat", 0))
    for reason, n in fates.items():
        if reason not in ("used", "robot", "repeat"):
            kind = summary.filtered if reason == "position beyond log.page" else summary.rejected
            assert kind[reason] == n


def test_rejects_are_written_with_their_reasons(tmp_path: Path) -> None:
    rows = random_rows(np.random.default_rng(1), 200, ["click"])
    with open_engine("duckdb", tmp_path, threads=1) as engine:
        path = tmp_path / "broken.parquet"
        result = aggregate_tables(
            engine, tmp_path, LogSettings(rank="1"), path, impressions=table_of(rows, ["click"])
        )
    written = pq.read_table(path)["reason"].value_counts().to_pylist()
    assert {row["values"]: row["counts"] for row in written} == dict(result.summary.rejected)
    assert len(written) > 5


@pytest.mark.parametrize(
    ("positions", "first", "used"), [([0, 1, 2], 0, 3), ([1, 2, 3], 1, 3), ([1] * 5 + [0], 1, 1)]
)
def test_the_first_rank_is_told_by_the_data(
    tmp_path: Path, positions: list[int], first: int, used: int
) -> None:
    n = len(positions)
    log = pa.table(
        {
            "page": ["p"] * n,
            "query": ["q"] * n,
            "document": ["d"] * n,
            "position": positions,
            "click": [0] * n,
        }
    )
    with open_engine("duckdb", tmp_path, threads=1) as engine:
        result = aggregate_tables(engine, tmp_path, LogSettings(), impressions=log)
    assert (result.summary.first, result.summary.used) == (first, used)
    assert result.cells.position.min() == 1


def test_windows_and_decay_need_times(tmp_path: Path) -> None:
    log = pa.table({"page": ["p"], "query": ["q"], "document": ["d"], "position": [1], "click": [0]})
    with (
        open_engine("duckdb", tmp_path, threads=1) as engine,
        pytest.raises(LogError, match="half_life needs the time"),
    ):
        aggregate_tables(engine, tmp_path, LogSettings(half_life=3), impressions=log)


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_id_in_parquet_is_none(tmp_path: Path, empty: int) -> None:
    log = pa.table(
        {
            "page": ["p", "r", "s"],
            "session": ["" if empty else "x", "y", "z"],
            "query": ["q"] * 3,
            "document": ["d", "" if empty else "e", "f"],
            "position": [1, 1, 1],
            "click": [0] * 3,
        }
    )
    with open_engine("duckdb", tmp_path, threads=1) as engine:
        summary = aggregate_tables(engine, tmp_path, LogSettings(), impressions=log).summary
    # Of the rows with a document, the first has no session and the last has z.
    assert (summary.used, summary.sessions) == ((2, 1) if empty else (3, 3))
    assert dict(summary.rejected) == ({"document is missing": 1} if empty else {})
