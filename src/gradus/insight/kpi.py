"""Which offline metric follows the business: rank correlation of metrics with KPIs, query by query."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.read import read_arrow
from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import resample_counts
from gradus.judgments.columns import Columns

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kpis:
    """Numbers of the business per query.

    Attributes:
        query_ids: (n,) the queries, each once.
        columns: KPI → (n,) values; NaN where there is none.
    """

    query_ids: list[str]
    columns: dict[str, Floats]


@dataclass(frozen=True)
class Correlation:
    """A rank correlation with its bootstrap interval; NaN where either side is the same for all queries."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class KpiLink:
    """How one metric follows one KPI.

    Attributes:
        kpi: The KPI.
        metric: The metric.
        queries: Number of queries with the KPI and all metrics.
        spearman: Spearman's ρ; positive where a better metric goes with a better KPI.
        kendall: Kendall's τ_b, likewise.
        first: Share of the resamples in which this metric's ρ is the highest of all metrics; equal ones share.
    """

    kpi: str
    metric: str
    queries: int
    spearman: Correlation
    kendall: Correlation
    first: float


def read_kpis(path: Path) -> Kpis:
    """Read a table with a row per query: `query_id`, and one or more columns of numbers.

    Raises:
        EvaluationError: No rows, no column beside `query_id`, or a query twice.
        JudgmentsError: No `query_id`, an empty one, or a cell that is not a number.
        CatalogError: The file cannot be read.
    """
    columns = Columns(path, read_arrow(path))
    names = [name for name in columns.arrow.column_names if name != "query_id"]
    if not names or not len(columns):
        raise EvaluationError(f"{path} needs rows, and columns of KPIs beside query_id")
    ids = [str(name) for name in columns.ids("query_id", "query_id")]
    if len(set(ids)) < len(ids):
        twice = next(name for row, name in enumerate(ids) if name in ids[:row])
        raise EvaluationError(f"{path} has query {twice!r} more than once; a KPI is one number per query")
    return Kpis(ids, {name: columns.numbers(name, name) for name in names})


