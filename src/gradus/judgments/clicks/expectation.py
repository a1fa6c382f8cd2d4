"""Expectation: how attractive a pair is likely to be, from where and how often it was shown, and from hints.

A Poisson regression of clicks, with log exposure as its offset, on the logarithms of the position, of the
impressions, and of the share of the query's pages that showed the document; with their squares and products. That is
what the ranker that chose the positions knew. It must know nothing of what people did: an impression below a click
was not examined, and an expectation that took this for a low exposure would tell all such pairs alike.

Hints join in with squares and products as well, and so does whether there are any: pairs without are told apart.
"""

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.clicks.trials import Trials

Floats = NDArray[np.float64]

_SAMPLE = 200_000
_CHUNK = 1 << 17
_ROUNDS = 20


def expectation(
    trials: Trials, clicked: Floats, exposure: Floats, rng: np.random.Generator, hints: Floats | None = None
) -> Floats:
    """(p,) the log of the attractiveness that is expected of each pair.

    Args:
        trials: The pairs.
        clicked: (p,) their clicks.
        exposure: (p,) their examined impressions.
        rng: Draws the pairs that the regression is fitted on, where they are many.
        hints: (p, h) further numbers about each pair, NaN all along a row for none.
    """
    told = np.empty((len(trials), 0)) if hints is None else hints
    pages = np.zeros(trials.query.max() + 1)
    np.maximum.at(pages, trials.query, trials.impressions)
    rows = np.arange(len(trials))
    if len(rows) > _SAMPLE:
        rows = np.sort(rng.choice(rows, _SAMPLE, replace=False))
    raw = _features(trials, pages, told, rows)
    mean, scale = raw[:, 1:].mean(axis=0), raw[:, 1:].std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    raw[:, 1:] = (raw[:, 1:] - mean) / scale
    weights = _regress(raw, clicked[rows], exposure[rows])
    index = np.empty(len(trials))
    for at in range(0, len(trials), _CHUNK):
        chunk = np.arange(at, min(at + _CHUNK, len(trials)))
        index[chunk] = (
            weights[0] + ((_features(trials, pages, told, chunk)[:, 1:] - mean) / scale) @ weights[1:]
        )
    return np.clip(index, -12, 0)


def _features(trials: Trials, pages: Floats, hints: Floats, rows: NDArray[np.integer]) -> Floats:
    """(len(rows), columns) one, the three logarithms and the hints, their squares and products."""
    often = trials.impressions[rows]
    single = [trials.place[rows], np.log(often / pages[trials.query[rows]]), np.log(often)]
    if hints.shape[1]:
        there = np.isfinite(hints[rows])
        single += [there[:, 0].astype(np.float64), *np.where(there, hints[rows], 0.0).T]
    pairs = [one * other for at, one in enumerate(single) for other in single[at:]]
    return np.stack([np.ones(len(rows)), *single, *pairs], axis=1)


def _regress(features: Floats, clicked: Floats, exposure: Floats) -> Floats:
    """(columns,) weights of the Poisson regression: Newton's method, with a ridge of one click.

    Half a click in one impression of the average pair joins in, so that a handful of clicks promises nothing for sure.
    """
    features = np.concatenate([features, np.eye(1, features.shape[1])])
    clicked, exposure = np.append(clicked, 0.5), np.append(exposure, 1.0)
    weights = np.zeros(features.shape[1])
    weights[0] = np.log(clicked.sum() / exposure.sum())
    ridge = np.diag(np.r_[0.0, np.ones(features.shape[1] - 1)])
    for _ in range(_ROUNDS):
        expected = exposure * np.exp(np.clip(features @ weights, -12, 0))
        slope = features.T @ (clicked - expected) - ridge @ weights
        step = np.linalg.solve((features * expected[:, None]).T @ features + ridge + 1e-9, slope)
        weights += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    return weights
