"""Kendall's tau-b between the retrieved order and the judged scores."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradus.evaluation.metrics.base import Metric
from gradus.evaluation.scoring import FloatArray, IntArray, Ranked


@dataclass(frozen=True, kw_only=True)
class KendallTau(Metric):
    """KendallTau: how well the judged documents that were retrieved are in order among themselves.

    τ_b = (C − D) / √(N (C + D)) with N = m (m − 1) / 2 pairs among the m judged documents retrieved, C of
    them in the order of their scores and D against it (Kendall, Biometrika 1945). Ranks are never tied, so
    only ties of scores enter. Unjudged documents are passed over, so a list that leaves good documents out
    is not punished: read it beside recall. It is undefined where fewer than two documents with different
    scores were retrieved.
    """

    name: ClassVar[str] = "KendallTau"

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute tau-b of each query; (n_queries,)."""
        gains = ranked.gains[:, : self.cutoff]
        unjudged = np.isnan(gains)
        count: IntArray = (~unjudged).sum(axis=1)
        # Judged documents move to the front, in order, so that only their number is paid for.
        front = np.argsort(unjudged, axis=1, kind="stable")[:, : int(count.max(initial=0))]
        packed = np.take_along_axis(gains, front, axis=1)
        concordant, discordant = np.zeros_like(count), np.zeros_like(count)
        # One pass per distance between the two documents of a pair holds memory at one matrix; a
        # comparison with the NaN at the end of a row is false both ways.
        for distance in range(1, packed.shape[1]):
            upper, lower = packed[:, :-distance], packed[:, distance:]
            concordant += (upper > lower).sum(axis=1)
            discordant += (upper < lower).sum(axis=1)
        untied, pairs = concordant + discordant, count * (count - 1) // 2
        scale = np.sqrt(pairs * untied)
        tau = np.full(len(gains), np.nan)
        np.divide(concordant - discordant, scale, out=tau, where=untied > 0)
        return tau