def link_kpis(
    query_ids: Sequence[str],
    metrics: Mapping[str, Floats],
    kpis: Kpis,
    less: Collection[str] = (),
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> list[KpiLink]:
    """Correlate every metric with every KPI over the queries that have both.

    Intervals are percentile bootstrap intervals over queries. Spearman's ρ is ranked anew in every resample;
    Kendall's τ_b is taken from the projections of its pair counts, which is the same to first order.

    Args:
        query_ids: (n,) the queries that were measured.
        metrics: Metric → (n,) values; NaN where undefined.
        kpis: The KPIs.
        less: Names of KPIs and metrics of which less is better.
        confidence: Share of the resamples inside an interval.
        samples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        For each KPI its metrics, the one that is first most often leading.

    Raises:
        EvaluationError: No metric, `less` names what is neither KPI nor metric, a KPI shares fewer than three
            queries with the metrics, or `samples` is out of range.
    """
    if not metrics:
        raise EvaluationError("there is no metric to hold against the KPIs")
    unknown = sorted(set(less) - set(metrics) - set(kpis.columns))
    if unknown:
        known = ", ".join([*metrics, *kpis.columns])
        raise EvaluationError(f"{unknown[0]!r}, of which less is better, is no KPI or metric; known: {known}")
    row_of = {name: row for row, name in enumerate(kpis.query_ids)}
    pairs = [(row, row_of[name]) for row, name in enumerate(query_ids) if name in row_of]
    mine, theirs = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    measured = np.stack([-v[mine] if name in less else v[mine] for name, v in metrics.items()])
    links = []
    for kpi, column in kpis.columns.items():
        values = -column[theirs] if kpi in less else column[theirs]
        given = ~(np.isnan(values) | np.isnan(measured).any(axis=0))
        if given.sum() < 3:
            raise EvaluationError(
                f"KPI {kpi!r} shares {given.sum()} queries with the metrics, and needs three or more; "
                "are its query ids those of the judgments?"
            )
        links += _link(kpi, values[given], list(metrics), measured[:, given], confidence, samples, seed)
    return links


def _link(
    kpi: str,
    values: Floats,
    names: Sequence[str],
    measured: Floats,
    confidence: float,
    samples: int,
    seed: int,
) -> list[KpiLink]:
    n = len(values)
    projections = [kendall_projections(row, values) for row in measured]
    rankings, others = [Ranking(row) for row in measured], Ranking(values)
    rho, tau = np.empty((samples, len(names))), np.empty((samples, len(names)))
    start = 0
    for counts in resample_counts(n, samples, seed):
        rows = slice(start, start + len(counts))
        beside = others.ranks(counts)
        for place, ranking in enumerate(rankings):
            rho[rows, place] = _weighted_correlation(ranking.ranks(counts), beside, counts)
            means = projections[place].mean(axis=1)
            tau[rows, place] = _tau(2 * (counts @ projections[place].T / n) - means)
        start = rows.stop
    once = np.ones((1, n))
    best = np.where(np.isnan(rho), -np.inf, rho)
    top = (best == best.max(axis=1, keepdims=True)) & np.isfinite(best)
    share = (top / np.maximum(top.sum(axis=1, keepdims=True), 1)).mean(axis=0)
    links = []
    for place, name in enumerate(names):
        ranks = rankings[place].ranks(once), others.ranks(once)
        found = float(_weighted_correlation(*ranks, once)[0])
        kendall = float(_tau(projections[place].mean(axis=1)[None])[0])
        links.append(
            KpiLink(
                kpi, name, n, _interval(found, rho[:, place], confidence),
                _interval(kendall, tau[:, place], confidence), float(share[place]),
            )
        )  # fmt: skip
    return sorted(links, key=lambda link: -link.first)


class Ranking:
    """Values put in order once, to be ranked in many resamples.

    Args:
        values: (n,) what is ranked.
    """

    def __init__(self, values: Floats) -> None:
        self._order = np.argsort(values, kind="stable")
        ordered = values[self._order]
        changes = np.r_[True, ordered[1:] != ordered[:-1]]
        self._first = np.flatnonzero(changes)
        self._run = np.empty(len(values), dtype=np.intp)
        self._run[self._order] = np.cumsum(changes) - 1

    def ranks(self, counts: Floats) -> Floats:
        """(b, n) rank of each value from 1, equal values sharing their mean rank.

        Args:
            counts: (b, n) how often each value occurs in each resample; where it does not, its rank means nothing.
        """
        size = np.add.reduceat(counts[:, self._order], self._first, axis=1)
        middle = np.cumsum(size, axis=1) - (size - 1) / 2
        ranks: Floats = middle[:, self._run]
        return ranks


def kendall_projections(x: Floats, y: Floats) -> Floats:
    """For each point the shares of the others that are concordant less discordant, untied in x, untied in y.

    The means of the three over all points give τ_b = A / √(X Y). Counting takes O(n log² n).

    Args:
        x: (n,) values, n at least 2.
        y: (n,) values.

    Returns:
        (3, n) the shares.
    """
    agreeing = _below_both(x, y) + _below_both(-x, -y)
    opposing = _below_both(x, -y) + _below_both(-x, y)
    return np.stack([agreeing - opposing, _others(x), _others(y)]) / (len(x) - 1)


def _below_both(x: Floats, y: Floats) -> Floats:
    """(n,) for each point the number of points that are smaller in x and in y.

    Points are put in order of x, and halves of ever larger blocks compared: for each point in a right half, those
    of the left half that are smaller in y. Equal x are put in descending y, so that none counts for another.
    """
    n = len(x)
    y_rank = np.unique(y, return_inverse=True)[1].astype(np.int64)
    order = np.lexsort((-y_rank, x))
    y_rank = y_rank[order]
    place, found = np.arange(n), np.zeros(n)
    size = 1
    while size < n:
        base = place // (2 * size) * n
        keys, right = base + y_rank, place // size % 2 == 1
        left = np.sort(keys[~right])
        found[right] += np.searchsorted(left, keys[right]) - np.searchsorted(left, base[right])
        size *= 2
    counted = np.empty(n)
    counted[order] = found
    return counted


def _others(values: Floats) -> Floats:
    """(n,) for each value the number of values that differ from it."""
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    others: Floats = (len(values) - count[which]).astype(np.float64)
    return others


def _tau(parts: Floats) -> Floats:
    """τ_b of (b, 3) means of projections."""
    scale = parts[:, 1] * parts[:, 2]
    found = np.full(len(parts), np.nan)
    np.divide(parts[:, 0], np.sqrt(np.maximum(scale, 0)), out=found, where=scale > 0)
    within: Floats = np.clip(found, -1, 1)
    return within


def _weighted_correlation(x: Floats, y: Floats, counts: Floats) -> Floats:
    """(b,) Pearson's r of (b, n) ranks with (b, n) counts, whose mean rank is (n + 1) / 2."""
    middle = (counts.shape[1] + 1) / 2
    x, y = x - middle, y - middle
    xy, xx, yy = (np.einsum("bn,bn,bn->b", counts, one, two) for one, two in ((x, y), (x, x), (y, y)))
    scale = xx * yy
    found = np.full(len(counts), np.nan)
    np.divide(xy, np.sqrt(scale), out=found, where=scale > 0)
    return found


def _interval(value: float, resampled: Floats, confidence: float) -> Correlation:
    defined = resampled[~np.isnan(resampled)]
    if math.isnan(value) or not len(defined):
        return Correlation(math.nan, math.nan, math.nan)
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, (tail, 1 - tail))
    return Correlation(value, float(low), float(high))
