"""The exact index: a store, and every score. The oracle of all others, and the default."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.nearest import BLOCK, largest
from gradus.errors import SearchError
from gradus.search.index.asked import Asked
from gradus.search.index.base import Layout
from gradus.search.index.block import Block, Mask
from gradus.search.index.checks import (
    checked_beside,
    checked_documents,
    checked_filter,
    checked_ids,
    checked_queries,
)
from gradus.search.index.filters import Filter
from gradus.search.index.index import Beside, Documents, Found, Index, Schema, Vectors
from gradus.search.index.joined import joined
from gradus.search.index.store import State, Store

_FEW = 0.1
"""Share of a block up to which the vectors asked for are gathered, and multiplied alone."""


class ExactIndex(Index):
    """Documents in a folder, searched by computing every score; ties go to what was put first.

    One process may open a folder for writing, and any number for reading; readers see it as it was when they opened
    it, and share the memory of its base.
    """

    layout: ClassVar[Layout | None] = None

    def __init__(self, store: Store) -> None:
        self._store = store
        self.schema = store.schema

    @classmethod
    def create(cls, location: str, schema: Schema, documents: Documents) -> Self:
        """A new folder; see `gradus.search.index.backends.create_index`."""
        return cls(Store.create(Path(location), schema, documents, cls.layout))

    @classmethod
    def open(cls, location: str, read_only: bool = False) -> Self:
        """An index's folder; see `gradus.search.index.backends.open_index`."""
        return cls(Store(Path(location), cls.layout, read_only))

    @classmethod
    def drop(cls, location: str) -> None:
        """Remove an index's folder, if it is there."""
        if Path(location).exists():
            shutil.rmtree(location)

    def upsert(self, documents: Documents) -> None:
        """See `Index`."""
        self._store.upsert(checked_documents(self.schema, documents))

    def delete(self, ids: Sequence[str]) -> int:
        """See `Index`."""
        return self._store.delete(checked_ids(ids))

    def search(
        self, queries: Vectors, k: int, where: Filter | None = None, beside: Beside | None = None
    ) -> list[Found]:
        """See `Index`."""
        queries = checked_queries(self.schema, queries, k)
        condition = checked_filter(self.schema, where)
        beside = checked_beside(self.schema, queries, beside)
        state = self._store.state  # one look: changes made meanwhile replace it
        asked = Asked(self.schema, queries, beside, state.words)
        parts = [self._in_base(state, asked, k, state.base.admitted(condition))]
        if len(state.recent.alive):
            parts.append(scan(state.recent, asked, k, state.recent.admitted(condition)))
        return [_best([part[place] for part in parts], state, k) for place in range(len(queries))]

    def words_in_common(self, text: str, doc_id: str) -> float | None:
        """What BM25 adds to the score of a document for a query of these words; `None` where it does not count.

        Raises:
            SearchError: There is no such document.
        """
        asked = Asked(
            self.schema,
            np.zeros((1, self.schema.dimensions), np.float32),
            Beside([text]),
            self._store.state.words,
        )
        if not asked.shares[0]:
            return None
        place = self._store.place_of(doc_id)
        if place is None:
            raise SearchError(f"the index has no document {doc_id!r}")
        block, row = place
        return float(asked.gains(block, 0)[row])

    def count(self, where: Filter | None = None) -> int:
        """See `Index`."""
        condition = checked_filter(self.schema, where)
        return sum(int(np.count_nonzero(block.admitted(condition))) for block in self._store.state.blocks)

    def documents(self) -> Documents:
        """See `Index`."""
        return joined([block.documents() for block in self._store.state.blocks], self.schema)

    def snapshot(self, folder: Path) -> None:
        """See `Index`."""
        self._store.snapshot(folder)

    def compact(self) -> None:
        """Merge what changed into the base; happens by itself when it is a quarter of it."""
        self._store.compact()

    def close(self) -> None:
        """See `Index`."""
        self._store.close()

    def _in_base(self, state: State, asked: Asked, k: int, mask: Mask) -> list["Rows"]:
        return scan(state.base, asked, k, mask)


Rows = tuple[NDArray[np.int64], Vectors]
"""Rows of a block and their scores for a query, best first."""


def scan(block: Block, asked: Asked, k: int, mask: Mask) -> list[Rows]:
    """The k rows of largest score among those of a mask, for each query."""
    rows = np.flatnonzero(mask)
    gathered = len(rows) <= _FEW * len(mask)
    everything = len(rows) == len(mask)
    count = len(rows) if gathered else len(mask)
    found = []
    at_once = max(1, BLOCK // max(1, count))
    for start in range(0, len(asked.queries), at_once):
        products = asked.products(block, slice(start, start + at_once), rows if gathered else None)
        for place, product in enumerate(products, start):
            admitted = product if gathered or everything else product[rows]
            if asked.shares[place]:
                gains = asked.gains(block, place)
                admitted = asked.mixed(admitted, gains if everything else gains[rows], place)
            places, scores = largest(admitted, k)
            found.append((rows[places], scores))
    return found


def _best(parts: list[Rows], state: State, k: int) -> Found:
    """The k best of what was found in the base, and after it in recent documents."""
    scores = np.concatenate([scores for _, scores in parts])
    rows = np.concatenate(
        [rows + start for (rows, _), start in zip(parts, (0, len(state.base.alive)), strict=False)]
    )
    order = np.argsort(-scores, kind="stable")[:k]
    return Found(tuple(_id(state, int(row)) for row in rows[order]), tuple(map(float, scores[order])))


def _id(state: State, row: int) -> str:
    count = len(state.base.alive)
    return state.base.ids[row] if row < count else state.recent.ids[row - count]
