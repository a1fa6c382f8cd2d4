"""Recall."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from gradus.evaluation.metrics.base import BinaryMetric
from gradus.evaluation.scoring import FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class Recall(BinaryMetric):
    """R@k: the share of the relevant documents that are among the first k.

    R@k = (number relevant in ranks 1 … k) / (number relevant); below 1 for any list where more than k
    documents are relevant (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 8.3).
    """

    name: ClassVar[str] = "R"

    cutoff: int = field()

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute recall of each query; (n_queries,)."""
        share: FloatArray = self.hits(ranked).sum(axis=1) / np.maximum(1, ranked.relevant(self.rel))
        return share
