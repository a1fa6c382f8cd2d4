"""Indexing: a catalogue and a model become a version of the index, from Python and from the command line."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_shop import PARTS, make_shop
from typer.testing import CliRunner

from gradus.catalog.table import Table
from gradus.cli.main import app
from gradus.encoders.encoder import Encoder
from gradus.encoders.saving import load_model
from gradus.errors import SearchError, SettingsError
from gradus.search.index import backends
from gradus.search.index.filters import Between, OneOf
from gradus.settings import IndexSettings, Settings, read_settings
from gradus.settings.section import Section
from gradus.workflow.indexing import build_index, open_live, versions_of
from gradus.workflow.searching import search
from gradus.workflow.training import train

FILTERS = '\nkind = { type = "category", weight = 0 }\nsize = { type = "number", weight = 0 }\n[query.fields]'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("shop"))
    file = folder / "gradus.toml"
    file.write_text(file.read_text("utf-8").replace("[query.fields]", FILTERS), "utf-8")
    rows = [f"{c}-{k},{c} {k},{k},{size}" for size, (c, k) in enumerate(PARTS)]
    (folder / "catalog.csv").write_text("\n".join(["doc_id,title,kind,size", *rows]), "utf-8")
    train(read_settings(folder), folder / "model")
    train(read_settings(folder).with_values({"training.seed": 1}), folder / "other")
    return folder


@pytest.fixture
def settings(shop: Path, tmp_path: Path) -> Settings:
    return read_settings(shop).with_values({"index.path": str(tmp_path / "index"), "index.keep": 2})


def query(encoder: Encoder, text: str) -> np.ndarray:
    return encoder.embed(
        "query", encoder.prepare("query", Table(["q"], encoder.fields["query"], {"query": [text]}))
    )


def test_the_index_finds_what_search_finds_and_filters_by_categories_and_numbers(
    shop: Path, settings: Settings
) -> None:
    summary = build_index(settings, shop / "model")
    assert (summary.documents, summary.fields, summary.removed) == (len(PARTS), ["kind", "size"], [])
    asked = query(load_model(shop / "model"), "赤いナット")
    with open_live(settings, shop / "model") as opened:
        hits = search(settings, shop / "model", "赤いナット", k=30)
        found = opened.index.search(asked, 30)[0]
        assert found.ids == tuple(hit.doc_id for hit in hits)
        assert found.scores == pytest.approx([hit.score for hit in hits], abs=1e-6)
        nuts = opened.index.search(asked, 30, {"kind": OneOf(frozenset({"nut"})), "size": Between(0, 9)})[0]
        assert sorted(nuts.ids) == sorted(
            f"{c}-{k}" for size, (c, k) in enumerate(PARTS) if k == "nut" and size <= 9
        )


def test_a_model_that_the_index_was_not_built_with_is_refused(shop: Path, settings: Settings) -> None:
    with pytest.raises(SearchError, match="there is no index"):
        open_live(settings, shop / "model")
    build_index(settings, shop / "model")
    with pytest.raises(SearchError, match=r"version 1 .* was built with .*model, not with .*other"):
        open_live(settings, shop / "other")
    build_index(settings, shop / "other")
    open_live(settings, shop / "other").close()
    versions_of(settings).roll_back()
    open_live(settings, shop / "model").close()


def test_another_backend_is_one_setting(shop: Path, settings: Settings) -> None:
    asked = query(load_model(shop / "model"), "青いボルト")
    found = []
    for backend in ("exact", "ivf"):
        build_index(settings.with_values({"index.backend": backend}), shop / "model")
        with open_live(settings, shop / "model") as opened:
            assert opened.version.backend == backend
            found.append(opened.index.search(asked, 5))
    assert found[0] == found[1]


def test_the_commands(shop: Path, settings: Settings) -> None:
    flags = ["--settings", str(shop / "gradus.toml"), "--index.path", settings.index.path]
    model = str(shop / "model")

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["index", *arguments, *flags])
        assert result.exit_code == 0, result.output
        return result.stdout

    first = run("build", model)
    assert first == f"version 1 (exact): {len(PARTS)} documents, filters: kind, size; live\n"
    assert json.loads(run("build", model, "--draft", "--json"))["version"]["number"] == 2
    listed = json.loads(run("list", "--json"))
    assert [(one["version"], one["live"], one["documents"]) for one in listed] == [
        (1, True, len(PARTS)),
        (2, False, len(PARTS)),
    ]
    assert run("use", "2") == "version 2 is live\n"
    assert run("rollback") == "version 1 is live\n"
    assert model in run("list")
    out = Path(settings.index.path).parent / "kept"
    assert run("snapshot", str(out)) == f"{out}: {len(PARTS)} documents\n"
    with backends.open_index("exact", str(out)) as copy:
        assert copy.count() == len(PARTS)
    failed = CliRunner().invoke(app, ["index", "rollback", *flags])
    assert failed.exit_code == 2
    assert "holds no earlier version" in failed.stderr


def test_search_uses_the_live_version_where_it_was_built_with_the_model(
    shop: Path, settings: Settings
) -> None:
    def found(model: str) -> list[str]:
        return [hit.doc_id for hit in search(settings, shop / model, "赤いナット", k=30)]

    whole, other = found("model"), found("other")
    build_index(settings, shop / "model")
    assert found("model") == whole
    with versions_of(settings).open(read_only=False) as opened:
        opened.index.delete(whole[:3])
    assert found("model") == whole[3:]
    assert found("other") == other  # its documents are embedded differently
    shutil.copytree(shop / "model", shop / "copy", dirs_exist_ok=True)
    assert found("copy") == whole[3:]
    live = Path(settings.index.path) / "000001" / "data" / "index.json"
    live.write_text("{")
    with pytest.raises(SearchError, match="damaged"):
        found("model")


def test_words_and_fields_count_where_they_are_asked_for(shop: Path, settings: Settings) -> None:
    model = shop / "model"
    # Queries were in Japanese: only words can know a flange by its English name.
    plain = search(settings, model, "flange", k=30)
    mixed = settings.with_values({"index.hybrid": 0.9, "index.per_field": True})
    for build in (False, True):
        if build:
            build_index(mixed, model)
        hits = search(mixed, model, "flange", k=30)
        assert {hit.doc_id.split("-")[1] for hit in hits[:6]} == {"flange"}
        scores = {hit.doc_id: hit.score for hit in plain}
        for hit in hits:
            if not hit.doc_id.endswith("flange"):
                assert hit.score == pytest.approx(0.1 * scores[hit.doc_id], abs=1e-5)
        # There is one field, so that its factor changes nothing; another one is none of the vectors'.
        weighted = search(mixed, model, "flange", k=30, document_weights={"title": 2.0})
        assert [hit.score for hit in weighted] == pytest.approx([hit.score for hit in hits], abs=1e-5)
        with pytest.raises(SearchError, match="no field 'kind'; theirs are: title"):
            search(mixed, model, "赤いナット", document_weights={"kind": 2.0})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"index.hybrid": 0.2, "index.backend": "qdrant"},
            r"index.hybrid needs .*\(exact, ivf\), not qdrant",
        ),
        (
            {"index.per_field": True, "index.backend": "ivf"},
            "index.per_field needs the backend exact, not ivf",
        ),
    ],
)
def test_a_backend_that_cannot_is_told_before_anything_is_embedded(
    shop: Path, settings: Settings, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        build_index(settings.with_values(values), shop / "nowhere")


def test_the_settings_know_the_backends() -> None:
    choices = IndexSettings.__dataclass_fields__["backend"].metadata["choices"]
    assert choices == backends.BACKENDS
    assert issubclass(IndexSettings, Section)
