"""Score and interval from a posterior over few states."""

import numpy as np

from gradus.judgments.grades.grades import Floats
from gradus.judgments.scores import Z


def mean_and_interval(
    posterior: Floats, state: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats, Floats]:
    """The posterior mean m, and a 90 % interval that is no narrower than the posterior's standard deviation says.

    The interval is the union of the one between the quantiles and m ± 1.645 sd, kept within [0, 1]. A state that
    holds 95 % of the posterior at an end is both quantiles at once: alone, they would say that the rest is not
    there. Fusion, which takes an interval for that of a normal distribution, would believe them.

    Args:
        posterior: (p, s) probability of each state of each pair.
        state: (s,) score in [0, 1] that each state stands for.
        low: (p,) 5 % quantile.
        high: (p,) 95 % quantile.

    Returns:
        (p,) mean, low and high.
    """
    mean = (posterior @ state).clip(0, 1)
    half = Z * np.sqrt((posterior * (state - mean[:, None]) ** 2).sum(1))
    return mean, np.minimum(low, np.maximum(mean - half, 0)), np.maximum(high, np.minimum(mean + half, 1))
