"""Cascade: people read from the top and stop at the first click (Craswell et al. 2008).

Every impression down to the first click is examined, none below it. The log need hold no swaps: the model takes its
word that people read so, and is as right as that.
"""

import numpy as np

from gradus.judgments.clicks.fit import Fit
from gradus.judgments.clicks.trials import make_trials
from gradus.judgments.logs.cells import Cells


def fit_cascade(cells: Cells) -> Fit:
    """θ = 1 for impressions without a click above them; the others do not count."""
    top = (cells.previous == 0).astype(float)
    level = np.zeros(len(cells), np.int64)
    trials = make_trials(cells, level, 1, cells.impressions * top, cells.clicks * top)
    return Fit("cascade", trials, np.ones(1), np.zeros(1))
