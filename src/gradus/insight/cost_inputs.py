"""The inputs of the cost model: measured figures, `gradus.toml`, and defaults that say where they come from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gradus.errors import EvaluationError, SettingsError
from gradus.insight.cost import FEWER, FEWER_TWINS, TWINS, Input
from gradus.settings import CostSettings, SlaSettings


@dataclass(frozen=True)
class Measured:
    """A measured figure, with its interval where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class _Source:
    """The setting behind an input, its unit, its usual range as factors of its value, and its default in words."""

    setting: str
    unit: str
    low: float
    high: float
    default: str


_SERVING = "on-demand list price of 4 vCPU and 16 GB at large clouds, rounded"
_TRAINING = "on-demand list price of a 24 GB GPU with 4 to 8 vCPU at large clouds, rounded"
_ASSUMED = "assumed, not measured"
_STATED = "assumed, state yours"

_SOURCES = {
    "load": _Source("sla.queries_per_second", "queries per second", 1, 1, _STATED),
    "availability": _Source("sla.availability", "share", 1, 1, _STATED),
    "freshness_days": _Source("sla.freshness_days", "days", 1, 1, _STATED),
    "months": _Source("cost.months", "months", 1, 1, "three years"),
    "instance_price": _Source("cost.instance_price", "money per hour", 0.6, 1.4, _SERVING),
    "rerank_price": _Source("cost.rerank_price", "money per hour", 0.6, 1.4, _SERVING),
    "training_price": _Source("cost.training_price", "money per hour", 0.5, 1.6, _TRAINING),
    "utilisation": _Source("cost.utilisation", "share", 0.6, 1.4, "half of what an instance can do"),
    "instance_availability": _Source(
        "cost.instance_availability", "share", 1, 1, "what large clouds promise of a single instance"
    ),
    "one_throughput": _Source("cost.first_throughput", "queries per second", 0.5, 2, _ASSUMED),
    "rerank_throughput": _Source("cost.rerank_throughput", "queries per second", 0.5, 2, _ASSUMED),
    "one_training_hours": _Source("cost.training_hours", "hours", 0.3, 3, _ASSUMED),
    "rerank_training_hours": _Source("cost.rerank_training_hours", "hours", 0.3, 3, _ASSUMED),
    "one_embedding_hours": _Source("cost.embedding_hours", "hours", 0.3, 3, _ASSUMED),
    "person_price": _Source(
        "cost.person_price", "money per hour", 0.6, 1.6, "an engineer with all overheads"
    ),
    "labelling_hours": _Source("cost.labelling_hours", "hours per month", 0.5, 2, "a day a month"),
    "one_upkeep_hours": _Source("cost.upkeep_hours", "hours per month", 0.5, 2, "two days a month"),
    "rerank_upkeep_hours": _Source(
        "cost.rerank_upkeep_hours", "hours per month", 0.3, 2, "a day and a half a month"
    ),
    "switch_hours": _Source("cost.switch_hours", "hours", 0.5, 2.5, "a month of one engineer"),
    FEWER: _Source("cost.fewer_switch_hours", "hours", 0.2, 2.5, "a week of one engineer"),
}
_TWINS = TWINS | FEWER_TWINS
_DIVISORS = ("freshness_days", "utilisation", *(n for n in (*_SOURCES, *_TWINS) if n.endswith("throughput")))


def cost_inputs(
    cost: CostSettings,
    sla: SlaSettings,
    measured: Mapping[str, Measured] | None = None,
    *,
    fewer: bool = False,
) -> dict[str, Input]:
    """The model's inputs: what was measured, then what `gradus.toml` says, then defaults.

    A range is the measurement's interval, or what `[cost.low]` and `[cost.high]` say, or else the usual range of
    that input, in proportion to its value.

    Args:
        cost: Prices and assumptions.
        sla: Load, availability and freshness.
        measured: Input → measured figure: `one_throughput`, `two_throughput`, `rerank_throughput` (of an
            instance; see `throughput_of_reranking`), `one_training_hours`, `two_training_hours`,
            `rerank_training_hours`, `one_embedding_hours`, `two_embedding_hours`, … What is not given for the
            first of two stages is as for the one stage.
        fewer: Whether a pipeline that re-ranks fewer documents stands beside them; its inputs begin with
            `fewer_first_` and `fewer_rerank_`.

    Raises:
        EvaluationError: A measured figure that the model does not know, or an interval without its value inside.
        SettingsError: `[cost.low]` or `[cost.high]` has an unknown key or leaves its value outside, or a divisor can
            be 0.
    """
    figures = dict(measured or {})
    for name in figures:
        if name not in _SOURCES and name not in _TWINS:
            known = ", ".join([*_SOURCES, *_TWINS])
            raise EvaluationError(f"the cost model has no input {name!r}; it has {known}")
    _check_ranges(cost)
    inputs = {name: _from_settings(source, cost, sla) for name, source in _SOURCES.items()}
    if not fewer:
        del inputs[FEWER]
    for name, figure in figures.items():
        low = figure.value if figure.low is None else figure.low
        high = figure.value if figure.high is None else figure.high
        inputs[name] = Input(figure.value, low, high, _SOURCES[_TWINS.get(name, name)].unit, "measured")
    for name in _DIVISORS:
        if name in inputs and inputs[name].low == 0:
            setting = _SOURCES[_TWINS.get(name, name)].setting
            raise SettingsError(f"the cost model divides by {setting}, whose low value must be above 0")
    return inputs


def throughput_of_reranking(both: float, first: float) -> float:
    """Queries a second of an instance that only re-ranks: 1 / (1 / both − 1 / first), as stages follow each other.

    Args:
        both: Queries a second of an instance that runs both stages.
        first: Queries a second of the same instance with the first stage alone.

    Raises:
        EvaluationError: Both stages are not slower than the first alone, which leaves no share to tell.
    """
    if not 0 < both < first:
        raise EvaluationError(
            f"two stages must be slower than the first alone to tell the re-ranker's share, but were measured "
            f"with {both:g} and {first:g} queries per second; measure longer"
        )
    return 1 / (1 / both - 1 / first)


def _check_ranges(cost: CostSettings) -> None:
    known = [
        source.setting.removeprefix("cost.") for source in _SOURCES.values() if "cost." in source.setting
    ]
    for table, ranges in (("low", cost.low), ("high", cost.high)):
        for name in ranges:
            if name not in known:
                raise SettingsError(f"cost.{table}.{name} is the range of nothing; known: {', '.join(known)}")


def _from_settings(source: _Source, cost: CostSettings, sla: SlaSettings) -> Input:
    section, _, name = source.setting.partition(".")
    settings: CostSettings | SlaSettings = cost if section == "cost" else sla
    value = float(getattr(settings, name))
    if not math.isfinite(value):
        raise SettingsError(f"{source.setting} must be finite, but is {value}")
    low, high = _times(value, source.low), _times(value, source.high)
    if source.unit == "share":
        high = min(high, 1.0)
    if section == "cost":
        low, high = cost.low.get(name, low), cost.high.get(name, high)
        if not 0 <= low <= value <= high < math.inf:
            raise SettingsError(
                f"cost.{name} is {value:g}, which its range of {low:g} to {high:g} does not hold; set cost.low.{name} and "
                f"cost.high.{name} around it"
            )
    default = value == getattr(type(settings)(), name)
    return Input(value, low, high, source.unit, f"default: {source.default}" if default else "gradus.toml")


def _times(value: float, factor: float) -> float:
    """The product without the dust of its last digits: 0.28, not 0.27999999999999997."""
    return value if factor == 1 else float(f"{value * factor:.12g}")
