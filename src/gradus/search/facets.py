"""Facets: how many documents have each value of a category, as the other filters leave it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.errors import SearchError
from gradus.search.index.filters import Between, Filter, OneOf

MOST_VALUES = 100
"""Values of a field that are counted for a reader, the commonest ones."""


class Facets:
    """The categories and numbers of a catalogue as arrays, to be counted under a filter.

    Args:
        documents: The catalogue.
    """

    def __init__(self, documents: Table) -> None:
        self._length = len(documents)
        self._values: dict[str, list[str]] = {}
        self._codes: dict[str, NDArray[np.int32]] = {}
        self._numbers: dict[str, NDArray[np.float64]] = {}
        for field in documents.fields:
            column = documents.columns[field.name]
            if field.type == "category":
                self._values[field.name], self._codes[field.name] = _coded(column)
            elif field.type == "number":
                self._numbers[field.name] = np.array([np.nan if v is None else v for v in column], np.float64)

    @property
    def names(self) -> tuple[str, ...]:
        """The category fields."""
        return tuple(self._values)

    def require(self, field: str) -> None:
        """Raise a SearchError unless there is a category field of that name."""
        if field not in self._values:
            known = ", ".join(self.names) or "none"
            raise SearchError(f"{field!r} is no category field to count; there are: {known}")

    def count(self, field: str, where: Filter) -> dict[str, int]:
        """Value → documents that have it and meet the conditions on *other* fields, commonest first.

        A reader who has chosen a value sees what the field's other values would give.

        Raises:
            SearchError: No category field of that name.
        """
        self.require(field)
        admitted = np.ones(self._length, bool)
        for name, condition in where.items():
            if name != field:
                admitted &= self._admitted(name, condition)
        codes = self._codes[field][admitted]
        counts = np.bincount(codes[codes >= 0], minlength=len(self._values[field]))
        order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
        return {self._values[field][place]: int(counts[place]) for place in order if counts[place]}

    def _admitted(self, field: str, condition: OneOf | Between) -> NDArray[np.bool_]:
        """(n,) which documents meet one condition."""
        if isinstance(condition, OneOf):
            wanted = np.array([value in condition.values for value in self._values[field]], bool)
            codes = self._codes[field]
            return np.append(wanted, False)[codes]  # -1, no value, is the last one
        numbers = self._numbers[field]
        return (numbers >= condition.low) & (numbers <= condition.high)  # NaN meets neither


def _coded(column: Sequence[Any]) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct values in order, and (n,) which of them each row has, -1 for none."""
    values = sorted({value for value in column if value is not None})
    place = {value: number for number, value in enumerate(values)}
    return values, np.array([-1 if value is None else place[value] for value in column], np.int32)
