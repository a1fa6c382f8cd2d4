"""How far raters agree: Krippendorff's α of all of them, and share and weighted κ of each two."""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from gradus.judgments.grades.grades import Floats, Grades, Rows

Metric = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's α with its bootstrap interval.

    Attributes:
        metric: What counts as a small difference: `nominal`, none does; `ordinal`, few grades between; `interval`,
            a small distance on the scale.
        alpha: 1 for perfect agreement, 0 for that of chance, negative below it; NaN where all grades are the
            same or no pair has two.
        low: Lower end of the 90 % interval over resampled pairs; NaN likewise.
        high: Its upper end.
    """

    metric: Metric
    alpha: float
    low: float
    high: float


@dataclass(frozen=True)
class PairAgreement:
    """How far two raters agree on the pairs that both graded.

    Attributes:
        raters: Their names.
        pairs: How many pairs both graded.
        same: Share of these with the same grade.
        kappa: Quadratic weighted κ; NaN where both give one and the same grade throughout.
    """

    raters: tuple[str, str]
    pairs: int
    same: float
    kappa: float


def krippendorff(grades: Grades, metric: Metric, samples: int = 500, seed: int = 0) -> Alpha:
    """Krippendorff's α (Content Analysis, 4th ed., ch. 12), for any number of raters and missing grades.

    α = 1 - D_o/D_e with D_o = Σ_ck o_ck δ²_ck / n and D_e = Σ_ck n_c n_k δ²_ck / (n (n - 1)). The coincidences
    o_ck count, for every pair of query and document with m ≥ 2 grades, each of its m (m - 1) ordered pairs of
    grades 1/(m - 1) times; n_c = Σ_k o_ck and n = Σ_c n_c. δ is 0 or 1 (nominal), the grades given from c to k with
    half of those at the ends (ordinal), or the distance of the levels' values (interval).

    Args:
        grades: The grades.
        metric: The difference δ.
        samples: Resamples of the interval; pairs are drawn with replacement, each with all of its grades.
        seed: Seed of the resampling.
    """
    counts = np.zeros((len(grades.query), len(grades.levels)))
    np.add.at(counts, (grades.pair, grades.level), 1)
    counts = counts[counts.sum(1) > 1]
    alpha = _alpha(counts, np.ones(len(counts)), metric, grades.values)
    rng = np.random.default_rng(seed)
    resampled = np.full(samples, np.nan)
    for sample in range(samples if len(counts) else 0):
        drawn = np.bincount(rng.integers(len(counts), size=len(counts)), minlength=len(counts))
        resampled[sample] = _alpha(counts, drawn.astype(float), metric, grades.values)
    defined = resampled[np.isfinite(resampled)]
    low, high = np.quantile(defined, [0.05, 0.95]) if len(defined) else (np.nan, np.nan)
    return Alpha(metric, alpha, float(low), float(high))


def pairwise(grades: Grades) -> list[PairAgreement]:
    """Agreement of every two raters that graded a pair in common.

    Quadratic weighted κ (Cohen, 1968) = 1 - Σ (x - y)² observed / Σ (x - y)² expected of independent raters with
    the same margins, x and y being the levels' values.
    """
    dense = grades.dense()
    agreements = []
    for one, other in combinations(range(len(grades.raters)), 2):
        both = (dense[:, one] >= 0) & (dense[:, other] >= 0)
        if both.any():
            x, y = dense[both, one], dense[both, other]
            agreements.append(
                PairAgreement(
                    (grades.raters[one], grades.raters[other]),
                    int(both.sum()),
                    float((x == y).mean()),
                    _kappa(grades.values[x], grades.values[y]),
                )
            )
    return agreements


def _alpha(counts: Floats, weight: Floats, metric: Metric, values: Floats) -> float:
    """α of pairs with (u, k) counts of each level, each pair counted `weight` times."""
    per_pair = weight / (counts.sum(1) - 1)
    coincidences = counts.T @ (counts * per_pair[:, None]) - np.diag(per_pair @ counts)
    margin = coincidences.sum(1)
    total = margin.sum()
    difference = _difference(metric, margin, values)
    expected = margin @ difference @ margin
    if not expected > 0:
        return float("nan")
    return float(1 - (total - 1) * (coincidences * difference).sum() / expected)


def _difference(metric: Metric, margin: Floats, values: Floats) -> Floats:
    """(k, k) squared differences δ² of levels."""
    if metric == "nominal":
        return 1 - np.eye(len(values))
    # Grades given from c to k, those at both ends by half, are a difference of cumulative mid-counts.
    place = np.cumsum(margin) - margin / 2 if metric == "ordinal" else values
    return (place[:, None] - place[None, :]) ** 2


def _kappa(x: Floats, y: Floats) -> float:
    # E (x - y)² of independent draws from the two margins.
    expected = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(1 - ((x - y) ** 2).mean() / expected) if expected > 0 else float("nan")


def spread(values: Floats, pair: Rows, pairs: int) -> Floats:
    """(i,) greatest difference between the values of each pair; 0 with fewer than two."""
    low, high = np.full(pairs, np.inf), np.full(pairs, -np.inf)
    np.minimum.at(low, pair, values)
    np.maximum.at(high, pair, values)
    return np.where(high > low, high - low, 0.0)
