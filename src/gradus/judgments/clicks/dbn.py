"""Dynamic Bayesian network: people read from the top and stop when content (Chapelle and Zhang 2009).

After an examined document they go on with probability γ, unless they clicked it and were satisfied. The simplified
model takes γ = 1: everything down to the last click was examined, and pages without a click say nothing. With γ < 1 the
impressions below the last click, and pages without one, were examined with a probability that falls with the distance
to that click. With ē the state "the impression is examined, given the clicks above",

    no click at it: ē' = γ ē (1 − ā) / (1 − ē ā);   a click at it: ē' = γ (1 − s̄),

where ā and s̄ are the mean attractiveness and satisfaction. γ and s̄ are those under which the log is most probable.
"""

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.clicks.fit import Fit, positions
from gradus.judgments.clicks.trials import Trials, make_trials
from gradus.judgments.logs.cells import Cells

Floats = NDArray[np.float64]


def fit_sdbn(cells: Cells) -> Fit:
    """The simplified model: θ = 1 for impressions at or above the last click of their page."""
    level = np.zeros(len(cells), np.int64)
    trials = make_trials(cells, level, 1, cells.above_last, cells.clicks)
    return Fit("sdbn", trials, np.ones(1), np.zeros(1))


def fit_dbn(cells: Cells) -> Fit:
    """Levels are (whether there was a click above, distance to it or to the top of the page)."""
    depth = positions(cells)
    clicked = cells.previous > 0
    level = np.where(clicked, depth, 0) + cells.position.astype(np.int64) - cells.previous - 1
    trials = make_trials(cells, level, 2 * depth, cells.impressions, cells.clicks)
    best, theta = -np.inf, np.ones(2 * depth)
    for going_on in np.linspace(0.5, 1.0, 11):
        for content in np.linspace(0.0, 0.95, 20):
            tried = _examination(going_on, content, _mean_attraction(trials), depth)
            found = _log_likelihood(trials, tried)
            if found > best:
                best, theta = found, tried
    return Fit("dbn", trials, theta, np.zeros(2 * depth))


def _mean_attraction(trials: Trials) -> float:
    """Click rate at the top of the page, where everything is examined; below 1, so that a miss there is possible."""
    shown = trials.per_level(trials.shown)[0]
    return min(float(trials.per_level(trials.clicks)[0] / max(shown, 1.0)), 1 - 1e-9)


def _examination(going_on: float, content: float, attraction: float, depth: int) -> Floats:
    """(2 · depth,) θ at distance 1, 2, … from the top without a click, then from the last click."""
    theta = np.empty((2, depth))
    for row, first in enumerate((1.0, going_on * (1 - content))):
        examined = first
        for distance in range(depth):
            theta[row, distance] = examined
            examined = going_on * examined * (1 - attraction) / (1 - examined * attraction)
    return theta.ravel()


def _log_likelihood(trials: Trials, theta: Floats) -> float:
    """Of the clicks, each pair at its own best attractiveness under a little shrinkage."""
    t = np.maximum(theta[trials.level], 1e-6)
    exposure = trials.per_pair(trials.shown * t)
    a = np.clip((trials.per_pair(trials.clicks) + 0.5) / (exposure + 2.0), 1e-6, 1 - 1e-6)
    rate = t * a[trials.pair]
    return float((trials.clicks * np.log(rate) + (trials.shown - trials.clicks) * np.log1p(-rate)).sum())
