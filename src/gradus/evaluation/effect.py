"""How large a difference between two systems is, in words other than its mean."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradus.evaluation.paired import paired_values
from gradus.evaluation.relative import relative_difference


@dataclass(frozen=True)
class PairedEffect:
    """The size of a paired difference.

    Attributes:
        relative: mean(a) / mean(b) − 1; NaN where mean(b) is not above 0 or there are fewer than two queries, as are
            its ends.
        relative_low: Lower end of its 95 % interval.
        relative_high: Upper end.
        d_z: Cohen's d of the paired differences: their mean in units of their standard deviation, which does
            not grow with the number of queries; 0 where no query differs, infinite where all differ alike.
        superiority: Chance that a random query has the higher value under `a`, ties counted half.
        wins: Queries of higher value under `a`, which is better with most metrics.
        ties: Queries of equal value.
        losses: Queries of lower value under `a`.
    """

    relative: float
    relative_low: float
    relative_high: float
    d_z: float
    superiority: float
    wins: int
    ties: int
    losses: int


def paired_effect(a: npt.ArrayLike, b: npt.ArrayLike, samples: int = 1999, seed: int = 0) -> PairedEffect:
    """The size of the difference between two systems over the same queries.

    Args:
        a: (n_queries,) metric values of the first system; queries with NaN in either are left out.
        b: (n_queries,) values of the second system, same queries in the same order.
        samples: Resamples of the interval.
        seed: Seed of the draws.

    Raises:
        EvaluationError: The two are not vectors of one length.
    """
    ratio = relative_difference(a, b, samples, seed)
    first, second = paired_values(a, b)
    differences = first - second
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    ties = len(differences) - wins - losses
    superiority = (wins + ties / 2) / len(differences) if len(differences) else math.nan
    low, high = (
        (ratio.low(0.975), ratio.high(0.975)) if math.isfinite(ratio.estimate) else (math.nan, math.nan)
    )
    return PairedEffect(ratio.estimate, low, high, cohens_d_z(differences), superiority, wins, ties, losses)


def cohens_d_z(differences: npt.NDArray[np.float64]) -> float:
    """Mean over standard deviation (n − 1) of paired differences (Cohen 1988, 2.3.5); NaN below two of them."""
    if len(differences) < 2:
        return math.nan
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / deviation
