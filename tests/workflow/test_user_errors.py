"""What users get wrong and what machines run out of: one clear line, exit code 2, nothing half-written."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_shop import answer, command, contents, failure, make_shop, output, read, write

import gradus.catalog.image_cache
import gradus.encoders.saving
import gradus.evaluation.results
import gradus.training.checkpoint

JUDGMENTS, CATALOG = "judgments.csv", "catalog.csv"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a shop with pictures."""
    folder = make_shop(tmp_path / "shop", ("title", "picture"))
    monkeypatch.chdir(folder)
    return folder


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def replaced(shop: Path, name: str, old: str, new: str) -> None:
    text = (shop / name).read_text(encoding="utf-8")
    assert old in text
    (shop / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def edited(shop: Path, row: int, **cells: str) -> None:
    """Change cells of a row of the judgments, counted from 1 below the header."""
    rows = read(shop / JUDGMENTS)
    rows[row - 1] |= cells
    write(shop / JUDGMENTS, rows)


@pytest.mark.parametrize("given", [("train",), ("evaluate", "model")])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda shop: replaced(shop, "gradus.toml", "title =", "titel ="),
            ("catalog.csv", "'titel'", "did you mean 'title'"),
        ),
        (
            lambda shop: replaced(shop, JUDGMENTS, "doc_id,score", "doc_id,scor"),
            ("judgments.csv", "'score'", "judgments.score", "did you mean 'scor'"),
        ),
        (
            lambda shop: replaced(shop, "gradus.toml", "query =", "qery ="),
            ("judgments.csv", "'qery'", "did you mean 'query'"),
        ),
        (
            lambda shop: (shop / CATALOG).write_text("doc_id,title,picture\n"),
            ("catalog.csv", "no rows"),
        ),
        (lambda shop: (shop / CATALOG).write_text(""), ("catalog.csv",)),
        (lambda shop: (shop / CATALOG).unlink(), ("catalog.csv",)),
        (
            lambda shop: (shop / JUDGMENTS).write_text("query_id,query,doc_id,score\n"),
            ("judgments.csv", "holds no rows"),
        ),
        (
            lambda shop: edited(shop, 7, doc_id="purple-bolt"),
            ("judgments.csv, row 7", "'purple-bolt'", "not in the catalogue", "judgments.doc_id"),
        ),
        (
            lambda shop: edited(shop, 9, score="3"),
            ("judgments.csv, row 9", "score 3", "between 0 and 1", "judgments.scale = 3"),
        ),
        (lambda shop: edited(shop, 9, score="-0.5"), ("judgments.csv, row 9", "-0.5", "between 0 and 1")),
        (lambda shop: edited(shop, 5, score="NaN"), ("judgments.csv, row 5", "not a finite number")),
        (lambda shop: edited(shop, 5, score="inf"), ("judgments.csv, row 5", "'score'")),
        (lambda shop: edited(shop, 5, score="good"), ("judgments.csv, row 5", "'score'", "'good'")),
        (
            lambda shop: replaced(shop, "gradus.toml", "epochs = 2", "epoch = 2"),
            ("gradus.toml", "training.epoch", "did you mean 'epochs'"),
        ),
        (
            lambda shop: replaced(shop, "gradus.toml", "batch = 8", "batch = 1"),
            ("gradus.toml", "training.batch", "at least 2"),
        ),
        (
            lambda shop: write(shop / JUDGMENTS, [r | {"score": "0"} for r in read(shop / JUDGMENTS)]),
            ("judgments.csv", "no pair with a score above 0"),
        ),
    ],
    ids=[
        "misspelt field", "misspelt score", "misspelt query field", "empty catalogue", "no header", "no catalogue",
        "no judgments", "unknown id", "score of 3", "negative score", "NaN", "infinite", "a word",
        "misspelt key", "value out of range", "nothing to learn",
    ],
)  # fmt: skip
def test_an_input_that_cannot_be_used(
    shop: Path, spoil: Callable[[Path], None], said: tuple[str, ...], given: tuple[str, ...]
) -> None:
    spoil(shop)
    before = contents(shop)
    line = failure(*given)
    assert [part for part in said if part not in line] == [], line
    assert contents(shop) == before
    assert not (shop / "model").exists()


