"""The mean of a pair's grades: no model of raters, for comparison and for scales without structure."""

import numpy as np

from gradus.judgments.grades.fit import Fit
from gradus.judgments.grades.grades import Floats, Grades
from gradus.judgments.scores import Z

_USUAL_NOISE, _PSEUDO_GRADES = 0.15, 2.0
"""Standard deviation of a usual rater's grades, and how many grades that is worth beside those given."""


def fit_mean(grades: Grades) -> Fit:
    """The mean grade m of each pair, with the interval m ± 1.645 √(v_i/n), clipped to [0, 1].

    v = (Σ (x - m)² + 2 · 0.15²)/(N - I + 2) is the variance of N grades of I pairs around the means of their pairs.
    The n grades of a pair are drawn to it: v_i = (Σ_i (x - m)² + 2 v)/(n - 1 + 2), so that raters who differ on
    a pair make its interval wider. A rater's bias is the mean of the given minus the pair's mean, the noise its
    standard deviation.
    """
    value, per_pair = grades.values[grades.level], grades.per_pair
    mean = np.bincount(grades.pair, value) / per_pair
    error = value - mean[grades.pair]
    variance = ((error**2).sum() + _PSEUDO_GRADES * _USUAL_NOISE**2) / (
        len(grades) - len(mean) + _PSEUDO_GRADES
    )
    own = np.bincount(grades.pair, error**2) + _PSEUDO_GRADES * variance
    half = Z * np.sqrt(own / (per_pair - 1 + _PSEUDO_GRADES) / per_pair)
    bias = _per_rater(grades, error)
    noise = np.sqrt(_per_rater(grades, (error - bias[grades.rater]) ** 2))
    return Fit(mean, np.maximum(mean - half, 0), np.minimum(mean + half, 1), bias, noise, np.zeros(len(bias)))


def _per_rater(grades: Grades, values: Floats) -> Floats:
    return np.bincount(grades.rater, values, len(grades.raters)) / grades.per_rater
