"""Logged propensities: examination by position from result pages that were shuffled at random.

Each randomised impression is weighted by 1 / (probability that its document was shown at its position); the click
rates of the positions, so weighted, are those of one and the same set of documents, and differ by examination alone.
"""

import numpy as np

from gradus.errors import LogError
from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.fit import Curve, Fit, positions
from gradus.judgments.logs.cells import Cells


def fit_logged(cells: Cells) -> Fit:
    """θ_k = weighted click rate of position k over that of position 1, from the logged impressions.

    Raises:
        LogError: No impression carries a propensity, or no logged one at the first position was clicked.
    """
    depth = positions(cells)
    level = cells.position.astype(np.int64) - 1
    logged = cells.logged > 0
    if not logged.any():
        raise LogError("no impression carries a propensity; name its column in log.columns.propensity")
    # A cell's mean weight serves all its impressions, of which only the logged part was randomised.
    weight = np.where(logged, cells.propensity / np.maximum(cells.logged, 1e-300), 0.0)
    part = np.where(logged, cells.logged / cells.impressions, 0.0)
    clicks = np.bincount(level, cells.clicks * part * weight, depth)
    shown = np.bincount(level, cells.propensity, depth)
    square = np.bincount(level, cells.clicks * part * weight**2, depth)
    if clicks[0] <= 0:
        raise LogError("no randomised impression at the first position was clicked; randomise for longer")
    rate = clicks / np.maximum(shown, 1e-300)
    theta = np.where(shown > 0, rate / rate[0], np.nan)
    relative = square / np.maximum(clicks, 1e-300) ** 2
    deviation = np.where(clicks > 0, np.sqrt(relative + relative[0]), np.inf)
    deviation[0] = 0.0
    return Fit("logged", position_trials(cells), theta, deviation, Curve(theta, deviation))
