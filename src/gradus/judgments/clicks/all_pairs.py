"""AllPairs: examination by position, harvested from pairs that were shown at several positions."""

import numpy as np

from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.fit import Curve, Fit
from gradus.judgments.clicks.harvest import harvest, spread
from gradus.judgments.logs.cells import Cells


def fit_all_pairs(cells: Cells) -> Fit:
    """Position-based model; see `gradus.judgments.clicks.harvest` for the equations."""
    trials = position_trials(cells)
    found = harvest(trials)
    deviation = np.hypot(found.deviation, spread(trials, found.theta))
    return Fit("all-pairs", trials, found.theta, deviation, Curve(found.theta, found.deviation))
