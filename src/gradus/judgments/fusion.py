"""Fusion: several sources' scores, on one scale, become one score per pair.

Every source is calibrated to the gold set, or to the source that is trusted most. What is left between sources is
measured as a variance τ² that all of them get, so that sources that disagree widen the interval of a pair
instead of narrowing it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gradus.errors import JudgmentsError
from gradus.judgments.business import Business, shifted
from gradus.judgments.calibration import IDENTITY, Calibration, Rows, calibrate, deviation
from gradus.judgments.scores import Floats, Scores, Z

_TRUSTED = ("gold", "grades", "log")
"""Which source the others are calibrated to where the settings name none: the first of these, else the first given."""


@dataclass(frozen=True)
class Conflict:
    """A pair on which two sources differ.

    Attributes:
        query: The query.
        document: The document's id.
        sources: Names of the two.
        scores: Their calibrated scores.
        z: Difference of the two in standard deviations, τ² included.
    """

    query: str
    document: str
    sources: tuple[str, str]
    scores: tuple[float, float]
    z: float


@dataclass(frozen=True)
class Fused:
    """One score per pair that any source judges, with what it was made of.

    Attributes:
        sources: Names of the sources.
        reference: The one that the others were calibrated to.
        calibrations: Source → its calibration.
        between: τ, the standard deviation between calibrated sources beyond their intervals.
        queries: The queries; `query` points into them.
        documents: Document ids; `document` points into them.
        query: (p,) rows of `queries`.
        document: (p,) rows of `documents`.
        score: (p,) in [0, 1].
        low: (p,) lower end of the 90 % interval.
        high: (p,) upper end.
        count: (p, s) each source's count of evidence, 0 where it does not judge the pair.
        calibrated: (p, s) each source's calibrated score, NaN where it has none.
        deviations: (p, s) standard deviation of each, without τ; NaN likewise.
    """

    sources: tuple[str, ...]
    reference: str
    calibrations: Mapping[str, Calibration]
    between: float
    queries: Sequence[str]
    documents: Sequence[str]
    query: Rows
    document: Rows
    score: Floats
    low: Floats
    high: Floats
    count: Floats
    calibrated: Floats
    deviations: Floats

    def __len__(self) -> int:
        return len(self.query)

    @property
    def source(self) -> list[str]:
        """(p,) the sources of each pair, as "grades+log"."""
        texts: dict[bytes, str] = {}
        names = []
        for row in np.isfinite(self.calibrated):
            key = row.tobytes()
            if key not in texts:
                texts[key] = "+".join(name for name, there in zip(self.sources, row, strict=True) if there)
            names.append(texts[key])
        return names

    @property
    def evidence(self) -> Floats:
        """(p,) evidence of all sources together."""
        return np.asarray(self.count.sum(1))

    def take(self, kept: NDArray[np.bool_]) -> "Fused":
        """The pairs of a (p,) mask, over the same queries and documents."""
        columns = ("query", "document", "score", "low", "high", "count", "calibrated", "deviations")
        return replace(self, **{name: getattr(self, name)[kept] for name in columns})

    def conflicts(self, most: int = 50) -> list[Conflict]:
        """Where two sources differ most: by |z|, then as the pairs come."""
        found = []
        for one in range(len(self.sources)):
            for other in range(one + 1, len(self.sources)):
                variance = self.deviations[:, one] ** 2 + self.deviations[:, other] ** 2
                difference = self.calibrated[:, one] - self.calibrated[:, other]
                z = difference / np.sqrt(variance + 2 * self.between**2)
                rows = np.flatnonzero(np.isfinite(z))
                worst = rows[np.argsort(-np.abs(z[rows]), kind="stable")[:most]]
                found += [(-abs(float(z[row])), int(row), one, other, float(z[row])) for row in worst]
        return [
            Conflict(
                self.queries[self.query[row]],
                self.documents[self.document[row]],
                (self.sources[one], self.sources[other]),
                (float(self.calibrated[row, one]), float(self.calibrated[row, other])),
                z,
            )
            for _, row, one, other, z in sorted(found)[:most]
        ]

    def moved_by(self, business: Business) -> "Fused":
        """The same with business scores applied, as `shifted` does it; no pair comes to or goes."""
        own = business.of(
            [self.queries[row] for row in self.query], [self.documents[row] for row in self.document]
        )
        score, low, high = (shifted(end, own, business.cap) for end in (self.score, self.low, self.high))
        # Ends that nearly meet may cross by rounding.
        return replace(self, score=score, low=np.minimum(low, score), high=np.maximum(high, score))


def fuse(sources: Sequence[Scores], gold: Scores | None = None, reference: str = "") -> Fused:
    """Fuse sources into one score per pair.

    For a pair with calibrated scores x_s of variance v_s (an interval being that of a normal distribution, with a floor),

        w_s = 1/(v_s + τ²),    score = Σ w_s x_s / Σ w_s,    variance = max(1, Q/(n - 1)) / Σ w_s,

    where Q = Σ w_s (x_s - score)² of its n sources: a pair on which sources differ more than τ and their intervals say
    has a wider interval (Birge, The calculation of errors by the method of least squares, Phys. Rev. 40, 1932). τ² is
    DerSimonian and Laird's moment estimate (Meta-analysis in clinical trials, 1986), pooled over all pairs with
    two sources or more:

        τ² = max(0, Σ_pairs (Q⁰ - (n - 1)) / Σ_pairs (Σ v⁻¹ - Σ v⁻²/Σ v⁻¹)),    Q⁰ as Q with τ = 0.

    A score that was carried over by regression is E[truth | score], drawn towards the mean of all pairs as a posterior
    is, so that sources err alike: of two such with independent noise, errors correlate by √(v₁ v₂)/V, V being the
    variance of the truth. The precision Σ w_s then counts the common prior 1/V once for each of them, and once
    too often for all but one; what is too much is taken off again, though no pair becomes less sure than its surest source.

    Both sides of an interval are combined on their own, so a lone source keeps its interval but for τ.

    Args:
        sources: At least one, with different names; pairs point into each source's own lists.
        gold: A small set that is trusted. The others are calibrated to it, and it is fused like them.
        reference: The source that the others are calibrated to, without gold: grades, log or the first when empty.

    Raises:
        JudgmentsError: No source, two of one name, or a reference that is none of them.
    """
    if gold is not None:
        sources, reference = [replace(gold, source="gold"), *sources], "gold"
    names = tuple(scores.source for scores in sources)
    if not names or len(set(names)) < len(names):
        raise JudgmentsError(f"fusion needs sources of different names, not {list(names)}")
    reference = reference or next((name for name in _TRUSTED if name in names), names[0])
    if reference not in names:
        raise JudgmentsError(f"fusion.reference is {reference!r}; the sources are {', '.join(names)}")
    trusted = sources[names.index(reference)]
    calibrations = {
        scores.source: IDENTITY if scores is trusted else calibrate(scores, trusted) for scores in sources
    }
    queries, documents, query, document, rows = _union(sources)
    shape = (len(query), len(sources))
    count = np.zeros(shape)
    calibrated, below, above, deviations = (np.full(shape, np.nan) for _ in range(4))
    for column, (scores, row) in enumerate(zip(sources, rows, strict=True)):
        carried = scores if scores is trusted else calibrations[scores.source](scores)
        count[row, column] = carried.count
        calibrated[row, column] = carried.score
        below[row, column] = (carried.score - carried.low) / Z
        above[row, column] = (carried.high - carried.score) / Z
        deviations[row, column] = deviation(carried)
    between = _between(calibrated, deviations**2)
    prior = np.isfinite(calibrated) / np.array([calibrations[name].variance for name in names])
    # The mean prior of a pair's sources, times how often it is counted beyond the first time.
    counted = np.maximum((prior > 0).sum(1), 1)
    twice = prior.sum(1) / counted * (counted - 1)
    score, low, high = _combined(calibrated, below, above, deviations, between, twice)
    return Fused(
        names, reference, calibrations, between, queries, documents, query, document, score, low, high,
        count, calibrated, deviations,
    )  # fmt: skip


def _combined(
    x: Floats, below: Floats, above: Floats, deviations: Floats, between: float, twice: Floats | float = 0.0
) -> tuple[Floats, Floats, Floats]:
    """(p,) score, low and high of (p, s) scores with the deviations of each side; NaN where there is none.

    `twice` is the (p,) precision that several sources count, and that is there once.
    """
    weight = np.nan_to_num(1 / (deviations**2 + between**2))
    share = weight / weight.sum(1, keepdims=True)
    score = np.nansum(share * x, axis=1)
    others = np.maximum(np.isfinite(x).sum(1) - 1, 1)
    excess = np.nansum(weight * (x - score[:, None]) ** 2, axis=1) / others
    ends = []
    total = weight.sum(1)
    wider = np.maximum(excess, 1) * total / np.maximum(total - twice, weight.max(1))
    for side in (below, above):
        variance = np.nansum(share**2 * (side**2 + between**2), axis=1) * wider
        ends.append(Z * np.sqrt(variance))
    score = score.clip(0, 1)
    return score, np.maximum(score - ends[0], 0.0), np.minimum(score + ends[1], 1.0)


def _between(x: Floats, variance: Floats) -> float:
    """τ of (p, s) scores and their variances."""
    several = np.isfinite(x).sum(1) > 1
    x, precision = x[several], 1 / variance[several]
    total = np.nansum(precision, axis=1)
    mean = np.nansum(precision * x, axis=1) / total
    q = np.nansum(precision * (x - mean[:, None]) ** 2, axis=1)
    freedom = np.isfinite(x).sum(1) - 1
    scale = (total - np.nansum(precision**2, axis=1) / total).sum()
    return float(np.sqrt(max((q - freedom).sum() / scale, 0.0))) if several.any() else 0.0


def _union(sources: Sequence[Scores]) -> tuple[list[str], list[str], Rows, Rows, list[Rows]]:
    """The queries and documents of all sources, their pairs, and the row of each source's pairs among them."""
    queries: dict[str, int] = {}
    documents: dict[str, int] = {}
    keys = []
    for scores in sources:
        for name in scores.documents:
            documents.setdefault(name, len(documents))
        for name in scores.queries:
            queries.setdefault(name, len(queries))
    for scores in sources:
        query = np.array([queries[name] for name in scores.queries], np.int64)[scores.query]
        document = np.array([documents[name] for name in scores.documents], np.int64)[scores.document]
        keys.append(query * len(documents) + document)
    pair, row = np.unique(np.concatenate(keys), return_inverse=True)
    rows = np.split(row, np.cumsum([len(key) for key in keys])[:-1])
    return list(queries), list(documents), pair // len(documents), pair % len(documents), rows
