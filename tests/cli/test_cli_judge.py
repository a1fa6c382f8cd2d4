"""`gradus judge` and `gradus study` on a small shop: from a simulated log to judgments, audit and a model."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from gradus.cli.main import app

pytest.importorskip("ibis", reason="needs the logs extra")

KINDS = ("bolt", "nut", "washer", "flange", "pin", "gear")
SIZES = ("m4", "m6", "m8", "m10")
TITLES = [f"{size} {kind}" for kind in KINDS for size in SIZES]
SETTINGS = """
[catalog]
path = "catalog.csv"
[catalog.fields]
title = { type = "text" }
[log]
path = "clicks/log.parquet"
format = "flat"
[encoder]
dimensions = 16
vocabulary = 256
[training]
epochs = 2
batch = 8
device = "cpu"
precision = "float32"
[hierarchy]
separator = "/"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """24 documents, judged for 24 queries: 1 for the document meant, ½ for those of its kind, 0 for the rest."""
    (tmp_path / "gradus.toml").write_text(SETTINGS)
    lines = [f"d{row},{title},parts/{title.split()[1]}" for row, title in enumerate(TITLES)]
    (tmp_path / "catalog.csv").write_text("\n".join(["doc_id,title,path", *lines]) + "\n")
    with (tmp_path / "judgments.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["query_id", "query", "doc_id", "score"])
        for q, query in enumerate(TITLES):
            for d in range(len(TITLES)):
                score = 1.0 if q == d else 0.5 if q // 4 == d // 4 else 0.0
                writer.writerow([f"q{q}", f"{query.upper()} ", f"d{d}", score])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def ok(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def simulated(*more: str) -> None:
    ok(
        "simulate",
        "clicks",
        "--layout",
        "flat",
        "--impressions",
        "40000",
        "--epochs",
        "5",
        "--swaps",
        "0.3",
        *more,
    )


def judged(*more: str) -> dict[str, Any]:
    return dict(json.loads(ok("judge", "--json", *more)))


def truth() -> dict[tuple[str, str], float]:
    rows = pq.read_table("clicks/truth.parquet").to_pylist()
    return {(row["query"].strip().lower(), row["document"]): row["attraction"] for row in rows}


def test_a_log_becomes_judgments_near_the_truth(shop: Path) -> None:
    simulated()
    said = judged()
    rows = pq.read_table("judged/judgments.parquet").to_pylist()
    true = np.array([truth()[row["query"], row["doc_id"]] for row in rows])
    score, low, high = (np.array([row[name] for row in rows]) for name in ("score", "low", "high"))
    assert np.corrcoef(score, true)[0, 1] > 0.9
    assert ((low <= true) & (true <= high)).mean() > 0.75
    assert sum(row["evidence_log"] for row in rows) == 40_000
    assert set(said["files"]) == {"judgments", "audit", "page", "curve"}
    assert all(Path(path).exists() for path in said["files"].values())
    curve = list(csv.DictReader(Path("judged/position_curve.csv").read_text().splitlines()))
    for row in curve[:5]:
        assert float(row["low"]) * 0.9 <= 1 / int(row["position"]) <= float(row["high"]) * 1.1
    assert [path.name for path in Path("judged").iterdir() if path.name.startswith(".")] == []


def test_the_judgments_train_a_model(shop: Path) -> None:
    simulated()
    judged()
    summary = json.loads(
        ok("train", "--out", "model", "--judgments.path", "judged/judgments.parquet", "--json")
    )
    assert summary["epochs"] == 2


def test_what_is_printed_reconciles_and_leads_on(shop: Path) -> None:
    simulated("--duplicates", "0.05", "--clock-jumps", "0.01", "--robots", "0.02")
    said = " ".join(ok("judge").split())
    assert " rows read = " in said
    assert "gradus train" in said
    audit = json.loads(Path("judged/audit.json").read_text())
    log = audit["log"]
    filtered, rejected = (sum(log[name].values()) for name in ("filtered", "rejected"))
    assert log["read"] == log["used"] + filtered + rejected
    assert filtered > 0


def test_a_log_whose_documents_sit_still_is_refused_with_advice(shop: Path) -> None:
    ok("simulate", "clicks", "--layout", "flat", "--impressions", "20000")
    result = run("judge")
    assert result.exit_code == 2
    assert "no pair was shown at two positions" in result.stderr
    assert "random order" in result.stderr
    assert not Path("judged/judgments.parquet").exists()
    assert judged("--clicks.estimator", "cascade")["coverage"]["pairs"] > 0


def test_no_evidence_is_an_error_that_names_the_keys(shop: Path) -> None:
    result = run("judge", "--log.path", "")
    assert result.exit_code == 2
    assert "log.path" in result.stderr
    assert "--inspect" in result.stderr


def test_inspect_needs_no_settings_and_its_section_is_read_back(shop: Path) -> None:
    simulated()
    section = ok("judge", "--inspect", "clicks/log.parquet")
    Path("gradus.toml").rename("old.toml")
    assert ok("judge", "--inspect", "clicks/log.parquet") == section
    own = SETTINGS.replace('[log]\npath = "clicks/log.parquet"\nformat = "flat"\n', "")
    Path("gradus.toml").write_text(own + section)
    assert judged()["coverage"]["pairs"] > 100


def test_grades_and_categories_join_the_log(shop: Path) -> None:
    simulated()
    alone = judged()
    with Path("grades.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["query", "doc_id", "grade", "rater"])
        for q in range(24):
            for d in range(24):
                for rater in "abc":
                    writer.writerow(
                        [TITLES[q], f"d{d}", 2 if q == d else 1 if q // 4 == d // 4 else 0, rater]
                    )
    both = judged("--grades.path", "grades.csv", "--hierarchy.document", "path")
    assert both["coverage"]["pairs"] > alone["coverage"]["pairs"]
    rows = pq.read_table("judged/judgments.parquet").to_pylist()
    assert {"grades+log+hierarchy", "grades+hierarchy"} & {row["source"] for row in rows}


def test_a_study_prints_a_table_in_which_too_small_a_log_is_refused(shop: Path) -> None:
    said = ok("study", "noise", "--impressions", "400", "--impressions", "90000", "--estimator", "auto")
    assert "perfect" in said
    assert "refused" in said
    assert "%)" in said


def test_a_study_says_what_survives(shop: Path) -> None:
    said = json.loads(
        ok(
            "study",
            "noise",
            "--impressions",
            "100000",
            "--impressions",
            "300000",
            "--estimator",
            "auto",
            "--json",
        )
    )
    names = [(point["estimator"], point["impressions"]) for point in said["points"]]
    logs = [(name, size) for size in (100_000, 300_000) for name in ("constant", "auto")]
    assert names == [("perfect", 0), *logs]
    pairs = [point["pairs"] for point in said["points"]]
    assert pairs[1] <= pairs[2] <= pairs[4] <= pairs[0]  # clicked ≤ shown ≤ shown by a greater log ≤ all
    assert all(point["means"] for point in said["points"])
    assert Path("study/noise.svg").read_text().startswith("<?xml")
    assert json.loads(Path("study/noise.json").read_text()) == said
