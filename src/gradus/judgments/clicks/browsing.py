"""User browsing model: examination depends on the position and on how far above the last click was.

(Dupret and Piwowarski 2008.) With a distance that does not matter it is the position-based model; with no examination
below a click it is the cascade; where people grow content with what they clicked, it follows that too. Its levels are
harvested as positions are, and shrunk towards the curve of positions alone, so that rare combinations do no harm.
"""

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.fit import Curve, Fit, positions
from gradus.judgments.clicks.harvest import harvest, spread
from gradus.judgments.clicks.trials import make_trials
from gradus.judgments.logs.cells import Cells

_DISTANCES = 5
"""Clicks this far above or farther count as one distance."""
_STRENGTH = 20.0
"""Clicks that the curve of positions is worth at every level."""


def fit_browsing(cells: Cells, curve: Curve | None = None) -> Fit:
    """Levels are (position, distance).

    Args:
        cells: The log.
        curve: What its swaps say of positions alone, where that is known already.
    """
    depth = positions(cells)
    if curve is None:
        by_position = harvest(position_trials(cells))
        curve = Curve(by_position.theta, by_position.deviation)
    trials = make_trials(cells, _level(cells), depth * (_DISTANCES + 1), cells.impressions, cells.clicks)
    towards = np.repeat(curve.examination, _DISTANCES + 1)
    found = harvest(trials, towards=towards, strength=_STRENGTH)
    deviation = np.hypot(found.deviation, spread(trials, found.theta))
    return Fit("browsing", trials, found.theta, deviation, curve)


def _level(cells: Cells) -> NDArray[np.int32]:
    """Of each cell; at a position 0 stands for no click above, then the farthest, so that cells come in order."""
    distance = np.minimum(cells.position - cells.previous, _DISTANCES)
    nearness = np.where(cells.previous > 0, _DISTANCES + 1 - distance, 0)
    return (cells.position.astype(np.int32) - 1) * (_DISTANCES + 1) + nearness
