"""PBM by EM: the position-based model, P(click) = θ_k a_qd, with both factors estimated together.

Expectation, of an impression without a click: it was examined with probability θ(1 − a) / (1 − θa), and would have been
clicked if examined with a(1 − θ) / (1 − θa). Maximisation: θ_k and a_qd are the mean of the former and of the latter
(Chuklin, Markov and de Rijke 2015, section 4.1). Attractiveness has a Beta(1, 9) prior here, since most pairs are seen
a few times and clicked never. The prior takes part in the answer where swaps are few: AllPairs has none.
"""

import numpy as np

from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.fit import Curve, Fit
from gradus.judgments.clicks.harvest import deviation, spread
from gradus.judgments.logs.cells import Cells

_CLICKED, _IGNORED = 1.0, 9.0
_ROUNDS = 100


def fit_pbm(cells: Cells) -> Fit:
    """Expectation and maximisation until no θ moves by more than 1e-4, at most a hundred times."""
    trials = position_trials(cells)
    pair, shown, clicks = trials.pair, trials.shown, trials.clicks
    missed = shown - clicks
    seen = trials.per_level(shown)
    theta = 1 / np.arange(1, trials.levels + 1)
    total = trials.per_pair(shown)
    a = (trials.per_pair(clicks) + _CLICKED) / (total + _CLICKED + _IGNORED)
    for _ in range(_ROUNDS):
        t, attraction = theta[trials.level], a[pair]
        silent = np.maximum(1 - t * attraction, 1e-12)
        examined = trials.per_level(clicks + missed * t * (1 - attraction) / silent)
        attracted = trials.per_pair(clicks + missed * attraction * (1 - t) / silent)
        new = examined / np.maximum(seen, 1e-300)
        a = (attracted + _CLICKED) / (total + _CLICKED + _IGNORED)
        moved = np.abs(new - theta).max()
        theta = new
        if moved < 1e-4:
            break
    theta = np.where(seen > 0, theta / max(theta[0], 1e-12), np.nan)
    unsure = deviation(trials, theta)
    return Fit("pbm", trials, theta, np.hypot(unsure, spread(trials, theta)), Curve(theta, unsure))
