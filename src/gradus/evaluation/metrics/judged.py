"""Share of judged documents among those returned."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from gradus.evaluation.metrics.base import Metric
from gradus.evaluation.scoring import BoolArray, FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class Judged(Metric):
    """Judged@k: the share of the first k returned documents that have a judgment, of whatever score.

    Judged@k = (number judged in ranks 1 … k) / min(k, number returned). It says how far the other metrics
    can be trusted: what is unjudged counts there as 0 (Buckley and Voorhees, SIGIR 2004). It is also
    undefined where nothing was returned.
    """

    name: ClassVar[str] = "Judged"

    cutoff: int = field()

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute the judged share of each query; (n_queries,)."""
        judged = (~np.isnan(ranked.gains[:, : self.cutoff])).sum(axis=1)
        share: FloatArray = judged / np.clip(ranked.lengths, 1, self.cutoff)
        return share

    def defined(self, ranked: Ranked) -> BoolArray:
        """Whether each query has a relevant document and a list that is not empty; (n_queries,)."""
        return super().defined(ranked) & (ranked.lengths > 0)
