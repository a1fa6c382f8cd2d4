"""Dawid and Skene's model: every rater confuses levels in a way of their own.

A pair has a true level j with prior p_j; rater r gives it level k with probability π_rjk, whatever the others
give (Dawid and Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, Applied
Statistics 28, 1979). Rows of π have a Dirichlet prior that leans to the diagonal, which keeps raters with few
grades near the usual and the labels of the levels in place.
"""

import numpy as np

from gradus.errors import JudgmentsError
from gradus.judgments.grades.fit import Fit
from gradus.judgments.grades.grades import Floats, Grades, Rows
from gradus.judgments.grades.interval import mean_and_interval
from gradus.judgments.grades.patterns import Patterns

_MOST_LEVELS = 20
_RIGHT, _WRONG = 3.0, 1.0
"""Prior counts of each row of a confusion matrix: on the diagonal, and in all off it together."""
_ROUNDS, _TOLERANCE = 1000, 1e-7


def fit_dawid_skene(grades: Grades) -> Fit:
    """Fit Dawid and Skene's model by EM, starting from the share of raters for each level.

    The score of a pair is the posterior mean of its level's value. A level stands for all scores that are nearest to
    its value, so the interval reaches from the lower end of the level at the 5 % quantile to the upper end of
    that at the 95 % quantile, and is no narrower than the posterior's standard deviation says
    (`mean_and_interval`). Bias and noise of a rater are mean and standard deviation of the given minus the true
    value.

    Raises:
        JudgmentsError: More levels than confusion matrices can be learned of.
    """
    raters, levels = len(grades.raters), len(grades.levels)
    if levels > _MOST_LEVELS:
        raise JudgmentsError(
            f"grades.model dawid-skene is for {_MOST_LEVELS} grades or fewer, not {levels}; use ordinal"
        )
    patterns = Patterns.of(grades)
    own_level = np.tile(np.eye(levels), (raters, 1))
    share = np.add.reduceat(own_level[patterns.code], patterns.start)
    posterior = share / share.sum(1, keepdims=True)
    prior_counts = np.full((levels, levels), _WRONG / (levels - 1))
    np.fill_diagonal(prior_counts, _RIGHT)
    for _ in range(_ROUNDS):
        # (r, given, true): how often, with the prior's counts.
        counts = patterns.expected_counts(posterior, raters * levels).reshape(raters, levels, levels)
        confusion = counts + prior_counts
        confusion /= confusion.sum(1, keepdims=True)
        prevalence = patterns.times @ posterior + 1
        before = posterior
        posterior = patterns.posterior(
            np.log(confusion).reshape(raters * levels, levels), np.log(prevalence / prevalence.sum())
        )
        if np.abs(posterior - before).max() < _TOLERANCE:
            break
    ends = np.r_[0.0, (grades.values[:-1] + grades.values[1:]) / 2, 1.0]
    low, high = ends[_quantile(posterior, 0.05)], ends[_quantile(posterior, 0.95) + 1]
    score, low, high = mean_and_interval(posterior, grades.values, low, high)
    of = patterns.of_pair
    return Fit(score[of], low[of], high[of], *_errors(counts, grades.values), np.zeros(raters))


def _quantile(posterior: Floats, share: float) -> Rows:
    """(p,) the first level up to which this share of each row lies."""
    return np.asarray((np.cumsum(posterior, axis=1) >= share - 1e-9).argmax(1))


def _errors(counts: Floats, values: Floats) -> tuple[Floats, Floats]:
    """(r,) mean and standard deviation of given minus true value under counts (r, given, true)."""
    error = values[:, None] - values[None, :]
    share = counts / counts.sum((1, 2), keepdims=True)
    bias = (share * error).sum((1, 2))
    return bias, np.sqrt((share * (error - bias[:, None, None]) ** 2).sum((1, 2)))
