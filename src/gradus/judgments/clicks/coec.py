"""COEC: clicks over expected clicks, where the expectation is the click rate of the position (Zhang and Jones 2007).

θ_k is the click rate of position k relative to the first. A ranker that puts good documents on top raises the rate of
the top by their quality, which is then taken for examination: good rankers make this estimate worse.
"""

import numpy as np

from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.fit import Curve, Fit
from gradus.judgments.logs.cells import Cells


def fit_coec(cells: Cells) -> Fit:
    """θ_k = click rate of position k / click rate of position 1."""
    trials = position_trials(cells)
    clicks, shown = trials.per_level(trials.clicks), trials.per_level(trials.shown)
    rate = (clicks + 0.5) / (shown + 1.0)
    theta = np.where(shown > 0, rate / rate[0], np.nan)
    deviation = np.where(shown > 0, np.sqrt(1 / (clicks + 0.5) + 1 / (clicks[0] + 0.5)), np.inf)
    deviation[0] = 0.0
    return Fit("coec", trials, theta, deviation, Curve(theta, deviation))
