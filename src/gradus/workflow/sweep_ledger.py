"""What a sweep has done so far, in one file: so that it can be stopped at any moment and loses one training at most."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gradus.errors import ModelError
from gradus.files import atomic_file, remove_leftovers
from gradus.workflow.sweep_grid import Candidate

FILE = "sweep.json"


@dataclass(frozen=True)
class Training:
    """One candidate, trained once.

    Attributes:
        objective: As in `Candidate`.
        weight: Likewise.
        temperature: Likewise.
        minutes: What it was given.
        steps: Optimiser steps that these came to.
        epochs: Epochs completed.
        validation: Its validation metric; `None` where the training failed.
        failure: Why it failed, else empty.
        others: As in `Candidate`, by setting.
    """

    objective: str
    weight: str
    temperature: float
    minutes: float
    steps: int
    epochs: int
    validation: float | None
    failure: str = ""
    others: dict[str, Any] = field(default_factory=dict)

    @property
    def candidate(self) -> Candidate:
        """What was trained."""
        return Candidate(self.objective, self.weight, self.temperature, tuple(self.others.items()))


class Ledger:
    """The file `sweep.json` of a folder; every addition replaces it whole.

    Args:
        folder: Where it lies.
        fingerprint: Names the settings and the data that all its trainings share.

    Attributes:
        trainings: In the order in which they ended.
        prices: `Candidate.priced` → processor seconds of one of its steps.

    Raises:
        ModelError: The file is of other settings or data, or is none.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path, self.fingerprint = folder / FILE, fingerprint
        self.trainings: list[Training] = []
        self.prices: dict[str, float] = {}
        remove_leftovers(self.path)
        if not self.path.exists():
            return
        try:
            held = json.loads(self.path.read_text(encoding="utf-8"))
            same = held["fingerprint"] == fingerprint
            self.prices = {str(name): float(price) for name, price in held["seconds_per_step"].items()}
            self.trainings = [Training(**each) for each in held["trainings"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{self.path} is no sweep to go on with ({error!r}); name another folder"
            ) from None
        if not same:
            raise ModelError(
                f"{folder} was swept with other settings or data; go back to those, or name another folder"
            )

    def training(self, candidate: Candidate, minutes: float) -> Training | None:
        """The training of a candidate for a time, if it was done."""
        wanted = (candidate.key, minutes)
        return next((each for each in self.trainings if (each.candidate.key, each.minutes) == wanted), None)

    def add(self, training: Training) -> None:
        """Note a training."""
        self.trainings.append(training)
        self.write()

    def add_price(self, priced: str, seconds: float) -> None:
        """Note what a step of candidates that are `priced` alike costs."""
        self.prices[priced] = seconds
        self.write()

    def write(self, **more: Any) -> None:
        """Write the file, with more keys beside its own."""
        value = {
            "fingerprint": self.fingerprint,
            "seconds_per_step": self.prices,
            "trainings": [asdict(training) for training in self.trainings],
        }
        with atomic_file(self.path) as aside:
            aside.write_text(json.dumps(value | more, indent=1, ensure_ascii=False), encoding="utf-8")
