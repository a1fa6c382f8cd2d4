"""The approximate index: the exact one's store, its base ordered by cells of near vectors (an inverted file).

A search computes the dot products of the cells whose centres are nearest to the query, until it has seen as many
documents as `_PROBES` cells hold on average. A filter costs no recall: only what it admits counts as seen, so a
narrower filter is looked for in more cells, and a narrow one everywhere. Where words count, as many documents again
are looked at that share most with those of the query. Documents that changed since the base was written are
searched exactly beside it.

Centres come from spherical k-means on a sample (Dhillon and Modha, 2001), the same for the same documents.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.nearest import largest
from gradus.errors import SearchError
from gradus.search.index.asked import Asked
from gradus.search.index.base import Cells, Layout, Picked
from gradus.search.index.block import Mask
from gradus.search.index.exact import ExactIndex, Rows, scan
from gradus.search.index.index import Documents, Schema, Vectors
from gradus.search.index.store import State

FEWEST = 20_000
"""Documents from which cells are worth while: below, a scan takes a millisecond or two."""

_CELLS = 2.0
"""Cells per square root of the number of documents."""

_SAMPLE = 128
"""Documents per cell that centres are computed from."""

_TURNS = 8
_AT_ONCE = 1 << 14  # documents whose cells are found together

_PROBES = 25
"""Cells' worth of documents that a search looks at."""

_PER_RESULT = 10
"""Documents that it looks at at least, for each that it returns."""


@dataclass(frozen=True)
class Probed:
    """Which cells a filter leaves something in.

    Attributes:
        starts: (C,) where in the base each cell begins.
        ends: (C,) where it ends.
        admitted: (C,) how many of its documents are admitted.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    admitted: NDArray[np.int64]

    def nearest(self, centres: Vectors, query: Vectors, least: int) -> list[tuple[int, int]]:
        """Where the cells lie that are nearest to a query and together hold `least` admitted documents."""
        order = np.argsort(-(centres @ query), kind="stable")
        count = int(np.searchsorted(np.cumsum(self.admitted[order]), least)) + 1
        return [
            (int(self.starts[cell]), int(self.ends[cell])) for cell in order[:count] if self.admitted[cell]
        ]


def arrange(picked: Picked, count: int) -> tuple[NDArray[np.int64], Cells]:
    """The order in which documents of one cell lie together, and the cells.

    Args:
        picked: Gives the vectors (m, D) of m places in 0 … count − 1.
        count: How many documents there are.
    """
    random = np.random.default_rng(0)
    number = max(1, round(_CELLS * count**0.5))
    sample = picked(np.sort(random.choice(count, min(count, _SAMPLE * number), replace=False)))
    centres = _unit(sample[random.choice(len(sample), number, replace=False)])
    for _ in range(_TURNS):
        nearest = _cells_of(sample, centres)
        order = np.argsort(nearest, kind="stable")
        present, first = np.unique(nearest[order], return_index=True)
        # A centre that has lost everything starts again at a document.
        moved = sample[random.choice(len(sample), number)].copy()
        moved[present] = np.add.reduceat(sample[order], first, axis=0)
        centres = _unit(moved)
    assigned = np.concatenate(
        [
            _cells_of(picked(np.arange(start, min(start + _AT_ONCE, count))), centres)
            for start in range(0, count, _AT_ONCE)
        ]
    )
    offsets = np.concatenate([[0], np.cumsum(np.bincount(assigned, minlength=number))]).astype(np.int64)
    return np.argsort(assigned, kind="stable"), Cells(centres, offsets)


def _cells_of(vectors: Vectors, centres: Vectors) -> NDArray[np.int64]:
    parts = [
        np.argmax(vectors[start : start + _AT_ONCE] @ centres.T, axis=1)
        for start in range(0, len(vectors), _AT_ONCE)
    ]
    return np.concatenate(parts)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit


class IvfIndex(ExactIndex):
    """Documents in a folder, of which a search looks at the most promising."""

    layout: ClassVar[Layout | None] = Layout(arrange, FEWEST)

    @classmethod
    def create(cls, location: str, schema: Schema, documents: Documents) -> Self:
        """See `ExactIndex`.

        Raises:
            SearchError: It is to keep the parts of vectors: cells are of vectors as they were made.
        """
        if schema.parts is not None:
            raise SearchError(
                "the backend ivf does not keep fields apart: index.per_field needs the backend exact"
            )
        return super().create(location, schema, documents)

    def _in_base(self, state: State, asked: Asked, k: int, mask: Mask) -> list[Rows]:
        cells, count = state.cells, int(np.count_nonzero(mask))
        if cells is None:
            return scan(state.base, asked, k, mask)
        seen = max(_PROBES * len(mask) // len(cells.centres), _PER_RESULT * k)
        # Cells would cost seen · n / count dot products. What is admitted costs count, each some four times dearer,
        # as it lies scattered.
        if 4 * count * count <= seen * len(mask) or count <= seen:
            return scan(state.base, asked, k, mask)
        everything = count == len(mask)
        probed = _probed(cells, mask, everything)
        found = []
        for place, query in enumerate(asked.queries):
            ranges = probed.nearest(cells.centres, query, seen)
            scores = np.concatenate([state.base.vectors[start:end] @ query for start, end in ranges])
            rows = np.concatenate([np.arange(start, end) for start, end in ranges])
            if not everything:
                kept = mask[rows]
                rows, scores = rows[kept], scores[kept]
            if asked.shares[place]:
                gains = asked.gains(state.base, place)
                others = _by_words(gains, mask, rows, seen)
                rows = np.concatenate([rows, others])
                scores = np.concatenate([scores, state.base.vectors[others] @ query])
                scores = asked.mixed(scores, gains[rows], place)
            best, scores = largest(scores, k)
            found.append((rows[best], scores))
        return found


def _by_words(gains: Vectors, mask: Mask, seen: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The admitted rows that share most with the words of a query, without those that have been seen."""
    left = np.where(mask, gains, np.float32(0.0))
    left[seen] = 0.0
    rows, found = largest(left, most)
    return rows[found > 0]


def _probed(cells: Cells, mask: Mask, everything: bool) -> Probed:
    starts, ends = cells.offsets[:-1], cells.offsets[1:]
    if everything:
        return Probed(starts, ends, ends - starts)
    before = np.concatenate([[0], np.cumsum(mask)])
    return Probed(starts, ends, before[ends] - before[starts])
