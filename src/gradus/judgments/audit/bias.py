"""Bias: what position and popularity do to raw click rates, and what is left of it in the scores.

Neither correlation ought to be zero afterwards: a search that works shows better documents higher and more often.
What must go is what comes from being seen.
"""

from dataclasses import dataclass

import numpy as np

from gradus.judgments.audit.ranks import Rows, rank_correlation
from gradus.judgments.audit.shown import Shown
from gradus.judgments.clicks.fit import Curve, positions
from gradus.judgments.clicks.score import ClickScores
from gradus.judgments.fusion import Fused
from gradus.judgments.logs.cells import Cells
from gradus.judgments.scores import Floats, Z

_MOST_SHOWN = 10
"""One in so many documents is among the most shown ones."""


@dataclass(frozen=True)
class CurvePoint:
    """What the log says about one position.

    Attributes:
        position: From 1.
        impressions: How often something was shown there.
        rate: Clicks per impression.
        examination: How likely an impression is examined, relative to the first position; NaN where the log
            does not tell.
        low: Lower end of the 90 % interval; NaN where there is none.
        high: Its upper end.
    """

    position: int
    impressions: float
    rate: float
    examination: float
    low: float
    high: float


@dataclass(frozen=True)
class PositionBias:
    """Position against raw click rates and against scores.

    Both correlations are taken within queries over the pairs that were shown at least 20 times: the fewer impressions,
    the more of a click rate is chance, which hides its bias.

    Attributes:
        estimator: The click model.
        queries: Queries with such pairs whose positions, click rates and scores differ.
        before: Rank correlation of mean position and raw click rate: a mean over these queries, in which one with n
            such pairs counts n - 1 times. NaN without any.
        after: The same of mean position and score.
        supported: Whether the log itself tells position from attractiveness.
        reason: In a sentence, why it can or cannot.
        remedy: In a sentence, what would make it possible or better.
        curve: The position-bias curve; without examination where the model has no curve.
    """

    estimator: str
    queries: int
    before: float
    after: float
    supported: bool
    reason: str
    remedy: str
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class PopularityBias:
    """How often documents are shown against their raw click rates and their scores.

    A document's click rate and score are means over the queries that it was shown for.

    Attributes:
        documents: Documents in the log.
        before: Rank correlation of a document's impressions and its raw click rate.
        after: The same of its impressions and its score.
        most_shown: How many documents are the 10 % that were shown most.
        impressions: Their share of the impressions.
        pairs: Their share of the pairs: what they would get if all pairs were alike.
        rates: Their share of the sum of all pairs' click rates.
        scores: Their share of the sum of all pairs' scores.
    """

    documents: int
    before: float
    after: float
    most_shown: int
    impressions: float
    pairs: float
    rates: float
    scores: float


def position_bias(
    fused: Fused, shown: Shown, cells: Cells, log: ClickScores, pages_per_day: float | None
) -> PositionBias:
    """Measure position bias before and after.

    Args:
        fused: The judgments.
        shown: The log's pairs.
        cells: The log.
        log: What was made of it.
        pages_per_day: Result pages a day, for advice on experiments.
    """
    often = shown.often()
    before, after = (
        rank_correlation(often.position, values, often.query)
        for values in (often.rate, fused.score[often.judged])
    )
    # The same queries for both; where there is no correlation, the variance of ρ is 1/(n - 1).
    told = np.flatnonzero(np.isfinite(before) & np.isfinite(after))
    weight = np.bincount(often.query)[told] - 1
    mean_before, mean_after = (
        float(rho[told] @ weight / weight.sum()) if len(told) else float("nan") for rho in (before, after)
    )
    found = log.identifiability
    return PositionBias(
        log.fit.estimator, len(told), mean_before, mean_after,
        log.supported, log.reason, found.remedy(pages_per_day), _curve(cells, log.curve),
    )  # fmt: skip


def popularity_bias(fused: Fused, shown: Shown) -> PopularityBias:
    """Measure popularity bias before and after.

    Args:
        fused: The judgments.
        shown: The log's pairs.
    """
    score = fused.score[shown.judged]
    _, document = np.unique(shown.document, return_inverse=True)
    pairs = np.bincount(document).astype(np.float64)
    impressions, rates, scores = (
        np.bincount(document, values).astype(np.float64) for values in (shown.impressions, shown.rate, score)
    )
    together = np.zeros(len(pairs), np.int64)
    before, after = (
        float(rank_correlation(impressions, each / pairs, together)[0]) for each in (rates, scores)
    )
    most = -(-len(pairs) // _MOST_SHOWN)
    top = np.argsort(-impressions, kind="stable")[:most]
    shares = (_share(each, top) for each in (impressions, pairs, rates, scores))
    return PopularityBias(len(pairs), before, after, most, *shares)


def _curve(cells: Cells, curve: Curve | None) -> tuple[CurvePoint, ...]:
    deepest = positions(cells)
    shown, clicks = (
        np.bincount(cells.position, each, deepest + 1)[1:] for each in (cells.impressions, cells.clicks)
    )
    theta, deviation = np.full(deepest, np.nan), np.full(deepest, np.inf)
    if curve is not None:
        theta[: len(curve.examination)] = curve.examination[:deepest]
        deviation[: len(curve.deviation)] = curve.deviation[:deepest]
    # A θ without an interval is a number, but not one that the log tells.
    told = np.isfinite(theta) & np.isfinite(deviation)
    theta, reach = np.where(told, theta, np.nan), np.where(told, Z * deviation, np.nan)
    columns = zip(
        shown, clicks / np.where(shown > 0, shown, np.nan), theta, theta * np.exp(-reach), theta * np.exp(reach),
        strict=True,
    )  # fmt: skip
    return tuple(CurvePoint(place, *map(float, values)) for place, values in enumerate(columns, 1))


def _share(values: Floats, rows: Rows) -> float:
    """The share that some rows have of a sum; NaN of nothing."""
    return float(values[rows].sum() / values.sum()) if values.sum() > 0 else float("nan")
