"""The loop: it learns, stops when it should, and goes on as if it had never stopped."""

import errno
import json
import math
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_task import hits, same, tiny_batches, tiny_run, tiny_task
from torch import Tensor

import gradus.training.checkpoint
import gradus.training.loop
from gradus.errors import ModelError
from gradus.training.checkpoint import Position
from gradus.training.task import Task


class Killed(BaseException):
    """A kill that leaves no time to clean up."""


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_it_learns(tmp_path: Path) -> None:
    task = tiny_task()
    before = hits(task)
    outcome = tiny_run(tmp_path, task, epochs=30, checkpoint_minutes=1e9, learning_rate=0.01).fit()
    assert before < 0.5
    assert hits(task) == 1.0
    assert (outcome.epochs, outcome.steps, outcome.stopped_early) == (30, 90, False)
    assert outcome.best is None  # nothing was validated


def test_the_same_seed_gives_the_same_parameters_and_another_seed_others(tmp_path: Path) -> None:
    states = []
    for number, seed in enumerate([0, 0, 1]):
        task = tiny_task()
        tiny_run(tmp_path / str(number), task, seed=seed).fit()
        states.append(task.state_dict())
    assert same(states[0], states[1])
    assert not same(states[0], states[2])


def test_what_is_left_out_is_what_the_settings_say_and_nothing_without_augmentation(tmp_path: Path) -> None:
    def trained(name: str, **training: Any) -> dict[str, Tensor]:
        task = tiny_task()
        tiny_run(tmp_path / name, task, **training).fit()
        return task.state_dict()

    plain, bare = trained("plain"), trained("bare", augment=False)
    for name, value in (("whole_queries", True), ("field_dropout", 0.5)):
        assert not same(trained(name, **{name: value}), plain)
        assert same(trained(f"bare {name}", augment=False, **{name: value}), bare)


@pytest.mark.parametrize("options", [{}, {"ema": 0.9}, {"chunk": 3}], ids=["plain", "ema", "chunk"])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 11])
def test_killed_at_any_step_and_resumed_it_is_the_run_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, options: dict[str, float]
) -> None:
    # Three steps an epoch: within an epoch, at its last step, and before the last step of all.
    saved: dict[str, list[dict[str, Tensor]]] = {"whole": [], "parts": []}

    def run(name: str, resume: bool = False) -> None:
        task = tiny_task()
        kept = saved[name]
        tiny_run(
            tmp_path / name, task, validate=lambda: hits(task), save=kept.append, resume=resume, **options
        ).fit()

    run("whole")
    done = gradus.training.loop.save_checkpoint
    count = 0

    def killed(*given: object) -> None:
        nonlocal count
        if count == steps:
            raise Killed  # just before its next checkpoint: what it did since is on disk, but not counted
        done(*given)  # type: ignore[arg-type]
        count += 1

    with monkeypatch.context() as patch:
        patch.setattr(gradus.training.loop, "save_checkpoint", killed)
        with pytest.raises(Killed):
            run("parts")
    run("parts", resume=True)
    assert same(saved["parts"][-1], saved["whole"][-1])
    assert metrics(tmp_path / "parts") == metrics(tmp_path / "whole")


def test_a_run_that_is_over_is_not_gone_on_with(tmp_path: Path) -> None:
    task = tiny_task()
    tiny_run(tmp_path, task, validate=lambda: 0.5, patience=1, epochs=50).fit()
    before = {name: value.clone() for name, value in task.state_dict().items()}
    again = tiny_task(seed=1)
    outcome = tiny_run(tmp_path, again, validate=lambda: 0.9, patience=1, epochs=50, resume=True).fit()
    assert outcome.stopped_early
    assert outcome.steps == 2 * 3
    assert same(again.state_dict(), before)


def test_early_stopping_keeps_the_best_epoch(tmp_path: Path) -> None:
    values = iter([0.3, 0.5, 0.4, 0.5, 0.45, 0.9])
    task = tiny_task()
    seen: list[dict[str, Tensor]] = []

    def validate() -> float:
        seen.append({name: value.clone() for name, value in task.encoder.state_dict().items()})
        return next(values)

    kept: list[dict[str, Tensor]] = []
    outcome = tiny_run(tmp_path, task, validate=validate, save=kept.append, patience=3, epochs=50).fit()
    assert outcome.stopped_early
    assert outcome.epochs == len(seen) == 5  # 0.5 came second; an equal one is no better
    assert outcome.best == 0.5
    assert same(kept[-1], seen[1])


def test_without_patience_it_never_stops_early(tmp_path: Path) -> None:
    outcome = tiny_run(tmp_path, validate=lambda: 0.5, patience=0, epochs=6).fit()
    assert (outcome.epochs, outcome.stopped_early) == (6, False)


def test_without_validation_the_last_state_is_kept(tmp_path: Path) -> None:
    task = tiny_task()
    kept: list[dict[str, Tensor]] = []
    tiny_run(tmp_path, task, save=kept.append).fit()
    assert len(kept) == 1
    assert same(kept[0], dict(task.encoder.state_dict()))


