"""What a back-test of a search's cadence came to: a file for machines, sentences for people."""

import json
from dataclasses import asdict, dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import Interval
from gradus.files import atomic_file
from gradus.insight.bench import plain
from gradus.insight.cadence import Plan, Refresh, cheapest

FILE = "cadence.json"


@dataclass(frozen=True)
class Age:
    """The loss of models of an age, in windows, against fresh ones, as a share of the fresh ones' metric."""

    age: int
    loss: Interval


@dataclass(frozen=True)
class Cadence:
    """A back-test.

    Attributes:
        metric: What was measured.
        window_days: Days of a window, in which ages and cadences are counted.
        history: Windows of evidence behind each training; 0 for all that came before.
        windows: Whole windows of the log.
        start: Date on which the log's first window begins.
        measured_on: Dates on which the windows begin that models were measured on.
        trainings: Models trained.
        fresh: The metric of the fresh models, with its 95 % interval over queries.
        ages: The staleness curve.
        unmeasured: Ages that were asked for and that the log is too short for.
        per_window: Loss per window of age.
        allowed: The largest loss that was allowed.
        refreshes: The ways to refresh, measured.
        plans: Each at its longest cadence that holds.
    """

    metric: str
    window_days: int
    history: int
    windows: int
    start: str
    measured_on: tuple[str, ...]
    trainings: int
    fresh: Interval
    ages: tuple[Age, ...]
    unmeasured: tuple[int, ...]
    per_window: Interval
    allowed: float
    refreshes: tuple[Refresh, ...]
    plans: tuple[Plan, ...]

    @property
    def goes_stale(self) -> bool:
        """Whether the loss per window can be told from 0."""
        return self.per_window.low > 0 or self.per_window.high < 0

    @property
    def chosen(self) -> Plan | None:
        """The cheapest plan that holds; `None` where none does."""
        return cheapest(self.plans)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every attribute, `goes_stale` and `chosen`; what is not a number is null."""
        chosen = None if self.chosen is None else asdict(self.chosen)
        found: dict[str, Any] = plain(asdict(self) | {"goes_stale": self.goes_stale, "chosen": chosen})
        return found

    def sentences(self) -> list[str]:
        """What it comes to, in words."""
        unit = "week" if self.window_days == 7 else "day" if self.window_days == 1 else "window"
        low, high = _share(self.per_window.low), _share(self.per_window.high)
        said = f"{_share(self.per_window.mean)} of {self.metric} a {unit} (95 % interval {low} to {high})"
        first = (
            f"A model loses {said}."
            if self.goes_stale
            else f"A model loses {said}: that cannot be told from nothing; {_more(self)} would say more."
        )
        plan = self.chosen
        if plan is None:
            estimates = [each for each in self.plans if each.estimate]
            second = f"No cadence is sure to keep the loss within {_share(self.allowed)}"
            if estimates:
                best = max(estimates, key=lambda each: each.estimate)
                second += f"; by the mean alone, {best.mode} every {_count(best.estimate, unit)} would"
            return [first, second + "."]
        second = (
            f"Cheapest that keeps the loss within {_share(self.allowed)}: {plan.mode}, every "
            f"{_count(plan.every, unit)}"
        )
        if plan.mode != "full":
            second += f", with a full training every {_count(max(age.age for age in self.ages), unit)}"
        second += (
            f" (loss at most {_share(plan.loss.high)}, {plan.cpu_seconds:,.3g} s of computing and "
            f"{plan.documents:,.0f} documents embedded a {unit})."
        )
        return [first, second]


def write_cadence(cadence: Cadence, path: Path) -> None:
    """Write a back-test as JSON."""
    text = json.dumps(cadence.as_dict(), indent=1, ensure_ascii=False)
    with atomic_file(path) as aside:
        aside.write_text(text + "\n", encoding="utf-8")


def read_cadence(path: Path) -> Cadence:
    """Read what `write_cadence` wrote.

    Raises:
        EvaluationError: No such file, or one that holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        found = {name: value for name, value in found.items() if name not in ("goes_stale", "chosen")}
        return Cadence(
            **found
            | {
                "measured_on": tuple(found["measured_on"]),
                "unmeasured": tuple(found["unmeasured"]),
                "fresh": _interval(found["fresh"]),
                "per_window": _interval(found["per_window"]),
                "ages": tuple(Age(each["age"], _interval(each["loss"])) for each in found["ages"]),
                "refreshes": tuple(
                    Refresh(**each | {"loss": _interval(each["loss"])}) for each in found["refreshes"]
                ),
                "plans": tuple(
                    Plan(**_numbers(each) | {"loss": _interval(each["loss"])}) for each in found["plans"]
                ),
            }
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"{path} holds no back-test ({error!r}); write one with: gradus cadence"
        ) from None


def _more(cadence: Cadence) -> str:
    return "a longer log" if len(cadence.measured_on) < 2 else "a longer log or more of cadence.repeats"


def _share(value: float) -> str:
    if not isfinite(value):
        return "–"
    return f"{100 * value:.2g} %" if abs(value) < 0.0995 else f"{100 * value:.0f} %"


def _count(number: int, unit: str) -> str:
    return unit if number == 1 else f"{number} {unit}s"


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    return {key: nan if value is None else value for key, value in values.items()}


def _interval(values: dict[str, Any]) -> Interval:
    return Interval(**_numbers(values))
