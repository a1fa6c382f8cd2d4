"""The candidates of a sweep: objective, score-to-weight function and what else is tried, each training listed once."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.errors import SettingsError
from gradus.objectives.registry import OBJECTIVES
from gradus.settings import ObjectiveSettings, Settings, to_mapping
from gradus.training.batches import Batches
from gradus.training.task import settings_of
from gradus.workflow.data import Data, with_distilled
from gradus.workflow.training import make_batches

SWEPT = ("objective.name", "objective.weight", "objective.temperature")
"""What the lists of their own are for, in the order of a candidate's first three attributes."""
DISTILLED = "judgments.distilled"

Others = tuple[tuple[str, Any], ...]
"""Further settings with a value each."""


@dataclass(frozen=True)
class Candidate:
    """One combination.

    Attributes:
        objective: `objective.name`.
        weight: `objective.weight`.
        temperature: `objective.temperature`, never 0.
        others: What else the sweep tries.
        same: Other score-to-weight functions of the sweep that come to the same training.
    """

    objective: str
    weight: str
    temperature: float
    others: Others = ()
    same: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, float, Others]:
        """What tells it from others."""
        return self.objective, self.weight, self.temperature, self.others

    @property
    def priced(self) -> str:
        """What tells it from others whose steps cost something else."""
        return ", ".join((self.objective, *shown(self.others)))

    def __str__(self) -> str:
        return ", ".join((self.objective, self.weight, f"τ {self.temperature:g}", *shown(self.others)))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"others": dict(self.others)}

    def settings(self, base: Settings) -> Settings:
        """The settings with this combination; what its objective does not take has its default again."""
        base = base.with_values(dict(self.others))
        kind = OBJECTIVES[self.objective]
        refused = set().union(*map(settings_of, OBJECTIVES.values())) - settings_of(kind)
        if base.objective.masked == "nothing" and kind.batches != "pairs":
            refused.add("masked")
        own: dict[str, Any] = {
            name: value for name, value in vars(base.objective).items() if name not in refused
        }
        swept = {"name": self.objective, "weight": self.weight, "temperature": self.temperature}
        return replace(base, objective=ObjectiveSettings(**own | swept))


def shown(others: Others) -> list[str]:
    """Further settings, for people."""
    return [f"{key} {value}" for key, value in others]


def make_grid(settings: Settings, data: Data) -> list[Candidate]:
    """The combinations of `[sweep]`, those that would repeat a training left out.

    To an objective that reads only the order of weights, two functions are the same when they order the training
    pairs alike, as `linear` and `power:2` do; to one that reads only which are above 0, nearly all are. The first
    of them in `sweep.weights` is kept. What counts is the weights themselves, confidence included, not the names.

    Raises:
        SettingsError: A list is empty, names something unknown, or a combination leaves nothing to train on.
        JudgmentsError: No such score-to-weight function, or no such file of what was distilled.
    """
    sweep, others_tried = settings.sweep, tried(settings)
    for name in ("objectives", "weights", "temperatures"):
        if not getattr(sweep, name):
            raise SettingsError(f"sweep.{name} is empty; name at least one")
    for name in sweep.objectives:
        if name not in OBJECTIVES:
            raise SettingsError(f"sweep.objectives holds {name!r}; choose from {', '.join(OBJECTIVES)}")
    starts = [_temperature(text) for text in sweep.temperatures]
    combinations = [
        tuple(zip(others_tried, values, strict=True)) for values in product(*others_tried.values())
    ]
    each = [(others, data_for(others, settings, data)) for others in combinations]
    candidates = (
        Candidate(name, weight, temperature, others, same)
        for name in dict.fromkeys(sweep.objectives)
        for others, taught in each
        for weight, same in _distinct_weights(settings, taught, name, others).items()
        for temperature in dict.fromkeys(start or OBJECTIVES[name].temperature for start in starts)
    )
    return list(_distinct(settings, candidates))


def data_for(others: Others, settings: Settings, data: Data) -> Data:
    """The data of a sweep as candidates with these further settings are trained on it.

    Args:
        others: The further settings.
        settings: The search.
        data: Without what was distilled, where the sweep tries `judgments.distilled`.

    Raises:
        JudgmentsError: As for `with_distilled`.
    """
    chosen = dict(others)
    return with_distilled(settings.with_values(chosen), data) if DISTILLED in chosen else data


def tried(settings: Settings) -> dict[str, list[Any]]:
    """The settings that `sweep.others` names, each with its values as the setting has them.

    Raises:
        SettingsError: One is none that a sweep can try, is there twice, or cannot have a value.
    """
    found: dict[str, list[Any]] = {}
    for text in settings.sweep.others:
        key, _, listed = (part.strip() for part in text.partition("="))
        section, _, name = key.partition(".")
        known = to_mapping(settings).get(section, {})
        if key in SWEPT or key in _CLOCK or (section not in _TRIED and key != DISTILLED):
            raise SettingsError(
                f"sweep.others holds {key!r}, which is none to try; it takes settings of {', '.join(_TRIED)}, and "
                f"{DISTILLED}, but neither {', '.join(SWEPT)}, which have lists of their own, nor "
                f"{', '.join(sorted(_CLOCK))}, which a sweep sets"
            )
        if name not in known or isinstance(known[name], list | dict):
            raise SettingsError(f"sweep.others holds {key!r}, which is no setting with a single value")
        if key in found:
            raise SettingsError(
                f"sweep.others holds {key!r} twice; list its values in one place, divided by |"
            )
        try:
            values = [
                settings.with_values({key: _read(each.strip())}).value(key) for each in listed.split("|")
            ]
        except SettingsError as error:
            raise SettingsError(f"sweep.others: {error}") from None
        found[key] = list(dict.fromkeys(values))
    return found


_TRIED = ("encoder", "objective", "training")
_CLOCK = {
    "training.minutes",
    "training.epochs",
    "training.patience",
    "training.checkpoint_minutes",
    "training.tensorboard",
}


def _read(text: str) -> Any:
    """A value as TOML writes it; a text may go without its quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _distinct(settings: Settings, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Those that do not come to the settings of one before: not all objectives take all options."""
    seen = []
    for candidate in candidates:
        if (made := to_mapping(candidate.settings(settings))) not in seen:
            seen.append(made)
            yield candidate


def _temperature(text: str) -> float:
    try:
        return ObjectiveSettings(temperature=float(text)).temperature
    except (ValueError, SettingsError):
        raise SettingsError(
            f"sweep.temperatures holds {text!r}; each must be a number between 0 and 10"
        ) from None


def _distinct_weights(
    settings: Settings, data: Data, objective: str, others: Others
) -> dict[str, tuple[str, ...]]:
    """Score-to-weight function → the others that this objective cannot tell from it."""
    alike: dict[bytes, list[str]] = {}
    for weight in dict.fromkeys(settings.sweep.weights):
        # Any temperature: batches do not depend on it.
        candidate = Candidate(objective, weight, OBJECTIVES[objective].temperature, others)
        batches = make_batches(data, candidate.settings(settings))
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
