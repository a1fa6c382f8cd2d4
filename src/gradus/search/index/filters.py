"""Filters: which documents a search may return, by the values of their fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = str | float


@dataclass(frozen=True)
class OneOf:
    """A category field has one of these values."""

    values: frozenset[str]


@dataclass(frozen=True)
class Between:
    """A number field lies within closed bounds; an open end is ±∞."""

    low: float = float("-inf")
    high: float = float("inf")


Filter = Mapping[str, OneOf | Between]
"""Field → its condition; all of them must hold. A document without a value in a field meets no condition on it."""


def admits(where: Filter, attributes: Mapping[str, Any]) -> bool:
    """Whether a document with these values (`None` for none) meets all conditions: what every index must agree with."""
    for field, condition in where.items():
        value = attributes.get(field)
        if value is None:
            return False
        if isinstance(condition, OneOf):
            if str(value) not in condition.values:
                return False
        elif not condition.low <= float(value) <= condition.high:
            return False
    return True
