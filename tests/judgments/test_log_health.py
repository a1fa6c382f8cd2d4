"""Each thing that can be wrong with a log is found in a log that has it, and in no sound one."""

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from naive_log import NOW, write_tables

from gradus.judgments.logs.engine import open_engine
from gradus.judgments.logs.health import Finding, check_health
from gradus.judgments.logs.read_log import read_impressions
from gradus.settings.evidence import LogSettings


def sound_rows() -> list[dict]:
    """Forty pages of five results about two queries, a page an hour; every second page has a click."""
    return [
        {
            "page": f"p{page}", "session": f"s{page // 2}", "query": f"q{page % 2}", "document": f"d{place}",
            "position": place, "time": datetime(2026, 1, 1) + timedelta(hours=page), "click": page % 2 == place - 1,
        }
        for page in range(40)
        for place in range(1, 6)
    ]  # fmt: skip


def findings(folder: Path, rows: list[dict], **settings: object) -> dict[str, Finding]:
    log = LogSettings(**settings)
    with open_engine("duckdb", folder, threads=1) as engine:
        staged = write_tables(folder, impressions=pa.Table.from_pylist(rows))
        found = check_health(engine, read_impressions(engine, staged, log), staged, log, NOW)
    return {finding.name: finding for finding in found}


def test_a_sound_log_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, sound_rows()) == {}


FAULTS = {
    "missing impressions": lambda rows: [row for row in rows if row["click"]],
    "holes in pages": lambda rows: [row for row in rows if row["position"] != 3],
    "repeated positions": lambda rows: rows + rows[:10],
    "first rank": lambda rows: [row | {"position": row["position"] - 1} for row in rows],
    "no actions": lambda rows: [row | {"click": False} for row in rows],
    "missing positions": lambda rows: [
        row | {"position": None} if row["page"] == "p3" else row for row in rows
    ],
    "unique queries": lambda rows: [row | {"query": row["page"]} for row in rows],
    "unusable times": lambda rows: [rows[0] | {"time": NOW + timedelta(days=1)}, *rows[1:]],
    "days without rows": lambda rows: [
        row | {"time": row["time"] + timedelta(days=5)} if row["time"].day > 1 else row for row in rows
    ],
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(tmp_path: Path, name: str) -> None:
    found = findings(tmp_path, FAULTS[name](sound_rows()))
    assert name in found
    assert found[name].text
    assert found[name].remedy
    assert name in ("missing impressions", "unusable times") or set(found) <= {name, "holes in pages"}


def test_positions_beyond_the_page(tmp_path: Path) -> None:
    found = findings(tmp_path, sound_rows(), page=3)
    assert set(found) == {"positions beyond the page"}
    assert found["positions beyond the page"].numbers == {"impressions": 40 * 2}


def test_one_session_too_large(tmp_path: Path) -> None:
    rows = [row | {"page": f"{row['page']} {n}", "session": "one"} for n in range(6) for row in sound_rows()]
    assert findings(tmp_path, rows)["one session too large"].numbers == {"impressions": 1200, "of": 1200}


def test_only_times_that_there_are_are_named(tmp_path: Path) -> None:
    rows = sound_rows()
    rows[0] |= {"time": NOW + timedelta(days=1)}
    rows[5:7] = [row | {"time": None} for row in rows[5:7]]
    text = findings(tmp_path, rows)["unusable times"].text
    assert text == "impressions whose time cannot be used are rejected: 2 without one, 1 in the future"


def test_the_worst_comes_first(tmp_path: Path) -> None:
    found = findings(tmp_path, [row for row in sound_rows() if row["click"]], page=1)
    order = ["error", "warning", "note"]
    ranks = [order.index(finding.severity) for finding in found.values()]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 3
