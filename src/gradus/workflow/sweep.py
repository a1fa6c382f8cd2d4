"""Sweeps: which objective, score-to-weight function and other settings suit the data, by successive halving.

Candidates are compared at equal time, because steps differ in cost: a batch of pairs encodes a document once per
pair, and some objectives cost more than others. But a clock makes results depend on what else the machine does.
So a clock is read once: what a step of an objective costs is measured before its first training, in processor time,
and kept. From then on time is the number of steps times that price. Trainings of one objective are of exactly the
same length, and a sweep that was killed and resumed ends with exactly what it would have ended with.

Each round trains its candidates anew, for its own time: the learning rate falls over the whole of a training, so one
that was cut short, or one that is continued, says little of one that was meant to be that long. With a factor of 3,
continuing would save at most a third of each round but the first.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gradus.errors import JudgmentsError, ModelError, SettingsError
from gradus.evaluation.cells import answerable
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.training.distributed import launched
from gradus.training.loop import Clock
from gradus.training.optimizer import device_of
from gradus.workflow.data import Data, load_data
from gradus.workflow.halving import Round, halve, plan
from gradus.workflow.sweep_grid import SWEPT, Candidate, data_for, make_grid, tried
from gradus.workflow.sweep_ledger import Ledger, Training
from gradus.workflow.training import TrainingSummary, train

PRICED_SHARE = 0.5
"""A step's price is measured over this share of the first round's time."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep came to.

    Attributes:
        rounds: First to last, each with its minutes and its candidates by validation metric, best first.
        trainings: All of them.
        settings: Those given, with the winner's combination.
    """

    rounds: tuple[Round[Candidate], ...]
    trainings: tuple[Training, ...]
    settings: Settings

    @property
    def winner(self) -> Candidate:
        """The best candidate of the last round."""
        return self.rounds[-1].ranking[0][0]

    def table(self) -> list[tuple[Candidate, list[float | None]]]:
        """Each candidate with its metric in every round that it was in; those that came furthest first.

        Within a round the best come first. Metrics after different times are not compared.
        """
        values: dict[Candidate, list[float | None]] = {}
        for each in self.rounds:
            for candidate, value in each.ranking:
                values.setdefault(candidate, []).append(value)
        ordered = [candidate for each in reversed(self.rounds) for candidate, _ in each.ranking]
        return [(candidate, values[candidate]) for candidate in dict.fromkeys(ordered)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "winner": self.winner.as_dict(),
            "rounds": [
                {
                    "minutes": each.budget,
                    "ranking": [c.as_dict() | {"validation": value} for c, value in each.ranking],
                }
                for each in self.rounds
            ],
            "trainings": [asdict(training) for training in self.trainings],
        }


def sweep(settings: Settings, out: Path, *, progress: Progress = silent, clock: Clock | None = None) -> Sweep:
    """Find the best candidate of `[sweep]` by the validation part of the split; nothing else is looked at.

    Args:
        settings: The search; `[sweep]` says what is tried.
        out: Gets `sweep.json`, after every training. What it holds already is not trained again.
        progress: Told about each training and its steps.
        clock: Seconds, from any origin; what steps are priced with. Processor time where training computes on
            the processor, wall-clock time elsewhere, if not given.

    Raises:
        JudgmentsError: The split has nothing to validate with, or there is no such score-to-weight function.
        SettingsError: A setting of `[sweep]` cannot be used, or a launcher started several processes.
        ModelError: `out` was swept with other settings or data, or no candidate could be trained.
        GradusError: Another input cannot be used; the type and the message say which and why.
    """
    if launched()[1] > 1:
        raise SettingsError("a sweep runs in one process; start it without torchrun")
    shared = _shared(settings)
    data = load_data(shared)
    _check_validation(data)
    candidates = make_grid(settings, data)
    ledger = Ledger(out, data.fingerprint(shared))
    if clock is None:
        on_processor = device_of(settings.training.device).type == "cpu"
        clock = time.process_time if on_processor else time.monotonic
    rounds = plan(len(candidates), settings.sweep.minutes, settings.sweep.factor)
    runner = _Runner(
        settings, data, out, ledger, clock, progress, rounds[0][1] * PRICED_SHARE, sum(n for n, _ in rounds)
    )
    found = halve(candidates, settings.sweep.minutes, settings.sweep.factor, runner.measure)
    progress("candidates", runner.total, runner.total, "")
    winner, best = found[-1].ranking[0]
    if best is None:
        first = ledger.training(winner, found[-1].budget)
        raise ModelError(f"no candidate could be trained; {winner} failed: {first.failure if first else ''}")
    result = Sweep(
        tuple(found),
        tuple(ledger.trainings),
        winner.settings(settings),
    )
    ledger.write(**{key: value for key, value in result.as_dict().items() if key != "trainings"})
    return result


def _check_validation(data: Data) -> None:
    cells = data.split.validation_cells().values()
    if not any(len(answerable(data.judgments, queries, documents)) for queries, documents in cells):
        raise JudgmentsError(
            "the split has no validation part with judged pairs to compare candidates on; raise split.validation, "
            "or label some queries and documents validation"
        )


def _without_validation(data: Data) -> Data:
    """The same training pairs, and nothing to validate with."""
    parts = {
        name: np.where(part == "validation", "novel", part).astype(object)
        for name, part in vars(data.split).items()
    }
    return replace(data, split=replace(data.split, **parts))


def _for(settings: Settings, minutes: float) -> Settings:
    """The settings for a training of some minutes, none of which is cut short."""
    return settings.with_values(
        {
            "training.minutes": minutes,
            "training.patience": 0,
            "training.checkpoint_minutes": 1e9,
            "training.tensorboard": False,
        }
    )


def _shared(settings: Settings) -> Settings:
    """What all trainings of a sweep share; the settings that differ, or that no training reads, are the defaults."""
    varied = (*SWEPT, *tried(settings))
    settings = settings.with_values({key: Settings().value(key) for key in varied})
    read = ("catalog", "query", "judgments", "split", "encoder", "objective", "training")
    return _for(Settings(**{name: getattr(settings, name) for name in (*read, "root")}), 0)


class _Steps:
    """A clock that counts the steps of a training, each at a price in seconds."""

    def __init__(self, price: float) -> None:
        self.price, self.steps = price, 0

    def __call__(self) -> float:
        return self.price * self.steps

    def counted(self, progress: Progress) -> Progress:
        def report(stage: str, done: int, total: int, note: str = "") -> None:
            self.steps += stage == "training"
            progress(stage, done, total, note)

        return report


@dataclass
class _Runner:
    """Trains candidates, unless the ledger holds their training."""

    settings: Settings
    data: Data
    out: Path
    ledger: Ledger
    clock: Clock
    progress: Progress
    priced: float
    total: int
    done: int = 0

    def measure(self, candidate: Candidate, minutes: float) -> float | None:
        """The validation metric of a candidate trained for some minutes; `None` where its training fails."""
        self.progress("candidates", self.done, self.total, f"{candidate}, {minutes:.3g} min")
        self.done += 1
        training = self.ledger.training(candidate, minutes)
        if training is None:
            training = self._train(candidate, minutes)
            self.ledger.add(training)
        return training.validation

    def _train(self, candidate: Candidate, minutes: float) -> Training:
        steps = _Steps(0)
        named = (candidate.objective, candidate.weight, candidate.temperature)
        others = dict(candidate.others)
        try:
            steps.price = self._price(candidate, steps)
            steps.steps = 0
            summary = self._run(candidate, minutes, self.data, steps, steps)
        except ModelError as error:
            if not steps.steps:
                raise  # nothing of the candidate's doing
            return Training(*named, minutes, steps.steps, 0, None, str(error), others)
        return Training(*named, minutes, summary.steps, summary.epochs, summary.validation, "", others)

    def _price(self, candidate: Candidate, steps: _Steps) -> float:
        """Seconds of a step, without validation, which is no part of an objective's cost."""
        name = candidate.priced
        if name not in self.ledger.prices:
            summary = self._run(candidate, self.priced, _without_validation(self.data), self.clock, steps)
            self.ledger.add_price(name, summary.seconds / summary.steps)
        return self.ledger.prices[name]

    def _run(
        self, candidate: Candidate, minutes: float, data: Data, clock: Clock, steps: _Steps
    ) -> TrainingSummary:
        settings = candidate.settings(self.settings)
        data = data_for(candidate.others, self.settings, data)
        with _emptied(self.out / ".training") as folder:
            return train(
                _for(settings, minutes),
                folder,
                data=data,
                clock=clock,
                progress=steps.counted(self.progress),
            )


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Yield a path where nothing is, and leave nothing there; a killed training may have left its own."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
