"""Formulas that compute with numbers, with arrays, or write themselves down for a spreadsheet.

A formula made of the operators and functions here gives a number from numbers and an array from arrays; from
`Formula`s, which are names of cells, it gives the text of the same formula.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Value = Any
"""A number, an array of numbers, or a `Formula`."""

NEVER = "∞"
"""What a spreadsheet shows in place of an infinite number."""


@dataclass(frozen=True)
class Formula:
    """A cell's name, or what operators made of such names.

    Attributes:
        text: As a spreadsheet reads it, without the leading =.
        rank: How loosely it holds together: 0 a name, a call or a power, 1 a product, 2 a sum, 3 a comparison.
    """

    text: str
    rank: int = 0

    def __add__(self, other: Value) -> "Formula":
        return Formula(f"{write(self, 2)}+{write(other, 2)}", 2)

    def __sub__(self, other: Value) -> "Formula":
        return Formula(f"{write(self, 2)}-{write(other, 1)}", 2)

    def __rsub__(self, other: Value) -> "Formula":
        return Formula(f"{write(other, 2)}-{write(self, 1)}", 2)

    def __mul__(self, other: Value) -> "Formula":
        return Formula(f"{write(self, 1)}*{write(other, 1)}", 1)

    def __truediv__(self, other: Value) -> "Formula":
        return Formula(f"{write(self, 1)}/{write(other)}", 1)

    def __rtruediv__(self, other: Value) -> "Formula":
        return Formula(f"{write(other, 1)}/{write(self)}", 1)

    def __pow__(self, other: Value) -> "Formula":
        return Formula(f"{write(self)}^{write(other)}")

    def __lt__(self, other: Value) -> "Formula":
        return Formula(f"{write(self, 2)}<{write(other, 2)}", 3)


def write(value: Value, rank: int = 0) -> str:
    """A value as it stands in a formula, in brackets where it holds together more loosely than `rank`."""
    if isinstance(value, Formula):
        return value.text if value.rank <= rank else f"({value.text})"
    return repr(float(value)).removesuffix(".0").upper()


def ceiling(value: Value) -> Value:
    """The next whole number; what exceeds one by rounding alone is that number."""
    if isinstance(value, Formula):
        return Formula(f"ROUNDUP({write(value - 1e-9, 3)},0)")
    return np.ceil(value - 1e-9)


def choose(condition: Value, then: Value, otherwise: Value) -> Value:
    """`then` where the condition holds, else `otherwise`."""
    if isinstance(condition, Formula):
        return Formula(f"IF({condition.text},{write(then, 3)},{write(otherwise, 3)})")
    return np.where(condition, then, otherwise)


def divide(amount: Value, by: Value) -> Value:
    """`amount` / `by`; infinite where `by` is not above 0."""
    if isinstance(by, Formula):
        return Formula(f'IF({write(by, 2)}>0,{write(amount, 1)}/{write(by)},"{NEVER}")')
    above = np.asarray(by) > 0
    return np.where(above, amount / np.where(above, by, 1.0), np.inf)
