"""A proof of concept of a small shop: who stands against whom, what is decided, and what is not done twice."""

import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
from test_bench import make
from tiny_shop import answer, failure, output

pytest.importorskip("lightgbm")

from gradus.catalog.table import Table
from gradus.errors import EvaluationError, LogError, SettingsError
from gradus.evaluation.bootstrap import Interval
from gradus.evaluation.results import CellResult, Evaluation
from gradus.evaluation.runs import Run
from gradus.insight.bench import Bench, Costs, PipelineResult
from gradus.insight.cadence import Plan, Refresh
from gradus.insight.cadence_result import Age, Cadence
from gradus.insight.latency import Latency
from gradus.insight.verdict import Pipeline, Verdict, decide
from gradus.settings import DecisionSettings, Settings, SlaSettings, read_settings
from gradus.settings.pipelines import PipelineSettings
from gradus.workflow import poc as module
from gradus.workflow.poc import Asked, prove
from gradus.workflow.poc_decision import Sides, contest, give_verdict, measured_costs, values_by_query

FIRST, GRADED = PipelineSettings("first", "a"), PipelineSettings("graded", "b")
SHALLOW = PipelineSettings("graded + 20", "b", "lambdamart", 20)
DEEP, DEEP_TOO = (PipelineSettings(f"{first} + 100", first, "lambdamart", 100) for first in "ab")

NOTHING = Interval(0.0, 0.0, 0.0, 9)
CADENCE = Cadence(
    metric="nDCG@10", window_days=7, history=1, windows=3, start="2026-01-05", measured_on=("2026-01-19",),
    trainings=2, fresh=NOTHING, ages=(Age(1, NOTHING),), unmeasured=(), per_window=NOTHING, allowed=0.02,
    refreshes=(Refresh("full", NOTHING, 1.0, 24),), plans=(Plan("full", 1, 1, NOTHING, 1.0, 24.0),),
)  # fmt: skip


def test_the_deepest_is_in_use_and_the_last_of_each_depth_stands_against_it() -> None:
    everyone = [FIRST, DEEP, GRADED, SHALLOW, DEEP_TOO]
    assert contest(everyone) == (DEEP, [GRADED, SHALLOW])
    assert contest(everyone, DEEP_TOO.name, [FIRST.name]) == (DEEP_TOO, [FIRST])
    assert contest(everyone, SHALLOW.name) == (SHALLOW, [GRADED])
    assert contest([FIRST, GRADED]) is None
    assert contest([DEEP, SHALLOW]) is None


def test_names_that_make_no_decision_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"no pipeline 'grated'; the file has first, graded"):
        contest([FIRST, GRADED, DEEP], "grated")
    for in_use, candidates in (("first", []), ("a + 100", ["graded + 20"])):
        with pytest.raises(SettingsError, match="nothing stands against"):
            contest([FIRST, GRADED, SHALLOW, DEEP], in_use, candidates)
    # None that was named is left out without a word.
    for idle in (DEEP_TOO.name, GRADED.name):
        with pytest.raises(SettingsError, match=f"'{re.escape(idle)}' cannot be a candidate"):
            contest([FIRST, GRADED, DEEP, DEEP_TOO], DEEP.name, [idle, FIRST.name])
    assert contest([FIRST, DEEP], DEEP.name, [FIRST.name, FIRST.name]) == (DEEP, [FIRST])


def measured(name: str, cells: dict[str, dict[str, float]]) -> Evaluation:
    return Evaluation(
        name,
        {
            cell: CellResult(
                9, list(values), {"nDCG@10": np.array(list(values.values()))}, Run(name, [], [], [])
            )
            for cell, values in cells.items()
        },
    )


def result(
    name: str, declaration: dict[str, object], per_core: float | None, **costs: float | None
) -> PipelineResult:
    times = None
    if per_core is not None:
        times = Latency(9, 1.0, 1.0, 77.0, 1.0, 1.0, per_core, 4, 1.0, 1.0, 1.0, 1.0)
    return PipelineResult(name, name, name, declaration, {}, (), Costs(**costs), latency=times)


def bench_of(*results: PipelineResult) -> Bench:
    return Bench({}, {}, {}, ("nDCG@10",), 0, {}, None, results)


