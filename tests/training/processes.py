"""Small trainings in several processes: python processes.py SCENARIO FOLDER, once per rank, as a launcher would.

Each process leaves what it came to in FOLDER: `NAME-RANK.json`, and its parameters in `NAME-RANK.safetensors`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tiny_task import joined as joined_batches
from tiny_task import judged, smooth, tiny_batches, tiny_run, tiny_task
from torch import nn

from gradus.errors import GradusError
from gradus.objectives.registry import OBJECTIVES
from gradus.training.batches import Batches, PairBatches
from gradus.training.distributed import Group, joined
from gradus.training.task import Task


def launch(scenario: str, folder: Path, size: int = 2) -> list[subprocess.Popen[str]]:
    """The processes, one per rank."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    return [
        subprocess.Popen(
            [sys.executable, __file__, scenario, str(folder)],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def finish(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Exit code and standard error of each; one that hangs is killed, and fails the test that waits for it."""
    try:
        return [(p.wait(timeout=120), p.stderr.read() if p.stderr else "") for p in processes]
    finally:
        for process in processes:
            process.kill()


def batches_of(objective: str, size: int) -> Batches:
    if OBJECTIVES[objective].batches == "pairs":
        return PairBatches(*judged(), size)
    return tiny_batches(size)


def parity(folder: Path, group: Group, objective: str) -> Task:
    """Some steps without randomness; five documents are no even share."""
    task = tiny_task(name=objective, residual=0.1, temperature=0.2)
    options = {"epochs": 2, "augment": False, "precision": "float32", "checkpoint_minutes": 1e9}
    run = tiny_run(folder, task, batches=batches_of(objective, 5), group=group, **options)
    smooth(run).fit()
    return task


def drawn(folder: Path, group: Group) -> Task:
    """With augmentation and dropout, in chunks whose number two processes share out evenly."""
    task = tiny_task(residual=0.1, temperature=0.2)
    task.encoder.towers["text"].hidden.append(nn.Dropout(0.5))  # type: ignore[union-attr, operator]
    run = tiny_run(
        folder, task, batches=tiny_batches(12), group=group, chunk=3, epochs=6, precision="float32", ema=0.9
    )
    smooth(run).fit()
    return task


def few(folder: Path, group: Group) -> Task:
    """A document a batch: one process has nothing to embed."""
    task = tiny_task(residual=0.1, temperature=0.2)
    run = tiny_run(
        folder, task, batches=tiny_batches(1), group=group, epochs=1, augment=False, precision="float32"
    )
    smooth(run).fit()
    return task


def mining(folder: Path, group: Group) -> Task:
    """With hard negatives, mined by both."""
    task = tiny_task(residual=0.1, temperature=0.2)
    batches = joined_batches(5, 2)
    options = {"epochs": 3, "augment": False, "precision": "float32", "checkpoint_minutes": 1e9}
    smooth(tiny_run(folder, task, batches=batches, group=group, **options)).fit()
    return task


def stopping(folder: Path, group: Group) -> dict[str, Any]:
    """Early stopping, as the first process validates."""
    values = iter([0.3, 0.5, 0.4, 0.4, 0.9])
    outcome = tiny_run(
        folder, group=group, patience=2, epochs=50, validate=lambda: next(values) if group.first else fail()
    ).fit()
    return vars(outcome)


def minutes(folder: Path, group: Group) -> dict[str, Any]:
    """Out of time by the first one's clock; the other's runs seven times as fast."""
    ticks = iter(range(0, 10**6, 1 if group.first else 7))
    outcome = tiny_run(folder, group=group, minutes=1.0, clock=lambda: float(next(ticks))).fit()
    return vars(outcome)


def whole(folder: Path, group: Group, killed: bool = False, resume: bool = False) -> Task:
    """A run whose last process is killed, in a step of its third epoch; or not."""
    task = tiny_task(residual=0.1)
    run = tiny_run(folder, task, group=group, epochs=5, resume=resume, validate=lambda: 0.5, patience=0)
    if killed and not group.first:
        run.progress = lambda *_: os.kill(os.getpid(), signal.SIGKILL) if run.at.steps == 8 else None
    run.fit()
    return task


def fail() -> float:
    raise AssertionError("only the first process validates")


def main(scenario: str, folder: Path) -> None:
    torch.set_num_threads(1)
    with joined(torch.device("cpu")) as group:
        own = (
            folder if group.first else folder / "other"
        )  # where the others, were they to write, would be seen
        runs: dict[str, Callable[[], Task | dict[str, Any]]] = {}
        if scenario == "all":
            runs = {name: lambda n=name: parity(own / n, group, n) for name in OBJECTIVES}  # type: ignore[misc]
            runs["drawn"] = lambda: drawn(own / "drawn", group)
            runs["few"] = lambda: few(own / "few", group)
            runs["stopping"] = lambda: stopping(own / "stopping", group)
            runs["minutes"] = lambda: minutes(own / "minutes", group)
            runs["whole"] = lambda: whole(own / "whole", group)
        if scenario == "mining":
            runs["mining"] = lambda: mining(own / "mining", group)
        if scenario == "killed":
            runs["killed"] = lambda: whole(folder / "killed", group, killed=True)
        if scenario == "resumed":
            runs["killed"] = lambda: whole(folder / "killed", group, resume=True)
        for name, run in runs.items():
            result = run()
            if isinstance(result, Task):
                state = {key: value.clone() for key, value in result.state_dict().items()}
                save_file(state, folder / f"{name}-{group.rank}.safetensors")
            else:
                (folder / f"{name}-{group.rank}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except GradusError as error:
        sys.exit(f"{type(error).__name__}: {error}")
