"""The candidates of a sweep: objective, score-to-weight function and temperature, each training listed once."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.errors import SettingsError
from gradus.objectives.registry import OBJECTIVES
from gradus.settings import ObjectiveSettings, Settings
from gradus.training.batches import Batches
from gradus.training.task import settings_of
from gradus.workflow.data import Data
from gradus.workflow.training import make_batches


@dataclass(frozen=True)
class Candidate:
    """One combination.

    Attributes:
        objective: `objective.name`.
        weight: `objective.weight`.
        temperature: `objective.temperature`, never 0.
        same: Other score-to-weight functions of the sweep that come to the same training.
    """

    objective: str
    weight: str
    temperature: float
    same: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, float]:
        """What tells it from others."""
        return self.objective, self.weight, self.temperature

    def __str__(self) -> str:
        return f"{self.objective}, {self.weight}, τ {self.temperature:g}"

    def settings(self, base: ObjectiveSettings) -> ObjectiveSettings:
        """`[objective]` with this combination; what its objective does not take has its default again."""
        kind = OBJECTIVES[self.objective]
        refused = set().union(*map(settings_of, OBJECTIVES.values())) - settings_of(kind)
        if base.masked == "nothing" and kind.batches != "pairs":
            refused.add("masked")
        own: dict[str, Any] = {name: value for name, value in vars(base).items() if name not in refused}
        return ObjectiveSettings(**own | dict(zip(("name", "weight", "temperature"), self.key, strict=True)))


def make_grid(settings: Settings, data: Data) -> list[Candidate]:
    """The combinations of `[sweep]`, those that would repeat a training left out.

    To an objective that reads only the order of weights, two functions are the same when they order the training
    pairs alike, as `linear` and `power:2` do; to one that reads only which are above 0, nearly all are. The first
    of them in `sweep.weights` is kept. What counts is the weights themselves, confidence included, not the names.

    Raises:
        SettingsError: A list is empty, names something unknown, or a combination leaves nothing to train on.
        JudgmentsError: No such score-to-weight function.
    """
    sweep = settings.sweep
    for name in ("objectives", "weights", "temperatures"):
        if not getattr(sweep, name):
            raise SettingsError(f"sweep.{name} is empty; name at least one")
    for name in sweep.objectives:
        if name not in OBJECTIVES:
            raise SettingsError(f"sweep.objectives holds {name!r}; choose from {', '.join(OBJECTIVES)}")
    starts = [_temperature(text) for text in sweep.temperatures]
    return [
        Candidate(name, weight, temperature, same)
        for name in dict.fromkeys(sweep.objectives)
        for weight, same in _distinct_weights(settings, data, name).items()
        for temperature in dict.fromkeys(start or OBJECTIVES[name].temperature for start in starts)
    ]


def _temperature(text: str) -> float:
    try:
        return ObjectiveSettings(temperature=float(text)).temperature
    except (ValueError, SettingsError):
        raise SettingsError(
            f"sweep.temperatures holds {text!r}; each must be a number between 0 and 10"
        ) from None


def _distinct_weights(settings: Settings, data: Data, objective: str) -> dict[str, tuple[str, ...]]:
    """Score-to-weight function → the others that this objective cannot tell from it."""
    alike: dict[bytes, list[str]] = {}
    for weight in dict.fromkeys(settings.sweep.weights):
        # Any temperature: batches do not depend on it.
        how = Candidate(objective, weight, OBJECTIVES[objective].temperature).settings(settings.objective)
        batches = make_batches(data, replace(settings, objective=how))
        alike.setdefault(_seen_by(objective, batches), []).append(weight)
    return {first: tuple(others) for first, *others in alike.values()}


def _seen_by(objective: str, batches: Batches) -> bytes:
    """All that the objective learns of the weights of its pairs."""
    read = OBJECTIVES[objective].weights
    weights: NDArray[np.generic] = batches.weight
    if read == "order":
        # A weight of 0 is a judged pair that is no positive; it must not take the place of the lowest grade.
        weights = np.unique(np.r_[np.float32(0), batches.weight], return_inverse=True)[1]
    elif read == "presence":
        weights = batches.weight > 0
    return b"|".join(part.tobytes() for part in (batches.query, batches.document, weights))
