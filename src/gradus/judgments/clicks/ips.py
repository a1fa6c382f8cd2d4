"""IPS: examination of each position as given, from an experiment made elsewhere.

Weighting each click by 1 / θ_k (Joachims, Swaminathan and Schnabel 2017) has the same mean as dividing clicks by
Σ θ_k n_k, and a greater variance; the likelihood that all models here share does the latter.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError
from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.fit import Curve, Fit
from gradus.judgments.columns import Columns
from gradus.judgments.logs.cells import Cells


def read_propensities(path: Path) -> NDArray[np.float64]:
    """(positions,) θ from a file with the columns position and propensity, made relative to the first.

    Raises:
        JudgmentsError: There is no such file, a column is missing, or a cell is no number.
        LogError: A position is left out or repeated, or a propensity is not above 0.
        CatalogError: The file cannot be read.
    """
    key = "clicks.propensities"
    columns = Columns.read(path, key)
    place, value = columns.numbers("position", key), columns.numbers("propensity", key)
    if sorted(place.tolist()) != list(range(1, len(place) + 1)):
        raise LogError(f"{path}: positions must be 1, 2, … up to the deepest one, each once")
    if not (value > 0).all():
        raise LogError(
            f"{columns.at(int(np.argmin(value > 0)), 'propensity')} is not above 0; leave out positions that nobody "
            "examines"
        )
    value = value[np.argsort(place)]
    theta: NDArray[np.float64] = value / value[0]
    return theta


def fit_ips(cells: Cells, theta: NDArray[np.float64]) -> Fit:
    """θ as given; impressions deeper than it reaches do not count.

    Args:
        cells: The cells.
        theta: (any,) examination of positions 1, 2, ….
    """
    trials = position_trials(cells)
    given = np.full(trials.levels, np.nan)
    reach = min(len(theta), trials.levels)
    given[:reach] = theta[:reach]
    known = np.where(np.isfinite(given), 0.0, np.inf)
    return Fit("ips", trials, given, known, Curve(given, known))
