"""A bench of a small shop: what it measures, what it keeps, and how it goes on."""

import json
import shutil
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_shop import PARTS, answer, failure, make_shop, output, read, write

pytest.importorskip("lightgbm")

from gradus.evaluation.bootstrap import Interval
from gradus.evaluation.results import read_evaluation
from gradus.insight.bench import CellSummary, read_bench
from gradus.settings import read_settings
from gradus.workflow import bench as bench_module
from gradus.workflow import bench_models
from gradus.workflow.bench import all_metrics, bench
from gradus.workflow.evaluation import evaluate

FILE = """
seed = 1
[latency]
queries = 12
clients = 2
[first.bm25]
kind = "bm25"
[first.plain]
kind = "model"
model = "runs/plain"
with = { "objective.name" = "info-nce", "objective.weight" = "constant", "training.epochs" = 1 }
[first.theirs]
kind = "run"
run = "theirs.trec"
[first.hybrid]
kind = "fusion"
of = ["bm25", "plain"]
method = "weighted"
[first.both]
kind = "fusion"
of = ["hybrid", "theirs"]
[[pipeline]]
name = "Plain"
first = "plain"
[[pipeline]]
name = "Hybrid"
first = "hybrid"
[[pipeline]]
name = "Plain + LambdaMART@10"
first = "plain"
reranker = "lambdamart"
depth = 10
[[pipeline]]
name = "Theirs"
first = "theirs"
[[pipeline]]
name = "Both"
first = "both"
"""
FOLDERS = ["plain", "hybrid", "plain-lambdamart-10", "theirs", "both"]


def make(folder: Path) -> Path:
    """The shop, with evidence counts, and a run that knows the judgments."""
    make_shop(folder)
    rows = read(folder / "judgments.csv")
    for row in rows:
        row["evidence"] = "30" if row["query_id"].startswith("q-red") else "1"
    write(folder / "judgments.csv", rows)
    lines = [f"{r['query_id']} Q0 {r['doc_id']} 1 {r['score']} theirs" for r in rows if float(r["score"]) > 0]
    (folder / "theirs.trec").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "pipelines.toml").write_text(FILE)
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(tmp_path_factory.mktemp("benched"))
    bench(folder / "pipelines.toml", folder / "out")
    return folder


@pytest.fixture
def copy(shop: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop, tmp_path / "copy"))