def test_the_average_is_what_is_validated_and_kept(tmp_path: Path) -> None:
    task = tiny_task()
    validated: list[dict[str, Tensor]] = []
    kept: list[dict[str, Tensor]] = []

    def validate() -> float:
        validated.append({name: value.clone() for name, value in task.encoder.state_dict().items()})
        return float(len(validated))

    tiny_run(tmp_path, task, validate=validate, save=kept.append, ema=0.9, epochs=3).fit()
    assert same(kept[-1], validated[-1])
    assert not same(kept[-1], dict(task.encoder.state_dict()))


def test_minutes_are_kept_by_the_clock(tmp_path: Path) -> None:
    # Every look at the clock takes a second, so a minute is over after a few steps.
    seconds = iter(range(10**6))
    outcome = tiny_run(tmp_path, clock=lambda: float(next(seconds)), minutes=1.0, epochs=1).fit()
    assert 60 <= outcome.seconds < 75
    assert outcome.steps > 3  # epochs do not count when minutes are given
    (last,) = metrics(tmp_path)[-1:]
    assert last["step"] == outcome.steps


def test_time_before_a_kill_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def clock_from(start: int) -> object:
        seconds = iter(range(start, 10**6))
        return lambda: float(next(seconds))

    done = gradus.training.loop.save_checkpoint

    def killed(folder: Path, module: object, optimizer: object, position: object, fingerprint: str) -> None:
        done(folder, module, optimizer, position, fingerprint)  # type: ignore[arg-type]
        if position.seconds > 30:  # type: ignore[attr-defined]
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(gradus.training.loop, "save_checkpoint", killed)
        with pytest.raises(Killed):
            tiny_run(tmp_path, clock=clock_from(0), minutes=1.0).fit()  # type: ignore[arg-type]
    outcome = tiny_run(tmp_path, clock=clock_from(5000), minutes=1.0, resume=True).fit()  # type: ignore[arg-type]
    assert 59 <= outcome.seconds < 75  # to the look at the clock between


def test_checkpoints_are_written_no_more_often_than_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float] = []
    now = [0.0]
    monkeypatch.setattr(gradus.training.loop, "save_checkpoint", lambda *given: written.append(now[0]))

    def clock() -> float:
        now[0] += 5
        return now[0]

    tiny_run(tmp_path, clock=clock, epochs=12, checkpoint_minutes=1.0).fit()
    assert len(written) > 3
    assert all(later - earlier >= 60 for earlier, later in pairwise(written[:-1]))


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    task = tiny_task()
    run = tiny_run(tmp_path, task)
    objective, losses = task.objective, []

    def spoilt(*given: Tensor) -> Tensor:
        losses.append(objective(*given))  # type: ignore[arg-type]
        return losses[-1] * math.nan if len(losses) == 3 else losses[-1]

    task.objective = spoilt  # type: ignore[assignment]
    with pytest.raises(ModelError, match=r"the loss became nan at step 2; lower training\.learning_rate"):
        run.fit()
    again = tiny_task(seed=1)
    resumed = tiny_run(tmp_path, again, resume=True)
    assert resumed.at.steps == 2
    assert all(torch.isfinite(parameter).all() for parameter in again.parameters())


def test_a_full_disk_while_saving_the_model_leaves_the_older_checkpoint(tmp_path: Path) -> None:
    task = tiny_task()
    better = iter([0.1, 0.2, 0.3])

    def save(state: dict[str, Tensor]) -> None:
        if (tmp_path / "saved").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        (tmp_path / "saved").touch()

    run = tiny_run(tmp_path, task, validate=lambda: next(better), save=save)
    with pytest.raises(OSError, match="No space left"):
        run.fit()
    # The model of epoch 2 did not reach the disk, so neither did a checkpoint that says it had.
    resumed = tiny_run(tmp_path, tiny_task(), resume=True)
    assert resumed.at.best == 0.1
    assert resumed.at.steps == 6


def test_a_full_disk_during_a_checkpoint_leaves_the_one_before_to_resume_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny_task()
    tiny_run(tmp_path / "whole", whole).fit()
    write, written = gradus.training.checkpoint.save_file, []

    def full(tensors: dict[str, Tensor], path: Path, header: dict[str, str]) -> None:
        if len(written) == 4:
            path.write_bytes(b"half of a checkpoint")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(tensors, path, header)
        written.append(path)

    with monkeypatch.context() as patch:
        patch.setattr(gradus.training.checkpoint, "save_file", full)
        with pytest.raises(OSError, match="No space left"):
            tiny_run(tmp_path / "run", tiny_task()).fit()
    assert [path.name for path in (tmp_path / "run" / "checkpoint").iterdir()] == ["state.safetensors"]
    task = tiny_task(seed=1)
    resumed = tiny_run(tmp_path / "run", task, resume=True)
    assert resumed.at.steps == 4
    resumed.fit()
    assert same(task.state_dict(), whole.state_dict())


