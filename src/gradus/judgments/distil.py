"""Distillation: what a pipeline's scores are worth, learned where there are judgments, told where there are none.

A pipeline (a re-ranker, a fusion, another search) scores pairs in units of its own. Where pairs are judged, isotonic
regression finds the rising curve from its scores to theirs (Zadrozny and Elkan, 2002). A list's scores can be *read*
in three ways, as pipelines differ in what their scores mean across queries; the reading whose curve is off the least
on queries it was not fitted to is taken. All of them keep the order of a list.

Intervals are those of split conformal prediction (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World",
2005): queries are divided into folds, the pairs of each are predicted by the curve of the others, and the quantiles of
what that is off by, within bins of the prediction, are added to a new prediction. If the pairs that are told are as
those that are judged, an interval holds the score that a judgment would give with probability `LEVEL`, whatever the
pipeline and however wrong the curve. They include the noise of judgments.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.errors import JudgmentsError
from gradus.judgments.calibration import isotonic
from gradus.judgments.scores import LEVEL, Floats

Rows = NDArray[np.int64]

FOLDS = 5
LEAST_QUERIES, LEAST_PAIRS = 2 * FOLDS, 100
"""What a curve needs at least."""
BINS, BIN_PAIRS = 10, 50
"""Most bins of the prediction, and the pairs that each must have: an interval's ends are the 5 % of either side."""


@dataclass(frozen=True)
class Curve:
    """From a pipeline's scores, read in one way, to scores in [0, 1] with intervals.

    Attributes:
        reading: The reading, of `READINGS`.
        knots: (k,) scores as they are read, rising.
        levels: (k,) the scores that they are worth, rising; straight lines between them, level beyond.
        bounds: (b − 1,) predictions that divide the bins.
        below: (b,) what is added to a prediction of each bin for the lower end; −∞ where nothing is known.
        above: (b,) the same for the upper end.
        pairs: Pairs it was learned from.
        queries: Queries of these.
        error: Root of the mean squared error on queries that it was not fitted to.
        spread: Standard deviation of the scores it was fitted to: the error of a curve that knows nothing.
    """

    reading: str
    knots: Floats
    levels: Floats
    bounds: Floats
    below: Floats
    above: Floats
    pairs: int
    queries: int
    error: float
    spread: float

    def __call__(self, query: Rows, raw: Floats) -> tuple[Floats, Floats, Floats]:
        """Score, low and high (p,) of the pairs of whole lists.

        Args:
            query: (p,) which list each pair is of.
            raw: (p,) the pipeline's scores.
        """
        score = np.interp(READINGS[self.reading](query, raw), self.knots, self.levels)
        which = np.searchsorted(self.bounds, score, side="right")
        low = np.clip(score + np.minimum(self.below[which], 0), 0, 1)
        high = np.clip(score + np.maximum(self.above[which], 0), 0, 1)
        return score, low, high


def enough(query: Rows) -> bool:
    """Whether a curve can be learned from judged pairs.

    Args:
        query: (p,) which list each pair is of.
    """
    return len(np.unique(query)) >= LEAST_QUERIES and len(query) >= LEAST_PAIRS


