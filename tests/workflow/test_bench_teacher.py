"""Models of a bench that are distilled from two stages of the same file."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tiny_shop import failure, make_shop, output

pytest.importorskip("lightgbm")

from gradus.settings import read_settings
from gradus.workflow import bench_models
from gradus.workflow.bench import bench
from gradus.workflow.data import load_data

FILE = """
[latency]
queries = 0
[first.plain]
kind = "model"
model = "runs/plain"
with = { "objective.name" = "info-nce", "objective.weight" = "constant", "training.epochs" = 1 }
[first.taught]
kind = "model"
model = "runs/taught"
with = { "training.epochs" = 1 }
teacher = { first = "plain", synthetic = 30, unjudged = "worthless" }
[[pipeline]]
name = "Taught"
first = "taught"
"""


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("taught"))
    (folder / "pipelines.toml").write_text(FILE)
    bench(folder / "pipelines.toml", folder / "out")
    return folder


@pytest.fixture
def copy(taught: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(taught, tmp_path / "copy"))


def test_it_learns_from_synthetic_queries_and_no_held_out_document(taught: Path) -> None:
    told = pq.read_table(taught / "runs/taught/distilled.parquet")
    # Eighteen training documents of two words each make no more queries.
    assert len(set(told["query_id"].to_pylist())) >= 10
    data = load_data(read_settings(taught))
    searched = {
        name
        for name, part in zip(data.documents.ids, data.split.document_part, strict=True)
        if part == "train"
    }
    assert set(told["doc_id"].to_pylist()) <= searched
    assert not set(told["query_id"].to_pylist()) & set(data.judgments.queries.ids)


def test_its_training_costs_that_of_its_teacher_as_well(taught: Path) -> None:
    (result,) = json.loads((taught / "out/results.json").read_text())["pipelines"]
    own, teacher = (
        json.loads((taught / f"runs/{name}/bench.json").read_text()) for name in ("taught", "plain")
    )
    for kind in ("seconds", "cpu_seconds"):
        assert result["costs"][f"training_{kind}"] == pytest.approx(own[kind] + teacher[kind])
    declared = result["declaration"]["first"]["taught"]["teacher"]
    assert declared["synthetic"] == 30
    assert declared["first"]["plain"]["with"]["objective.name"] == "info-nce"


def test_a_teacher_beside_its_pupil_is_trained_once(copy: Path) -> None:
    fusion = '[first.both]\nkind = "fusion"\nof = ["taught", "plain"]\n'
    pipelines = "".join(
        f'[[pipeline]]\nname = "{name}"\nfirst = "{name}"\n' for name in ("plain", "taught", "both")
    )
    (copy / "pipelines.toml").write_text(FILE.partition("[[pipeline]]")[0] + fusion + pipelines)
    bench(copy / "pipelines.toml", copy / "out")
    results = json.loads((copy / "out/results.json").read_text())["pipelines"]
    plain, taught, both = (result["costs"] for result in results)
    assert both["training_seconds"] == taught["training_seconds"]
    assert both["index_bytes"] == plain["index_bytes"] + taught["index_bytes"]


def test_what_is_trained_is_kept(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_models, "train", None)
    before = (copy / "out/results.json").read_text()
    bench(copy / "pipelines.toml", copy / "out")
    assert (copy / "out/results.json").read_text() == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("synthetic = 30", "synthetic = 20"),
        ('"info-nce"', '"many-to-many"'),
        (', unjudged = "worthless"', ""),
    ],
)
def test_another_teacher_makes_another_model(copy: Path, before: str, after: str) -> None:
    (copy / "pipelines.toml").write_text(FILE.replace(before, after))
    if before == '"info-nce"':
        shutil.rmtree(copy / "runs/plain")
    said = failure("bench", str(copy / "pipelines.toml"), "--out", str(copy / "out"))
    assert "runs/taught was trained with other settings or on other data" in said


def test_a_stopped_training_goes_on_with_the_same_lesson(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(settings: object, folder: Path, **more: object) -> None:
        (folder / "checkpoint").mkdir(parents=True)
        raise KeyboardInterrupt

    resumed = []

    def go_on(settings: object, folder: Path, *, resume: bool, data: object, **more: object) -> object:
        resumed.append(resume)
        shutil.rmtree(folder / "checkpoint")
        return train(settings, folder, resume=False, data=data, **more)

    train, model = bench_models.train, copy / "runs/taught/model/model.safetensors"
    whole, lesson = model.read_bytes(), (copy / "runs/taught/distilled.parquet").read_bytes()
    for name in ("runs/taught", "out"):
        shutil.rmtree(copy / name)
    with monkeypatch.context() as patch:
        patch.setattr(bench_models, "train", stopped)
        with pytest.raises(KeyboardInterrupt):
            bench(copy / "pipelines.toml", copy / "out")
    written = (copy / "runs/taught/distilled.parquet").stat().st_mtime_ns
    monkeypatch.setattr(bench_models, "train", go_on)
    bench(copy / "pipelines.toml", copy / "out")
    assert resumed == [True]
    assert (copy / "runs/taught/distilled.parquet").stat().st_mtime_ns == written
    assert (copy / "runs/taught/distilled.parquet").read_bytes() == lesson
    assert model.read_bytes() == whole
    # It was not watched from its start.
    (result,) = json.loads((copy / "out/results.json").read_text())["pipelines"]
    assert result["costs"]["training_cpu_seconds"] is None


def test_given_lessons_are_read(copy: Path) -> None:
    shutil.copy(copy / "runs/taught/distilled.parquet", copy / "given.parquet")
    head, _, tail = FILE.partition("[first.taught]")
    pipeline = tail[tail.index("[[pipeline]]") :]
    for name, own in (("given", ', "judgments.distilled" = "given.parquet"'), ("untaught", "")):
        stage = f'kind = "model"\nmodel = "runs/{name}"\nwith = {{ "training.epochs" = 1{own} }}\n'
        (copy / "pipelines.toml").write_text(f"{head}[first.taught]\n{stage}{pipeline}")
        bench(copy / "pipelines.toml", copy / name)
    given, untaught, taught = (
        (copy / f"runs/{name}/model/model.safetensors").read_bytes()
        for name in ("given", "untaught", "taught")
    )
    assert given == taught
    assert untaught != taught


def test_without_a_file_the_standard_pipelines_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no gradus.toml to write one for" in failure("bench")
    make_shop(tmp_path, documents=("picture",), query="picture")
    said = output("bench")
    assert "GCL + LambdaMART@100" in said
    text = (tmp_path / "pipelines.toml").read_text()
    for name in ("bm25", "distilled"):
        assert name not in text
    (tmp_path / "pipelines.toml").write_text(
        text.partition("[[pipeline]]")[0] + '[[pipeline]]\nname = "One"\nfirst = "gcl"\n'
    )
    assert "InfoNCE" not in output("bench", "--out", "other")


@pytest.mark.slow
def test_poc_alone_is_the_whole_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_shop(tmp_path, documents=("title", "picture"))
    output("poc", "--title", "Parts")
    found = json.loads((tmp_path / "poc/bench/results.json").read_text())
    assert [result["name"] for result in found["pipelines"]] == [
        *("BM25", "InfoNCE", "Hybrid, RRF", "Hybrid, weighted"),
        *(f"InfoNCE + LambdaMART@{depth}" for depth in (50, 100, 200)),
        *("GCL + LambdaMART@100", "GCL", "GCL, distilled"),
    ]
    verdict = json.loads((tmp_path / "poc/report.json").read_text())["verdict"]
    assert verdict["reference"]["name"] == "InfoNCE + LambdaMART@200"
    assert verdict["overall"]["findings"][0]["name"] == "GCL, distilled"
