"""Utility: what a click was worth, where actions after it count more.

The score of a pair is its attractiveness times the mean utility of its clicks. Most pairs have a few clicks, so that
mean is shrunk towards the mean of all clicks by a number of clicks that is itself estimated: the ratio of the
variance within pairs to the variance between them (Bühlmann 1967).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.clicks.trials import Trials
from gradus.judgments.logs.cells import Cells

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Utility:
    """Mean utility of the clicks of each pair of some trials.

    Attributes:
        mean: (p,) in [0, 1].
        deviation: (p,) standard deviation of that mean.
    """

    mean: Floats
    deviation: Floats


def utility_of(cells: Cells, trials: Trials) -> Utility:
    """The utility of each pair's clicks, shrunk; 1 in a log without a click, which does not say what one is worth."""
    if all((column == cells.clicks).all() for column in (cells.utility, cells.utility_square)):
        return Utility(np.ones(len(trials)), np.zeros(len(trials)))  # every click is worth 1
    keys = trials.query.astype(np.int64) * len(cells.documents) + trials.document
    pair = np.searchsorted(keys, cells.pair)
    clicks, total, square = (
        np.bincount(pair, column, len(trials))
        for column in (cells.clicks, cells.utility, cells.utility_square)
    )
    number = clicks.sum()
    overall = total.sum() / number if number else 1.0
    own = total / np.maximum(clicks, 1e-300)
    within = float((square - clicks * own**2)[clicks > 0].clip(0).sum())
    degrees = max(number - (clicks > 0).sum(), 1.0)
    variance = within / degrees
    between = float((clicks * (own - overall) ** 2).sum()) - variance * max((clicks > 0).sum() - 1, 0)
    between /= max(number - (clicks**2).sum() / max(number, 1e-300), 1e-300)
    if variance <= 1e-12 and between <= 1e-12:
        return Utility(np.full(len(trials), overall), np.zeros(len(trials)))
    worth = variance / max(between, 1e-6)
    mean = (total + worth * overall) / (clicks + worth) if worth > 0 else np.where(clicks > 0, own, overall)
    spread = np.sqrt(max(between, 0.0) * worth / (clicks + worth)) if worth > 0 else np.zeros(len(trials))
    return Utility(np.clip(mean, 0, 1), spread)
