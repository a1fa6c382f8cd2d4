"""A kill in the middle of a checkpoint: what is on the disk then is resumed from, and nothing is lost but time."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tiny_task import hits, same, tiny_run, tiny_task
from torch import Tensor

import gradus.training.checkpoint


def die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def run(folder: Path, resume: bool = False) -> dict[str, Tensor]:
    task = tiny_task()
    tiny_run(folder, task, validate=lambda: hits(task), resume=resume, ema=0.5).fit()
    return task.state_dict()


def in_the_middle(write: Callable[..., None]) -> Callable[..., None]:
    """Half of the file."""

    def killed(tensors: dict[str, Tensor], path: Path, *rest: Any) -> None:
        write(tensors, path, *rest)
        os.truncate(path, path.stat().st_size // 2)
        die()

    return killed


def after(call: Callable[..., Any]) -> Callable[..., Any]:
    def killed(*given: Any) -> None:
        call(*given)
        die()

    return killed


MOMENTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "half written": (gradus.training.checkpoint, "save_file", in_the_middle),
    "written": (os, "fsync", lambda _: die),
    "flushed": (Path, "replace", lambda _: die),
    "renamed": (Path, "replace", after),
}


@pytest.mark.parametrize("checkpoint", [1, 4, 6])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_with_signal_9_within_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, checkpoint: int
) -> None:
    whole = run(tmp_path / "whole")
    place, name, kill = MOMENTS[moment]
    saved = gradus.training.checkpoint.save_file
    count = 0

    def counted(*given: Any) -> None:
        nonlocal count
        count += 1
        if count == checkpoint:
            deadly = kill(saved if name == "save_file" else getattr(place, name))
            if name == "save_file":
                deadly(*given)
            monkeypatch.setattr(place, name, deadly)
        saved(*given)

    child = os.fork()
    if not child:
        monkeypatch.setattr(gradus.training.checkpoint, "save_file", counted)
        try:
            run(tmp_path / "killed")
        finally:
            os._exit(0)  # not reached: a test must not go on twice
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    folder = tmp_path / "killed" / "checkpoint"
    left = len(list(folder.iterdir()))
    assert left == (1 if moment == "renamed" else 1 + (checkpoint > 1))
    if checkpoint == 1 and moment != "renamed":
        return  # nothing to resume from yet
    assert same(run(tmp_path / "killed", resume=True), whole)
    assert [path.name for path in folder.iterdir()] == ["state.safetensors"]
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "killed")]
    assert lines[0] == lines[1]
