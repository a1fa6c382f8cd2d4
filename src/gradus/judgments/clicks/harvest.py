"""Intervention harvesting: how well each level is examined, from pairs that were shown at several levels.

A pair's clicks at level l have the mean n_il θ_l a_i, whatever its attractiveness a_i. Given how often the pair was
clicked in all, c_i, its clicks at level l are therefore expected to be

    c_i · n_il θ_l / Σ_j n_ij θ_j,

in which a_i no longer appears: the conditional likelihood of a fixed-effects Poisson model (Hausman, Hall and
Griliches 1984), whose estimating equation Σ_i [c_il − c_i n_il θ_l / Σ_j n_ij θ_j] = 0 is unbiased for clicks that are
no Poisson counts too. A pair at a single level contributes nothing: only swaps speak, as in AllPairs (Agarwal et al.
2019), but every swap counts with the weight that its clicks deserve. The solution is found by the fixed point
θ_l ← Σ_i c_il / Σ_i (c_i n_il / Σ_j n_ij θ_j), which never lowers the likelihood.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.clicks.trials import Trials

Floats = NDArray[np.float64]

_SHRINKAGE = 100.0
"""Squared expected clicks at which a level's spread is halved."""


@dataclass(frozen=True)
class Harvest:
    """What the swaps say about the levels.

    Attributes:
        theta: (levels,) examination, relative to the reference level; NaN for a level that no swap connects to it.
        deviation: (levels,) standard deviation of log θ relative to the reference.
        swaps: (levels, levels) clicks of pairs shown at both levels.
    """

    theta: Floats
    deviation: Floats
    swaps: Floats


def harvest(
    trials: Trials,
    reference: int = 0,
    towards: Floats | None = None,
    strength: float = 0.0,
    rounds: int = 2000,
) -> Harvest:
    """Estimate θ of every level from pairs shown at several levels.

    Args:
        trials: The counts.
        reference: The level at which θ is 1.
        towards: (levels,) values that θ is shrunk towards, by a gamma prior worth `strength` clicks a level.
        strength: Clicks that the prior is worth.
        rounds: Most rounds of the fixed point; it stops when no log θ moves by more than 1e-5.
    """
    some = _swapped(trials)
    swaps = _swaps(some)
    connected = _component(swaps, reference)
    clicked, total = some.per_level(some.clicks), some.per_pair(some.clicks)
    pair = some.pair
    theta = np.ones(trials.levels)
    if towards is not None:
        connected |= np.isfinite(towards)
        theta = np.nan_to_num(towards)
    live = connected & (clicked + strength * (theta > 0) > 0)
    for _ in range(rounds if live.sum() > 1 else 0):
        examined = theta[some.level]
        examined *= some.shown  # in place: at a hundred million events each such array is 160 MB
        expected = some.per_pair(examined)
        np.take(total / np.maximum(expected, 1e-300), pair, out=examined, mode="clip")
        examined *= some.shown
        rate = some.per_level(examined)
        if towards is not None:
            rate = rate + strength / np.maximum(np.nan_to_num(towards), 1e-300)
        new = np.where(live, (clicked + strength) / np.maximum(rate, 1e-300), theta)
        new /= new[reference]
        moved = np.abs(np.log(new[live]) - np.log(theta[live])).max()
        theta = new
        if moved < 1e-5:
            break
    theta = np.where(connected, np.where(live, theta, 0.0), np.nan)
    theta[reference] = 1.0
    return Harvest(theta, _deviation(some, theta, reference, strength), swaps)


def deviation(trials: Trials, theta: Floats, reference: int = 0, strength: float = 0.0) -> Floats:
    """(levels,) standard deviation of log θ_l − log θ_reference, infinite where swaps say nothing.

    The greater of two: that of the inverse information H = Σ_i c_i (diag(p_i) − p_i p_iᵀ), where p_i are the shares of a
    pair's clicks that its levels are expected to get; and H⁻¹ J H⁻¹, where J sums the squared estimating equations of
    each query, so that queries whose people read differently are not taken for independent clicks.
    """
    return _deviation(_swapped(trials), theta, reference, strength)


