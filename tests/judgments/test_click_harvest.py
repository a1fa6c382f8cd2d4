"""Harvesting: θ from swaps alone."""

import numpy as np
import pytest
from click_logs import cells_of, drawn

from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.harvest import deviation, harvest, spread
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.users import PBM


def test_one_pair_at_two_positions_by_hand():
    # 30 of 100 at the first, 10 of 200 at the second: (10 / 200) / (30 / 100) = 1 / 6.
    trials = position_trials(cells_of([(0, 0, 1, 0, 100, 30), (0, 0, 2, 0, 200, 10)]))
    found = harvest(trials)
    np.testing.assert_allclose(found.theta, [1, 1 / 6], rtol=1e-4)
    # A pair with c clicks, a share p of them at the second: information c p (1 − p) = 40 · ¼ · ¾.
    assert found.deviation[1] == pytest.approx((40 * 0.25 * 0.75) ** -0.5, rel=1e-3)
    assert found.swaps[0, 1] == found.swaps[1, 0] == 40


def test_attractiveness_does_not_matter_and_one_position_says_nothing():
    # Two pairs of very different attractiveness, both half as often clicked at position 2; the third never moved.
    rows = [(0, 0, 1, 0, 100, 80), (0, 0, 2, 0, 100, 40), (0, 1, 1, 0, 1000, 20), (0, 1, 2, 0, 1000, 10)]
    still = [(1, 0, 2, 0, 500, 400), (1, 1, 1, 0, 500, 3)]
    for extra in ([], still):
        np.testing.assert_allclose(
            harvest(position_trials(cells_of(rows + extra))).theta, [1, 0.5], rtol=1e-4
        )


def test_the_estimating_equation_holds_at_the_solution():
    trials = position_trials(drawn(PBM(0.7), 50_000)[0])
    theta = harvest(trials).theta
    left = np.zeros(trials.levels)
    for pair in range(len(trials)):  # the naive loop of the docstring's equation
        rows = slice(*trials.start[pair : pair + 2])
        level, shown, clicks = trials.level[rows], trials.shown[rows], trials.clicks[rows]
        left[level] += clicks - clicks.sum() * shown * theta[level] / (shown * theta[level]).sum()
    np.testing.assert_allclose(left, 0, atol=trials.clicks.sum() * 1e-4)


def test_a_position_that_no_swap_connects_is_not_told():
    rows = [(0, 0, 1, 0, 50, 9), (0, 0, 2, 0, 50, 6), (0, 1, 3, 0, 50, 5), (0, 1, 4, 0, 50, 2)]
    found = harvest(position_trials(cells_of(rows)))
    assert np.isfinite(found.theta).tolist() == [True, True, False, False]
    assert np.isinf(found.deviation).tolist() == [False, False, True, True]


def test_a_chain_of_swaps_connects():
    rows = [(0, 0, 1, 0, 100, 40), (0, 0, 2, 0, 100, 20), (1, 1, 2, 0, 100, 20), (1, 1, 3, 0, 100, 5)]
    np.testing.assert_allclose(harvest(position_trials(cells_of(rows))).theta, [1, 0.5, 0.125], rtol=1e-3)


def test_a_prior_worth_clicks_pulls_and_fills_in():
    trials = position_trials(cells_of([(0, 0, 1, 0, 100, 30), (0, 0, 2, 0, 100, 10), (0, 1, 3, 0, 9, 0)]))
    free = harvest(trials).theta
    pulled = harvest(trials, towards=np.array([1, 1, 0.2]), strength=20.0).theta
    assert free[1] < pulled[1] < 1
    assert np.isnan(free[2])
    assert pulled[2] == pytest.approx(0.2, rel=0.5)


@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_it_recovers_the_examination_of_a_simulated_log(eta):
    found = harvest(position_trials(drawn(PBM(eta), 1_000_000, seed=1)[0]))
    truth = np.arange(1, 11) ** -eta
    # All ten within four of their own deviations, and those are small.
    assert (np.abs(np.log(found.theta / truth)) <= 4 * np.maximum(found.deviation, 1e-9)).all()
    assert found.deviation.max() < 0.06


def test_the_deviation_is_that_of_repeated_logs():
    thetas, deviations = [], []
    for seed in range(30):
        trials = position_trials(drawn(PBM(), 40_000, seed=seed)[0])
        found = harvest(trials)
        thetas.append(np.log(found.theta))
        deviations.append(found.deviation)
    spread, claimed = np.std(thetas, axis=0)[1:], np.mean(deviations, axis=0)[1:]
    # With 30 repeats a standard deviation is known to within 13 %; the greater of two claims leans up.
    assert (spread / claimed).mean() == pytest.approx(0.95, abs=0.2)


def test_queries_that_read_differently_widen_the_deviation():
    alike = [(q, q, k, 0, 100, c) for q in range(40) for k, c in ((1, 40), (2, 20))]
    apart = [(q, q, k, 0, 100, c) for q in range(40) for k, c in ((1, 40), (2, 38 if q % 2 else 2))]
    narrow, wide = (position_trials(cells_of(rows)) for rows in (alike, apart))
    assert deviation(wide, np.array([1, 0.5]))[1] > 2 * deviation(narrow, np.array([1, 0.5]))[1]


def test_a_log_without_swaps_tells_nothing():
    found = harvest(position_trials(drawn(PBM(), 20_000, Policy())[0]))
    assert np.isnan(found.theta[1:]).all()
    assert np.isinf(found.deviation[1:]).all()


def test_the_spread_between_pairs_is_recovered():
    rng = np.random.default_rng(0)
    rows = []
    for pair in range(3000):
        second = 0.5 * np.exp(
            rng.normal(0, 0.3)
        )  # θ of the second position differs from pair to pair by 30 %
        rows += [
            (pair, 0, 1, 0, 1000, rng.binomial(1000, 0.2)),
            (pair, 0, 2, 0, 1000, rng.binomial(1000, 0.2 * second)),
        ]
    trials = position_trials(cells_of(rows))
    theta = harvest(trials).theta
    # With two levels each gets all of the difference between them.
    assert spread(trials, theta)[1] == pytest.approx(0.3, rel=0.15)
    alike = position_trials(drawn(PBM(), 300_000)[0])
    assert np.median(spread(alike, harvest(alike).theta)) < 0.05
