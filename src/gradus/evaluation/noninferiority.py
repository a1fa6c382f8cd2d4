"""Non-inferiority: whether a cheaper system loses no more than a margin that was fixed before."""

from dataclasses import dataclass

import numpy.typing as npt

from gradus.errors import EvaluationError
from gradus.evaluation.relative import relative_difference


@dataclass(frozen=True)
class NonInferiority:
    """A system held against a reference and a margin.

    Attributes:
        relative: mean(system) / mean(reference) − 1; NaN where there is no ratio.
        low: What the true value exceeds with the confidence asked for (one-sided).
        high: What it stays below with that confidence (one-sided).
        p_noninferior: p-value against "it loses the margin or more": small, and the system is non-inferior.
        p_inferior: p-value against "it loses the margin or less": small, and the system is inferior.
        deviation: Standard deviation over queries that `evaluation.power` plans with.
        system_mean: The system's mean.
        reference_mean: The reference's mean.
        n: Number of queries where both are defined.
    """

    relative: float
    low: float
    high: float
    p_noninferior: float
    p_inferior: float
    deviation: float
    system_mean: float
    reference_mean: float
    n: int


def noninferiority(
    system: npt.ArrayLike,
    reference: npt.ArrayLike,
    margin: float,
    confidence: float = 0.95,
    samples: int = 4999,
    seed: int = 0,
) -> NonInferiority:
    """Test mean(system) > (1 − margin) mean(reference), and its opposite, on paired queries.

    The margin is relative, and the reference's mean is itself an estimate: the test is of the ratio of the
    means, with studentised bootstrap bounds (`relative_difference`). low > −margin exactly where
    p_noninferior < 1 − confidence, up to a tie; likewise high < −margin and p_inferior.

    Args:
        system: (n_queries,) metric values, of which more is better; queries with NaN in either are left out.
        reference: (n_queries,) values of the reference, same queries in the same order.
        margin: Share of the reference's mean that may be lost, at least 0.
        confidence: Of each bound, between 0 and 1.
        samples: Number of resamples.
        seed: Seed of the draws.

    Raises:
        EvaluationError: A margin or confidence out of range, or what `relative_difference` refuses.
    """
    if not margin >= 0:
        raise EvaluationError(f"a margin is a share of the reference's mean, 0 or more, but is {margin}")
    found = relative_difference(system, reference, samples, seed)
    return NonInferiority(
        relative=found.estimate,
        low=found.low(confidence),
        high=found.high(confidence),
        p_noninferior=found.p_above(-margin),
        p_inferior=found.p_below(-margin),
        deviation=found.deviation,
        system_mean=found.system_mean,
        reference_mean=found.reference_mean,
        n=found.n,
    )
