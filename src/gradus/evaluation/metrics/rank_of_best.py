"""Rank of the best document."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from gradus.evaluation.metrics.base import Metric
from gradus.evaluation.scoring import FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class RankOfBest(Metric):
    """RankOfBest@k: the rank of the document with the highest judged score; lower is better.

    It is min {r ≤ k : s_r = max_j s_j}, over all judged documents j, and k + 1 where no such r exists. Of
    several documents with the highest score, the first one retrieved counts.
    """

    name: ClassVar[str] = "RankOfBest"
    higher_is_better: ClassVar[bool] = False

    cutoff: int = field()

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute the rank of the best document of each query; (n_queries,)."""
        best = ranked.gains[:, : self.cutoff] == ranked.judged[:, :1]
        return np.where(best.any(axis=1), np.argmax(best, axis=1) + 1.0, self.cutoff + 1.0)