def made(folder: Path) -> dict[str, int]:
    """When each pipeline was measured."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("out/*/pipeline.json")}


def test_quality_is_that_of_each_system(shop: Path) -> None:
    found = read_bench(shop / "out")
    assert [result.folder for result in found.pipelines] == FOLDERS
    plain, _, reranked, theirs, _ = found.pipelines
    alone = evaluate(read_settings(shop), shop / "runs/plain")
    for cell, result in alone.cells.items():
        assert plain.cells[cell].metrics["nDCG@10"] == result.intervals["nDCG@10"]
        # The run lists what is judged above 0, best first.
        assert theirs.cells[cell].metrics["nDCG@10"].mean == 1
        assert theirs.cells[cell].metrics["Judged@10"].mean == 1
    assert (
        reranked.cells["in-domain"].metrics["nDCG@10"].mean > plain.cells["in-domain"].metrics["nDCG@10"].mean
    )
    assert found.metrics == (
        *("nDCG@10", "ERR(max=4)@10", "RBP(p=0.9)", "R@10", "Judged@10", "Judged@100"),
        *("condensed nDCG@10", "condensed ERR(max=4)@10", "condensed RBP(p=0.9)", "condensed R@10"),
    )


def test_values_per_query_and_runs_lie_beside(shop: Path) -> None:
    for folder, result in zip(FOLDERS, read_bench(shop / "out").pipelines, strict=True):
        table = pq.read_table(shop / "out" / folder / "evaluation/per_query.parquet")
        assert set(read_bench(shop / "out").metrics) < set(table.column_names)
        for cell, summary in result.cells.items():
            rows = table.to_pylist()
            values = [row["nDCG@10"] for row in rows if row["cell"] == cell]
            assert np.mean(values) == pytest.approx(summary.metrics["nDCG@10"].mean)
    evaluation = read_evaluation(shop / "out/plain-lambdamart-10/evaluation")
    for result in evaluation.cells.values():  # as long as the corpus, though only ten are re-ranked
        assert {len(lists) for lists in result.run.document_ids} == {result.documents}
    compared = answer("compare", str(shop / "out/plain"), str(shop / "out/theirs"), "--settings", str(shop))
    assert {row["system"] for row in compared} == {"Theirs"}


def test_segments_costs_facts_and_times(shop: Path) -> None:
    found = read_bench(shop / "out")
    plain, hybrid, reranked, theirs, both = found.pipelines
    # Four of 24 queries have 30 times the evidence of the others.
    values = {(row.segment, row.value) for row in plain.segments}
    assert {("traffic", "head"), ("traffic", "torso")} <= values
    assert {row.segment for row in plain.segments} == {"traffic"}
    assert plain.segments[0].metrics.keys() == {"nDCG@10", "Judged@10", "condensed nDCG@10"}
    assert plain.costs.index_bytes == 24 * 16 * 4
    assert plain.costs.training_seconds > 0
    assert plain.costs.training_cpu_seconds > 0
    assert theirs.costs.training_seconds is theirs.costs.embedding_seconds is None
    assert both.costs.training_seconds is both.costs.embedding_seconds is None
    assert plain.costs.reranker_bytes == theirs.costs.index_bytes == 0
    assert hybrid.costs.index_bytes > plain.costs.index_bytes
    assert reranked.costs.reranker_bytes > 0
    assert reranked.facts["trees"] in (10, 20, 40, 80, 160, 300, 600, 1000)
    assert sum(reranked.facts["importance"].values()) == pytest.approx(1)
    # Not a letter of a query is in a title: BM25 finds nothing, and validation sees that it adds nothing.
    assert hybrid.facts["weights"].keys() == {"bm25", "plain"}
    assert hybrid.cells == plain.cells
    for result in (theirs, both):
        assert result.latency is None
    for result in (plain, hybrid, reranked):
        assert (result.latency.queries, result.latency.clients) == (12, 2)
        assert 0 < result.latency.p50_ms <= result.latency.p95_ms <= result.latency.p99_ms
    assert found.timing == {"queries": 12, "clients": 2, "documents": 24, "returned": 10}
    assert reranked.declaration["first"]["plain"]["with"]["training.epochs"] == 1


def test_what_is_there_is_kept(copy: Path) -> None:
    before, results = made(copy), (copy / "out/results.json").read_text()
    bench(copy / "pipelines.toml", copy / "out")
    assert made(copy) == before
    assert (copy / "out/results.json").read_text() == results


def test_only_what_changed_is_measured_again(copy: Path) -> None:
    before, results = made(copy), read_bench(copy / "out")
    text = (copy / "pipelines.toml").read_text()
    (copy / "pipelines.toml").write_text(text.replace("depth = 10", "depth = 5"))
    (copy / "theirs.trec").write_text("q-red-bolt Q0 red-nut 1 1 theirs\n")
    found = bench(copy / "pipelines.toml", copy / "out")
    after = made(copy)
    changed = {folder for folder in FOLDERS if before.get(folder) != after[folder]}
    assert changed == {"plain-lambdamart-10", "theirs", "both"}
    # Without a query of a cell, the run says nothing of it; fused with what has some, it does.
    known = {
        cell: 0 < result.metrics["nDCG@10"].mean < 1 for cell, result in found.pipelines[3].cells.items()
    }
    assert len(known) == 2
    assert len(found.pipelines[4].cells) == 4
    # All were asked in turn, so all have new times.
    assert found.pipelines[0].latency != results.pipelines[0].latency
    assert found.pipelines[2].declaration["depth"] == 5


def test_no_times(copy: Path) -> None:
    text = (copy / "pipelines.toml").read_text()
    (copy / "pipelines.toml").write_text(text.replace("queries = 12", "queries = 0"))
    before = made(copy)
    found = bench(copy / "pipelines.toml", copy / "out")
    assert made(copy) == before
    assert {result.latency for result in found.pipelines} == {None}
    assert found.peak_bytes is None


def test_a_stopped_training_goes_on(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: object, resume: bool, **more: object) -> None:
        raise KeyboardInterrupt

    whole = read_bench(copy / "out").pipelines[0]
    for name in ("runs", "out"):
        shutil.rmtree(copy / name)
    with monkeypatch.context() as patch:
        patch.setattr(bench_models, "train", stopped)
        with pytest.raises(KeyboardInterrupt):
            bench(copy / "pipelines.toml", copy / "out")
    # As if it had been killed between the model and its checkpoint.
    (copy / "runs/plain/model").mkdir()
    (copy / "runs/plain/model/config.json").write_text("{}")
    found = bench(copy / "pipelines.toml", copy / "out").pipelines[0]
    assert found.cells == whole.cells
    assert json.loads((copy / "runs/plain/bench.json").read_text())["finished"]


def test_a_model_that_was_trained_elsewhere_is_taken_as_it_is(copy: Path) -> None:
    (copy / "runs/plain/bench.json").unlink()
    shutil.rmtree(copy / "out")
    before = (copy / "runs/plain/model/model.safetensors").stat().st_mtime_ns
    found = bench(copy / "pipelines.toml", copy / "out").pipelines[0]
    assert found.costs.training_seconds is None
    assert (copy / "runs/plain/model/model.safetensors").stat().st_mtime_ns == before


def test_a_model_that_was_trained_otherwise_is_refused(copy: Path) -> None:
    text = (copy / "pipelines.toml").read_text()
    (copy / "pipelines.toml").write_text(text.replace('"training.epochs" = 1', '"training.epochs" = 2'))
    said = failure("bench", str(copy / "pipelines.toml"), "--out", str(copy / "out"))
    assert "runs/plain was trained with other settings" in said


def test_the_command(copy: Path) -> None:
    said = output("bench", str(copy / "pipelines.toml"), "--out", str(copy / "out"))
    quality, times = (line for line in said.splitlines() if line.startswith("Theirs "))
    assert quality.split("  ")[-1].strip() == "1.000 [1.000, 1.000]"
    # Five times of queries, and what training and embedding took.
    assert times.count("–") == 7
    assert f"{copy / 'out/results.json'} written" in said
    found = answer("bench", str(copy / "pipelines.toml"), "--out", str(copy / "out"))
    assert found == json.loads((copy / "out/results.json").read_text())
    (copy / "pipelines.toml").write_text('[first.x]\nkind = "run"\n')
    assert "[first.x]: run needs the key run" in failure("bench", str(copy / "pipelines.toml"))


def test_a_query_alone_is_shown_without_an_interval(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read_bench(shop / "out")
    for values, shown in (((0.5, nan, nan), "0.500"), ((nan, nan, nan), "–")):
        lone = CellSummary(1, 9, {found.metrics[0]: Interval(*values, 1)})
        plain = replace(found.pipelines[0], cells={"in-domain": lone})
        made_up = replace(found, pipelines=(plain,))
        monkeypatch.setattr("gradus.workflow.bench.bench", lambda *_, found=made_up, **__: found)
        row = next(line for line in output("bench", "any.toml").splitlines() if line.startswith("Plain "))
        assert row.split() == ["Plain", shown]


def test_the_encoder_is_timed_where_only_the_reranker_reads_it(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: dict[str, list[int]] = {}
    encode = bench_models.BenchModel.encode

    def counted(self: bench_models.BenchModel, rows: np.ndarray) -> np.ndarray:
        encoded.setdefault(self.folder.name, []).append(len(rows))
        return encode(self, rows)

    monkeypatch.setattr(bench_models.BenchModel, "encode", counted)
    shutil.copytree(copy / "runs/plain", copy / "runs/other")
    text = (copy / "pipelines.toml").read_text().partition("[first.theirs]")[0]
    more = """
