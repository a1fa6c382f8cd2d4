"""Blocks: documents as columns in memory, or in files mapped into it, and which of them a filter admits."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.bm25 import Bm25, LaterTexts, joined
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
        texts: Field → n texts, of the fields whose texts are kept.
        parts: (n, P, D) what the vectors are made of, where that is kept.
        gains: A query's words → (n,) their BM25, where the index has it.
        exact: Fields → (n, K) the vectors of the exact terms of these fields alone, as far as they were asked for.
    """

    ids: Sequence[str]
    vectors: Vectors
    categories: Mapping[str, tuple[NDArray[np.int32], Sequence[str]]]
    numbers: Mapping[str, NDArray[np.float64]]
    alive: Mask
    texts: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    parts: Vectors | None = None
    gains: Callable[[str], Vectors] | None = None
    exact: dict[tuple[str, ...], Vectors] = field(default_factory=dict)

    def admitted(self, where: Filter) -> Mask:
        """Which documents are alive and meet a filter, (n,)."""
        mask = self.alive
        for name, condition in where.items():
            if isinstance(condition, OneOf):
                codes, values = self.categories[name]
                # One place more, so that the code −1 of a missing value finds "no".
                wanted = np.array([*(value in condition.values for value in values), False])
                mask = mask & wanted[codes]
            else:
                numbers = self.numbers[name]
                mask = mask & (numbers >= condition.low) & (numbers <= condition.high)
        return mask

    def documents(self) -> Documents:
        """What is alive, as documents to be put elsewhere."""
        rows = np.flatnonzero(self.alive)
        attributes: dict[str, list[Value | None]] = {}
        for name, (codes, values) in self.categories.items():
            attributes[name] = [None if code < 0 else values[code] for code in codes[rows].tolist()]
        for name, numbers in self.numbers.items():
            attributes[name] = [None if math.isnan(number) else number for number in numbers[rows].tolist()]
        return Documents(
            [self.ids[int(row)] for row in rows],
            self.vectors[rows],
            attributes,
            {name: [texts[int(row)] for row in rows] for name, texts in self.texts.items()},
            None if self.parts is None else self.parts[rows],
        )


class GrowingBlock:
    """A block to which documents are added at the end.

    Arrays have room to spare and are replaced when it is used up. A view that was handed out keeps its length, and
    what it shows is never written again.
    """

    def __init__(self, schema: Schema, statistics: Bm25 | None = None) -> None:
        self._schema = schema
        self._later = None if statistics is None else LaterTexts(statistics)
        self._texts: dict[str, list[str | None]] = {name: [] for name in schema.texts}
        made_of = (schema.parts.count, schema.parts.dimensions) if schema.parts else (0, 0)
        self._parts = np.zeros((0, *made_of), np.float32)
        self._length = 0
        self._ids: list[str] = []
        self._vectors = np.zeros((0, schema.dimensions), np.float32)
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros(0, np.int32 if kind == "category" else np.float64)
            for name, kind in schema.attributes.items()
        }
        self._codes: dict[str, dict[str, int]] = {
            name: {} for name, kind in schema.attributes.items() if kind == "category"
        }

    def __len__(self) -> int:
        return self._length

    def append(self, documents: Documents) -> None:
        """Add checked documents."""
        start, end = self._length, self._length + len(documents)
        if end > len(self._vectors):
            room = max(64, end, 2 * len(self._vectors))
            self._vectors = _with_room(self._vectors, room)
            self._parts = _with_room(self._parts, room)
            self._columns = {name: _with_room(column, room) for name, column in self._columns.items()}
        self._vectors[start:end] = documents.vectors
        for name, values in documents.attributes.items():
            self._columns[name][start:end] = self._coded(name, values)
        if documents.parts is not None:
            self._parts[start:end] = documents.parts
        for name, texts in documents.texts.items():
            self._texts[name].extend(texts)
        if self._later is not None:
            self._later.append([joined(row) for row in zip(*documents.texts.values(), strict=True)])
        self._ids.extend(documents.ids)
        self._length = end

    def view(self, alive: Mask) -> Block:
        """What has been added so far."""
        end = self._length
        return Block(
            self._ids,
            self._vectors[:end],
            {name: (self._columns[name][:end], list(codes)) for name, codes in self._codes.items()},
            {
                name: self._columns[name][:end]
                for name, kind in self._schema.attributes.items()
                if kind == "number"
            },
            alive,
            self._texts,
            self._parts[:end] if self._schema.parts else None,
            None if self._later is None else partial(self._later.scores, count=end),
        )

    def _coded(self, name: str, values: Sequence[Any]) -> Sequence[float]:
        if name not in self._codes:
            return [np.nan if value is None else value for value in values]
        codes = self._codes[name]
        return [-1 if value is None else codes.setdefault(value, len(codes)) for value in values]


def _with_room(array: NDArray[Any], room: int) -> NDArray[Any]:
    larger = np.zeros((room, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