def test_a_query_of_two_cells_counts_once_and_cells_are_segments() -> None:
    rng = np.random.default_rng(0)
    ids = [f"q{n}" for n in range(150)]
    used = rng.uniform(0.5, 1, 150)
    noise = rng.normal(0, 0.01, 150)
    # Planted: nothing is lost on known documents, a fifth on new ones, where not all queries are asked.
    known, new = used + noise, (0.8 * used + noise)[:120]
    of_known, of_new = (dict(zip(ids, values.tolist(), strict=False)) for values in (known, new))
    theirs = dict(zip(ids, used.tolist(), strict=True))
    evaluations = {
        DEEP.name: measured(
            DEEP.name, {"in-domain": theirs, "novel-document": {name: theirs[name] for name in of_new}}
        ),
        GRADED.name: measured(GRADED.name, {"in-domain": of_known, "novel-document": of_new}),
    }
    labels = np.array([None if n < 30 else "red" if n % 2 else "blue" for n in range(200)], object)
    bench = bench_of(result(DEEP.name, {}, 10.0), result(GRADED.name, {}, None))
    queries = Table([f"q{n}" for n in range(200)], (), {})
    asked = (DEEP, [GRADED]), evaluations, bench, {"colour": labels}, queries
    verdict = give_verdict(*asked, DecisionSettings(margin=0.05), SlaSettings(p95_ms=50))
    assert verdict.overall.queries == 150
    both = np.r_[(known[:120] + new) / 2, known[120:]]
    expected = both.mean() / used.mean() - 1
    assert verdict.overall.alone.result.relative == pytest.approx(expected)
    assert verdict.overall.action == "keep"
    found = {answer.segment: (answer.kind, answer.queries, answer.action) for answer in verdict.segments}
    assert found["in-domain"] == ("split", 150, "drop")
    assert found["novel-document"] == ("split", 120, "keep")
    assert {found[name][1] for name in ("red", "blue")} == {60}
    assert verdict.reference.p95_ms == 77
    assert verdict.reference_meets_sla is False
    assert verdict.overall.alone.p95_ms is None
    theirs_alone = {GRADED.name: measured(GRADED.name, {"zero-shot": theirs})}
    with pytest.raises(EvaluationError, match="not measured on any split in common"):
        give_verdict(asked[0], evaluations | theirs_alone, *asked[2:], DecisionSettings(), SlaSettings())


def test_a_query_counts_with_the_values_that_it_has() -> None:
    first, second = {"a": 0.2, "b": math.nan, "c": 0.6}, {"c": 0.8, "b": 0.5, "d": math.nan}
    ids, values = values_by_query(measured("x", {"in-domain": first, "novel-document": second}))
    assert ids == ["a", "b", "c", "d"]
    assert values["nDCG@10"].tolist() == pytest.approx([0.2, 0.5, (0.6 + 0.8) / 2, math.nan], nan_ok=True)


def test_measured_costs_are_arithmetic() -> None:
    declared = {"first": {"a": {"kind": "model"}}}
    in_use = result(
        "deep", {"name": "deep", "reranker": "lambdamart", "depth": 100, **declared}, 50.0,
        training_seconds=7200.0, embedding_seconds=360.0, fitting_seconds=1800.0,
    )  # fmt: skip
    first = result("plain", {"name": "plain", **declared}, 200.0)
    alone = result("graded", {"name": "graded", "first": {"b": {}}}, 100.0, training_seconds=3600.0)
    found = measured_costs(bench_of(first, in_use, alone), in_use, alone)
    # Four cores; a virtual one may be half a core.
    assert (found["one_throughput"].value, found["one_throughput"].low) == (400, 200)
    assert found["two_throughput"].value == 800
    # 1 / (1 / 50 − 1 / 200) = 66.7 queries a second of a core that only re-ranks.
    assert found["rerank_throughput"].value == pytest.approx(4 * 200 / 3)
    hours = {name: figure.value for name, figure in found.items() if name.endswith("hours")}
    assert hours == {
        "one_training_hours": 1, "one_embedding_hours": 0, "two_training_hours": 2,
        "two_embedding_hours": 0.1, "rerank_training_hours": 0.5,
    }  # fmt: skip
    # What a given run took is not known, and no zero.
    theirs = result("theirs", {}, None, training_seconds=None, embedding_seconds=None)
    assert (
        not {"one_training_hours", "one_embedding_hours"}
        & measured_costs(bench_of(in_use, theirs), in_use, theirs).keys()
    )
    # One that re-ranks fewer documents has a first stage of its own.
    declared = {"first": {"b": {}}}
    fewer = result(
        "graded + 20", {"name": "graded + 20", "reranker": "lambdamart", "depth": 20, **declared}, 80.0,
        training_seconds=3600.0, fitting_seconds=900.0,
    )  # fmt: skip
    more = measured_costs(bench_of(first, in_use, alone, fewer), in_use, alone, fewer)
    assert {name: more[name] for name in found} == found
    assert more["fewer_first_throughput"].value == 400
    # 1 / (1 / 80 − 1 / 100) = 400 queries a second of a core that re-ranks 20 documents.
    assert more["fewer_rerank_throughput"].value == pytest.approx(1600)
    assert more["fewer_first_training_hours"].value == 1
    assert more["fewer_rerank_training_hours"].value == 0.25
    # Without the first stage alone, the re-ranker's share cannot be told.
    assert "rerank_throughput" not in measured_costs(bench_of(in_use, alone), in_use, alone)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(tmp_path_factory.mktemp("proved"))
    rows = [
        "query_id,sales",
        *(f"q-{c}-bolt,{n}" for n, c in enumerate(["red", "blue", "green", "black", "white"])),
    ]
    (folder / "kpi.csv").write_text("\n".join(rows) + "\n")
    prove(folder / "pipelines.toml", folder / "poc", Asked(kpi=folder / "kpi.csv"))
    return folder


