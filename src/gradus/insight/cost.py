"""What one stage, two stages, and re-ranking of fewer documents cost: totals, saving, pay-back time and return.

The model is a list of lines, each a formula of `insight.formula` over what stands above it: the same lines are
evaluated with numbers, with arrays of drawn inputs (`cost_range`) and with cell names (`cost_sheet`).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gradus.errors import EvaluationError
from gradus.insight.formula import Value, ceiling, choose, divide

DAYS_A_MONTH = 365.25 / 12
HOURS_A_MONTH = 24 * DAYS_A_MONTH

TWINS = {
    "two_throughput": "one_throughput",
    "two_training_hours": "one_training_hours",
    "two_embedding_hours": "one_embedding_hours",
    "two_upkeep_hours": "one_upkeep_hours",
}
"""Inputs of the first of two stages that are those of the one stage, doubt included, unless they are given."""

FEWER_TWINS = {
    "fewer_first_throughput": "one_throughput",
    "fewer_first_training_hours": "one_training_hours",
    "fewer_first_embedding_hours": "one_embedding_hours",
    "fewer_first_upkeep_hours": "one_upkeep_hours",
    "fewer_rerank_throughput": "rerank_throughput",
    "fewer_rerank_training_hours": "rerank_training_hours",
    "fewer_rerank_upkeep_hours": "rerank_upkeep_hours",
}
"""The same of a pipeline that re-ranks fewer documents: its first stage is that of the one stage, and its re-ranker no
faster than the one in use, unless they are given."""

FEWER = "fewer_switch_hours"
"""The input by which the model also has a pipeline that re-ranks fewer documents."""


@dataclass(frozen=True)
class Input:
    """A number that goes into the model.

    Attributes:
        value: Its most likely value.
        low: Its low value, at least 0; equal to `value` where it is no matter of doubt.
        high: Its high value.
        unit: What it counts; `money` stands for the currency.
        source: "measured", "gradus.toml", or "default: " and what the default is.

    Raises:
        EvaluationError: Not 0 ≤ low ≤ value ≤ high, or not finite.
    """

    value: float
    low: float
    high: float
    unit: str
    source: str

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high < math.inf:
            raise EvaluationError(
                f"a cost input lies between its low and its high value, which are 0 or more, but {self.value:g} "
                f"{self.unit} ({self.source}) has {self.low:g} and {self.high:g}"
            )


@dataclass(frozen=True)
class Line:
    """A line of the model.

    Attributes:
        name: What later lines call it.
        unit: What it counts; `money` stands for the currency.
        formula: Values above, by name → its value.
    """

    name: str
    unit: str
    formula: Callable[[Mapping[str, Value]], Value]


def _needed(v: Mapping[str, Value], stage: str) -> Value:
    """Instances that carry the load of the busiest time."""
    return ceiling(v["load"] / (v[f"{stage}_throughput"] * v["utilisation"]))


def _replicas(v: Mapping[str, Value], stage: str) -> Value:
    """One more (n + 1), where all of those alone would not be up for as much of the time as is asked."""
    alone = v["instance_availability"] ** v[f"{stage}_needed"]
    return v[f"{stage}_needed"] + choose(alone < v["availability"], 1, 0)


def _available(v: Mapping[str, Value], stage: str) -> Value:
    """Share of the time that enough instances are up: aⁿ, or with one to spare aⁿ⁺¹ + (n + 1) aⁿ (1 − a)."""
    a, needed, replicas = v["instance_availability"], v[f"{stage}_needed"], v[f"{stage}_replicas"]
    spared = a**replicas + replicas * a**needed * (1 - a)
    return choose(needed < replicas, spared, a**needed)


def _refreshing(v: Mapping[str, Value], stage: str) -> Value:
    hours = v[f"{stage}_training_hours"] + v[f"{stage}_embedding_hours"]
    return hours * v["training_price"] * v["refreshes"]


def _reranker(stage: str) -> tuple[Line, ...]:
    """A month of a re-ranker."""
    parts = [f"{stage}_{part}" for part in ("serving", "refreshing", "upkeep")]
    return (
        Line(parts[0], _MONTHLY, lambda v: v[f"{stage}_replicas"] * v["rerank_price"] * HOURS_A_MONTH),
        Line(
            parts[1], _MONTHLY, lambda v: v[f"{stage}_training_hours"] * v["training_price"] * v["refreshes"]
        ),
        Line(parts[2], _MONTHLY, lambda v: v[f"{stage}_upkeep_hours"] * v["person_price"]),
        Line(f"{stage}_month", _MONTHLY, lambda v: v[parts[0]] + v[parts[1]] + v[parts[2]]),
    )


def _switch(to: str, named: str) -> tuple[Line, ...]:
    """What the switch from two stages brings; the names of the lines begin as `named` says."""
    switching = f"{named}switching"
    return (
        Line(f"{named}saving_month", _MONTHLY, lambda v: v["two_month"] - v[f"{to}_month"]),
        Line(f"{named}saving", "money", lambda v: v["two_total"] - v[f"{to}_total"]),
        Line(f"{named}payback", "months", lambda v: divide(v[switching], v[f"{named}saving_month"])),
        Line(f"{named}roi", "share", lambda v: divide(v[f"{named}saving"], v[switching])),
    )


_MONTHLY = "money per month"

LINES: tuple[Line, ...] = (
    Line("refreshes", "per month", lambda v: DAYS_A_MONTH / v["freshness_days"]),
    Line("one_needed", "instances", lambda v: _needed(v, "one")),
    Line("one_replicas", "instances", lambda v: _replicas(v, "one")),
    Line("one_available", "share", lambda v: _available(v, "one")),
    Line("two_needed", "instances", lambda v: _needed(v, "two")),
    Line("two_replicas", "instances", lambda v: _replicas(v, "two")),
    Line("rerank_needed", "instances", lambda v: _needed(v, "rerank")),
    Line("rerank_replicas", "instances", lambda v: _replicas(v, "rerank")),
    Line("two_available", "share", lambda v: _available(v, "two") * _available(v, "rerank")),
    Line("one_serving", "money per month", lambda v: v["one_replicas"] * v["instance_price"] * HOURS_A_MONTH),
    Line("one_refreshing", "money per month", lambda v: _refreshing(v, "one")),
    Line("labelling", "money per month", lambda v: v["labelling_hours"] * v["person_price"]),
    Line("one_upkeep", "money per month", lambda v: v["one_upkeep_hours"] * v["person_price"]),
    Line(
        "one_month",
        "money per month",
        lambda v: v["one_serving"] + v["one_refreshing"] + v["labelling"] + v["one_upkeep"],
    ),
    Line("two_serving", "money per month", lambda v: v["two_replicas"] * v["instance_price"] * HOURS_A_MONTH),
    Line("two_refreshing", "money per month", lambda v: _refreshing(v, "two")),
    Line("two_upkeep", "money per month", lambda v: v["two_upkeep_hours"] * v["person_price"]),
    *_reranker("rerank"),
    Line(
        "two_month",
        "money per month",
        lambda v: (
            v["two_serving"] + v["two_refreshing"] + v["labelling"] + v["two_upkeep"] + v["rerank_month"]
        ),
    ),
    Line("rerank_share", "share", lambda v: divide(v["rerank_month"], v["two_month"])),
    Line("switching", "money", lambda v: v["switch_hours"] * v["person_price"]),
    Line("one_total", "money", lambda v: v["one_month"] * v["months"] + v["switching"]),
    Line("two_total", "money", lambda v: v["two_month"] * v["months"]),
    *_switch("one", ""),
)
"""The model: `one_` is the one-stage search, `two_` the first of two stages, `rerank_` the re-ranker's part.