class Scaled:
    """A run as float16 trains on CUDA, but with towers in float32 on the CPU: only the scaling is of interest."""

    def __init__(self, folder: Path, task: Task, scale: float, **options: Any) -> None:
        self.run = tiny_run(folder, task, **options)
        state = self.run.at.scaler
        self.run.scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=5)
        self.run.scaler.load_state_dict(state or self.run.scaler.state_dict())


@pytest.mark.parametrize("chunk", [0, 3])
def test_scaled_gradients_are_clipped_and_applied_as_if_unscaled(tmp_path: Path, chunk: int) -> None:
    tasks = [tiny_task(), tiny_task()]
    tiny_run(tmp_path / "plain", tasks[0], chunk=chunk).fit()
    scaled = Scaled(tmp_path / "scaled", tasks[1], 2.0**10, chunk=chunk)
    scaled.run.fit()
    assert scaled.run.scaler.get_scale() == 2.0**12  # doubled after every five of twelve steps
    assert same(tasks[0].state_dict(), tasks[1].state_dict())  # powers of 2 round nothing


def test_a_step_whose_scaled_gradients_overflow_is_left_out_and_the_scale_halved(tmp_path: Path) -> None:
    task = tiny_task()
    before = {name: value.clone() for name, value in task.state_dict().items()}
    task.log_scale.register_hook(lambda gradient: gradient * math.inf)
    scaled = Scaled(tmp_path, task, 2.0**10, epochs=1, batches=tiny_batches(12))
    scaled.run.fit()
    assert scaled.run.scaler.get_scale() == 2.0**9
    assert same(task.state_dict(), before)


def test_a_resumed_run_goes_on_with_the_scale_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny_task()
    Scaled(tmp_path / "whole", whole, 2.0**10).run.fit()
    done = gradus.training.loop.save_checkpoint

    def killed(folder: Path, module: object, optimizer: object, position: Position, *rest: object) -> None:
        done(folder, module, optimizer, position, *rest)  # type: ignore[arg-type]
        if position.steps == 7:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(gradus.training.loop, "save_checkpoint", killed)
        with pytest.raises(Killed):
            Scaled(tmp_path / "parts", tiny_task(), 2.0**10).run.fit()
    task = tiny_task(seed=1)
    resumed = Scaled(tmp_path / "parts", task, 2.0**10, resume=True)
    assert resumed.run.scaler.get_scale() == 2.0**11
    resumed.run.fit()
    assert resumed.run.scaler.get_scale() == 2.0**12
    assert same(task.state_dict(), whole.state_dict())


def test_a_line_of_metrics_per_epoch(tmp_path: Path) -> None:
    tiny_run(tmp_path, validate=lambda: 0.25, epochs=3).fit()
    lines = metrics(tmp_path)
    assert [(line["epoch"], line["step"], line["validation"]) for line in lines] == [
        (1, 3, 0.25), (2, 6, 0.25), (3, 9, 0.25),
    ]  # fmt: skip
    assert {"loss", "temperature", "seconds", "documents_per_second"} <= set(lines[0])
    assert lines[2]["loss"] < lines[0]["loss"]


def test_the_loss_of_an_epoch_is_the_mean_over_its_steps(tmp_path: Path) -> None:
    task = tiny_task()
    objective, losses = task.objective, []

    def noted(*given: Tensor) -> Tensor:
        loss = objective(*given)  # type: ignore[arg-type]
        losses.append(float(loss.detach()))
        return loss

    task.objective = noted  # type: ignore[assignment]
    tiny_run(tmp_path, task, epochs=2).fit()
    expected = [sum(losses[:3]) / 3, sum(losses[3:]) / 3]
    assert [line["loss"] for line in metrics(tmp_path)] == pytest.approx(expected, abs=1e-6)


def test_progress_is_told_up_to_its_end(tmp_path: Path) -> None:
    told: list[tuple[str, int, int, str]] = []
    run = tiny_run(tmp_path, epochs=2)
    run.progress = lambda *given: told.append(given)
    run.fit()
    assert [stage for stage, *_ in told] == ["training"] * 6
    assert [done / total for _, done, total, _ in told] == pytest.approx(
        [n / 6 for n in range(1, 7)], abs=1e-3
    )
    assert all("documents/s" in note for *_, note in told)


def test_there_is_nothing_to_resume_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no checkpoint to resume from"):
        tiny_run(tmp_path, resume=True)


def test_gradients_are_clipped(tmp_path: Path) -> None:
    task = tiny_task(temperature=0.01)
    norms: list[float] = []
    run = tiny_run(tmp_path, task, clip=0.001, epochs=1, batches=tiny_batches(12))
    step = run.optimizer.step

    def noted() -> None:
        grads = [p.grad for p in task.parameters() if p.grad is not None]
        norms.append(float(torch.stack([grad.norm() for grad in grads]).norm()))
        step()

    run.optimizer.step = noted  # type: ignore[method-assign]
    run.fit()
    assert norms == pytest.approx([0.001], rel=1e-3)
