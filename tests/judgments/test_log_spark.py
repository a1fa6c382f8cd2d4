"""Spark counts exactly the same cells as DuckDB."""

import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from naive_log import aggregate_tables
from test_log_aggregate import random_table
from test_log_events import IN_JSON, JSON_CELLS, QUERIES, ga4_event, ubi_event

from gradus.judgments.logs.aggregate import Aggregation
from gradus.judgments.logs.engine import open_engine
from gradus.settings.evidence import LogSettings

pytest.importorskip("pyspark", reason="Spark is an extra: pip install 'gradus[spark]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
]


def same(one: Aggregation, other: Aggregation) -> None:
    assert one.summary == other.summary
    for column in fields(one.cells):
        left, right = getattr(one.cells, column.name), getattr(other.cells, column.name)
        if isinstance(left, dict):
            assert left.keys() == right.keys()
            assert all(np.array_equal(left[name], right[name]) for name in left)
        else:
            assert np.array_equal(left, right), column.name


def test_spark_equals_duckdb_to_the_last_bit(tmp_path: Path) -> None:
    actions = {"click": 1.0, "cart": 4.0, "share": 0.0}
    table = random_table(np.random.default_rng(0), 500, list(actions))
    ubi = [
        ubi_event(name, "q1", "b", 2, n)
        for n, name in enumerate(("impression", "impression", "click", "scroll"))
    ]
    ga4 = [ga4_event("view_item_list", 0, [("a", 0), ("b", 1)], "x"), ga4_event("select_item", 1, [("b", 1)])]
    logs = [
        (LogSettings(actions=actions, dwell=30.0, page=40, window="week", half_life=2.0, rank="1"), {"impressions": table}),
        (LogSettings(robot_events=30, window="month"), {"impressions": table.drop_columns(["page", "session"])}),
        (LogSettings(format="ubi"), {"events": pa.Table.from_pylist(ubi), "queries": QUERIES}),
        (LogSettings(format="ga4"), {"events": pa.Table.from_pylist(ga4)}),
        (LogSettings(format="sessions"), {"pages": pa.Table.from_pylist([{"query": "q", "documents": ["a", "b"], "clicks": ["b"]}])}),
        (LogSettings(format="sessions"), {"pages": pa.table({"query": ["q"] * 3, "documents": ["a|b|c", "7|2|8", "a|b"], "clicks": ["2", "2|3.0", "[3, 1, null, 0]"]})}),
        (IN_JSON, {"impressions": JSON_CELLS}),
        (LogSettings(), {"impressions": pa.table({"query": ["q"] * 2, "document": ["a", "b"], "position": ["1", "2"], "click": ["0", "1"], "time": ["2026-01-05 10:00:00+09", "2026-01-05 10:00:00-0330"]})}),
    ]  # fmt: skip
    results: dict[str, list[Aggregation]] = {}
    for name in ("duckdb", "pyspark"):
        results[name] = []
        for number, (settings, tables) in enumerate(logs):
            folder = tmp_path / f"{name} {number}"
            folder.mkdir()
            with open_engine(name, folder, threads=1) as engine:
                results[name].append(aggregate_tables(engine, folder, settings, **tables))
    for one, other in zip(results["duckdb"], results["pyspark"], strict=True):
        same(one, other)
        assert len(one.cells)