[first.other]
kind = "model"
model = "runs/other"
[[pipeline]]
name = "Own"
first = "plain"
reranker = "lambdamart"
[[pipeline]]
name = "Other"
first = "plain"
reranker = "lambdamart"
vectors = "other"
"""
    more = more.replace('"runs/other"', '"runs/other"\n' + text.partition('"runs/plain"\n')[2].strip())
    (copy / "pipelines.toml").write_text(text + more)
    found = bench(copy / "pipelines.toml", copy / "timed")
    # A query of either pipeline is encoded once by the first stage; of the second, once more.
    assert len(encoded["plain"]) == 2 * len(encoded["other"]) > 0
    assert {*encoded["plain"], *encoded["other"]} == {1}
    # That it must be kept, trained and have embedded the catalogue is the second pipeline's burden too.
    own, other = (result.costs for result in found.pipelines[-2:])
    assert own.index_bytes == other.index_bytes == 24 * 16 * 4
    assert other.model_bytes == 2 * own.model_bytes
    # The same model under two names, so the same trees.
    assert other.reranker_bytes == own.reranker_bytes + own.index_bytes
    assert other.embedding_seconds > own.embedding_seconds
    assert found.pipelines[0].costs.model_bytes == own.model_bytes


def test_late_interaction_is_timed_with_its_vectors_there(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sentence_transformers")
    from tiny_models import save_late_interaction

    from gradus.evaluation.rerankers.late_interaction import LateInteraction

    library = save_late_interaction(copy)
    told: list[tuple[str, list[int]]] = []
    embed, timing = LateInteraction.embed, bench_module.measure_latency

    def noted(self: LateInteraction, rows: np.ndarray) -> list[np.ndarray]:
        if len(rows):
            told.append(("embed", rows.tolist()))
        return embed(self, rows)

    def timed(*args: Any, **options: Any) -> Any:
        told.append(("time", []))
        return timing(*args, **options)

    monkeypatch.setattr(LateInteraction, "embed", noted)
    monkeypatch.setattr(bench_module, "measure_latency", timed)
    text = (copy / "pipelines.toml").read_text().partition("[first.theirs]")[0]
    text += '[[pipeline]]\nname = "Plain"\nfirst = "plain"\n'
    for depth in (4, 10):
        text += f"""
