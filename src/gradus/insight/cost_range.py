"""How sure the costs are: Monte-Carlo over the inputs' ranges, and one input at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.errors import EvaluationError
from gradus.insight.cost import Input, costs


@dataclass(frozen=True)
class Spread:
    """Where a line of the cost model lies when all inputs vary at once.

    Attributes:
        low: Its 5 % quantile.
        median: Its median.
        high: Its 95 % quantile.
        positive: Share of the draws in which it is above 0.
    """

    low: float
    median: float
    high: float
    positive: float


@dataclass(frozen=True)
class Bar:
    """One bar of a tornado plot: what a line becomes when one input alone takes its low and its high value."""

    name: str
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        """How far the input moves the line."""
        return 0.0 if self.at_high == self.at_low else abs(self.at_high - self.at_low)


def draw_inputs(
    inputs: Mapping[str, Input], samples: int = 10_000, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Draw every input from the PERT distribution of its range.

    PERT is a beta distribution on [low, high] with the mode at the value m: α = 1 + 4 (m − low) / (high − low),
    β = 1 + 4 (high − m) / (high − low), so that the mean is (low + 4 m + high) / 6 (Malcolm et al. 1959). Inputs
    are drawn independently of each other; an input without a range does not vary.

    Args:
        inputs: The model's inputs.
        samples: Number of draws.
        seed: Seed of the draws.

    Returns:
        Input → (samples,) values.

    Raises:
        EvaluationError: `samples` is out of range.
    """
    if samples < 1:
        raise EvaluationError(f"samples must be at least 1, but is {samples}")
    generator = np.random.default_rng(seed)
    drawn = {}
    for name, entry in inputs.items():
        width = entry.high - entry.low
        if width == 0:
            drawn[name] = np.full(samples, entry.value)
            continue
        mode = (entry.value - entry.low) / width
        drawn[name] = entry.low + width * generator.beta(1 + 4 * mode, 1 + 4 * (1 - mode), samples)
    return drawn


def spread_costs(inputs: Mapping[str, Input], samples: int = 10_000, seed: int = 0) -> dict[str, Spread]:
    """Quantiles of every line of the model over drawn inputs; line → its spread.

    Raises:
        EvaluationError: `samples` is out of range.
    """
    spreads = {}
    for name, values in costs(draw_inputs(inputs, samples, seed)).items():
        # Pay-back is infinite in some draws: quantiles are drawn values, never means of two.
        low, median, high = np.quantile(values, (0.05, 0.5, 0.95), method="nearest")
        spreads[name] = Spread(float(low), float(median), float(high), float((values > 0).mean()))
    return spreads


def tornado(inputs: Mapping[str, Input], line: str = "saving") -> list[Bar]:
    """Each input that varies, alone at its low and its high value, the others as they are; largest swing first.

    Inputs that do not move the line are left out.

    Args:
        inputs: The model's inputs.
        line: The line of the model that is watched.

    Raises:
        EvaluationError: The model has no such line.
    """
    values = {name: entry.value for name, entry in inputs.items()}
    if line not in costs(values):
        raise EvaluationError(f"the cost model has no line {line!r}")
    bars = [
        Bar(
            name,
            float(costs(values | {name: entry.low})[line]),
            float(costs(values | {name: entry.high})[line]),
        )
        for name, entry in inputs.items()
        if entry.low < entry.high
    ]
    # What cancels in a difference may leave rounding behind.
    moving = [bar for bar in bars if not bar.swing <= 1e-9 * (abs(bar.at_low) + abs(bar.at_high))]
    return sorted(moving, key=lambda bar: bar.swing, reverse=True)
