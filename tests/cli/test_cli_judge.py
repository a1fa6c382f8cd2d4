"""`gradus judge` and `gradus study` on a small shop: from a simulated log to judgments, audit and a model."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from gradus.cli.main import app
from gradus.workflow.noise_study import NoiseStudy, Point

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
    assert "rows read =" in result.stderr
    assert not Path("judged/judgments.parquet").exists()
    assert judged("--clicks.estimator", "cascade")["coverage"]["pairs"] > 0


def test_a_pipeline_is_asked_about_pairs_with_few_clicks(shop: Path) -> None:
    ok("simulate", "clicks", "--layout", "flat", "--impressions", "3000", "--epochs", "5", "--swaps", "0.3")
    listed = []
    for q, query in enumerate(TITLES):
        best = sorted(range(len(TITLES)), key=lambda d: (d != q, d // 4 != q // 4, d))
        listed += [
            {"query_id": query.upper(), "doc_id": f"d{d}", "rank": rank, "score": float(-rank)}
            for rank, d in enumerate(best, 1)
        ]
    pq.write_table(pa.Table.from_pylist(listed), "own.parquet")
    near = {}
    for name, more in {"alone": (), "asked": ("--clicks.run", "own.parquet")}.items():
        said = judged("--clicks.estimator", "pbm", *more)
        rows = pq.read_table("judged/judgments.parquet").to_pylist()
        true = [truth()[row["query"], row["doc_id"]] for row in rows]
        near[name] = float(np.corrcoef([row["score"] for row in rows], true)[0, 1])
        assert said["hinted"] == (1.0 if more else None)
    assert near["asked"] > near["alone"] + 0.02
    assert "clicks.run lists 100 % of the pairs" in ok(
        "judge", "--clicks.estimator", "pbm", "--clicks.run", "own.parquet"
    )
    assert "Pairs of the log that the run of clicks.run lists" in Path("judged/audit.html").read_text()
    result = run("judge", "--clicks.estimator", "pbm", "--clicks.run", "none.parquet")
    assert result.exit_code == 2
    assert "none.parquet: no such run file" in result.stderr


def test_a_refusal_says_what_the_checks_found(shop: Path) -> None:
    ok("simulate", "clicks", "--layout", "flat", "--impressions", "20000")
    log = pq.read_table("clicks/log.parquet")
    acted = [name for name in log.column_names if name in ("click", "cart", "purchase")]
    nothing = log.set_column(log.column_names.index(acted[0]), acted[0], [[False] * len(log)])
    pq.write_table(nothing, "clicks/log.parquet")
    result = run("judge")
    assert result.exit_code == 2
    assert "error: nothing that was shown was acted on; name the column of clicks" in result.stderr


def test_documents_that_the_catalogue_lacks_are_named_and_not_counted(shop: Path) -> None:
    simulated()
    whole = judged()
    lines = Path("catalog.csv").read_text().splitlines()
    Path("catalog.csv").write_text(
        "\n".join([lines[0], *(f"D{line[1:]}" for line in lines[1:7]), *lines[7:]])
    )
    coverage = judged()["coverage"]
    rows = pq.read_table("judged/judgments.parquet").num_rows
    assert coverage["pairs"] == rows
    assert coverage["pairs"] + coverage["left_out"] == whole["coverage"]["pairs"]
    assert (coverage["documents"], coverage["share"]) == (18, 18 / 24)
    said = " ".join(ok("judge").split())
    assert (
        f"{coverage['left_out']:,} pairs left out: their document is not known here (6 of them, such as"
        in said
    )
    assert "where ids are such as 'D0'); if they should be, check catalog.id" in said


def test_the_path_to_set_is_as_the_settings_file_sees_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated()
    monkeypatch.chdir(shop.parent)
    settings = f"{shop.name}/gradus.toml"
    said = " ".join(ok("judge", "--settings", settings, "--out", "elsewhere").split())
    assert 'judgments.path = "../elsewhere/judgments.parquet"' in said


def test_the_audit_says_what_business_scores_did(shop: Path) -> None:
    simulated()
    plain = judged()
    assert plain["business"] is None
    before = pq.read_table("judged/judgments.parquet")["score"].to_numpy()
    rows = "\n".join(f"d{row},{row},7" for row in range(22))  # nothing is known of the last two
    Path("business.csv").write_text(f"doc_id,margin,stock\n{rows}\n")
    with Path("gradus.toml").open("a") as file:
        file.write('[business]\npath = "business.csv"\ncolumns = { margin = 3, stock = 1 }\ncap = 0.1\n')
    found = judged()["business"]
    moved = np.abs(pq.read_table("judged/judgments.parquet")["score"].to_numpy() - before)
    assert len(moved) > found["moved"] == (moved > 0).sum() > 0
    assert found["mean"] == pytest.approx(moved[moved > 0].mean())
    assert found["most"] == pytest.approx(moved.max())
    assert found["most"] <= found["cap"] == 0.1
    assert (found["columns"], found["constant"]) == ({"margin": 3, "stock": 1}, ["stock"])
    page = Path("judged/audit.html").read_text()
    assert "By margin, stock. All numbers of stock are the same and move nothing." in page


def test_files_of_a_log_that_are_not_read_are_named(shop: Path) -> None:
    simulated()
    Path("days").mkdir()
    Path("clicks/log.parquet").rename("days/1.parquet")
    for number in range(7):
        Path(f"days/{number}.csv.bz2").write_bytes(b"BZh9")
    said = " ".join(ok("judge", "--log.path", "days").split())
    assert (
        "warning: files of the log's impressions are of no known format and were not read: 0.csv.bz2, 1.csv.bz2, "
        "2.csv.bz2, 3.csv.bz2, 4.csv.bz2, and 2 more; unpack them"
    ) in said
    Path("clicks/log.csv").write_text("query,document,position,click,click\nbolt,d1,1,0,1\n")
    result = run("judge", "--log.path", "clicks/log.csv")
    assert result.exit_code == 2
    assert "clicks/log.csv: the header names 'click' more than once; rename the columns" in result.stderr


def test_a_file_is_no_folder_for_results(shop: Path) -> None:
    simulated()
    Path("out").write_text("mine")
    result = run("judge", "--out", "out")
    assert result.exit_code == 2
    assert "out is a file; results go into a folder" in result.stderr
    assert Path("out").read_text() == "mine"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "name the column of category paths of the queries' file in hierarchy.query"),
        (("--hierarchy.separator", ""), "hierarchy.separator is empty"),
    ],
)
def test_a_hierarchy_that_judges_nothing_says_why(shop: Path, more: tuple[str, ...], told: str) -> None:
    result = run("judge", "--log.path", "", "--hierarchy.document", "path", *more)
    assert result.exit_code == 2
    assert told in result.stderr


def test_categories_of_queries_that_no_document_shares_are_an_error(shop: Path) -> None:
    Path("queries.csv").write_text("query_id,query,path\nq1,bolts,parts > bolt\n")
    query = ("--query.path", "queries.csv", "--hierarchy.query", "path", "--hierarchy.document", "path")
    result = run("judge", "--log.path", "", *query)
    assert result.exit_code == 2
    assert (
        "queries have categories such as 'parts > bolt' and documents such as 'parts / bolt'" in result.stderr
    )


@pytest.mark.parametrize(("flag", "value"), [("--drift", "nan"), ("--days", "1000000000"), ("--zipf", "inf")])
def test_a_simulation_out_of_bounds_is_refused(shop: Path, flag: str, value: str) -> None:
    result = run("simulate", "clicks", flag, value)
    assert result.exit_code == 2
    assert not Path("clicks").exists()


def test_a_study_of_given_propensities_needs_them_before_it_trains(shop: Path) -> None:
    result = run("study", "noise", "--estimator", "ips")
    assert result.exit_code == 2
    assert "clicks.propensities" in result.stderr
    assert not Path("study").exists()


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
    with Path("grades.csv").open("a", newline="") as file:
        csv.writer(file).writerows(
            [["m4 bolt", "d30", grade, rater] for grade, rater in ((0, "a"), (2, "b"))]
        )
    both = judged("--grades.path", "grades.csv", "--hierarchy.document", "path")
    [header, differing] = csv.reader(Path("judged/disagreements.csv").read_text().splitlines())
    assert header == ["query", "doc_id", "a", "b", "c", "difference", "score", "low", "high"]
    assert differing[:5] == ["m4 bolt", "d30", "0", "2", ""]
    assert both["coverage"]["pairs"] > alone["coverage"]["pairs"]
    rows = pq.read_table("judged/judgments.parquet").to_pylist()
    assert {"grades+log+hierarchy", "grades+hierarchy"} & {row["source"] for row in rows}


def test_a_study_prints_a_table_in_which_too_small_a_log_is_refused(shop: Path) -> None:
    said = ok("study", "noise", "--impressions", "400", "--impressions", "90000", "--estimator", "auto")
    assert "perfect" in said
    assert "refused" in said


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


def test_dirt_costs_a_study(shop: Path) -> None:
    def means(*dirt: str) -> dict[str, float]:
        said = json.loads(
            ok("study", "noise", "--impressions", "100000", "--estimator", "auto", "--json", *dirt)
        )
        [point] = [point for point in said["points"] if point["estimator"] == "auto"]
        return dict(point["means"])

    clean = means()
    Path("study").rename("clean")
    assert means("--robots", "0.4", "--trust", "0.5", "--abandoned", "0.3") != clean


def test_of_next_to_no_gain_no_share_survives() -> None:
    ceiling, floor = (
        Point("perfect", 0, 9, {"a": 0.9, "b": 0.905}),
        Point("constant", 100, 9, {"a": 0.8, "b": 0.9}),
    )
    auto = Point("auto", 100, 9, {"a": 0.875, "b": 0.91})
    survives = NoiseStudy("nDCG@10", (ceiling, floor, auto)).survival(auto)
    assert survives["a"] == pytest.approx((0.875 - 0.8) / (0.9 - 0.8))
    assert np.isnan(survives["b"])  # (0.91 − 0.9) / (0.905 − 0.9) would be 200 %
