"""Calibration: one source's scores carried to the scale of another that is trusted more.

A click rate of 0.3 and a grade of 0.3 do not mean the same. Where both sources judge the same pairs, isotonic
regression finds the rising curve that says which reference score a score stands for. With few such pairs the
distributions of both sources on the queries they share are matched, and with neither nothing is changed but the
intervals, which widen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.scores import Floats, Scores, Z

Rows = NDArray[np.int64]
Method = Literal["isotonic", "quantiles", "identity"]

LEAST_PAIRS = 20
"""Shared pairs below which no regression is fitted, and scores on shared queries below which none are matched."""
LEAST_DEVIATION = 0.02
"""No score counts as more certain than this standard deviation when it is set against others."""
_UNKNOWN_SCALE = 0.15
"""Standard deviation by which scores of an unknown scale are taken to be off."""
_MATCHED_SCALE = 0.1
"""The same where only distributions were matched, which takes both sources to have judged equally good documents."""
_GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Calibration:
    """A rising curve from a source's scores to reference scores.

    Attributes:
        method: How it was found: `isotonic` regression on shared pairs, `quantiles` matched on shared queries, or
            `identity`.
        pairs: Pairs that both judge.
        curve: (101,) reference scores of the scores 0, 0.01 … 1.
        deviation: (101,) standard deviation of what the curve says of one more pair: of the curve itself, over
            resamples, and of pairs around it beyond what both sources' intervals explain.
        variance: Of the true reference scores of those pairs, towards whose mean a regression draws what it says;
            infinite but for `isotonic`.
    """

    method: Method
    pairs: int
    curve: Floats
    deviation: Floats
    variance: float = np.inf

    def __call__(self, scores: Scores) -> Scores:
        """The scores on the reference scale; an interval's ends are carried along and then widened."""
        score = np.interp(scores.score, _GRID, self.curve)
        spread = Z * np.interp(scores.score, _GRID, self.deviation)
        below = np.hypot(score - np.interp(scores.low, _GRID, self.curve), spread)
        above = np.hypot(np.interp(scores.high, _GRID, self.curve) - score, spread)
        return Scores(
            scores.source, scores.queries, scores.documents, scores.query, scores.document,
            score, np.maximum(score - below, 0.0), np.minimum(score + above, 1.0), scores.count,
        )  # fmt: skip


IDENTITY = Calibration("identity", 0, _GRID, np.zeros(len(_GRID)))
"""The calibration of the reference itself."""


def calibrate(source: Scores, reference: Scores, samples: int = 200, seed: int = 0) -> Calibration:
    """Find the curve that carries a source to the scale of a reference.

    With at least 20 shared pairs, of which the source's scores are not all the same, by isotonic regression
    weighted by the reference's precision 1/σ² (σ from its interval). Else, where each of the two has 20 scores on
    shared queries, by matching their quantiles there. Else the scores stay as they are and are taken to be off
    by a standard deviation of 0.15.

    Args:
        source: What is calibrated.
        reference: What is trusted; a small gold set will do.
        samples: Resamples that the curve's own deviation is measured with.
        seed: Seed of the resampling.
    """
    mine, theirs = shared_pairs(source, reference)
    rng = np.random.default_rng(seed)
    x, y = source.score[mine], reference.score[theirs]
    if len(x) >= LEAST_PAIRS and x.min() < x.max():
        weight = deviation(reference)[theirs] ** -2.0
        curve = _isotonic_curve(x, y, weight)

        def resampled() -> Floats:
            rows = rng.integers(len(x), size=len(x))
            return _isotonic_curve(x[rows], y[rows], weight[rows])

        # What intervals explain: the reference's, and the source's as the curve stretches it.
        width = np.interp(source.high[mine], _GRID, curve) - np.interp(source.low[mine], _GRID, curve)
        explained = deviation(reference)[theirs] ** 2 + (width / (2 * Z)) ** 2
        squares = (y - np.interp(x, _GRID, curve)) ** 2
        excess = max(float(np.average(squares - explained, weights=weight)), 0.0)
        own = _deviation_of(resampled, samples)
        noise = float((deviation(reference)[theirs] ** 2).mean())
        variance = max(float(y.var()) - noise, LEAST_DEVIATION**2)
        return Calibration("isotonic", len(mine), curve, np.hypot(own, np.sqrt(excess)), variance)
    x, y = _on_shared_queries(source, reference)
    if min(len(x), len(y)) >= LEAST_PAIRS and x.min() < x.max():

        def matched_again() -> Floats:
            return _quantile_curve(rng.choice(x, len(x)), rng.choice(y, len(y)))

        own = _deviation_of(matched_again, samples)
        return Calibration("quantiles", len(mine), _quantile_curve(x, y), np.hypot(own, _MATCHED_SCALE))
    return Calibration("identity", len(mine), _GRID, np.full(len(_GRID), _UNKNOWN_SCALE))


