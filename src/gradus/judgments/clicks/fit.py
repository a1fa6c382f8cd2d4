"""Fit: what a click model says about a log before anything is said about pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.clicks.trials import Trials
from gradus.judgments.logs.cells import Cells

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The position-bias curve: how likely an impression is examined, by position, relative to the first.

    Attributes:
        examination: (positions,) θ of positions 1, 2, …; NaN where the log does not tell.
        deviation: (positions,) standard deviation of log θ; infinite where the log does not tell.
    """

    examination: Floats
    deviation: Floats


@dataclass(frozen=True)
class Fit:
    """A click model, fitted.

    Attributes:
        estimator: Its name.
        trials: The cells, grouped by pair and level of examination.
        theta: (levels,) examination of each level.
        deviation: (levels,) standard deviation of log θ of a pair, what is unknown about θ and how it differs
            from pair to pair; 0 where θ is taken as given.
        curve: The position-bias curve, where the model has one.
    """

    estimator: str
    trials: Trials
    theta: Floats
    deviation: Floats
    curve: Curve | None = None


def positions(cells: Cells) -> int:
    """The deepest position of the log."""
    return int(cells.position.max()) if len(cells) else 0
