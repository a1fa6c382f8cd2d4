"""The relative difference of two means over the same queries, bounded by a studentised bootstrap."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import resample_counts
from gradus.evaluation.paired import FloatArray, paired_values

# Relative to the second moments: a resampled variance below this is rounding.
_ROUNDING = 1e-14


@dataclass(frozen=True)
class Relative:
    """How far mean(system) / mean(reference) − 1 may be known.

    A bound of the bootstrap alone is too near where differences are coarse (reciprocal ranks), a normal one
    where a few queries lose much; each bound is the more cautious of the two.

    Attributes:
        estimate: mean(system) / mean(reference) − 1; NaN where the reference's mean is not above 0 or there are
            fewer than two queries, and then every bound is infinite and every p-value 1.
        deviation: Standard deviation over queries of u_i = (s_i − ρ r_i) / r̄, with ρ = s̄ / r̄: the estimate's
            standard error is deviation / √n (delta method).
        system_mean: s̄.
        reference_mean: r̄.
        n: Number of queries where both are defined.
        pivots: (samples,) sorted (ρ* − ρ) / standard error*, of the resamples; NaN, at the end, where a
            resample has no ratio.
    """

    estimate: float
    deviation: float
    system_mean: float
    reference_mean: float
    n: int
    pivots: FloatArray

    def low(self, confidence: float) -> float:
        """The value that the true relative difference exceeds with the given confidence (one-sided)."""
        return self._bound(confidence, 1)

    def high(self, confidence: float) -> float:
        """The value that the true relative difference stays below with the given confidence (one-sided)."""
        return self._bound(confidence, -1)

    def p_above(self, value: float) -> float:
        """One-sided p-value against "the true relative difference is `value` or less"."""
        return self._p_value(value, 1)

    def p_below(self, value: float) -> float:
        """One-sided p-value against "the true relative difference is `value` or more"."""
        return self._p_value(value, -1)

    def _bound(self, confidence: float, side: int) -> float:
        if not 0 < confidence < 1:
            raise EvaluationError(f"confidence must be between 0 and 1, but is {confidence}")
        if math.isnan(self.estimate):
            return -side * math.inf
        # The k-th largest pivot, so that the bound passes a value exactly where its p-value passes 1 − confidence.
        tail = math.floor((1 - confidence) * (len(self.pivots) + 1) + 1e-9)
        if tail == 0:
            return -side * math.inf
        reach = max(float(self._tail(side)[-tail]), NormalDist().inv_cdf(confidence))
        # No spread at all leaves nothing to multiply, not even with an infinite pivot.
        return self.estimate - side * (reach * self._error if self._error else 0.0)

    def _p_value(self, value: float, side: int) -> float:
        if math.isnan(self.estimate):
            return 1.0
        gap = side * (self.estimate - value)
        observed = gap / self._error if self._error else math.copysign(math.inf, gap) if gap else 0.0
        pivots = self._tail(side)
        beyond = len(pivots) - int(np.searchsorted(pivots, observed, side="left"))
        return max((1 + beyond) / (1 + len(pivots)), NormalDist().cdf(-observed))

    def _tail(self, side: int) -> FloatArray:
        """The pivots, ascending, signed so that large ones are against the claim; those without a value lead."""
        pivots = np.where(np.isnan(self.pivots), np.inf, self.pivots * side)
        return pivots if side > 0 else np.sort(pivots)

    @property
    def _error(self) -> float:
        return self.deviation / math.sqrt(self.n)


def relative_difference(
    system: npt.ArrayLike, reference: npt.ArrayLike, samples: int = 4999, seed: int = 0
) -> Relative:
    """The relative difference of the means of two systems over the same queries.

    Studentised ("bootstrap-t") bounds of a ratio (Efron and Tibshirani, An Introduction to the Bootstrap, 12.5
    and 25.3): queries are resampled in pairs, and the ratio of each resample is divided by its own standard
    error, so that the skewness of the differences enters the bounds.

    Args:
        system: (n_queries,) metric values, of which more is better; queries with NaN in either are left out.
        reference: (n_queries,) values of the reference, same queries in the same order.
        samples: Number of resamples; the smallest p-value is 1 / (samples + 1).
        seed: Seed of the draws.

    Raises:
        EvaluationError: The two are not vectors of one length, or `samples` is out of range.
    """
    s, r = paired_values(system, reference)
    n = len(s)
    if n < 2 or not r.mean() > 0:
        return Relative(
            math.nan, math.nan, float(s.mean()) if n else math.nan, float(r.mean()) if n else math.nan, n,
            np.full(samples, np.nan),
        )  # fmt: skip
    ratio = s.mean() / r.mean()
    moments = np.stack([s, r, s * s, s * r, r * r], axis=1)
    means = np.concatenate([counts @ moments / n for counts in resample_counts(n, samples, seed)])
    s1, r1, ss, sr, rr = means.T
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = s1 / r1
        variance = np.maximum(ss - 2 * ratios * sr + ratios**2 * rr, _ROUNDING * (ss + rr))
        pivots = np.sort((ratios - ratio) * r1 / np.sqrt(variance / n))
    deviation = float(np.std((s - ratio * r) / r.mean(), ddof=1))
    return Relative(float(ratio) - 1, deviation, float(s.mean()), float(r.mean()), n, pivots)
