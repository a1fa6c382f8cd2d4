"""Score-to-weight functions: how much a judged pair pulls in the objective.

A function is named by a *spec*, `name` or `name:parameter`, as in `objective.weight = "power:2"`.

At the optimum of a weighted contrastive objective the softmax over the documents of one query equals their
weights divided by the sum of them, so two documents of one query end up τ·log(w₁/w₂) apart, τ being the
temperature. A score-to-weight function therefore sets the gaps of the ranking: `linear` opens them at
the bottom, `exponential:a` makes equal steps of the score nearly equal gaps of a·τ.

All functions agree on three things: weights lie in [0, 1], a better score never weighs less, and a
score of 0 weighs 0: the pair was judged and is known not to match, so it is no positive.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.errors import JudgmentsError
from gradus.files import atomic_file

Weigh = Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]]
"""(p,) scores in [0, 1] and (p,) query rows → (p,) weights."""


@dataclass(frozen=True)
class WeightFunction:
    """One entry of the registry.

    Attributes:
        usage: The spec as written, with a placeholder or an example for the parameter.
        formula: The weight of a score s, for people.
        make: The parameter's text (empty where the spec has none) → the function. Raises ValueError,
            with the reason, where the parameter does not do.
    """

    usage: str
    formula: str
    make: Callable[[str], Weigh]


def apply_weights(spec: str, score: NDArray[np.float64], query: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weights of judged pairs.

    Args:
        spec: A score-to-weight function, `name` or `name:parameter`.
        score: (p,) scores in [0, 1].
        query: (p,) query rows; only `reciprocal` looks at them.

    Returns:
        (p,) weights in [0, 1].

    Raises:
        JudgmentsError: No such function, or a parameter it does not take; the message lists them all.
    """
    weigh = _parsed(spec)
    score = np.asarray(score, np.float64)
    weights = np.where(score > 0, weigh(score, np.asarray(query, np.int64)), 0.0)
    return np.clip(weights, 0.0, 1.0)


def plot_weights(specs: Sequence[str], path: Path) -> None:
    """Draw functions side by side: weight over score, and the gap to the best document in units of τ.

    The curves belong to one query with 40 documents, scores spread evenly; ranks, which
    `reciprocal` needs, come from there.

    Args:
        specs: The functions to draw.
        path: Where to; the extension (.svg, .png, .pdf) says in which format.

    Raises:
        JudgmentsError: A spec that does not parse, or an extension that matplotlib does not write.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    score = np.linspace(0, 1, 41)[1:]
    query = np.zeros(len(score), np.int64)
    curves = {spec: apply_weights(spec, score, query) for spec in specs}
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for spec, weight in curves.items():
        positive = weight > 0
        left.plot(score, weight, ".-", label=spec)
        right.plot(score[positive], np.log(weight.max()) - np.log(weight[positive]), ".-")
    left.set(xlabel="score", ylabel="weight", title="Score to weight")
    right.set(xlabel="score", ylabel="gap to the best document, in τ", title="What the optimum makes of it")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    suffix = path.suffix.removeprefix(".").lower() or "svg"
    if suffix not in figure.canvas.get_supported_filetypes():
        raise JudgmentsError(f"cannot draw weights into {path}; name a file .svg, .png or .pdf")
    with atomic_file(path) as aside, rc_context({"svg.hashsalt": "gradus"}):
        figure.savefig(aside, format=suffix, metadata={"Date": None} if suffix == "svg" else None)


def _constant(score: NDArray[np.float64], query: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.ones_like(score)


def _linear(score: NDArray[np.float64], query: NDArray[np.int64]) -> NDArray[np.float64]:
    return score


def _reciprocal(score: NDArray[np.float64], query: NDArray[np.int64]) -> NDArray[np.float64]:
    """1/rank within the query; documents of equal score share the best of their ranks."""
    if not len(score):
        return score
    order = np.lexsort((-score, query))
    by_query, by_score = query[order], score[order]
    position = np.arange(len(order))
    new_query = np.r_[True, by_query[1:] != by_query[:-1]]
    new_score = new_query | np.r_[True, by_score[1:] != by_score[:-1]]
    start_of_query = np.maximum.accumulate(np.where(new_query, position, 0))
    start_of_tie = np.maximum.accumulate(np.where(new_score, position, 0))
    weights = np.empty_like(score)
    weights[order] = 1.0 / (start_of_tie - start_of_query + 1)
    return weights


def _without_parameter(weigh: Weigh) -> Callable[[str], Weigh]:
    def make(parameter: str) -> Weigh:
        if parameter:
            raise ValueError("it takes no parameter")
        return weigh

    return make


def _power(parameter: str) -> Weigh:
    p = _positive(parameter)
    return lambda score, query: score**p


def _exponential(parameter: str) -> Weigh:
    a = _positive(parameter)
    # (e^{as} - 1)/(e^a - 1) with e^{a(s-1)} taken out, so that no large a overflows.
    return lambda score, query: np.exp(a * (score - 1)) * np.expm1(-a * score) / np.expm1(-a)


def _log(parameter: str) -> Weigh:
    a = _positive(parameter)
    return lambda score, query: np.log1p(a * score) / math.log1p(a)


def _steps(parameter: str) -> Weigh:
    pairs = [step.split("=") for step in parameter.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("steps are written score=weight, with commas between")
    thresholds = np.array([_number(pair[0]) for pair in pairs])
    weights = np.array([_number(pair[1]) for pair in pairs])
    if not ((thresholds > 0) & (thresholds <= 1) & (weights >= 0) & (weights <= 1)).all():
        raise ValueError("scores must lie in (0, 1] and weights in [0, 1]")
    if (np.diff(thresholds) <= 0).any() or (np.diff(weights) < 0).any():
        raise ValueError("scores must rise from step to step, and weights must not fall")
    ladder = np.r_[0.0, weights]
    return lambda score, query: ladder[np.searchsorted(thresholds, score, side="right")]


WEIGHT_FUNCTIONS: dict[str, WeightFunction] = {
    "constant": WeightFunction("constant", "1", _without_parameter(_constant)),
    "linear": WeightFunction("linear", "s", _without_parameter(_linear)),
    "reciprocal": WeightFunction(
        "reciprocal",
        "1/rank within the query by descending score; ties share the best rank",
        _without_parameter(_reciprocal),
    ),
    "power": WeightFunction("power:p", "s^p", _power),
    "exponential": WeightFunction("exponential:a", "(e^{a s} - 1)/(e^a - 1)", _exponential),
    "log": WeightFunction("log:a", "log(1 + a s)/log(1 + a)", _log),
    "steps": WeightFunction(
        "steps:0.2=0.1,0.5=0.4,1=1",
        "the weight of the last step whose score s reaches; 0 below the first",
        _steps,
    ),
}
"""Name → function, in the order in which they are listed."""


def _parsed(spec: str) -> Weigh:
    name, _, parameter = (part.strip() for part in spec.partition(":"))
    function = WEIGHT_FUNCTIONS.get(name)
    usages = ", ".join(known.usage for known in WEIGHT_FUNCTIONS.values())
    if function is None:
        raise JudgmentsError(f"unknown score-to-weight function {spec!r}; known: {usages}")
    try:
        return function.make(parameter)
    except ValueError as error:
        raise JudgmentsError(
            f"score-to-weight function {spec!r}: {error}; write it as {function.usage}; known: {usages}"
        ) from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def _positive(text: str) -> float:
    value = _number(text)
    if not 1e-6 <= value <= 1e6:
        raise ValueError(f"the parameter is {text}; it must lie between 1e-6 and 1e6")
    return value
