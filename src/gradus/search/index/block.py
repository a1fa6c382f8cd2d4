"""Blocks: documents as columns in memory, or in files mapped into it, and which of them a filter admits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.search.index.filters import Filter, OneOf, Value
from gradus.search.index.index import Documents, Schema, Vectors

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Block:
    """Some documents. Nothing in it changes, so readers need no lock.

    Attributes:
        ids: n ids.
        vectors: (n, D).
        categories: Field → (n,) codes into the field's values, −1 for none; and those values.
        numbers: Field → (n,) float64, NaN for none.
        alive: (n,) which documents are still there.
    """

    ids: Sequence[str]
    vectors: Vectors
    categories: Mapping[str, tuple[NDArray[np.int32], Sequence[str]]]
    numbers: Mapping[str, NDArray[np.float64]]
    alive: Mask

    def admitted(self, where: Filter) -> Mask:
        """Which documents are alive and meet a filter, (n,)."""
        mask = self.alive
        for field, condition in where.items():
            if isinstance(condition, OneOf):
                codes, values = self.categories[field]
                # One place more, so that the code −1 of a missing value finds "no".
                wanted = np.array([*(value in condition.values for value in values), False])
                mask = mask & wanted[codes]
            else:
                numbers = self.numbers[field]
                mask = mask & (numbers >= condition.low) & (numbers <= condition.high)
        return mask

    def documents(self) -> Documents:
        """What is alive, as documents to be put elsewhere."""
        rows = np.flatnonzero(self.alive)
        attributes: dict[str, list[Value | None]] = {}
        for field, (codes, values) in self.categories.items():
            attributes[field] = [None if code < 0 else values[code] for code in codes[rows].tolist()]
        for field, numbers in self.numbers.items():
            attributes[field] = [None if math.isnan(number) else number for number in numbers[rows].tolist()]
        return Documents([self.ids[int(row)] for row in rows], self.vectors[rows], attributes)


class GrowingBlock:
    """A block to which documents are added at the end.

    Arrays have room to spare and are replaced when it is used up. A view that was handed out keeps its length, and
    what it shows is never written again.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._length = 0
        self._ids: list[str] = []
        self._vectors = np.zeros((0, schema.dimensions), np.float32)
        self._columns: dict[str, NDArray[Any]] = {
            field: np.zeros(0, np.int32 if kind == "category" else np.float64)
            for field, kind in schema.attributes.items()
        }
        self._codes: dict[str, dict[str, int]] = {
            field: {} for field, kind in schema.attributes.items() if kind == "category"
        }

    def __len__(self) -> int:
        return self._length

    def append(self, documents: Documents) -> None:
        """Add checked documents."""
        start, end = self._length, self._length + len(documents)
        if end > len(self._vectors):
            room = max(64, end, 2 * len(self._vectors))
            self._vectors = _with_room(self._vectors, room)
            self._columns = {field: _with_room(column, room) for field, column in self._columns.items()}
        self._vectors[start:end] = documents.vectors
        for field, values in documents.attributes.items():
            self._columns[field][start:end] = self._coded(field, values)
        self._ids.extend(documents.ids)
        self._length = end

    def view(self, alive: Mask) -> Block:
        """What has been added so far."""
        end = self._length
        return Block(
            self._ids,
            self._vectors[:end],
            {field: (self._columns[field][:end], list(codes)) for field, codes in self._codes.items()},
            {
                field: self._columns[field][:end]
                for field, kind in self._schema.attributes.items()
                if kind == "number"
            },
            alive,
        )

    def _coded(self, field: str, values: Sequence[Any]) -> Sequence[float]:
        if field not in self._codes:
            return [np.nan if value is None else value for value in values]
        codes = self._codes[field]
        return [-1 if value is None else codes.setdefault(value, len(codes)) for value in values]


def _with_room(array: NDArray[Any], room: int) -> NDArray[Any]:
    larger = np.zeros((room, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
