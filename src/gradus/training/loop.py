"""The loop: steps, a schedule, validation, early stopping, checkpoints.

All randomness of a step is a function of the seed and the step's number, so a run that was killed and
resumed from its last checkpoint gives the same parameters as one that was not. Where several processes train
together, each runs this loop, and whatever ends it or lies outside a step is for the first one to say.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gradus.encoders.augmentation import Augmentation
from gradus.errors import ModelError
from gradus.progress import Progress
from gradus.settings import Settings
from gradus.training.average import Average
from gradus.training.batches import Batch, Batches
from gradus.training.cached import cached_backward, fits
from gradus.training.checkpoint import Position, load_checkpoint, save_checkpoint
from gradus.training.distributed import ALONE, Group
from gradus.training.log import MetricsLog
from gradus.training.optimizer import make_optimizer, precision_of, schedule
from gradus.training.recompute import recompute_layers
from gradus.training.task import Task

Clock = Callable[[], float]

MEASURED_SHARE, MEASURED_STEPS = 0.05, 20
"""A run is validated at the end of each epoch; within one when both are behind since the last time, because
an epoch of pairs can be most of a run."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        best: Best validation metric; `None` where nothing was validated.
        epochs: Epochs completed.
        steps: Optimiser steps.
        seconds: Training time, validation and checkpoints included.
        stopped_early: Whether patience ran out.
    """

    best: float | None
    epochs: int
    steps: int
    seconds: float
    stopped_early: bool


class Run:
    """One training of a task, from its first step or from its last checkpoint.

    Args:
        task: Encoder, objective and temperature; trained in place.
        batches: The judged pairs of training.
        settings: The sections training and encoder.
        folder: Gets `checkpoint/`, `metrics.jsonl` and, where asked, `tensorboard/`.
        validate: Returns the validation metric (higher is better) of the encoder as it is; `None` for none.
        save: Writes the model of a state of the encoder: the best by validation, else the last.
        fingerprint: Names settings and data; a resumed run must have the same.
        resume: Go on from `folder/checkpoint`.
        progress: Told about each step.
        clock: Seconds, from any origin; what `training.minutes` is measured with.
        group: The processes that train together, each with a run like this one.

    Raises:
        ModelError: Nothing to resume from.
        SettingsError: The device or the towers cannot do what the settings ask.
    """

    def __init__(
        self,
        task: Task,
        batches: Batches,
        settings: Settings,
        folder: Path,
        *,
        validate: Callable[[], float] | None,
        save: Callable[[dict[str, Tensor]], None],
        fingerprint: str,
        resume: bool,
        progress: Progress,
        clock: Clock = time.monotonic,
        group: Group = ALONE,
    ) -> None:
        self.task, self.batches, self.settings, self.folder = task, batches, settings.training, folder
        self.validate, self.save, self.fingerprint = validate, save, fingerprint
        self.progress, self.clock, self.group = progress, clock, group
        if settings.training.gradient_checkpointing:
            recompute_layers(task.encoder)
        self.optimizer = make_optimizer(task, settings.training, settings.encoder)
        self.average = Average(task, settings.training.ema)
        self.precision = precision_of(settings.training.precision, task.encoder.device)
        self.scaler = torch.amp.GradScaler(task.encoder.device.type, enabled=self.precision == torch.float16)
        self.at = Position()
        if resume:
            with group.in_turn():
                self.at = load_checkpoint(folder / "checkpoint", self._state, self.optimizer, fingerprint)
            self.scaler.load_state_dict(self.at.scaler)
        group.align(self._state)
        self.log: MetricsLog | None = None
        if group.first:
            self.log = MetricsLog(folder, settings.training.tensorboard, self.at.lines, self.at.steps)
        self.started = clock() - self.at.seconds
        self.saved = clock()
        self.losses: deque[float] = deque(maxlen=20)
        self.best: dict[str, Tensor] | None = None  # a state of the encoder that is not on disk yet

    def fit(self) -> Outcome:
        """Train until the epochs or the minutes are spent or patience runs out.

        Raises:
            ModelError: The loss is no longer a finite number.
        """
        self.task.train()
        stopped = self._out_of_patience()
        self._read_clock()
        while not stopped and self._share() < 1:
            if self.batches.negatives is not None and not self.at.step:
                self.batches.negatives.refresh(self.task, self.group)
            # Whole epochs, unless a checkpoint lies within one or the time runs out within one.
            for batch in islice(self.batches.epoch(self.settings.seed, self.at.epoch), self.at.step, None):
                self._step(batch)
                if self._share() >= 1:
                    break
                if self._is_long_unmeasured() and not self._epoch_is_over():
                    self._measure()
                self._checkpoint(self.settings.checkpoint_minutes)
            self._measure()
            stopped = self._out_of_patience()
        if self.validate is None:
            self._remember()
        self._checkpoint(0)
        if self.log is not None:
            self.log.close()
        best = self.at.best if math.isfinite(self.at.best) else None
        return Outcome(best, self.at.epoch, self.at.steps, self.at.seconds, stopped)

    @property
    def _state(self) -> nn.Module:
        parts = {"task": self.task, "average": self.average, "negatives": self.batches.negatives}
        return nn.ModuleDict({name: part for name, part in parts.items() if part is not None})

    def _share(self) -> float:
        """How much of the training is behind, 0 to 1 and beyond."""
        if self.settings.minutes:
            return self.at.seconds / (60 * self.settings.minutes)
        return self.at.steps / (self.settings.epochs * self.batches.steps)

    def _read_clock(self) -> None:
        """Note the time spent; by one clock for all processes, so that all stop at the same step."""
        if self.settings.minutes:
            self.at.seconds = self.group.agree(lambda: self.clock() - self.started)
        else:
            self.at.seconds = self.clock() - self.started

    def _step(self, batch: Batch) -> None:
        number = self.at.steps
        factor = schedule(self._share(), self.settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = factor * group["peak"]
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward(batch)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.task.parameters(), self.settings.clip or math.inf)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update(self.task)
        self.losses.append(float(loss))
        if not math.isfinite(self.losses[-1]):
            raise ModelError(
                f"the loss became {self.losses[-1]} at step {number}; lower training.learning_rate "
                f"(now {self.settings.learning_rate}) or set training.precision to float32"
            )
        self.at.steps, self.at.step = number + 1, self.at.step + 1
        self.at.documents += len(batch.documents)
        self.at.loss += self.losses[-1]
        self._read_clock()
        note = f"loss {np.mean(self.losses):.3f}, {self._speed():.0f} documents/s"
        self.progress("training", round(1000 * min(1.0, self._share())), 1000, note)

    def _backward(self, batch: Batch) -> Tensor:
        """The loss of a batch, with its gradients in the parameters."""
        chunk = self.settings.chunk
        if self.group.size == 1 and fits(batch, chunk):
            loss: Tensor = self.task(batch, self._draws(0), self.precision)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            return loss.detach()
        return cached_backward(
            self.task, batch, self._draws, self.precision, chunk, self.group, self.scaler.scale
        )

    def _draws(self, part: int) -> Augmentation | None:
        """Seed the dropout of a part of this step, 0 for all of it; return its augmentation."""
        seed, number = self.settings.seed, self.at.steps
        dropout = seed * 1_000_003 + number
        if part:
            # PyTorch's generator on the CPU reads 32 bits of a seed, in which a sum would repeat itself.
            dropout = int(np.random.SeedSequence((dropout, part)).generate_state(1)[0])
        torch.manual_seed(dropout)
        if not self.settings.augment:
            return None
        rng = np.random.default_rng((seed, number, 1, part))
        return Augmentation(rng, self.settings.whole_queries, self.settings.field_dropout)

    def _is_long_unmeasured(self) -> bool:
        share, steps = self._share() - self.at.measured_share, self.at.steps - self.at.measured_step
        return share >= MEASURED_SHARE and steps >= MEASURED_STEPS

    def _epoch_is_over(self) -> bool:
        return self.at.step == self.batches.steps

    def _measure(self) -> None:
        """Validate, keep the model if it is the best, log."""
        values = {
            "loss": self.at.loss / (self.at.steps - self.at.measured_step),
            "temperature": self.task.temperature,
            "documents_per_second": self._speed(),
        }
        self.at.loss, self.at.measured_step = 0.0, self.at.steps
        self.at.measured_share = self._share()
        if self._epoch_is_over():
            self.at.epoch, self.at.step = self.at.epoch + 1, 0
        if self.validate is not None:
            values["validation"] = metric = self.group.agree(self._validated)
            self.at.since_best += 1
            if metric > self.at.best:
                self.at.best, self.at.since_best = metric, 0
                self._remember()
        self._read_clock()
        self.at.lines += 1
        if self.log is not None:
            self.log.write(self.at.steps, {"seconds": self.at.seconds, "epoch": self.at.epoch} | values)

    def _validated(self) -> float:
        assert self.validate is not None  # noqa: S101 - narrows the type
        with self.average.in_place_of(self.task):
            return self.validate()

    def _out_of_patience(self) -> bool:
        return 0 < self.settings.patience <= self.at.since_best

    def _remember(self) -> None:
        """Copy the encoder's state as the one to keep; it reaches the disk with the next checkpoint."""
        if not self.group.first:
            return
        with self.average.in_place_of(self.task):
            state = self.task.encoder.state_dict()
            self.best = {name: value.detach().clone() for name, value in state.items()}

    def _checkpoint(self, minutes: float) -> None:
        """Write model and checkpoint unless they were written within the given minutes."""
        if not self.group.first or self.clock() - self.saved < 60 * minutes:
            return
        if self.best is not None:
            self.save(self.best)
            self.best = None
        self.at.scaler = self.scaler.state_dict()
        save_checkpoint(self.folder / "checkpoint", self._state, self.optimizer, self.at, self.fingerprint)
        self.saved = self.clock()

    def _speed(self) -> float:
        """Documents encoded per second of training."""
        return self.at.documents / max(self.at.seconds, 1e-9)
