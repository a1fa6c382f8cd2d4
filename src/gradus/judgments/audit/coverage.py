"""Coverage: how much is judged, how surely, for which traffic, and by which source."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradus.judgments.audit.shown import Shown
from gradus.judgments.fusion import Fused
from gradus.judgments.scores import Floats

WIDE = 0.5
"""A pair whose interval is wider than this has too little evidence to say; see `limit_of`."""
BINS = 20
"""Bins of a histogram, from 0 to 1."""
_BANDS = (("head", 0.5), ("torso", 0.9), ("tail", 1.0))
"""Bands of traffic, and the share of the impressions at which each ends."""
_STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Coverage:
    """How much is judged.

    Attributes:
        pairs: Judged pairs.
        left_out: Pairs of the evidence that are not judged, as their document or query is not known.
        queries: Queries with a judgment.
        documents: Documents with one.
        catalogue: Documents of the catalogue.
        share: Of the catalogue, the share that has a judgment.
        per_query_low: Judgments of a query: the 10 % quantile of the queries that have any.
        per_query: The median.
        per_query_high: The 90 % quantile.
        limit: Width beyond which an interval says too little, as `limit_of` has it.
        wide: Share of the pairs whose interval is wider than that.
    """

    pairs: int
    left_out: int
    queries: int
    documents: int
    catalogue: int
    share: float
    per_query_low: float
    per_query: float
    per_query_high: float
    limit: float
    wide: float


@dataclass(frozen=True)
class Band:
    """Queries of like traffic.

    Attributes:
        name: `head` for the most frequent queries, which make up the first half of the impressions, `torso` for
            the next 40 %, `tail` for the last 10 %, `not in the log` for the others.
        queries: How many they are.
        pairs: Their judged pairs.
        impressions: Their impressions.
        width: Mean width of their intervals; NaN without pairs.
        wide: Share of their pairs whose interval is wider than the limit of all; NaN likewise.
    """

    name: str
    queries: int
    pairs: int
    impressions: float
    width: float
    wide: float


@dataclass(frozen=True)
class Source:
    """One source of evidence.

    Attributes:
        name: Its name.
        pairs: Pairs that it judges.
        evidence: Its counts of evidence, summed.
        say: Its share of the weight in a score, a mean over all judged pairs.
        reference: Whether the others were calibrated to it.
        method: How its scores were carried to the scale of the reference.
        shared: Pairs that both judge.
        becomes: What its scores 0, .25, .5, .75 and 1 became.
    """

    name: str
    pairs: int
    evidence: float
    say: float
    reference: bool
    method: str
    shared: int
    becomes: tuple[float, ...]


def limit_of(score: Floats) -> float:
    """The width beyond which an interval says too little: `WIDE`, or what all scores span where that is less.

    Where a purchase counts 1 and a click a quarter, scores of clicks hardly exceed a quarter, and an interval from 0 to a
    quarter leaves such a pair any place among them.

    Args:
        score: (p,) scores of all pairs.
    """
    return min(WIDE, float(np.ptp(score))) if len(score) else WIDE


def find_coverage(fused: Fused, width: Floats, catalogue: int, left_out: int) -> Coverage:
    """Count what is judged.

    Args:
        fused: The judgments.
        width: (p,) widths of their intervals.
        catalogue: Documents of the catalogue.
        left_out: Pairs of the evidence that are not judged.
    """
    per_query = np.unique(fused.query, return_counts=True)[1]
    low, middle, high = np.quantile(per_query, (0.1, 0.5, 0.9)).tolist() if len(fused) else [float("nan")] * 3
    judged = len(np.unique(fused.document))
    limit = limit_of(fused.score)
    return Coverage(
        len(fused), left_out, len(per_query), judged, catalogue, judged / max(catalogue, 1), low, middle, high,
        limit, _mean(width > limit),
    )  # fmt: skip


def find_bands(fused: Fused, width: Floats, shown: Shown) -> tuple[Band, ...]:
    """Part the judged queries by their traffic.

    Args:
        fused: The judgments.
        width: (p,) widths of their intervals.
        shown: The log's pairs.
    """
    queries, limit = np.unique(fused.query), limit_of(fused.score)
    impressions = np.bincount(fused.query[shown.judged], shown.impressions, len(fused.queries))[queries]
    order = np.argsort(-impressions, kind="stable")
    before = np.r_[0, np.cumsum(impressions[order])]
    # A query belongs to the band in which its impressions begin; the last place takes what rounding leaves.
    ends = np.array([share for _, share in _BANDS[:-1]]) * before[-1]
    band = np.empty(len(queries), np.int64)
    band[order] = np.searchsorted(ends, before[:-1], side="right")
    band[impressions == 0] = len(_BANDS)
    of_pair = band[np.searchsorted(queries, fused.query)]
    names = [name for name, _ in _BANDS] + (["not in the log"] if (impressions == 0).any() else [])
    return tuple(
        Band(
            name,
            int((band == place).sum()),
            int((of_pair == place).sum()),
            float(impressions[band == place].sum()),
            _mean(width[of_pair == place]),
            _mean(width[of_pair == place] > limit),
        )
        for place, name in enumerate(names)
    )


def find_sources(fused: Fused) -> tuple[Source, ...]:
    """Measure what each source adds: its weight in a pair's score is 1/(v + τ²), as in fusion."""
    weight = np.nan_to_num(1 / (fused.deviations**2 + fused.between**2))
    share = weight / weight.sum(1, keepdims=True)
    judges = np.isfinite(fused.calibrated)
    grid = np.linspace(0, 1, len(fused.calibrations[fused.reference].curve))
    return tuple(
        Source(
            name,
            int(judges[:, column].sum()),
            float(fused.count[:, column].sum()),
            _mean(share[:, column]),
            name == fused.reference,
            fused.calibrations[name].method,
            fused.calibrations[name].pairs,
            tuple(np.interp(_STOPS, grid, fused.calibrations[name].curve).tolist()),
        )
        for column, name in enumerate(fused.sources)
    )


def histogram(values: Floats) -> tuple[int, ...]:
    """(20,) how many of (p,) values lie in each of 20 bins of equal width from 0 to 1, the last one closed."""
    return tuple(np.histogram(values, BINS, (0, 1))[0].tolist())


def _mean(values: "Floats | np.ndarray[Any, np.dtype[np.bool_]]") -> float:
    return float(values.mean()) if len(values) else float("nan")
