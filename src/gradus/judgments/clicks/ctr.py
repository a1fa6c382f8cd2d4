"""CTR: clicks per impression, as if every impression were examined.

It confuses a low position with low attractiveness; it is here as the habit that others are held against.
"""

import numpy as np

from gradus.judgments.clicks.fit import Fit
from gradus.judgments.clicks.trials import make_trials
from gradus.judgments.logs.cells import Cells


def fit_ctr(cells: Cells) -> Fit:
    """θ = 1 everywhere."""
    trials = make_trials(cells, np.zeros(len(cells), np.int64), 1, cells.impressions, cells.clicks)
    return Fit("ctr", trials, np.ones(1), np.zeros(1))
