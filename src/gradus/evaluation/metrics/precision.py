"""Precision."""

from dataclasses import dataclass, field
from typing import ClassVar

from gradus.evaluation.metrics.base import BinaryMetric
from gradus.evaluation.scoring import FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class Precision(BinaryMetric):
    """P@k: the number of relevant documents among the first k, over k.

    The divisor is k also where fewer than k documents were returned, as in trec_eval: an empty place is a
    miss (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 8.3).
    """

    name: ClassVar[str] = "P"

    cutoff: int = field()

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute precision of each query; (n_queries,)."""
        share: FloatArray = self.hits(ranked).sum(axis=1) / self.cutoff
        return share