`two_month` and `two_total` are of both stages; `one_total` includes the switch from two stages to one, paid once,
and so do the saving over all months and the return on the switch (`roi`: saving / switch, infinite where the
switch is free). Stages run on instances of their own, one after the other: a search needs both.
"""

FEWER_LINES: tuple[Line, ...] = (
    Line("fewer_first_needed", "instances", lambda v: _needed(v, "fewer_first")),
    Line("fewer_first_replicas", "instances", lambda v: _replicas(v, "fewer_first")),
    Line("fewer_rerank_needed", "instances", lambda v: _needed(v, "fewer_rerank")),
    Line("fewer_rerank_replicas", "instances", lambda v: _replicas(v, "fewer_rerank")),
    Line("fewer_available", "share", lambda v: _available(v, "fewer_first") * _available(v, "fewer_rerank")),
    Line(
        "fewer_serving",
        "money per month",
        lambda v: v["fewer_first_replicas"] * v["instance_price"] * HOURS_A_MONTH,
    ),
    Line("fewer_refreshing", "money per month", lambda v: _refreshing(v, "fewer_first")),
    Line("fewer_upkeep", "money per month", lambda v: v["fewer_first_upkeep_hours"] * v["person_price"]),
    *_reranker("fewer_rerank"),
    Line(
        "fewer_month",
        "money per month",
        lambda v: (
            v["fewer_serving"]
            + v["fewer_refreshing"]
            + v["labelling"]
            + v["fewer_upkeep"]
            + v["fewer_rerank_month"]
        ),
    ),
    Line("fewer_switching", "money", lambda v: v["fewer_switch_hours"] * v["person_price"]),
    Line("fewer_total", "money", lambda v: v["fewer_month"] * v["months"] + v["fewer_switching"]),
    *_switch("fewer", "fewer_"),
)
"""A pipeline that re-ranks fewer documents, as a third beside them: `fewer_` is its first stage and, from
`fewer_month` on, both; `fewer_rerank_` is its re-ranker's part. Its saving is against the two stages in use."""


def lines_of(inputs: Iterable[str]) -> tuple[Line, ...]:
    """The lines of the model that these inputs, by name, make."""
    return LINES + FEWER_LINES if FEWER in inputs else LINES


def twins_of(inputs: Iterable[str]) -> dict[str, str]:
    """Inputs of those lines that need not be given → those that stand for them."""
    return TWINS | FEWER_TWINS if FEWER in inputs else TWINS


def decided(values: Iterable[str]) -> str:
    """How the names of the lines begin that a decision is about: of re-ranking fewer where that is there."""
    return "fewer_" if "fewer_saving" in values else ""


def costs(inputs: Mapping[str, Value]) -> dict[str, Value]:
    """Every line of the model, by name.

    Args:
        inputs: Input → number, array of numbers (all of one length), or `Formula`.
    """
    values: dict[str, Value] = {twin: inputs[of] for twin, of in twins_of(inputs).items()} | dict(inputs)
    lines = lines_of(inputs)
    for line in lines:
        values[line.name] = line.formula(values)
    return {line.name: values[line.name] for line in lines}


def cost_of(inputs: Mapping[str, Input]) -> dict[str, float]:
    """Every line of the model at the most likely inputs."""
    return {line: float(value) for line, value in costs({n: i.value for n, i in inputs.items()}).items()}