def _deviation(some: Trials, theta: Floats, reference: int, strength: float) -> Floats:
    known = np.nan_to_num(theta)
    total = some.per_pair(some.clicks)
    information = np.diag(np.where(known > 0, strength, 0.0))
    square = np.zeros_like(information)
    for chunk in _chunks(some):
        share = _dense(some, chunk, some.shown * known[some.level])
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
        weighted = share * total[chunk, None]
        information += np.diag(weighted.sum(axis=0)) - share.T @ weighted
        query = some.query[chunk]
        first = np.flatnonzero(np.r_[True, query[1:] != query[:-1]])
        slope = np.add.reduceat(_dense(some, chunk, some.clicks) - weighted, first, axis=0)
        square += slope.T @ slope
    found = np.full(len(theta), np.inf)
    others = np.flatnonzero((np.diag(information) > 1e-6) & (np.arange(len(theta)) != reference))
    if len(others):
        # The ridge keeps levels that hang on a thread invertible; their deviation is huge, as it should be.
        inverse = np.linalg.inv(information[np.ix_(others, others)] + 1e-9 * np.eye(len(others)))
        robust = inverse @ square[np.ix_(others, others)] @ inverse
        found[others] = np.sqrt(np.maximum(np.diag(inverse), np.diag(robust)).clip(0))
    found[reference] = 0.0
    return found


def spread(trials: Trials, theta: Floats) -> Floats:
    """(levels,) standard deviation of log θ_l from pair to pair: how differently people read different pages.

    By the method of moments: the clicks of a pair at a level, c_il, have a variance beyond the binomial's of
    (c_i p_il (1 − p_il))² σ_l², where p_il is the share of the pair's clicks that the level is expected to get. Levels
    that say little are shrunk towards 0.
    """
    some = _swapped(trials)
    expected = some.shown * np.nan_to_num(theta)[some.level]
    pair = some.pair
    share = expected / np.maximum(some.per_pair(expected)[pair], 1e-300)
    total = some.per_pair(some.clicks)[pair]
    excess = some.per_level((some.clicks - total * share) ** 2 - total * share * (1 - share))
    weight = some.per_level((total * share * (1 - share)) ** 2)
    variance: Floats = np.maximum(excess, 0) / (weight + _SHRINKAGE)
    return np.sqrt(variance)


def _swapped(trials: Trials) -> Trials:
    """The pairs that were shown at several levels, and clicked."""
    several = trials.per_pair((trials.shown > 0).astype(float)) > 1
    return trials.take(np.flatnonzero(several & (trials.per_pair(trials.clicks) > 0)))


def _swaps(some: Trials) -> Floats:
    """(levels, levels) clicks of pairs that were shown at both levels."""
    swaps = np.zeros((some.levels, some.levels))
    total = some.per_pair(some.clicks)
    for chunk in _chunks(some):
        shown = _dense(some, chunk, (some.shown > 0).astype(float))
        swaps += shown.T @ (shown * total[chunk, None])
    np.fill_diagonal(swaps, 0.0)
    return swaps


def _component(swaps: Floats, reference: int) -> NDArray[np.bool_]:
    """(levels,) whether swaps connect a level to the reference."""
    reached = np.zeros(len(swaps), bool)
    reached[reference] = True
    while True:
        wider = reached | (swaps[reached] > 0).any(axis=0)
        if (wider == reached).all():
            return reached
        reached = wider


def _chunks(trials: Trials, size: int = 1 << 15) -> list[slice]:
    """Slices of the pairs, of about `size`, that part no query."""
    if not len(trials):
        return []
    ends = np.flatnonzero(np.r_[trials.query[1:] != trials.query[:-1], True]) + 1
    some = np.unique(ends[np.searchsorted(ends, np.arange(size, len(trials), size))])
    return [
        slice(int(a), int(b)) for a, b in zip(np.r_[0, some], np.r_[some, len(trials)], strict=True) if a < b
    ]


def _dense(trials: Trials, chunk: slice, values: Floats) -> Floats:
    """(chunk, levels) values of some pairs, zero at levels where they were not shown."""
    first, last = trials.start[chunk.start], trials.start[chunk.stop]
    rows = np.repeat(np.arange(chunk.stop - chunk.start), np.diff(trials.start[chunk.start : chunk.stop + 1]))
    dense = np.zeros((chunk.stop - chunk.start, trials.levels))
    dense[rows, trials.level[first:last]] = values[first:last]
    return dense
