"""The interval of the position-bias curve."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.fit import Curve
from gradus.judgments.clicks.harvest import harvest
from gradus.judgments.clicks.trials import Trials, ranges
from gradus.judgments.logs.cells import Cells

_SMALL = 30_000
"""Cells up to which the interval is resampled; more make the closed form exact, and resampling slow."""


def resampled(curve: Curve, cells: Cells, resamples: int, seed: int) -> Curve:
    """The curve with its deviation from a bootstrap by query, where the log is small enough to need one.

    A log with few swaps has a skewed, wider distribution of θ than the closed form says. Queries are resampled and
    not sessions: a session's searches are of different queries, and what swaps have in common is their query.

    Args:
        curve: As harvested.
        cells: What it was harvested from.
        resamples: How many.
        seed: Of the resampling.
    """
    if len(cells) > _SMALL:
        return curve
    trials = position_trials(cells)
    rng = np.random.default_rng(seed)
    logs = np.stack([_log_theta(_resample(trials, rng)) for _ in range(resamples)])
    found = np.isfinite(logs).mean(axis=0) > 0.9
    spread = np.nanstd(np.where(np.isfinite(logs), logs, np.nan)[:, found], axis=0)
    deviation = curve.deviation.copy()
    deviation[found] = np.maximum(deviation[found], spread)
    return replace(curve, deviation=deviation)


def _log_theta(trials: Trials) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        logs: NDArray[np.float64] = np.log(harvest(trials, rounds=30).theta)
    return logs


def _resample(trials: Trials, rng: np.random.Generator) -> Trials:
    """As many queries as there are, drawn with replacement, with all of their pairs."""
    first = np.flatnonzero(np.r_[True, trials.query[1:] != trials.query[:-1]])
    end = np.r_[first[1:], len(trials)]
    drawn = rng.integers(0, len(first), len(first))
    return trials.take(ranges(first[drawn], (end - first)[drawn]))
