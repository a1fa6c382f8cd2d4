"""Cadence: how fast a model goes stale, and the cheapest way of refreshing it that keeps the loss within bounds.

A model of age a was trained on evidence that ends a windows before the window it is measured on. Windows differ in
what is asked and how hard it is, so a model is never compared with itself in another window, but with the fresh
model, of age 0, on the same queries of the same window. Over all windows w and queries q that both answered,

    loss(a) = Σ (fresh_qw − stale_qw) / Σ fresh_qw,        loss(0) = 0,

and the loss per window is the slope β of the line through the origin, β = Σ_a a loss(a) / Σ_a a². A refresh that
starts from an old model may not reach a full one: its own loss h is measured in the same way, at age 0. Just before
the next refresh, c windows later, the loss is

    h + β c.

A cadence c holds where the upper end of the interval of that is within what is allowed. Intervals are percentiles of
a bootstrap over queries, each drawn with all its windows and all its models, so that what they share cancels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import Interval, resample_counts

Floats = NDArray[np.float64]

FRESH = "fresh"
"""The arm of the model that all others are held against."""
SAMPLES = 2000
_TAIL = 0.025


@dataclass(frozen=True)
class Reading:
    """A model measured on a window.

    Attributes:
        arm: What kind of model: `FRESH`, the name of an age or of a mode of refreshing.
        window: Which window.
        values: Query → metric; NaN counts as not answered.
    """

    arm: str
    window: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Losses:
    """Relative losses of arms against the fresh model.

    Attributes:
        arms: The arms.
        mean: (k,) the loss of each.
        draws: (samples, k) the losses of the bootstrap's resamples.
        queries: (k,) queries behind each.
    """

    arms: tuple[str, ...]
    mean: Floats
    draws: Floats
    queries: NDArray[np.int64]

    def interval(self, arm: str) -> Interval:
        """The loss of an arm, with its 95 % interval."""
        place = self.arms.index(arm)
        return interval(float(self.mean[place]), self.draws[:, place], int(self.queries[place]))


def interval(mean: float, draws: Floats, n: int) -> Interval:
    """The middle 95 % of a bootstrap's draws; NaN where there is nothing to draw from."""
    if n < 2:
        return Interval(mean, np.nan, np.nan, n)
    low, high = np.nanquantile(draws, (_TAIL, 1 - _TAIL))
    return Interval(mean, float(low), float(high), n)


def measure_losses(readings: Sequence[Reading], samples: int = SAMPLES, seed: int = 0) -> Losses:
    """The losses of all arms but the fresh one.

    Args:
        readings: One per arm and window, with a fresh one for every window that another arm was measured on.
        samples: Resamples of the bootstrap.
        seed: Its seed.

    Raises:
        EvaluationError: A window without a fresh model, or an arm that no query and window shares with it.
    """
    fresh = {reading.window: reading.values for reading in readings if reading.arm == FRESH}
    arms = tuple(dict.fromkeys(reading.arm for reading in readings if reading.arm != FRESH))
    row = {query: n for n, query in enumerate(dict.fromkeys(q for r in readings for q in r.values))}
    lost, had, answered = (np.zeros((len(row), len(arms))) for _ in range(3))
    for reading in readings:
        if reading.arm == FRESH:
            continue
        if reading.window not in fresh:
            raise EvaluationError(
                f"window {reading.window} was measured without a fresh model to compare with"
            )
        column = arms.index(reading.arm)
        for query, value in reading.values.items():
            best = fresh[reading.window].get(query, np.nan)
            if np.isfinite(best) and np.isfinite(value):
                lost[row[query], column] += best - value
                had[row[query], column] += best
                answered[row[query], column] = 1
    total = had.sum(axis=0)
    for arm, amount in zip(arms, total, strict=True):
        if not amount > 0:
            raise EvaluationError(f"{arm} and the fresh model have no query in common with anything found")
    with np.errstate(invalid="ignore", divide="ignore"):
        blocks = [(n @ lost) / (n @ had) for n in resample_counts(len(row), samples, seed)]
    return Losses(
        arms, lost.sum(axis=0) / total, np.concatenate(blocks), answered.sum(axis=0).astype(np.int64)
    )


