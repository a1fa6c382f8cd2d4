"""Trials whose level is the position."""

from gradus.judgments.clicks.fit import positions
from gradus.judgments.clicks.trials import Trials, make_trials
from gradus.judgments.logs.cells import Cells


def position_trials(cells: Cells) -> Trials:
    """Level 0 is the first position."""
    level = cells.position.astype("int32") - 1
    return make_trials(cells, level, positions(cells), cells.impressions, cells.clicks)
