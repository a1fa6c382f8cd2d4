"""Attractiveness: the posterior against integrals by brute force, and its intervals against the truth."""

import numpy as np
import pytest
from click_logs import MOVING, cells_of, drawn

from gradus.judgments.clicks import posterior
from gradus.judgments.clicks.all_pairs import fit_all_pairs
from gradus.judgments.clicks.browsing import fit_browsing
from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.posterior import attractiveness
from gradus.judgments.simulation.simulate import Simulation, simulate_cells
from gradus.judgments.simulation.truth import random_truth
from gradus.judgments.simulation.users import DBN, PBM, Cascade

GRID = np.linspace(1e-6, 1 - 1e-6, 200_001)


def by_brute_force(theta, shown, clicks):
    """Mean and shortest 90 % interval under a flat prior, on a grid of 200,000 points."""
    log = sum(
        c * np.log(t * GRID) + (n - c) * np.log(1 - t * GRID)
        for t, n, c in zip(theta, shown, clicks, strict=True)
    )
    density = np.exp(log - log.max())
    density /= density.sum()
    below = np.cumsum(density)
    tails = np.linspace(0, 0.0999, 200)
    starts, ends = np.interp(tails, below, GRID), np.interp(tails + 0.9, below, GRID)
    best = np.argmin(ends - starts)
    return density @ GRID, starts[best], ends[best]


@pytest.mark.parametrize(
    "counts",
    [
        [(1, 10, 3)],
        [(1, 10, 0)],
        [(1, 3, 3)],
        [(1, 5, 1), (2, 20, 2), (4, 50, 1)],
        [(3, 40, 0), (4, 9, 1)],
        [(1, 500, 100), (2, 300, 20)],
        [(4, 20_000, 700)],
    ],
    ids=str,
)
def test_it_is_the_integral_of_the_likelihood(counts):
    theta = np.array([1, 0.5, 0.3, 0.2])
    trials = position_trials(cells_of([(0, 0, k, 0, n, c) for k, n, c in counts] + [(1, 1, 4, 0, 1, 0)]))
    found = attractiveness(trials, theta, prior="none")
    mean, low, high = by_brute_force(
        [theta[k - 1] for k, _, _ in counts], *zip(*[c[1:] for c in counts], strict=True)
    )
    spread = (high - low) / 3.3
    assert found.mean[0] == pytest.approx(mean, abs=0.1 * spread)
    assert found.low[0] == pytest.approx(low, abs=0.35 * spread)
    assert found.high[0] == pytest.approx(high, abs=0.35 * spread)
    assert found.exposure[0] == pytest.approx(sum(theta[k - 1] * n for k, n, _ in counts))


def test_levels_that_are_not_told_do_not_count():
    told = attractiveness(position_trials(cells_of([(0, 0, 1, 0, 10, 3)])), np.ones(1), prior="none")
    rows = [(0, 0, 1, 0, 10, 3), (0, 0, 2, 0, 100, 50)]
    both = attractiveness(position_trials(cells_of(rows)), np.array([1, np.nan]), prior="none")
    assert both.mean[0] == pytest.approx(told.mean[0], abs=1e-9)


def test_an_uncertain_examination_widens_the_interval():
    trials = position_trials(cells_of([(0, 0, 1, 0, 1000, 300), (0, 1, 2, 0, 1000, 100)]))
    sure = attractiveness(trials, np.array([1, 0.5]), np.zeros(2), "none")
    unsure = attractiveness(trials, np.array([1, 0.5]), np.array([0, 0.2]), "none")
    assert unsure.low[0] == sure.low[0]
    # Uncertain by 20 %, an attractiveness of .2 is uncertain by ±1.645 · .2 · .2 beside what it was.
    assert unsure.high[1] - unsure.mean[1] == pytest.approx(
        np.hypot(sure.high[1] - sure.mean[1], 1.6449 * 0.2 * sure.mean[1]), rel=1e-3
    )


@pytest.mark.parametrize(
    ("users", "fit"), [(PBM(), fit_all_pairs), (PBM(), fit_browsing), (Cascade(), fit_browsing)]
)
def test_intervals_hold_the_truth_nine_times_in_ten(users, fit):
    cells, truth = drawn(users, 300_000)
    model = fit(cells)
    found = attractiveness(model.trials, model.theta, model.deviation)
    true = truth.attraction_of(model.trials.query, model.trials.document)
    held = (found.low <= true) & (true <= found.high)
    for few, many in ((1, 20), (20, 200), (200, np.inf)):
        band = (model.trials.impressions >= few) & (model.trials.impressions < many)
        assert 0.83 <= held[band].mean() <= 0.96


def test_a_prior_that_knows_the_exposure_keeps_the_order_of_the_tail():
    cells, truth = drawn(DBN(), 200_000)
    model = fit_browsing(cells)
    true = truth.attraction_of(model.trials.query, model.trials.document)
    tail = model.trials.impressions < 20
    error = {}
    for prior in ("exposure", "global", "none"):
        found = attractiveness(model.trials, model.theta, prior=prior)
        error[prior] = np.sqrt(((found.mean - true)[tail] ** 2).mean())
        error[prior, "order"] = np.corrcoef(found.mean[tail], true[tail])[0, 1]
    assert error["exposure"] < error["global"] < error["none"]
    assert error["exposure", "order"] > error["global", "order"] > error["none", "order"]


def test_a_log_of_a_few_hundred_pairs_knows_their_exposure_too():
    truth = random_truth(20, 20, 0)
    cells = simulate_cells(Simulation(truth, users=PBM(), policy=MOVING, impressions=4000, seed=0))
    model = fit_browsing(cells)
    true = truth.attraction_of(model.trials.query, model.trials.document)
    assert len(model.trials) < 400
    near = {
        prior: np.corrcoef(attractiveness(model.trials, model.theta, prior=prior).mean, true)[0, 1]
        for prior in ("exposure", "global")
    }
    assert near["exposure"] > near["global"] + 0.2


def test_the_widest_prior_narrows_bit_by_bit_as_pairs_join():
    # Every pair says 3 in 10, so the more there are, the more they speak against a wide prior.
    one = posterior._GRID**15 * (1 - posterior._GRID) ** 35
    spreads = []
    for pairs in range(60, 400, 10):
        _, (widest,) = posterior._starts([np.repeat(one[None] / one.max(), pairs, axis=0)], np.array([0.3]))
        mean = widest @ posterior._GRID
        spreads.append(np.sqrt(widest @ (posterior._GRID - mean) ** 2))
    steps = np.array(spreads[1:]) / spreads[:-1]
    assert (steps <= 1).all()
    assert steps.min() > 0.9
    assert spreads[-1] < 0.6 * spreads[0]


def test_the_same_seed_gives_the_same_numbers():
    cells, _ = drawn(PBM(), 100_000)
    model = fit_all_pairs(cells)
    one, other = (attractiveness(model.trials, model.theta, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.mean, other.mean)
