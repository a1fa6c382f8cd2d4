"""Checkpoints: everything comes back, faults are named, and a full disk leaves the last complete one."""

import errno
import os
from pathlib import Path

import pytest
import torch
from tiny_task import same, tiny_batches, tiny_task

import gradus.training.checkpoint
from gradus.errors import ModelError
from gradus.settings import EncoderSettings, TrainingSettings
from gradus.training.checkpoint import Position, load_checkpoint, save_checkpoint
from gradus.training.optimizer import make_optimizer
from gradus.training.task import Task

POSITION = Position(epoch=2, step=1, steps=7, documents=28, loss=1.5, seconds=0.25, best=0.5, since_best=1)


def trained(steps: int, seed: int = 0) -> tuple[Task, torch.optim.AdamW]:
    task = tiny_task(seed)
    optimizer = make_optimizer(task, TrainingSettings(), EncoderSettings())
    for batch in list(tiny_batches(1).epoch(0, 0))[:steps]:
        step(task, optimizer, batch)
    return task, optimizer


def step(task: Task, optimizer: torch.optim.Optimizer, batch: object) -> None:
    optimizer.zero_grad()
    task(batch, None, torch.float32).backward()
    optimizer.step()


def test_parameters_moments_and_counters_come_back(tmp_path: Path) -> None:
    task, optimizer = trained(3)
    save_checkpoint(tmp_path / "checkpoint", task, optimizer, POSITION, "this")
    again, fresh = trained(0, seed=1)
    assert load_checkpoint(tmp_path / "checkpoint", again, fresh, "this") == POSITION
    assert same(again.state_dict(), task.state_dict())
    batch = next(tiny_batches().epoch(0, 5))
    step(task, optimizer, batch)
    step(again, fresh, batch)
    assert same(again.state_dict(), task.state_dict())


def test_a_run_before_its_first_validation_has_no_best(tmp_path: Path) -> None:
    task, optimizer = trained(1)
    save_checkpoint(tmp_path, task, optimizer, Position(), "this")
    assert load_checkpoint(tmp_path, task, optimizer, "this").best == float("-inf")


def test_a_checkpoint_of_other_settings_or_data_is_refused(tmp_path: Path) -> None:
    task, optimizer = trained(1)
    save_checkpoint(tmp_path, task, optimizer, POSITION, "this")
    with pytest.raises(ModelError, match="trained with other settings or data"):
        load_checkpoint(tmp_path, task, optimizer, "that")


def test_a_checkpoint_of_other_towers_is_refused(tmp_path: Path) -> None:
    task, optimizer = trained(1)
    save_checkpoint(tmp_path, task, optimizer, POSITION, "this")
    task.encoder.towers["text"].register_buffer("new", torch.zeros(1))
    with pytest.raises(ModelError, match="written by a version of gradus with other towers"):
        load_checkpoint(tmp_path, task, optimizer, "this")


@pytest.mark.parametrize("damage", ["missing", "empty", "half", "foreign"])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, damage: str) -> None:
    from safetensors.torch import save_file

    task, optimizer = trained(1)
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, task, optimizer, POSITION, "this")
    (file,) = folder.iterdir()
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "foreign":
        save_file({"weight": torch.zeros(2)}, file)
    else:
        file.write_bytes(content[: len(content) // 2 if damage == "half" else 0])
    before = task.state_dict()
    with pytest.raises(ModelError, match=f"{folder} holds no checkpoint to resume from"):
        load_checkpoint(folder, task, optimizer, "this")
    assert same(task.state_dict(), before)


@pytest.mark.parametrize("where", ["save_file", "fsync"])
def test_a_full_disk_leaves_the_last_complete_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    task, optimizer = trained(2)
    save_checkpoint(tmp_path, task, optimizer, POSITION, "this")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    module = os if where == "fsync" else gradus.training.checkpoint
    monkeypatch.setattr(module, where, full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path, *trained(3), Position(), "this")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_a_killed_writer_left_is_cleared_away(tmp_path: Path) -> None:
    task, optimizer = trained(1)
    save_checkpoint(tmp_path, task, optimizer, POSITION, "this")
    (file,) = tmp_path.iterdir()
    (tmp_path / f".{file.name}.half").write_bytes(b"half")
    load_checkpoint(tmp_path, task, optimizer, "this")
    assert list(tmp_path.iterdir()) == [file]