def fit_curve(query: Rows, raw: Floats, judged: Floats, seed: int = 0) -> Curve:
    """Learn what a pipeline's scores are worth.

    Args:
        query: (p,) which list each pair is of. Lists are whole: how a score is read may depend on all of its list.
        raw: (p,) the pipeline's scores.
        judged: (p,) the judged scores in [0, 1], NaN where there is none.
        seed: Seed of the folds.

    Raises:
        JudgmentsError: Too few judged pairs, or scores that say nothing about them.
    """
    known = np.isfinite(judged)
    of, fold = np.unique(query[known], return_inverse=True)
    if not enough(query[known]):
        raise JudgmentsError(
            f"{int(known.sum())} judged pairs of {len(of)} queries are among the pipeline's; learning what its "
            f"scores are worth takes {LEAST_PAIRS} of {LEAST_QUERIES}. Let it list more documents of more judged "
            "queries, or choose with --learned-from which queries are learned from"
        )
    fold = np.random.default_rng(seed).permutation(np.arange(len(of)) % FOLDS)[fold]
    y = judged[known]
    found: list[tuple[float, str, Floats, Floats]] = []
    for name, read in READINGS.items():
        x = read(query, raw)[known]
        told = _told(x, y, fold)
        found.append((float(np.sqrt(np.mean((told - y) ** 2))), name, x, told))
    error, name, x, told = min(found, key=lambda item: item[:2])
    knots, levels = _rising(x, y)
    if len(levels) < 2:
        raise JudgmentsError(
            f"the pipeline's scores say nothing about the {len(y)} judged pairs among them: those it scores higher "
            "are not judged higher; check that higher scores are better and that its ids are those of the judgments"
        )
    count = int(np.clip(len(y) // BIN_PAIRS, 1, BINS))
    bounds = np.unique(np.quantile(told, np.arange(1, count) / count))
    which = np.searchsorted(bounds, told, side="right")
    ends = [_ends(y[which == number] - told[which == number]) for number in range(len(bounds) + 1)]
    below, above = np.array(ends).T
    return Curve(name, knots, levels, bounds, below, above, len(y), len(of), error, float(y.std()))


def _told(x: Floats, y: Floats, fold: Rows) -> Floats:
    """(p,) what the curve of the other folds says of each pair."""
    told = np.empty(len(y))
    for number in range(FOLDS):
        inside = fold == number
        told[inside] = np.interp(x[inside], *_rising(x[~inside], y[~inside]))
    return told


def _rising(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The isotonic regression of y on x: the centres of its blocks, and their levels, both strictly rising."""
    distinct, place, count = np.unique(x, return_inverse=True, return_counts=True)
    fitted = isotonic(np.bincount(place, y) / count, count.astype(np.float64))
    block = np.cumsum(np.r_[0, np.diff(fitted) > 0])
    centre = np.bincount(block, count * distinct) / np.bincount(block, count)
    return centre, np.unique(fitted)


def _ends(off: Floats) -> tuple[float, float]:
    """What holds one more residual, exchangeable with these, with probability 1 − (1 − LEVEL)/2 on either side."""
    rank = math.floor((1 - LEVEL) / 2 * (len(off) + 1) + 1e-9)  # 1 − 0.9 is a little less than 0.1
    if rank < 1:
        return -math.inf, math.inf
    ordered = np.sort(off)
    return float(ordered[rank - 1]), float(ordered[-rank])


def _as_it_is(query: Rows, raw: Floats) -> Floats:
    return raw


def _standardised(query: Rows, raw: Floats) -> Floats:
    """Standard deviations above the mean of the list; 0 where a list's scores are all the same."""
    _, row, count = np.unique(query, return_inverse=True, return_counts=True)
    above = raw - (np.bincount(row, raw) / count)[row]
    deviation = np.sqrt(np.bincount(row, above**2) / count)[row]
    return np.divide(above, deviation, out=np.zeros(len(raw)), where=deviation > 1e-12)


def _by_rank(query: Rows, raw: Floats) -> Floats:
    """−log of the rank in the list; equal scores share the mean of their ranks."""
    order = np.lexsort((-raw, query))
    new_list = np.r_[True, query[order][1:] != query[order][:-1]]
    new_score = new_list | np.r_[True, raw[order][1:] != raw[order][:-1]]
    place = np.arange(len(raw))
    first_of_list = np.maximum.accumulate(np.where(new_list, place, 0))
    tie = np.cumsum(new_score) - 1
    mean = np.bincount(tie, place - first_of_list + 1.0) / np.bincount(tie)
    read = np.empty(len(raw))
    read[order] = -np.log(mean[tie])
    return read


READINGS: Mapping[str, Callable[[Rows, Floats], Floats]] = {
    "as it is": _as_it_is,
    "standardised per query": _standardised,
    "by rank": _by_rank,
}
"""Name → from the query (p,) and the score (p,) of the pairs of whole lists to what the curve is a curve of."""