def slope(ages: Sequence[int], losses: Floats) -> Floats:
    """β of losses (…, ages), as above.

    Raises:
        EvaluationError: No age above 0.
    """
    a = np.asarray(ages, np.float64)
    if not (a > 0).any():
        raise EvaluationError("a loss per window needs a model of an age above 0")
    return np.asarray(losses @ a / (a @ a), np.float64)


@dataclass(frozen=True)
class Refresh:
    """A way to refresh a model, measured.

    Attributes:
        mode: full, warm or queries.
        loss: What is lost against a full training on the same evidence; 0 for a full one.
        cpu_seconds: Of training and embedding, once; wall-clock seconds on an accelerator.
        documents: Documents embedded anew, once.
    """

    mode: str
    loss: Interval
    cpu_seconds: float
    documents: int


@dataclass(frozen=True)
class Plan:
    """A mode at its longest cadence that holds.

    Between refreshes of another mode, a full one is due every `horizon` windows, the age of the oldest model that
    was refreshed when the mode was measured: what more of them come to is not known.

    Attributes:
        mode: The mode.
        every: Windows between refreshes; 0 where none holds.
        estimate: The same by the mean losses alone, whatever their intervals.
        loss: Just before a refresh, at `every`, or at 1 where none holds.
        cpu_seconds: A window, on average; NaN where none holds.
        documents: Documents embedded a window, likewise.
    """

    mode: str
    every: int
    estimate: int
    loss: Interval
    cpu_seconds: float
    documents: float


def plan(
    refreshes: Sequence[Refresh], ages: Sequence[int], losses: Losses, allowed: float
) -> tuple[Interval, tuple[Plan, ...]]:
    """The loss per window, and each mode's longest cadence that holds.

    Args:
        refreshes: The modes; full among them.
        ages: Ages above 0, whose losses are the arms of the same names. The oldest is the longest cadence that is
            considered, and the horizon.
        losses: Of the ages, and of all modes but full.
        allowed: The largest relative loss.

    Raises:
        EvaluationError: No age above 0.
    """
    places = [losses.arms.index(str(age)) for age in ages]
    mean, draws = slope(ages, losses.mean[places]), slope(ages, losses.draws[:, places])
    aged, horizon = int(losses.queries[places].min()), max(ages)
    full = next(refresh for refresh in refreshes if refresh.mode == "full")
    plans = []
    for refresh in refreshes:
        own, own_draws, queries = 0.0, np.zeros(len(draws)), aged
        if refresh is not full:
            place = losses.arms.index(refresh.mode)
            own, own_draws = float(losses.mean[place]), losses.draws[:, place]
            queries = min(aged, int(losses.queries[place]))
        # Refreshed no sooner than a full one is due, a mode would never be used.
        every = range(1, horizon + (refresh is full))
        loss = {c: interval(own + float(mean) * c, own_draws + draws * c, queries) for c in every}
        held = max((c for c in every if loss[c].high <= allowed), default=0)
        estimate = max((c for c in every if loss[c].mean <= allowed), default=0)
        if not loss:
            continue
        seconds, documents = np.nan, np.nan
        if held and refresh is full:
            seconds, documents = full.cpu_seconds / held, full.documents / held
        elif held:
            between = -(-horizon // held) - 1
            seconds = (full.cpu_seconds + between * refresh.cpu_seconds) / horizon
            documents = (full.documents + between * refresh.documents) / horizon
        plans.append(Plan(refresh.mode, held, estimate, loss[held or 1], seconds, documents))
    return interval(float(mean), draws, aged), tuple(plans)


def cheapest(plans: Sequence[Plan]) -> Plan | None:
    """Of the plans that hold, the one with the least processor time, then with the least loss."""
    held = [each for each in plans if each.every]
    return min(held, key=lambda each: (each.cpu_seconds, each.loss.high), default=None)
