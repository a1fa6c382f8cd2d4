"""Axes of the proof of concept's plots: where a value lies, and the round numbers beside it."""

import math


def place(value: float, low: float, high: float) -> float:
    """Where a value lies between two ends, in percent."""
    return round(100 * (value - low) / (high - low), 2)


def steps(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers between two ends, `about` of them or fewer, 1, 2 or 5 · 10ⁿ apart."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(s for s in (1, 2, 5, 10) if s * power >= rough * (1 - 1e-9))
    return [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
