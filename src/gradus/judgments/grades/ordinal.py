"""The ordinal model: raters with a bias and a noise of their own, and slips.

A pair has a true score y in [0, 1]. Rater r sees y + b_r + s_r e with logistic noise e, and gives the level whose
value is nearest; with probability ε_r the grade is a slip, drawn as grades are overall:

    P(level ≤ k | y, r) = (1 - ε_r) σ((t_k - y - b_r)/s_r) + ε_r P(level ≤ k),    t_k = (v_k + v_{k+1})/2.

True scores have a prior of the family exp(α log y + β log(1 - y)), a Beta distribution on a grid, with atoms at
0 and at 1 besides: many pairs simply do not match. Everything is estimated by EM whose M step is one step of
Fisher scoring (Lange, A gradient algorithm locally equivalent to the EM algorithm, JRSS B 57, 1995).

Only differences between biases can be seen in grades, so their mean over all grades is 0. The noise of a lone rater cannot
be seen either; there the prior decides, which is that of usual raters.
"""

import numpy as np

from gradus.judgments.grades.fit import Fit
from gradus.judgments.grades.grades import Floats, Grades
from gradus.judgments.grades.interval import mean_and_interval
from gradus.judgments.grades.patterns import Patterns

_CELLS = 50
"""Cells of the grid between the atoms."""
_BIAS, _SCALE, _SLIPS = (0.0, 0.2), (np.log(0.08), 0.5), (np.log(0.03 / 0.97), 1.0)
"""Means and standard deviations of the normal priors of b, log s and logit ε."""
_LONGEST_STEP = np.array([0.1, 0.5, 0.5])
_PSEUDO_PAIRS = 2.0
"""Weight of the uniform prior that the prior's own parameters are drawn to."""
_ROUNDS, _TOLERANCE = 500, 1e-5


def fit_ordinal(grades: Grades) -> Fit:
    """Fit the ordinal model.

    The score of a pair is its posterior mean; its interval holds the 5 % and the 95 % quantile and is no
    narrower than the posterior's standard deviation says (`mean_and_interval`). A rater's noise is the standard
    deviation s π/√3.
    """
    patterns = Patterns.of(grades)
    raters, levels = len(grades.raters), len(grades.levels)
    overall = np.bincount(grades.level, minlength=levels) / len(grades)
    state = np.r_[0.0, (np.arange(_CELLS) + 0.5) / _CELLS, 1.0]
    parameters = np.tile([_BIAS[0], _SCALE[0], _SLIPS[0]], (raters, 1))
    prior = _Prior(state)
    for _ in range(_ROUNDS):
        likelihood = _probabilities(parameters, grades.values, overall, state)[0]
        posterior = patterns.posterior(np.log(likelihood).reshape(raters * levels, -1), prior.log_density)
        counts = patterns.expected_counts(posterior, raters * levels).reshape(raters, levels, -1)
        before = parameters
        parameters = before + _scoring_step(before, counts, grades.values, overall, state)
        parameters[:, 0] -= np.average(parameters[:, 0], weights=grades.per_rater)
        moved = prior.update(patterns.times @ posterior)
        if max(np.abs(parameters - before).max(), moved) < _TOLERANCE:
            break
    low, high = (_quantile(posterior, level) for level in (0.05, 0.95))
    score, low, high = mean_and_interval(posterior, state, low, high)
    bias, noise = parameters[:, 0], np.exp(parameters[:, 1]) * np.pi / np.sqrt(3)
    slips = 1 / (1 + np.exp(-parameters[:, 2]))
    of = patterns.of_pair
    return Fit(score[of], low[of], high[of], bias, noise, slips)