def test_a_truncated_picture_is_reported_and_training_goes_on(shop: Path) -> None:
    file = shop / "red-nut.png"
    file.write_bytes(file.read_bytes()[:50])
    assert "Counted as missing: 1 unusable image; gradus check lists them" in output("train")
    assert answer("evaluate", "model")[0]["cells"]["in-domain"]["queries"] > 0
    check = command("check")
    assert check.exit_code == 1
    assert "red-nut" in check.stdout


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (os, "fsync"),
        (gradus.training.checkpoint, "save_file"),
        (gradus.encoders.saving, "save_file"),
        (gradus.catalog.image_cache.pyarrow.parquet, "write_table"),
    ],
    ids=["flush", "checkpoint", "model", "image cache"],
)
def test_a_disk_full_in_training(shop: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    before = contents(shop)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, full)
        assert "No space left on device" in failure("train")
    after = contents(shop)
    assert {path: after[path] for path in before} == before
    # What is new is whole: decoded pictures, lines of metrics, a model that loads; nothing temporary.
    assert not [path for path in after if path.startswith("model/checkpoint/")]
    assert not [path for path in after if "/." in f"/{path}" and not path.startswith(".gradus/")]
    assert all(line.endswith("}") for line in after.get("model/metrics.jsonl", b"").decode().splitlines())
    # The same command works as soon as there is room: what was left is in nobody's way.
    if (shop / "model" / "model").exists():
        output("search", "model", "赤いナット")
        output("train", "--out", "another")
    else:
        output("train")


def test_a_disk_full_in_evaluation_leaves_the_older_one(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output("train")
    output("evaluate", "model")
    before = contents(shop)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "No space left on device" in failure("evaluate", "model", "--evaluation.metrics", "MRR")
    assert contents(shop) == before
    output("compare", "model", "model")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("search", "model"), ("search for a text, a picture, or both",)),
        (("search", "model", "  "), ("search for a text",)),
        (("search", "nowhere", "赤"), ("nowhere", "no complete model")),
        (("search", "model", "--image", "red-nut.png"), ("take no picture", "query (text)")),
        (("search", "model", "赤", "--field-factor", "qery=2"), ("no field 'qery'", "query (text)")),
        (("evaluate", "nowhere"), ("nowhere", "no complete model")),
        (("evaluate", "model", "--evaluation.metrics", "nDCG@ten"), ("nDCG@ten",)),
        (("train",), ("model holds a model already", "resume")),
        (("train", "--resume", "--training.epochs", "9"), ("other settings or data",)),
        (("train", "--resume", "--out", "new"), ("no checkpoint to resume from",)),
        (("train", "--out", "new", "--objective.weight", "liner"), ("'liner'",)),
        (
            ("train", "--out", "new", "--training.device", "gpu"),
            ("training.device is 'gpu'; choose cpu, cuda",),
        ),
        (
            ("train", "--out", "new", "--encoder.text", "./clip"),
            ("encoder.text is './clip'", "no folder clip"),
        ),
        (("compare", "model"), ("two",)),
        (("compare", "model", "nowhere"), ("nowhere", "gradus evaluate")),
    ],
)
def test_a_request_that_cannot_be_served(shop: Path, given: tuple[str, ...], said: tuple[str, ...]) -> None:
    output("train")
    output("evaluate", "model")
    output("search", "model", "赤")  # keeps its index for the next search
    before = contents(shop)
    line = failure(*given)
    assert [part for part in said if part not in line] == [], line
    assert contents(shop) == before


def test_a_picture_to_search_for_must_be_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop(tmp_path / "shop", ("picture",), "picture")
    monkeypatch.chdir(shop)
    (shop / "asked-blue-nut.png").write_bytes(b"")
    said = output("train")
    assert "Counted as missing: 1 unusable image of queries q-blue-nut" in said
    assert "gradus check" not in said  # which looks at documents
    (shop / "half.png").write_bytes((shop / "red-nut.png").read_bytes()[:50])
    assert "nowhere.png" in failure("search", "model", "--image", "nowhere.png")
    assert "half.png: " in failure("search", "model", "--image", "half.png")
    assert "take no text" in failure("search", "model", "赤いナット")
