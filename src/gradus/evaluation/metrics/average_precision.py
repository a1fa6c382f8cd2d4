"""Average precision, whose mean is MAP."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradus.evaluation.metrics.base import BinaryMetric, ranks
from gradus.evaluation.scoring import FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class MAP(BinaryMetric):
    """MAP: the mean over relevant documents of the precision at their rank, 0 for those not retrieved.

    AP@k = (1 / number relevant) Σ_{r ≤ k, r relevant} P@r (Buckley and Voorhees, in TREC, MIT Press 2005).
    The divisor is the number of all relevant judged documents, also where it exceeds k.
    """

    name: ClassVar[str] = "MAP"

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute average precision of each query; (n_queries,)."""
        hits = self.hits(ranked)
        precision = np.cumsum(hits, axis=1) / ranks(hits.shape[1])
        total: FloatArray = (precision * hits).sum(axis=1) / np.maximum(1, ranked.relevant(self.rel))
        return total