def isotonic(y: Floats, weight: Floats) -> Floats:
    """(n,) the rising sequence f that minimises Σ w (y - f)², by pooling adjacent violators.

    Args:
        y: (n,) values in the order in which they should rise.
        weight: (n,) weights above 0.
    """
    means: list[float] = []
    masses: list[float] = []
    lengths: list[int] = []
    for value, mass in zip(y.tolist(), weight.tolist(), strict=True):
        length = 1
        while means and means[-1] >= value:
            before = masses.pop()
            value = (means.pop() * before + value * mass) / (before + mass)
            mass += before
            length += lengths.pop()
        means.append(value)
        masses.append(mass)
        lengths.append(length)
    return np.repeat(means, lengths)


def shared_pairs(one: Scores, other: Scores) -> tuple[Rows, Rows]:
    """(m,) the rows of each of two sources that hold the pairs which both judge."""
    queries = {name: row for row, name in enumerate(other.queries)}
    documents = {name: row for row, name in enumerate(other.documents)}
    query = np.array([queries.get(name, -1) for name in one.queries], np.int64)[one.query]
    document = np.array([documents.get(name, -1) for name in one.documents], np.int64)[one.document]
    mine = np.flatnonzero((query >= 0) & (document >= 0))
    key = query[mine] * len(other.documents) + document[mine]
    theirs = other.query * len(other.documents) + other.document
    _, at, row = np.intersect1d(key, theirs, assume_unique=True, return_indices=True)
    return mine[at], row


def deviation(scores: Scores) -> Floats:
    """(p,) standard deviations: the intervals taken for those of normal distributions, with a floor."""
    return np.maximum((scores.high - scores.low) / (2 * Z), LEAST_DEVIATION)


def _isotonic_curve(x: Floats, y: Floats, weight: Floats) -> Floats:
    """Isotonic regression on the grid, straight between the centres of its blocks.

    The steps of the regression itself would make equals of all scores of a block.
    """
    # Bins a tenth of the grid's distance make the time independent of the number of pairs.
    place = np.rint(x * 10 * (len(_GRID) - 1)).astype(np.int64)
    mass, moment, total = (
        np.bincount(place, weight * factor).astype(np.float64) for factor in (np.ones(len(x)), x, y)
    )
    held = mass > 0
    mass, moment, total = mass[held], moment[held], total[held]
    fitted = isotonic(total / mass, mass)
    block = np.cumsum(np.r_[0, np.diff(fitted) > 0])
    centre = np.bincount(block, moment) / np.bincount(block, mass)
    return np.asarray(np.interp(_GRID, centre, np.unique(fitted)))


def _quantile_curve(x: Floats, y: Floats) -> Floats:
    """The curve that gives scores distributed as x the distribution of y."""
    distinct, times = np.unique(x, return_counts=True)
    middle = (np.cumsum(times) - times / 2) / len(x)
    return np.asarray(np.interp(_GRID, distinct, np.quantile(y, middle)))


def _on_shared_queries(source: Scores, reference: Scores) -> tuple[Floats, Floats]:
    """The scores of each on queries that both judge."""
    both = set(source.queries) & set(reference.queries)
    first, second = (
        scores.score[np.array([name in both for name in scores.queries], bool)[scores.query]]
        for scores in (source, reference)
    )
    return first, second


def _deviation_of(draw: Callable[[], Floats], samples: int) -> Floats:
    """(101,) standard deviation of a resampled curve."""
    return np.asarray(np.std([draw() for _ in range(samples)], axis=0))