class _Prior:
    """The distribution of true scores on the grid: an exponential family fitted to expected counts."""

    def __init__(self, state: Floats) -> None:
        inside = np.where((state > 0) & (state < 1), state, 0.5)
        self._statistics = np.stack(
            [np.log(inside / 0.5), np.log((1 - inside) / 0.5), state == 0, state == 1], axis=1
        ).astype(float)
        self._parameters = np.array([0.0, 0.0, -1.0, -1.0])
        self._start = np.exp(self.log_density)

    @property
    def log_density(self) -> Floats:
        """(s,) log probabilities of the states."""
        base = np.where(self._statistics[:, 2:].any(1), 0.0, -np.log(_CELLS))
        log_density = base + self._statistics @ self._parameters
        return np.asarray(log_density - np.log(np.exp(log_density).sum()))

    def update(self, counts: Floats) -> float:
        """One Newton step towards the expected counts (s,) of the states; returns how far it went."""
        density = np.exp(self.log_density)
        wanted = (counts + _PSEUDO_PAIRS * self._start) / (counts.sum() + _PSEUDO_PAIRS)
        centred = self._statistics - density @ self._statistics
        curvature = (centred * density[:, None]).T @ centred + 1e-6 * np.eye(4)
        step = np.clip(np.linalg.solve(curvature, self._statistics.T @ (wanted - density)), -1, 1)
        before = self._parameters
        # A Beta density that rises to its ends without bound would be a second pair of atoms.
        self._parameters = np.clip(before + step, [-0.9, -0.9, -30, -30], 30)
        return float(np.abs(self._parameters - before).max())


def _probabilities(
    parameters: Floats, values: Floats, overall: Floats, state: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """(r, k, s) probability of each level by each rater in each state, and its derivatives by b, log s, logit ε."""
    bias, log_scale, logit = (parameters[:, [column], None] for column in range(3))
    threshold = (values[:-1] + values[1:])[None, :, None] / 2
    z = np.clip((threshold - state - bias) / np.exp(log_scale), -30, 30)
    below = 1 / (1 + np.exp(-z))
    slope = below * (1 - below)
    clean = _between(below, 1.0)
    slips = 1 / (1 + np.exp(-logit))
    chance = overall[None, :, None]
    # The floor keeps logarithms finite where a level was never given.
    probability = np.maximum((1 - slips) * clean + slips * chance, 1e-12)
    by_bias = (1 - slips) * _between(-slope / np.exp(log_scale), 0.0)
    by_log_scale = (1 - slips) * _between(-slope * z, 0.0)
    by_logit = slips * (1 - slips) * (chance - clean)
    return probability, by_bias, by_log_scale, by_logit


def _between(cumulative: Floats, top: float) -> Floats:
    """What lies between thresholds, below the lowest and above the highest: (r, k - 1, s) → (r, k, s)."""
    ends = np.zeros_like(cumulative[:, :1])
    return np.diff(np.concatenate([ends, cumulative, ends + top], axis=1), axis=1)


def _scoring_step(
    parameters: Floats, counts: Floats, values: Floats, overall: Floats, state: Floats
) -> Floats:
    """(r, 3) one step of Fisher scoring on expected counts (r, k, s), with the normal priors."""
    probability, *slopes = _probabilities(parameters, values, overall, state)
    derivative = np.stack(slopes, axis=-1)
    mean, deviation = (np.array(column) for column in zip(_BIAS, _SCALE, _SLIPS, strict=True))
    gradient = (
        np.einsum("rks,rksj->rj", counts / probability, derivative) - (parameters - mean) / deviation**2
    )
    per_state = counts.sum(1)[:, None, :] / probability
    information = np.einsum("rks,rksj,rksl->rjl", per_state, derivative, derivative)
    step = np.linalg.solve(information + np.diag(deviation**-2.0), gradient[:, :, None])[:, :, 0]
    return np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)


def _quantile(posterior: Floats, level: float) -> Floats:
    """(p,) quantile of each row: atoms at the ends, mass spread evenly within the cells between."""
    up_to = np.cumsum(posterior, axis=1)[:, :-1]
    edges = np.arange(_CELLS + 1) / _CELLS
    return np.array([np.interp(level, mass, edges) for mass in up_to])
