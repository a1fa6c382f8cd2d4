"""Several stages as one: the hybrid search that most engines offer.

    rrf       s(d) = Σ_s w_s / (60 + rank_s(d)),   d in the list of s        (Cormack, Clarke and Büttcher, SIGIR 2009)
    weighted  s(d) = Σ_s w_s z_s(d),   z_s(d) = (score_s(d) − mean) / standard deviation of the list of s

A document that a list does not have adds nothing to the first sum; to the second, the least of that list.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.nearest import largest
from gradus.evaluation.cells import Search

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]
Method = Literal["rrf", "weighted"]

POOL = 100
"""Documents that each stage brings, if no more are asked for."""

_RRF = 60


class Fusion:
    """Stages, fused.

    Args:
        stages: The stages.
        weights: One for each, of which some is above 0.
        method: How scores come about.
    """

    def __init__(self, stages: Sequence[Search], weights: Sequence[float], method: Method = "rrf") -> None:
        self.stages, self.weights, self.method = tuple(stages), tuple(weights), method

    def __call__(self, query_rows: Rows, document_rows: Rows, depth: int) -> tuple[Rows, Vectors]:
        """The lists, as `gradus.evaluation.cells.Search` describes; ties go by place."""
        pool = max(depth, POOL)
        return self.fuse([stage(query_rows, document_rows, pool) for stage in self.stages], depth)

    def fuse(self, lists: Sequence[tuple[Rows, Vectors]], depth: int) -> tuple[Rows, Vectors]:
        """The fused lists of what each of the stages returned, in their order."""
        queries, width = lists[0][0].shape
        depth = min(depth, width)
        order = np.full((queries, depth), -1)
        scores = np.full(order.shape, -np.inf, np.float32)
        for query in range(queries):
            places, fused = self._fused([(found[query], values[query]) for found, values in lists])
            best, value = largest(fused, depth)
            order[query, : len(best)], scores[query, : len(best)] = places[best], value
        return order, scores

    def _fused(self, lists: Sequence[tuple[Rows, Vectors]]) -> tuple[Rows, Vectors]:
        """Every place in some list, rising, and its score."""
        places = np.unique(np.concatenate([found[found >= 0] for found, _ in lists]))
        total = np.zeros(len(places))
        for weight, (found, values) in zip(self.weights, lists, strict=True):
            there = found >= 0
            if not there.any():
                continue
            at = np.searchsorted(places, found[there])
            if self.method == "rrf":
                total[at] += weight / (_RRF + 1 + np.arange(len(at)))
            else:
                own = standardised(values[there])
                absent = np.full(len(places), own.min())
                absent[at] = own
                total += weight * absent
        return places, total.astype(np.float32)


def standardised(scores: Vectors) -> NDArray[np.float64]:
    """Scores with mean 0 and standard deviation 1; all 0 where they are equal."""
    centred = scores.astype(np.float64) - scores.mean(dtype=np.float64)
    deviation = centred.std()
    standard: NDArray[np.float64] = centred / deviation if deviation > 1e-12 else np.zeros(len(scores))
    return standard
