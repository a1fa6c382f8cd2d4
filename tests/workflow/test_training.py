"""Training from settings: what it may see, what it survives, and that a kill changes nothing."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_shop import contents, make_shop, read, write

import gradus.encoders.saving
from gradus.encoders.saving import load_model
from gradus.errors import ModelError, SettingsError
from gradus.settings import Settings, read_settings
from gradus.workflow.data import load_data
from gradus.workflow.training import make_batches, train

PICTURES = ("title", "picture")


def settings_of(shop: Path, **training: object) -> Settings:
    given = {"epochs": 3, "checkpoint_minutes": 0.0} | training
    return read_settings(shop).with_values({f"training.{name}": value for name, value in given.items()})


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def start(shop: Path, out: str, *flags: str) -> subprocess.Popen[str]:
    """`gradus train` in a process of its own, with one thread as here."""
    return subprocess.Popen(
        [sys.executable, "-m", "gradus", "train", "--out", out, *flags],
        cwd=shop,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("ema", [0.0, pytest.param(0.9, marks=pytest.mark.slow)])
def test_killed_with_signal_9_and_resumed_it_gives_the_same_model(tmp_path: Path, ema: float) -> None:
    shop = make_shop(tmp_path / "shop", PICTURES, "both")
    settings = settings_of(shop, epochs=20, ema=ema)
    flags = ("--training.epochs", "20", "--training.checkpoint_minutes", "0", "--training.ema", str(ema))
    process = start(shop, "killed", *flags)
    lines = shop / "killed" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    # Some epochs in, wherever it is then: within a step, a model or a checkpoint.
    while time.monotonic() < deadline and process.poll() is None:
        if lines.exists() and lines.read_text().count("\n") >= 2:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, said
    assert len(metrics(shop / "killed")) < 20

    whole = train(settings, shop / "whole")
    resumed = train(settings, shop / "killed", resume=True)
    assert contents(shop / "killed" / "model") == contents(shop / "whole" / "model")
    assert (resumed.steps, resumed.epochs, resumed.validation) == (
        whole.steps,
        whole.epochs,
        whole.validation,
    )
    assert contents(shop / "killed").keys() == contents(shop / "whole").keys()  # no temporary files either

    def told(name: str) -> list[tuple[float, ...]]:
        return [
            tuple(line[key] for key in ("step", "epoch", "loss", "validation"))
            for line in metrics(shop / name)
        ]

    assert told("killed") == told("whole")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", PICTURES)
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        train(settings_of(shop, seed=seed), shop / name)
    assert contents(shop / "one" / "model") == contents(shop / "again" / "model")
    assert contents(shop / "one" / "model") != contents(shop / "other" / "model")


@pytest.mark.parametrize("objective", ["many-to-many", "pairwise"])
def test_training_never_sees_the_test_parts(tmp_path: Path, objective: str) -> None:
    shop = make_shop(tmp_path / "shop", PICTURES)
    settings = settings_of(shop).with_values({"objective.name": objective, "objective.weight": "reciprocal"})
    data = load_data(settings)
    train(settings, shop / "before", data=data)
    queries, documents = data.judgments.queries, data.documents
    novel = {queries.ids[row] for row in np.flatnonzero(data.split.query_part == "novel")}
    novel |= {documents.ids[row] for row in np.flatnonzero(data.split.document_part == "novel")}
    assert len(novel) == 6 + 6

    judgments = read(shop / "judgments.csv")
    for row in judgments:
        if row["query_id"] in novel:
            row["query"] = f"別の{row['query']}"
        if novel & {row["query_id"], row["doc_id"]}:
            row["score"] = str(1 - float(row["score"]))
    write(shop / "judgments.csv", judgments)
    catalog = read(shop / "catalog.csv")
    for row in catalog:
        if row["doc_id"] in novel:
            row |= {"title": "something else", "picture": "red-bolt.png"}
    write(shop / "catalog.csv", catalog)

    train(settings, shop / "after")
    assert contents(shop / "after" / "model") == contents(shop / "before" / "model")
    # And the other way round: a score that training may see does change the model.
    seen = next(
        row for row in judgments if not novel & {row["query_id"], row["doc_id"]} and row["score"] == "0.5"
    )
    validation = set(np.array(queries.ids)[data.split.query_part == "validation"])
    validation |= set(np.array(documents.ids)[data.split.document_part == "validation"])
    for row in judgments:
        if row["score"] == seen["score"] and not (novel | validation) & {row["query_id"], row["doc_id"]}:
            row["score"] = "0.9"
    write(shop / "judgments.csv", judgments)
    train(settings.with_values({"objective.weight": "linear"}), shop / "changed")
    assert contents(shop / "changed" / "model") != contents(shop / "before" / "model")


def test_pictures_that_cannot_be_read_count_as_missing(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", PICTURES, "both")
    for name in ("red-bolt.png", "asked-blue-nut.png"):
        file = shop / name
        file.write_bytes(file.read_bytes()[:40])
    (shop / "green-nut.png").unlink()
    summary = train(settings_of(shop), shop / "model")
    assert summary.images_unusable == 3
    assert summary.queries_unusable == ["q-blue-nut"]
    assert summary.epochs == 3
    assert all(np.isfinite(list(line.values())).all() for line in metrics(shop / "model"))


def test_what_it_writes(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    summary = train(settings_of(shop), shop / "run")
    assert {path.name for path in (shop / "run").iterdir()} == {"model", "checkpoint", "metrics.jsonl"}
    assert [line["epoch"] for line in metrics(shop / "run")] == [1, 2, 3]
    assert summary.validation == pytest.approx(
        max(line["validation"] for line in metrics(shop / "run")), abs=1e-6
    )
    assert summary.model == shop / "run" / "model"
    assert not load_model(summary.model).training
    assert json.loads(json.dumps(summary.as_dict()))["cells"]["in-domain"]["pairs"] > 0
    card = (summary.model / "README.md").read_text()
    assert "- objective: many-to-many" in card


def test_tensorboard_where_asked(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the tensorboard extra")
    shop = make_shop(tmp_path / "shop")
    train(settings_of(shop, tensorboard=True), shop / "run")
    assert any("tfevents" in path.name for path in (shop / "run" / "tensorboard").iterdir())


def test_a_budget_of_minutes(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    seconds = iter(range(10**6))
    settings = settings_of(shop, minutes=1.0, checkpoint_minutes=1e6)
    summary = train(settings, shop / "run", clock=lambda: float(next(seconds)))
    assert 60 <= summary.seconds < 75


def test_early_stopping(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    summary = train(settings_of(shop, epochs=1000, patience=2, learning_rate=0.0), shop / "run")
    assert summary.stopped_early
    assert summary.epochs == 1 + 2  # nothing learned, so nothing better than the first


def test_a_model_is_not_overwritten(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    train(settings_of(shop), shop / "run")
    before = contents(shop / "run")
    with pytest.raises(ModelError, match="holds a model already; name another folder, or resume"):
        train(settings_of(shop), shop / "run")
    assert contents(shop / "run") == before


def test_other_settings_or_data_are_not_resumed_with(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    train(settings_of(shop), shop / "run")
    before = contents(shop / "run")
    with pytest.raises(ModelError, match="other settings or data"):
        train(settings_of(shop, epochs=4), shop / "run", resume=True)
    write(shop / "judgments.csv", read(shop / "judgments.csv")[:-1])
    with pytest.raises(ModelError, match="other settings or data"):
        train(settings_of(shop), shop / "run", resume=True)
    assert contents(shop / "run") == before


def test_a_disk_that_fills_up_leaves_the_last_model_and_resuming_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(tmp_path / "shop")
    settings = settings_of(shop, epochs=30, learning_rate=0.01)
    train(settings, shop / "whole")
    save, kept = gradus.encoders.saving.save_file, []

    def full(tensors: object, path: Path) -> None:
        if len(kept) == 2:
            path.write_bytes(b"half of a model")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        save(tensors, path)
        kept.append(path.read_bytes())

    with monkeypatch.context() as patch:
        patch.setattr(gradus.encoders.saving, "save_file", full)
        with pytest.raises(OSError, match="No space left"):
            train(settings, shop / "run")
    assert (shop / "run" / "model" / "model.safetensors").read_bytes() == kept[1]
    assert {path.name for path in (shop / "run").iterdir()} == {"model", "checkpoint", "metrics.jsonl"}
    load_model(shop / "run")
    train(settings, shop / "run", resume=True)
    assert contents(shop / "run" / "model") == contents(shop / "whole" / "model")


def test_weights_that_leave_nothing_to_learn_are_named(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    rows = read(shop / "judgments.csv")
    write(shop / "judgments.csv", [row | {"score": str(float(row["score"]) / 10)} for row in rows])
    settings = settings_of(shop).with_values({"objective.weight": "steps:0.5=1"})
    with pytest.raises(SettingsError, match=r"objective\.weight 'steps:0.5=1' gives no training pair"):
        make_batches(load_data(settings), settings)
