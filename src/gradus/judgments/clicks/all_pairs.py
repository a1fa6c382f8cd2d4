"""AllPairs: examination by position, harvested from pairs that were shown at several positions."""

from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.fit import Curve, Fit
from gradus.judgments.clicks.harvest import harvest
from gradus.judgments.logs.cells import Cells


def fit_all_pairs(cells: Cells) -> Fit:
    """Position-based model; see `gradus.judgments.clicks.harvest` for the equations."""
    trials = position_trials(cells)
    found = harvest(trials)
    return Fit("all-pairs", trials, found.theta, found.deviation, Curve(found.theta, found.deviation))
