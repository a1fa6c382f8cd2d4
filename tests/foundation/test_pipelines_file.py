"""The file of pipelines: what it says, and what it says wrongly."""

from pathlib import Path

import pytest

from gradus.errors import SettingsError
from gradus.settings import from_mapping
from gradus.settings.pipelines import TeacherSettings, folder_name, read_pipelines
from gradus.settings.standard_pipelines import standard_pipelines

WHOLE = """
seed = 3
[latency]
queries = 20
[first.bm25]
kind = "bm25"
[first.plain]
kind = "model"
model = "runs/plain"
with = { "objective.name" = "info-nce", "objective.weight" = "constant" }
[first.taught]
kind = "model"
model = "runs/taught"
teacher = { first = "plain", synthetic = 40, unjudged = "worthless" }
[first.theirs]
kind = "run"
run = "theirs.trec"
[first.hybrid]
kind = "fusion"
of = ["bm25", "plain"]
method = "weighted"
weights = { bm25 = 0.25, plain = 0.75 }
[first.everything]
kind = "fusion"
of = ["theirs", "hybrid"]
[[pipeline]]
name = "Hybrid, 50 re-ranked"
first = "everything"
reranker = "lambdamart"
depth = 50
[[pipeline]]
name = "BM25 + LambdaMART"
first = "bm25"
reranker = "lambdamart"
vectors = "plain"
[[pipeline]]
name = "キーワード"
first = "bm25"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "gradus.toml").write_text("[training]\nepochs = 7\n")
    (folder / "pipelines.toml").write_text(text, encoding="utf-8")
    return folder / "pipelines.toml"


def test_a_whole_file(tmp_path: Path) -> None:
    found = read_pipelines(write(tmp_path, WHOLE))
    assert found.settings.training.epochs == 7
    assert found.seed == 3
    assert (found.latency.queries, found.latency.clients) == (20, 4)
    assert found.over == {"plain": {"objective.name": "info-nce", "objective.weight": "constant"}}
    assert found.teachers == {"taught": TeacherSettings("plain", 100, "worthless", 40)}
    assert found.first["hybrid"].weights == {"bm25": 0.25, "plain": 0.75}
    assert [pipeline.depth for pipeline in found.pipelines] == [50, 100, 100]
    assert found.models_of("everything") == ("plain",)
    assert found.models_of("theirs") == ()
    assert [found.vectors_of(pipeline) for pipeline in found.pipelines] == ["plain", "plain", None]
    assert found.root == tmp_path


def test_folder_names() -> None:
    assert folder_name("InfoNCE + LambdaMART@100") == "infonce-lambdamart-100"
    assert folder_name("キーワード (BM25)") == "キーワード-bm25"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("seed = 3", "seeds = 3", "no key 'seeds' in the file; did you mean 'seed'?"),
        ("seed = 3", "seed = -1", "seed must be a whole number"),
        ("seed = 3", 'settings = "other.toml"', "other.toml; write one with"),
        ("queries = 20", "queries = -1", "latency.queries is -1"),
        ('kind = "bm25"', 'kind = "bm52"', r"\[first.bm25\]: first.kind is 'bm52'; choose one of bm25"),
        ('kind = "bm25"', 'kind = "bm25"\nmodel = "x"', r"\[first.bm25\]: bm25 takes no model"),
        ('kind = "bm25"', 'kind = "bm25"\nwith = { a = 1 }', r"\[first.bm25\]: bm25 takes no with"),
        ('model = "runs/plain"', "", r"\[first.plain\]: model needs the key model"),
        ('model = "runs/plain"', 'modle = "runs/plain"', "unknown key first.modle; did you mean 'model'?"),
        (
            '"objective.name"',
            '"objective.nam"',
            r"\[first.plain\] with: unknown key objective.nam; did you mean",
        ),
        ('"info-nce"', '"info"', r"\[first.plain\] with: objective.name is 'info'"),
        ('of = ["bm25", "plain"]', 'of = ["bm25", "plane"]', "no first stage 'plane'; did you mean 'plain'?"),
        ('of = ["bm25", "plain"]', 'of = ["bm25"]', "two first stages or more"),
        ('of = ["bm25", "plain"]', 'of = ["bm25", "everything"]\n#', "would be a fusion of itself"),
        (
            'first = "plain", synth',
            'first = "plane", synth',
            "teacher: no model 'plane'; did you mean 'plain'?",
        ),
        ('first = "plain", synth', 'first = "bm25", synth', "teacher: no model 'bm25'; known: plain, taught"),
        ('first = "plain", synth', "synth", "teacher: it names no first stage"),
        ('first = "plain", synth', 'first = "taught", synth', "taught would be taught by itself"),
        ("synthetic = 40", "synthetic = -1", "teacher.synthetic is -1"),
        ('"worthless"', '"worthles"', "teacher.unjudged is 'worthles'"),
        (
            '"objective.weight" = "constant"',
            '"split.seed" = 1',
            "with: split.seed is the same for all models",
        ),
        ('"objective.weight" = "constant"', '"judgments.path" = "x"', "judgments.path is the same for all"),
        ("plain = 0.75", "theirs = 0.75", "one number for each of bm25, plain"),
        ("bm25 = 0.25", "bm25 = -1", "0 or more"),
        ('first = "everything"', 'first = "evrything"', r"\[\[pipeline\]\] 1: no first stage 'evrything'"),
        ('first = "everything"', "", "names no first stage; known: bm25, plain"),
        ('reranker = "lambdamart"\ndepth', 'reranker = "none"\ndepth', "depth is that of a re-ranker"),
        (
            'reranker = "lambdamart"\ndepth',
            'reranker = "cross-encoder"\ndepth',
            "the re-ranker cross-encoder needs a model",
        ),
        (
            'reranker = "lambdamart"\ndepth',
            'reranker = "late-interaction"\ndepth',
            "the re-ranker late-interaction needs a model",
        ),
        ("depth = 50", 'depth = 50\nmodel = "x"', "the re-ranker lambdamart takes no model"),
        ('vectors = "plain"', 'vectors = "bm25"', "no model 'bm25'; known: plain"),
        ("キーワード", "bm25 – LambdaMART!", "would both lie in a folder 'bm25-lambdamart'"),
        ("キーワード", "…", "needs a name"),
        ("[[pipeline]]", "[[pipelines]]", "no key 'pipelines' in the file; did you mean 'pipeline'?"),
        ("seed = 3", "seed = ", "is not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, before: str, after: str, told: str) -> None:
    assert before in WHOLE
    text = WHOLE.replace(before, after, 1)
    if "everything" in after and "#" in after:
        text = text.replace("weights = { bm25 = 0.25, plain = 0.75 }", "")
    with pytest.raises(SettingsError, match=told) as caught:
        read_pipelines(write(tmp_path, text))
    assert "pipelines.toml" in str(caught.value)


def test_without_file_or_pipelines(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no .*pipelines\.toml"):
        read_pipelines(tmp_path / "pipelines.toml")
    with pytest.raises(SettingsError, match=r"there is no \[\[pipeline\]\]"):
        read_pipelines(write(tmp_path, '[first.bm25]\nkind = "bm25"'))


def test_standard_pipelines_can_be_read(tmp_path: Path) -> None:
    settings = from_mapping({"catalog": {"fields": {"title": {"type": "text"}}}})
    found = read_pipelines(write(tmp_path, standard_pipelines(settings)))
    assert [pipeline.name for pipeline in found.pipelines][-2:] == ["GCL", "GCL, distilled"]
    assert {name: found.models_of(name) for name in found.first} == {
        "bm25": (), "info-nce": ("info-nce",), "gcl": ("gcl",), "distilled": ("distilled",),
        "hybrid-rrf": ("info-nce",), "hybrid-weighted": ("info-nce",),
    }  # fmt: skip
    assert {(pipeline.first, pipeline.depth) for pipeline in found.pipelines if pipeline.reranker != "none"} == {
        ("info-nce", 50), ("info-nce", 100), ("info-nce", 200), ("gcl", 100),
    }  # fmt: skip
    assert found.teachers["distilled"].unjudged == "worthless"
    assert found.over["info-nce"]["training.batch"] == 1024
    assert found.over["info-nce"]["training.epochs"] == 5  # of 40 that pass over documents


def test_standard_pipelines_fit_the_search(tmp_path: Path) -> None:
    text, image = {"title": {"type": "text"}}, {"shown": {"type": "image"}}
    pictures = {"catalog": {"fields": image}, "query": {"fields": image}}
    found = read_pipelines(write(tmp_path, standard_pipelines(from_mapping(pictures))))
    assert set(found.first) == {"info-nce", "gcl"}
    # Nobody asks in words that are of no weight, and nobody answers in them.
    quiet = {
        "catalog": {"fields": image | {"sku": {"type": "text", "weight": 0.0}}},
        "query": {"fields": text},
    }
    assert "bm25" not in read_pipelines(write(tmp_path, standard_pipelines(from_mapping(quiet)))).first
    unheard = {"catalog": {"fields": text}, "query": {"fields": {"sku": {"type": "text", "weight": 0.0}}}}
    assert "distilled" not in read_pipelines(write(tmp_path, standard_pipelines(from_mapping(unheard)))).first
    given = {"catalog": {"fields": text}, "encoder": {"text": "some/clip"}, "training": {"minutes": 2.0}}
    found = read_pipelines(write(tmp_path, standard_pipelines(from_mapping(given))))
    assert not {"training.batch", "training.epochs"} & found.over["info-nce"].keys()