[[pipeline]]
name = "Late@{depth}"
first = "plain"
reranker = "late-interaction"
model = "late"
depth = {depth}
"""
    # The second time, quality is known, and only what the timed queries list is embedded beside the sample.
    for queries in (12, 11):
        (copy / "pipelines.toml").write_text(text.replace("queries = 12", f"queries = {queries}"))
        told.clear()
        plain, shallow, deep = bench(copy / "pipelines.toml", copy / "late-out").pipelines
        # Eight to warm up and all as the sample; then each when it is first listed, and none while queries are timed.
        assert [len(rows) for _, rows in told[:2]] == [8, 24]
        kept = [row for _, rows in told[2:] for row in rows]
        assert len(set(kept)) == len(kept) > 10
        assert told[-1] == ("time", [])
        assert shallow.latency.queries == deep.latency.queries == queries
    # Start, end, prompt and two words, or one for nuts, in vectors of 6 halves; of 24 documents, the sample is all.
    vectors = sum(5 - (kind == "nut") for _, kind in PARTS) * 6 * 2
    parameters = sum(4 * part.numel() for part in library.parameters())
    assert shallow.costs == deep.costs
    assert shallow.costs.reranker_bytes == parameters + vectors
    assert shallow.costs.embedding_seconds > plain.costs.embedding_seconds
    firsts, lasts = (
        read_evaluation(copy / "late-out" / result.folder / "evaluation").cells["in-domain"].run.document_ids
        for result in (plain, shallow)
    )
    assert [set(ids[:4]) for ids in firsts] == [set(ids[:4]) for ids in lasts]
    assert [ids[4:] for ids in firsts] == [ids[4:] for ids in lasts]
    assert [ids[:4] for ids in firsts] != [ids[:4] for ids in lasts]


def test_metrics_and_what_shows_their_holes() -> None:
    assert all_metrics(["nDCG@10", "RR", "Judged@5"], 50) == [
        *("nDCG@10", "RR", "Judged@5", "Judged@10", "Judged@50"),
        *("condensed nDCG@10", "condensed RR"),
    ]
