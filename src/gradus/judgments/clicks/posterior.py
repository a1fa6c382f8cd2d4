"""Attractiveness: from trials and θ to a posterior mean and an interval for every pair.

The likelihood of a pair's attractiveness a, given θ, is Π_l (θ_l a)^c_l (1 − θ_l a)^(n_l − c_l). It is evaluated on a
grid, evenly spaced in the logit of a, and multiplied by a prior over that grid. Pairs that were shown often or on top
differ from those that were not, since a ranker chose what to show: one prior for all would destroy the order of the
tail. So pairs are divided into bands by what is to be expected of them (`gradus.judgments.clicks.expectation`), and
each band has a prior, which pairs between two bands mix. A band's prior starts as a
Beta distribution with the band's mean and is adapted to the band's clicks by a few rounds of the EM of nonparametric
empirical Bayes (Laird 1978). The Betas share one concentration: for the score the likeliest, for the interval the
lowest that the clicks hardly speak against, since sparse clicks tell it badly, and of two wrong intervals the wider
is the lesser evil.

Where clicks are many, the posterior is narrower than the grid; there it is normal in the logit (Laplace).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.clicks.expectation import expectation
from gradus.judgments.clicks.trials import Trials
from gradus.judgments.scores import LEVEL, Z

Floats = NDArray[np.float64]

_LOGIT = np.linspace(-8.0, 5.0, 66)
_GRID: Floats = 1 / (1 + np.exp(-_LOGIT))
_UNIFORM: Floats = _GRID * (1 - _GRID)
"""A flat density of a, on a grid that is even in the logit."""
_SPACING = float(_LOGIT[1] - _LOGIT[0])
_NEWTON = 8
_ROUNDS = 15
_START = 20.0
"""Pairs that the Beta which a band's prior starts from is worth: the few of a small band do not make their own prior."""
_SAMPLE = 2000
_BAND = 25
_MOST_BANDS = 24
_CHUNK = 1 << 15
_CONCENTRATIONS = (0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
_AGAINST = 40.0
"""By how much a concentration's log-likelihood may be below the greatest."""
_TAILS = (0.0, 0.025, 0.05, 0.075, 0.0999)
"""Probabilities below an interval that are tried; the shortest interval is taken."""


@dataclass(frozen=True)
class Attractiveness:
    """What the clicks say about each pair of the trials.

    Attributes:
        mean: (p,) posterior mean of the probability of a click once examined.
        low: (p,) lower end of the shortest interval that holds `LEVEL` of the posterior.
        high: (p,) its upper end.
        exposure: (p,) Σ θ n, the impressions that were examined in all likelihood.
    """

    mean: Floats
    low: Floats
    high: Floats
    exposure: Floats


def attractiveness(
    trials: Trials,
    theta: Floats,
    deviation: Floats | None = None,
    prior: str = "exposure",
    seed: int = 0,
    hints: Floats | None = None,
) -> Attractiveness:
    """Posterior of every pair's attractiveness.

    Args:
        trials: The counts.
        theta: (levels,) examination of each level. Impressions at a level with NaN do not count.
        deviation: (levels,) standard deviation of log θ; widens the intervals.
        prior: exposure, global or none, as `clicks.prior`.
        seed: Of the pairs that a prior is learned from, where they are many.
        hints: (p, h) what else the prior `exposure` may go by, as `Hints.of` gives it.
    """
    theta = np.clip(np.nan_to_num(theta), 0.0, 1 / _GRID[-1])
    shown, clicks = trials.shown, trials.clicks
    if not theta.all():
        shown, clicks = (counts * (theta > 0)[trials.level] for counts in (shown, clicks))
    exposure = _weighed(trials, theta, shown)
    clicked = trials.per_pair(clicks)
    mean, low, high = np.empty(len(trials)), np.empty(len(trials)), np.empty(len(trials))
    # The information about the logit is at most the number of clicks.
    often = np.flatnonzero((clicked >= 1 / _SPACING**2) & (clicked < exposure))
    rows = trials.rows(often)
    centre, spread = _laplace(trials.take(often), theta, shown[rows] - clicks[rows], clicked[often])
    narrow = spread < _SPACING
    for ends, sign in ((mean, 0), (low, -1), (high, 1)):
        ends[often[narrow]] = _logistic(centre + sign * Z * spread)[narrow]
    is_wide = np.ones(len(trials), bool)
    is_wide[often[narrow]] = False
    if is_wide.any():
        likelihood = _Likelihood(trials, theta, shown, clicks, clicked)
        pairs, rng = np.flatnonzero(is_wide), np.random.default_rng(seed)
        index = _index(likelihood, exposure, prior, rng, hints)
        bands = _FLAT if prior == "none" else _learn_bands(likelihood, index, pairs, rng)
        _read_off_grid(likelihood, pairs, bands, index, (mean, low, high))
    if deviation is not None:
        # a is proportional to 1 / θ of the levels that the pair was shown at.
        finite = np.where(np.isfinite(deviation), deviation, 1.0)
        relative = _weighed(trials, theta * finite, shown) / np.maximum(exposure, 1e-300)
        widen(mean, low, high, Z * relative * mean)
    np.minimum(low, mean, out=low)
    np.maximum(high, mean, out=high)
    return Attractiveness(mean, low, high, exposure)


def widen(middle: Floats, low: Floats, high: Floats, extra: Floats) -> None:
    """Let intervals in [0, 1] hold one more half width, in place: half widths add in squares.

    Args:
        middle: (p,) what the intervals are around.
        low: (p,) their lower ends, moved down.
        high: (p,) their upper ends, moved up.
        extra: (p,) the half width that joins.
    """
    for end, sign in ((low, -1), (high, 1)):  # at a hundred million events each such array is 60 MB
        np.hypot(np.subtract(end, middle, out=end), extra, out=end)
        np.clip(np.add(middle, np.multiply(end, sign, out=end), out=end), 0, 1, out=end)


def _weighed(trials: Trials, weights: Floats, counts: Floats) -> Floats:
    """(p,) sums over each pair's counts (m,), each times the weight of its level."""
    product = weights[trials.level]
    product *= counts  # in place: at a hundred million events each such array is 160 MB
    return trials.per_pair(product)


class _Likelihood:
    """Likelihoods of pairs on the grid, each scaled to a maximum of 1."""

    def __init__(self, trials: Trials, theta: Floats, shown: Floats, clicks: Floats, clicked: Floats) -> None:
        self.trials, self.shown, self.clicks, self.clicked = trials, shown, clicks, clicked
        self.table = np.log1p(-np.minimum(theta[:, None] * _GRID, 1 - 1e-9))

    def __call__(self, pairs: NDArray[np.integer]) -> Floats:
        """(len(pairs), grid)."""
        trials = self.trials
        rows = trials.rows(pairs)
        missed = np.zeros((len(pairs), trials.levels))
        missed[np.repeat(np.arange(len(pairs)), np.diff(trials.start)[pairs]), trials.level[rows]] = (
            self.shown[rows] - self.clicks[rows]
        )
        log = missed @ self.table
        log += self.clicked[pairs, None] * np.log(_GRID)
        log -= log.max(axis=1, keepdims=True)
        likelihood: Floats = np.exp(log)
        return likelihood


def _laplace(trials: Trials, theta: Floats, missed: Floats, clicked: Floats) -> tuple[Floats, Floats]:
    """The modes of likelihoods in the logit, and the standard deviations there: Newton's method.

    Args:
        trials: Pairs with many clicks.
        theta: (levels,) examination.
        missed: (m,) impressions without a click.
        clicked: (p,) clicks.
    """
    t, pair = theta[trials.level], trials.pair
    ratio = clicked / np.maximum(trials.per_pair((missed + trials.clicks) * t), 1e-300)
    ratio = np.clip(ratio, _GRID[0], _GRID[-1])
    logit = np.log(ratio / (1 - ratio))
    curvature = np.zeros(len(trials))
    for _ in range(_NEWTON):
        a = _logistic(logit)
        odds = t / np.maximum(1 - t * a[pair], 1e-9)
        slope = (1 - a) * clicked - a * (1 - a) * trials.per_pair(missed * odds)
        # The expected curvature of Σ m log(1 − θ a) in the logit, which is positive everywhere.
        curvature = (a * (1 - a)) ** 2 * (clicked / a**2 + trials.per_pair(missed * odds**2))
        curvature = np.maximum(curvature, 1e-9)
        logit = np.clip(logit + np.clip(slope / curvature, -1, 1), _LOGIT[0], _LOGIT[-1])
    return logit, 1 / np.sqrt(curvature)


def _index(
    likelihood: _Likelihood, exposure: Floats, prior: str, rng: np.random.Generator, hints: Floats | None
) -> Floats:
    """(p,) the log of what is to be expected of each pair, which its band goes by."""
    trials, clicked = likelihood.trials, likelihood.clicked
    if prior == "exposure":
        return expectation(trials, clicked, exposure, rng, hints)
    overall = np.log((clicked.sum() + 0.5) / (exposure.sum() + 1.0))
    return np.full(len(trials), min(overall, 0.0))


def _read_off_grid(
    likelihood: _Likelihood, pairs: NDArray[np.integer], bands: "_Bands", index: Floats,
    into: tuple[Floats, Floats, Floats],
) -> None:  # fmt: skip
    """Fill means and ends of intervals (p,) of some pairs."""
    mean, low, high = into
    for at in range(0, len(pairs), _CHUNK):
        some = pairs[at : at + _CHUNK]
        chances = likelihood(some)
        expected, cautious = bands.priors(index[some])
        mean[some] = _normalised(chances * expected) @ _GRID
        low[some], high[some] = _shortest(_normalised(chances * cautious))


@dataclass(frozen=True)
class _Bands:
    """Priors over the grid of bands of an index.

    Attributes:
        centres: (bands,) mean index of each.
        likeliest: (bands, grid) the priors that scores are computed with.
        widest: (bands, grid) those that intervals are computed with.
    """

    centres: Floats
    likeliest: Floats
    widest: Floats

    def priors(self, index: Floats) -> tuple[Floats, Floats]:
        """Twice (len(index), grid): the priors of pairs with such an index, mixed from the two nearest bands."""
        if len(self.centres) == 1:
            return self.likeliest, self.widest
        place = np.interp(index, self.centres, np.arange(len(self.centres)))
        lower = np.minimum(place.astype(int), len(self.centres) - 2)
        share = (place - lower)[:, None]
        one, other = (
            (1 - share) * priors[lower] + share * priors[lower + 1]
            for priors in (self.likeliest, self.widest)
        )
        return one, other


_FLAT = _Bands(np.zeros(1), _UNIFORM[None], _UNIFORM[None])
"""One band for all, of which nothing is expected."""


def _learn_bands(
    likelihood: _Likelihood, index: Floats, pairs: NDArray[np.integer], rng: np.random.Generator
) -> _Bands:
    """Divide pairs into bands of their index, and learn the priors of each."""
    count = 1 if np.ptp(index) == 0 else int(np.clip(len(pairs) // _BAND, 1, _MOST_BANDS))
    order = pairs[np.argsort(index[pairs], kind="stable")]
    centres, samples = [], []
    for band in np.array_split(order, count):
        sample = band if len(band) <= _SAMPLE else np.sort(rng.choice(band, _SAMPLE, replace=False))
        centres.append(index[band].mean())
        samples.append(likelihood(sample))
    starts = _starts(samples, np.exp(centres))
    likeliest, widest = (
        np.stack([_adapted(*band) for band in zip(samples, priors, strict=True)]) for priors in starts
    )
    return _Bands(np.array(centres), likeliest, widest)


def _starts(samples: Sequence[Floats], means: Floats) -> tuple[Floats, Floats]:
    """Twice (bands, grid): Beta distributions with the bands' means and one concentration, two of them.

    Args:
        samples: (pairs, grid) likelihoods of each band's pairs.
        means: (bands,) what to expect of a band's pairs.
    """
    found = [_betas(means, concentration) for concentration in _CONCENTRATIONS]
    totals = np.array(
        [
            sum(float(np.log(sample @ prior).sum()) for sample, prior in zip(samples, priors, strict=True))
            for priors in found
        ]
    )
    # Between two of those tried: taking the next that passes would let a hair's breadth halve an interval.
    rising = np.maximum.accumulate(totals)
    lowest = np.exp(np.interp(totals.max() - _AGAINST, rising, np.log(_CONCENTRATIONS)))
    return found[int(np.argmax(totals))], _betas(means, lowest)


def _betas(means: Floats, concentration: float) -> Floats:
    """(means, grid) Beta distributions over the grid."""
    log = concentration * (means[:, None] * np.log(_GRID) + (1 - means[:, None]) * np.log1p(-_GRID))
    return _normalised(np.exp(log - log.max(axis=1, keepdims=True)))


def _normalised(weight: Floats) -> Floats:
    normalised: Floats = weight / weight.sum(axis=1, keepdims=True)
    return normalised


def _adapted(likelihood: Floats, start: Floats) -> Floats:
    """(grid,) a prior moved towards the one under which the clicks of its pairs are most probable, by EM."""
    prior = start
    for _ in range(_ROUNDS):
        prior = (_normalised(likelihood * prior).sum(axis=0) + _START * start) / (len(likelihood) + _START)
    return prior


def _shortest(weight: Floats) -> tuple[Floats, Floats]:
    """Ends of the shortest intervals of posteriors (p, grid)."""
    below = np.cumsum(weight, axis=1)
    low, high = _quantile(weight, below, 0.0), _quantile(weight, below, LEVEL)
    for tail in _TAILS[1:]:
        other_low, other_high = _quantile(weight, below, tail), _quantile(weight, below, tail + LEVEL)
        shorter = other_high - other_low < high - low
        low, high = np.where(shorter, other_low, low), np.where(shorter, other_high, high)
    return low, high


def _quantile(weight: Floats, below: Floats, probability: float) -> Floats:
    """(p,) quantiles; a grid point's weight is spread evenly over the spacing around it."""
    index = np.argmax(below >= min(probability, 1 - 1e-9) * (1 - 1e-12), axis=1)
    at = np.arange(len(weight)), index
    part = (probability - (below[at] - weight[at])) / np.maximum(weight[at], 1e-300)
    return _logistic(_LOGIT[index] + (np.clip(part, 0, 1) - 0.5) * _SPACING)


def _logistic(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