def test_everything_is_written(shop: Path) -> None:
    out = shop / "poc"
    found = json.loads((out / "report.json").read_text("utf-8"))
    assert found["verdict"]["reference"]["name"] == "Plain + LambdaMART@10"
    # Of the first stages alone, the last one of the file.
    assert [each["name"] for each in found["verdict"]["overall"]["findings"]] == ["Both"]
    assert {link["kpi"] for link in found["links"]} == {"sales"}
    sources = {name: entry["source"] for name, entry in found["money"]["inputs"].items()}
    # What it took to make the run that is part of "Both", nobody knows.
    assert sources["one_training_hours"] == "default: assumed, not measured"
    assert sources["two_training_hours"] == sources["two_embedding_hours"] == "measured"
    assert {gap["part"] for gap in found["gaps"]} == {"cadence", "evidence", "noise"}
    assert (out / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert (out / "cost.xlsx").exists() or (out / "cost.csv").exists()
    assert (out / "summary.png").read_bytes().startswith(b"\x89PNG")
    for path, digest in found["files"].items():
        assert re.fullmatch("[0-9a-f]{64}", digest)
        assert Path(path).is_file()
    assert {"pipelines.toml", "gradus.toml", "judgments.csv", "results.json", "theirs.trec", "kpi.csv"} <= {
        Path(path).name for path in found["files"]
    }


def test_features_of_the_reranker_all_have_a_kind(shop: Path) -> None:
    page = (shop / "poc" / "report.html").read_text("utf-8")
    assert "similarity of the vectors" in page
    assert '<div class="who">others</div>' not in page


def test_what_is_finished_is_not_measured_again(shop: Path) -> None:
    files = [*shop.glob("poc/bench/*/pipeline.json"), *shop.glob("runs/**/model.safetensors")]
    assert len(files) == 6
    before = {path: path.stat().st_mtime_ns for path in files}
    reports = []
    for _ in range(2):
        prove(shop / "pipelines.toml", shop / "poc", Asked(kpi=shop / "kpi.csv"))
        reports.append((shop / "poc" / "report.json").read_bytes())
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert reports[0] == reports[1]


def test_the_command_speaks_either_language(shop: Path) -> None:
    arguments = ("poc", str(shop / "pipelines.toml"), "--out", str(shop / "poc"))
    assert "クエリ" in output(*arguments, "--lang", "ja", "--title", "部品")
    report = json.loads((shop / "poc" / "report.json").read_text("utf-8"))
    assert "--lang ja --title '部品'" in report["commands"][0]
    page = (shop / "poc" / "report.html").read_text("utf-8")
    assert '<html lang="ja">' in page
    assert "部品 · Gradus</title>" in page
    found = answer(*arguments, "--candidate", "Plain")
    assert found["verdict"]["overall"]["findings"][0]["name"] == "Plain"
    assert "--candidate Plain" in found["commands"][0]
    assert "--lang" not in found["commands"][0]


def test_mistakes_are_found_before_anything_is_measured(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "poc"
    arguments = ("poc", str(shop / "pipelines.toml"), "--out", str(out))
    assert "no pipeline 'Nobody'" in failure(*arguments, "--in-use", "Nobody")
    assert "kpi.csv" in failure(*arguments, "--kpi", str(tmp_path / "kpi.csv"))
    assert "cadence.json" in failure(*arguments, "--cadence", str(tmp_path))
    assert "noise.json holds no study" in failure(*arguments, "--study", str(tmp_path))
    settings = (shop / "gradus.toml").read_text("utf-8")
    for name, text in (
        ("MAP", "decision.metric is 'MAP'"),
        ("nDCG@10", "cost.low.price is the range of nothing"),
    ):
        ranges = "[cost.low]\nprice = 1" if name == "nDCG@10" else ""
        (shop / "other.toml").write_text(f'{settings}\n[decision]\nmetric = "{name}"\n{ranges}\n', "utf-8")
        file = shop / "other-pipelines.toml"
        file.write_text('settings = "other.toml"\n' + (shop / "pipelines.toml").read_text("utf-8"), "utf-8")
        assert text in failure("poc", str(file), "--out", str(out))
    assert not out.exists()


def test_a_back_test_runs_once_and_its_refusal_is_no_failure(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = shop / "gradus.toml"
    text = settings.read_text("utf-8")
    (shop / "log.csv").write_text("query,doc_id\n")
    settings.write_text(text + '\n[log]\npath = "log.csv"\n', encoding="utf-8")
    asked: list[Path] = []

    def refuse(settings: Settings, out: Path, **_: object) -> None:
        asked.append(out)
        raise LogError("the log is too short")

    try:
        monkeypatch.setattr(module, "backtest", refuse)
        written = prove(shop / "pipelines.toml", shop / "poc")
        assert ("cadence", "the log is too short") in [(gap.part, gap.reason) for gap in written.poc.gaps]
        monkeypatch.setattr(module, "backtest", lambda _settings, out, **_: asked.append(out) or CADENCE)
        for _ in range(2):
            written = prove(shop / "pipelines.toml", shop / "poc")
            assert written.poc.cadence == CADENCE
        assert asked == [shop / "poc" / "cadence"] * 2
        # Another log is another back-test.
        (shop / "log.csv").write_text("query,doc_id\nred,red-bolt\n")
        prove(shop / "pipelines.toml", shop / "poc")
        assert len(asked) == 3
        # So is another catalogue; one that was only touched is taken for another.
        catalog = read_settings(shop).resolve(read_settings(shop).catalog.path)
        os.utime(catalog)
        prove(shop / "pipelines.toml", shop / "poc")
        assert len(asked) == 4
    finally:
        settings.write_text(text, encoding="utf-8")


def test_a_verdict_that_cannot_be_given_is_a_gap(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise EvaluationError("no split in common")

    monkeypatch.setattr(module, "give_verdict", refuse)
    poc = prove(shop / "pipelines.toml", shop / "poc", Asked(kpi=shop / "kpi.csv")).poc
    gaps = {gap.part: gap.reason for gap in poc.gaps}
    assert gaps["verdict"] == "no split in common"
    assert {"cost", "examples", "kpi"} <= gaps.keys()


def test_without_a_font_for_japanese_there_is_no_sheet_and_a_gap(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: ["DejaVu Sans"])
    written = prove(shop / "pipelines.toml", shop / "poc", language="ja")
    assert "summary.png" not in [path.name for path in written.files]
    assert "fonts-noto-cjk" in {gap.part: gap.reason for gap in written.poc.gaps}["summary"]


def test_a_verdict_for_fewer_documents_is_what_is_counted(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fewer(sides: Sides, *_: object) -> Verdict:
        used = np.random.default_rng(0).uniform(0.5, 1, 150)
        in_use, (alone, *_) = sides
        candidates = [Pipeline(alone.name, 0, 0.5 * used), Pipeline(alone.name, 5, used)]
        return decide(candidates, Pipeline(in_use.name, 10, used), DecisionSettings(), SlaSettings())

    monkeypatch.setattr(module, "give_verdict", fewer)
    money = prove(shop / "pipelines.toml", shop / "poc").poc.money
    assert money is not None
    assert money.inputs["fewer_rerank_training_hours"].source == "measured"
    assert {"fewer_saving", "fewer_payback"} <= money.values.keys() & money.spreads.keys()
    assert "fewer_switch_hours" in [bar.name for bar in money.bars]
