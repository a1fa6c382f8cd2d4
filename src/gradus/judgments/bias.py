"""Bias: what position and popularity do to raw click rates, and what is left of it in the scores.

Neither correlation ought to be zero afterwards: a search that works shows better documents higher and more often.
What must go is what comes from being seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.errors import JudgmentsError
from gradus.judgments.clicks.fit import Curve, positions
from gradus.judgments.clicks.score import ClickScores
from gradus.judgments.fusion import Fused
from gradus.judgments.logs.cells import Cells
from gradus.judgments.scores import Floats, Z

Rows = NDArray[np.int64]

MOST_SHOWN = 0.1
"""Share of the documents that count as the most shown ones."""


@dataclass(frozen=True)
class Shown:
    """The pairs of a log: how they were shown, and which judgment each became.

    Attributes:
        queries: Query texts, as the log has them.
        documents: Document ids.
        query: (p,) rows of `queries`.
        document: (p,) rows of `documents`.
        impressions: (p,) how often each was shown.
        position: (p,) mean position.
        rate: (p,) clicks per impression, nothing corrected.
        judged: (p,) rows of the judgments.
    """

    queries: Sequence[str]
    documents: Sequence[str]
    query: Rows
    document: Rows
    impressions: Floats
    position: Floats
    rate: Floats
    judged: Rows

    def __len__(self) -> int:
        return len(self.query)


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

    Attributes:
        estimator: The click model.
        queries: Queries that `before` is a mean of: those whose positions and click rates differ.
        before: Rank correlation of mean position and raw click rate within queries.
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


def find_shown(cells: Cells, log: ClickScores, fused: Fused) -> Shown:
    """Sum cells to pairs, and find the judgment of each.

    Args:
        cells: The cells that `log` comes from.
        log: Names the queries and documents of the cells as the judgments do; a query's text and its name differ
            where judgments call queries by their ids.
        fused: The judgments.

    Raises:
        JudgmentsError: A pair of the log is not among the judgments.
    """
    width = len(cells.documents)
    key, pair = np.unique(cells.query.astype(np.int64) * width + cells.document, return_inverse=True)
    query, document = key // width, key % width
    impressions, clicks, depth = (
        np.bincount(pair, values, len(key)).astype(np.float64)
        for values in (cells.impressions, cells.clicks, cells.impressions * cells.position)
    )
    query_rows = {name: row for row, name in enumerate(fused.queries)}
    document_rows = {name: row for row, name in enumerate(fused.documents)}
    of_query = np.array([query_rows.get(name, -1) for name in log.scores.queries], np.int64)[query]
    of_document = np.array([document_rows.get(name, -1) for name in log.scores.documents], np.int64)[document]
    wanted = of_query * len(fused.documents) + of_document
    keys = fused.query * len(fused.documents) + fused.document
    order = np.argsort(keys, kind="stable")
    judged = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    lost = (of_query < 0) | (of_document < 0) | (keys[judged] != wanted)
    if lost.any():
        row = int(np.argmax(lost))
        raise JudgmentsError(
            f"{int(lost.sum()):,} pairs of the log are not among the judgments, such as "
            f"({log.scores.queries[query[row]]!r}, {log.scores.documents[document[row]]!r}): "
            "audit judgments together with the scores that they were fused from"
        )
    return Shown(
        cells.queries, cells.documents, query, document,
        impressions, depth / impressions, clicks / impressions, judged,
    )  # fmt: skip


def position_bias(
    shown: Shown, score: Floats, cells: Cells, log: ClickScores, pages_per_day: float | None
) -> PositionBias:
    """Measure position bias before and after.

    Args:
        shown: The log's pairs.
        score: (p,) their scores.
        cells: The log.
        log: What was made of it.
        pages_per_day: Result pages a day, for advice on experiments.
    """
    before, queries = rank_correlation(shown.position, shown.rate, shown.query)
    after, _ = rank_correlation(shown.position, score, shown.query)
    found = log.identifiability
    return PositionBias(
        log.fit.estimator, queries, before, after,
        found.supported, found.reason(), found.remedy(pages_per_day), _curve(cells, log.curve),
    )  # fmt: skip


def popularity_bias(shown: Shown, score: Floats) -> PopularityBias:
    """Measure popularity bias before and after.

    Args:
        shown: The log's pairs.
        score: (p,) their scores.
    """
    _, document = np.unique(shown.document, return_inverse=True)
    pairs = np.bincount(document).astype(np.float64)
    sums = [np.bincount(document, values) for values in (shown.impressions, shown.rate, score)]
    together = np.zeros(len(pairs), np.int64)
    before, after = (rank_correlation(sums[0], each / pairs, together)[0] for each in sums[1:])
    most = int(np.ceil(MOST_SHOWN * len(pairs)))
    top = np.argsort(-sums[0], kind="stable")[:most]
    impressions, of_pairs, rates, scores = (
        float(each[top].sum() / each.sum()) if each.sum() > 0 else float("nan")
        for each in (sums[0], pairs, sums[1], sums[2])
    )
    return PopularityBias(len(pairs), before, after, most, impressions, of_pairs, rates, scores)


def ranks(values: Floats, group: Rows) -> Floats:
    """(n,) ranks from 1, the smallest value first, within each group; equal values share their mean rank.

    Args:
        values: (n,) what is ranked.
        group: (n,) group of each, from 0.
    """
    order = np.lexsort((values, group))
    value, of = values[order], group[order]
    changes = np.r_[True, (value[1:] != value[:-1]) | (of[1:] != of[:-1])][: len(order)]
    run = np.cumsum(changes) - 1
    first = np.flatnonzero(changes)
    last = np.r_[first[1:], len(order)] - 1
    start = np.searchsorted(of, of)
    found = np.empty(len(values))
    found[order] = (first[run] + last[run]) / 2 - start + 1
    return found


def rank_correlation(x: Floats, y: Floats, group: Rows) -> tuple[float, int]:
    """Spearman's ρ of x and y within groups, a mean over groups, and how many groups it is a mean of.

    Each group counts by its size less one, which is the inverse of the variance that its ρ has where there is no
    correlation. Groups in which x or y is the same throughout have no ρ. NaN where none has one.

    Args:
        x: (n,) values.
        y: (n,) values.
        group: (n,) group of each, from 0.
    """
    size = np.bincount(group)
    middle = (size[group] + 1) / 2
    rx, ry = ranks(x, group) - middle, ranks(y, group) - middle
    xy, xx, yy = (np.bincount(group, product) for product in (rx * ry, rx * rx, ry * ry))
    told = (xx > 0) & (yy > 0)
    if not told.any():
        return float("nan"), 0
    rho = xy[told] / np.sqrt(xx[told] * yy[told])
    return float(np.average(rho, weights=size[told] - 1)), int(told.sum())


def _curve(cells: Cells, curve: Curve | None) -> tuple[CurvePoint, ...]:
    deepest = positions(cells)
    shown, clicks = (np.bincount(cells.position, each, deepest + 1)[1:] for each in (cells.impressions, cells.clicks))
    theta, deviation = np.full(deepest, np.nan), np.full(deepest, np.inf)
    if curve is not None:
        theta[: len(curve.examination)] = curve.examination[:deepest]
        deviation[: len(curve.deviation)] = curve.deviation[:deepest]
    # What has no interval is not told: θ may still be a number, carried over from a prior.
    told = np.isfinite(theta) & np.isfinite(deviation)
    theta, reach = np.where(told, theta, np.nan), np.where(told, Z * deviation, np.nan)
    columns = zip(
        shown, clicks / np.where(shown > 0, shown, np.nan), theta, theta * np.exp(-reach), theta * np.exp(reach),
        strict=True,
    )  # fmt: skip
    return tuple(CurvePoint(place, *map(float, values)) for place, values in enumerate(columns, 1))
