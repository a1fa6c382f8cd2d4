"""Reciprocal rank, whose mean is MRR."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradus.evaluation.metrics.base import BinaryMetric
from gradus.evaluation.scoring import FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class RR(BinaryMetric):
    """RR: 1 / rank of the first relevant document, 0 where none is retrieved (Kantor and Voorhees 2000)."""

    name: ClassVar[str] = "RR"

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute the reciprocal rank of each query; (n_queries,)."""
        hits = self.hits(ranked)
        return np.where(hits.any(axis=1), 1 / (np.argmax(hits, axis=1) + 1), 0.0)
