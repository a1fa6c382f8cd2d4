"""Going on from a model: whole, or with documents' vectors left as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_shop import command, contents, failure, make_shop, read, write

from gradus.encoders.encoder import Encoder
from gradus.encoders.saving import document_side, fingerprint, load_model
from gradus.encoders.start import separated
from gradus.errors import ModelError, SettingsError
from gradus.settings import Settings, read_settings
from gradus.workflow.data import Data, load_data
from gradus.workflow.evaluation import evaluate
from gradus.workflow.indexing import build_index, open_live
from gradus.workflow.training import train
from gradus.workflow.vectors import document_vectors

PICTURES = ("title", "picture")


def settings_of(shop: Path, **values: Any) -> Settings:
    given = {"training.epochs": 3} | {key.replace("__", "."): value for key, value in values.items()}
    return read_settings(shop).with_values(given)


def embedded(model: Path, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of all queries and of all documents."""
    encoder = load_model(model)
    queries = encoder.embed("query", encoder.prepare("query", data.judgments.queries))
    return queries, encoder.embed("document", encoder.prepare("document", data.documents))


@pytest.fixture(params=["shared towers", "exact terms", "towers apart"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A shop whose search is by text and picture on both sides, and a model of it in `first`."""
    folder = make_shop(tmp_path / "shop", PICTURES, "both")
    toml = folder / "gradus.toml"
    more = {
        "shared towers": "query_residual = 0.01",
        "exact terms": "exact_terms = 16",
        "towers apart": "separate = true",
    }
    toml.write_text(toml.read_text().replace("[encoder]", f"[encoder]\n{more[request.param]}"))
    train(settings_of(folder), folder / "first")
    return folder


@pytest.mark.parametrize("terms", [0.0, 0.5])
def test_queries_alone_leave_documents_as_they_are_to_the_last_byte(shop: Path, terms: float) -> None:
    """With modality terms, too, which fuse documents' fields anew."""
    settings = settings_of(
        shop, training__start="first", training__refresh="queries", objective__modality_terms=terms
    )
    data = load_data(settings)
    train(settings, shop / "second", data=data)
    queries, documents = embedded(shop / "first", data)
    others, same = embedded(shop / "second", data)
    assert same.tobytes() == documents.tobytes()
    assert np.abs(others - queries).max() > 1e-3
    assert document_side(shop / "second") == document_side(shop / "first")
    assert fingerprint(shop / "second") != fingerprint(shop / "first")


def test_after_queries_alone_nothing_is_embedded_or_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(tmp_path / "shop")
    train(settings_of(shop), shop / "first")
    build_index(settings_of(shop), shop / "first")
    settings = settings_of(shop, training__start="first", training__refresh="queries")
    train(settings, shop / "second")
    train(settings_of(shop, training__start="second"), shop / "third")

    def refuse(self: Encoder, side: str, *_: object) -> None:
        raise AssertionError(f"{side} was prepared")

    encoder, documents = load_model(shop / "second"), load_data(settings).documents
    monkeypatch.setattr(Encoder, "prepare", refuse)
    assert len(document_vectors(settings, shop / "second", encoder, documents)) == len(documents)
    open_live(settings, shop / "second").close()
    with pytest.raises(AssertionError, match="document was prepared"):
        document_vectors(settings, shop / "third", load_model(shop / "third"), documents)


@pytest.mark.parametrize("refresh", ["all", "queries"])
def test_without_learning_it_is_the_model_that_it_started_from(shop: Path, refresh: str) -> None:
    values = {"training__start": "first", "training__refresh": refresh, "training__learning_rate": 0.0}
    settings = settings_of(shop, encoder__exact_terms=0, **values)
    data = load_data(settings)
    train(settings, shop / "second", data=data)
    for before, after in zip(embedded(shop / "first", data), embedded(shop / "second", data), strict=True):
        if load_model(shop / "first").exact is not None and refresh == "all":
            # Without exact terms, as the settings say, the dense part is all there is.
            dense = before[:, : after.shape[1]]
            assert dense.shape == after.shape != before.shape
            np.testing.assert_allclose(dense / np.linalg.norm(dense, axis=1, keepdims=True), after, atol=1e-6)
        else:
            assert before.tobytes() == after.tobytes()


def test_each_side_has_towers_of_its_own_that_answer_as_the_shared_ones(shop: Path) -> None:
    data = load_data(settings_of(shop))
    encoder = load_model(shop / "first")
    before = embedded(shop / "first", data)
    apart = separated(encoder)
    assert set(apart.towers) == {
        f"{side}_{kind}" for side in ("query", "document") for kind in ("text", "image")
    }
    shared = {id(p) for n, p in apart.named_parameters() if n.startswith("towers.query_")}
    assert not shared & {id(p) for n, p in apart.named_parameters() if n.startswith("towers.document_")}
    tables = {"query": data.judgments.queries, "document": data.documents}
    for (side, table), vectors in zip(tables.items(), before, strict=True):
        assert apart.embed(side, apart.prepare(side, table)).tobytes() == vectors.tobytes()


def turned(shop: Path) -> None:
    """Judgments of another taste: every query now wants the documents of the next colour."""
    rows = read(shop / "judgments.csv")
    ids = list(dict.fromkeys(row["doc_id"] for row in rows))
    moved = {name: ids[(place + 4) % len(ids)] for place, name in enumerate(ids)}
    write(shop / "judgments.csv", [row | {"doc_id": moved[row["doc_id"]]} for row in rows])


@pytest.mark.parametrize("refresh", ["all", "queries"])
def test_it_learns_the_new_evidence(tmp_path: Path, refresh: str) -> None:
    shop = make_shop(tmp_path / "shop")
    longer = {"training__epochs": 60, "training__learning_rate": 0.01, "split__validation": 0.0}
    train(settings_of(shop, **longer), shop / "first")
    turned(shop)
    soon = longer | {"training__epochs": 12}
    settings = settings_of(shop, **soon, training__start="first", training__refresh=refresh)
    train(settings, shop / "second")

    def known(run: str) -> float:
        return evaluate(settings, shop / run).cells["in-domain"].intervals["nDCG@10"].mean

    assert known("second") > known("first") + 0.03


def test_documents_of_new_evidence_get_a_residual_beside_the_known_ones(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    rows = read(shop / "judgments.csv")
    write(shop / "judgments.csv", [row for row in rows if row["doc_id"] != "red-bolt"])
    labels = {"split__novel_documents": 0.0, "split__novel_queries": 0.0, "split__validation": 0.0}
    train(settings_of(shop, **labels), shop / "first")
    write(shop / "judgments.csv", rows)
    still = labels | {"training__learning_rate": 0.0, "training__start": "first"}
    train(settings_of(shop, **still), shop / "second")
    first, second = (load_model(shop / name).residual for name in ("first", "second"))
    assert first is not None
    assert second is not None
    assert set(second.ids) - set(first.ids) == {"red-bolt"}
    assert second.ids[: len(first.ids)] == first.ids
    assert (second.vectors[: len(first.ids)] == first.vectors).all()
    assert (second.vectors[len(first.ids) :] == 0).all()


def test_stopped_and_resumed_it_ends_as_it_would_have(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    train(settings_of(shop), shop / "first")
    settings = settings_of(
        shop, training__start="first", training__refresh="queries", training__checkpoint_minutes=0.0
    )
    train(settings, shop / "whole")
    steps = iter(range(10**6))

    def stop(stage: str, done: int, total: int, note: str) -> None:
        if stage == "training" and next(steps) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(settings, shop / "stopped", progress=stop)
    train(settings, shop / "stopped", resume=True)
    assert contents(shop / "stopped" / "model") == contents(shop / "whole" / "model")


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", PICTURES)
    train(settings_of(shop), shop / "first")
    with pytest.raises(SettingsError, match=r"name it in training\.start"):
        train(settings_of(shop, training__refresh="queries"), shop / "second")
    with pytest.raises(SettingsError, match=r"encoder\.dimensions is 8, but vectors of .*first have 16"):
        train(settings_of(shop, training__start="first", encoder__dimensions=8), shop / "second")
    with pytest.raises(ModelError, match="holds no complete model"):
        train(settings_of(shop, training__start="nowhere"), shop / "second")
    toml = shop / "gradus.toml"
    toml.write_text(toml.read_text().replace("picture = ", "# picture = "))
    with pytest.raises(ModelError, match=r"reads the document fields title \(text\), picture \(image\)"):
        train(settings_of(shop, training__start="first"), shop / "second")


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop(tmp_path / "shop")
    monkeypatch.chdir(shop)
    assert command("train", "--out", "first").exit_code == 0
    flags = ("--training.start", "first", "--training.refresh", "queries")
    assert command("train", "--out", "second", *flags).exit_code == 0
    assert document_side(Path("second")) == document_side(Path("first"))
    assert "trained on from: first" in (shop / "second" / "model" / "README.md").read_text()
    assert "training.start" in failure("train", "--out", "third", "--training.refresh", "queries")
