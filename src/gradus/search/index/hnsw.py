"""The approximate index: the exact one's store, with a graph over its base (HNSW, arXiv 1603.09320, by usearch).

The graph only proposes. Documents that changed since the base was written are searched exactly beside it; proposals
that are gone or not admitted by the filter are dropped, and scores come from the stored vectors. So every change is
as safe as in the exact index, and a filter costs no recall: where it admits too few documents for the graph to
propose enough of them, those few are searched exactly.
"""

import math
import threading
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index as Usearch

from gradus.search.index.block import Mask
from gradus.search.index.exact import ExactIndex, Rows, scan
from gradus.search.index.index import Vectors
from gradus.search.index.store import GraphKind, State

FEWEST = 20_000
"""Documents from which a graph is worth its file: below, a scan takes a millisecond or two."""

_CONNECTIVITY = 16
_WIDTH_OF_BUILDING = 128
_WIDTH_OF_SEARCHING = 128
_MOST_PROPOSALS = 2000
"""A filter or deletions for which more would be needed are served by a scan of what is admitted."""

_SPARE = 1.5
"""How many times the proposals are asked for that would do, were those admitted spread evenly; and some that half
precision may have put in the wrong order."""


class UsearchGraph:
    """A graph in a mapped file; vectors in it are of half precision."""

    def __init__(self, path: Path, dimensions: int) -> None:
        self._index = _index(dimensions)
        self._index.view(str(path))
        self._index.expansion_search = _WIDTH_OF_SEARCHING
        # Two searches at once would share one thread's place in the library.
        self._lock = threading.Lock()

    def near(self, query: Vectors, k: int) -> NDArray[np.int64]:
        """Up to k rows near a query, (D,)."""
        with self._lock:
            found = self._index.search(query, k, threads=1)
        return np.asarray(found.keys, np.int64)


def write_graph(vectors: Vectors, path: Path) -> None:
    """Build the graph of (n, D) vectors, keyed by row, on all cores."""
    index = _index(vectors.shape[1])
    index.add(np.arange(len(vectors), dtype=np.uint64), vectors)
    index.save(str(path))


def _index(dimensions: int) -> Any:
    return Usearch(
        ndim=dimensions,
        metric="ip",
        dtype="f16",
        connectivity=_CONNECTIVITY,
        expansion_add=_WIDTH_OF_BUILDING,
        expansion_search=_WIDTH_OF_SEARCHING,
    )


class HnswIndex(ExactIndex):
    """Documents in a folder, searched through a graph where there are many."""

    kind: ClassVar[GraphKind | None] = GraphKind(write_graph, UsearchGraph, FEWEST)

    def _in_base(self, state: State, queries: Vectors, k: int, mask: Mask) -> list[Rows]:
        count = int(np.count_nonzero(mask))
        wanted = math.ceil(_SPARE * k * len(mask) / max(1, count))
        if state.graph is None or wanted > _MOST_PROPOSALS or wanted >= count:
            return scan(state.base, queries, k, mask)
        found = []
        for query in queries:
            rows = state.graph.near(query, wanted)
            rows = rows[mask[rows]]
            if len(rows) < k:
                found += scan(state.base, query[None], k, mask)
                continue
            rows.sort()  # ties go to the first, and files are read forwards
            scores = state.base.vectors[rows] @ query
            best = np.argsort(-scores, kind="stable")[:k]
            found.append((rows[best], scores[best]))
        return found
