"""The whole path by its commands: train, evaluate, compare, search, on every kind of catalogue."""

import csv
import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from tiny_shop import answer, draw, make_shop, output

from gradus.judgments.split import CELLS

Evaluation = dict[str, Any]

UNTRAINED = ("--training.learning_rate", "0", "--training.epochs", "1")


def train(out: str, *more: str) -> dict[str, Any]:
    return dict(answer("train", "--out", out, *more))


def in_domain(evaluation: Evaluation) -> float:
    return float(evaluation["cells"]["in-domain"]["metrics"]["nDCG@10"]["mean"])


@pytest.mark.parametrize(
    ("documents", "query", "more"),
    [
        (("title",), "title", ()),
        (("picture",), "picture", ("--training.learning_rate", "0.003", "--training.epochs", "25")),
        (("title", "picture"), "both", ("--objective.field_terms", "0.1", "--training.ema", "0.9")),
        (("title",), "title", ("--objective.name", "info-nce", "--training.batch", "64")),
        (("title", "picture"), "title", ("--objective.name", "pairwise", "--encoder.separate")),
    ],
    ids=["text", "image", "both", "info-nce", "pairwise"],
)
def test_train_evaluate_compare_search(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    documents: tuple[str, ...],
    query: str,
    more: tuple[str, ...],
) -> None:
    monkeypatch.chdir(make_shop(tmp_path / "shop", documents, query))
    epochs = ("--training.epochs", "15", "--training.learning_rate", "0.01", "--training.augment")
    summary = train("trained", *epochs, *more)
    assert summary["epochs"] >= 15 or summary["stopped_early"]
    assert summary["images_unusable"] == 0
    assert 0 <= summary["validation"] <= 1
    train("untrained", *more, *UNTRAINED)

    trained, untrained = answer("evaluate", "trained", "untrained")
    assert list(trained["cells"]) == list(CELLS)
    assert in_domain(trained) > in_domain(untrained) + 0.1
    assert trained["cells"]["in-domain"]["metrics"]["Judged@10"]["mean"] == 1

    rows = answer("compare", "untrained", "trained", "--evaluation.metrics", "nDCG@10")
    assert [row["cell"] for row in rows] == list(CELLS)
    first = rows[0]
    assert (first["baseline"], first["system"]) == ("untrained", "trained")
    assert first["difference"] == pytest.approx(in_domain(trained) - in_domain(untrained), abs=1e-5)
    assert first["p_value"] < 0.05

    asked = ("--image", "asked-red-nut.png") if query == "picture" else ("赤いナット",)
    hits = answer("search", "trained", *asked, "-k", "3")
    assert len(hits) == 3
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert set(hits[0]["fields"]) == set(documents)


def test_the_tables_for_people_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_shop(tmp_path / "shop"))
    said = output("train")
    assert "in-domain" in said
    assert "Next: gradus evaluate model" in said
    said = output("evaluate", "model")
    assert all(cell in said for cell in CELLS)
    assert "nDCG@10" in said
    assert "nut" in output("search", "model", "赤いナット")


def test_text_and_picture_can_ask_together_and_be_weighed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(tmp_path / "shop", ("title", "picture"), "both")
    monkeypatch.chdir(shop)
    train("model")
    draw("blue", "bolt", 25).save(shop / "mine.png")
    both = answer("search", "model", "赤いナット", "--image", "mine.png", "-k", "24")
    alone = answer("search", "model", "--image", "mine.png", "-k", "24")
    weighed = answer(
        "search", "model", "赤いナット", "--image", "mine.png", "-k", "24", "--field-factor", "query=0"
    )
    assert weighed == alone
    assert both != alone


def test_a_clip_architecture_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers", reason="needs the hf extra")
    import tiny_models

    shop = make_shop(tmp_path / "shop", ("title", "picture"), "both")
    tiny_models.save_clip(shop / "clip")
    monkeypatch.chdir(shop)
    clip = ("--encoder.text", "clip", "--encoder.image", "clip", "--encoder.dimensions", "0")
    train("trained", *clip, "--training.epochs", "8", "--training.pretrained_learning_rate", "0.003")
    train("untrained", *clip, *UNTRAINED, "--training.pretrained_learning_rate", "0")
    trained, untrained = answer("evaluate", "trained", "untrained")
    assert in_domain(trained) > in_domain(untrained) + 0.05
    # Like every path of the settings, the folder's is relative to their file.
    monkeypatch.chdir(tmp_path)
    train("elsewhere", "--settings", "shop/gradus.toml", *clip, *UNTRAINED)
    monkeypatch.chdir(shop)
    config = json.loads((shop / "trained" / "model" / "config.json").read_text())
    assert config["dimensions"] == 8  # the projections of the two towers
    # The saved model needs neither the checkpoint nor the network.
    (shop / "clip").rename(tmp_path / "away")
    hits = answer("search", "trained", "red nut", "--image", "asked-red-nut.png")
    assert len(hits) == 10
    assert all(math.isfinite(hit["score"]) for hit in hits)


@pytest.mark.slow
def test_chorus_icecat_text_with_grades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Path
) -> None:
    chorus = shared_data / "chorus_icecat"
    with (chorus / "Broad_Query_Set_rated.csv").open(encoding="utf-8", newline="") as file:
        judged = {row["docid"] for row in csv.DictReader(file)}
    with gzip.open(chorus / "products.jsonl.gz", "rt", encoding="utf-8") as file:
        products = [product for product in map(json.loads, file) if product["id"] in judged]
    wanted = ("id", "title", "supplier", "short_description", "price")
    lines = [json.dumps({name: product.get(name) for name in wanted}) for product in products]
    (tmp_path / "products.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "gradus.toml").write_text(f"""
[catalog]
path = "products.jsonl"
id = "id"
[catalog.fields]
title = {{ type = "text", weight = 1.0 }}
supplier = {{ type = "category", weight = 0.3 }}
short_description = {{ type = "text", weight = 0.3 }}
price = {{ type = "number", weight = 0 }}
[judgments]
path = "{chorus / "Broad_Query_Set_rated.csv"}"
doc_id = "docid"
score = "rating"
scale = 3.0
[split]
novel_documents = 0.3
[encoder]
dimensions = 64
[training]
epochs = 20
device = "cpu"
""")
    monkeypatch.chdir(tmp_path)
    summary = train("trained")
    assert len(judged) == len(products)
    assert (
        sum(cell["documents"] for cell in (summary["cells"][c] for c in ("in-domain", "novel-document")))
        > 2000
    )
    train("untrained", *UNTRAINED)
    trained, untrained = answer("evaluate", "trained", "untrained")
    assert list(trained["cells"]) == list(CELLS)
    assert in_domain(trained) > in_domain(untrained) + 0.05
    assert answer("search", "trained", "bluetooth speaker", "-k", "5")[0]["fields"]["title"]
