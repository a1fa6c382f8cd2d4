"""Utility, the curve's interval, and the chain from cells to scores."""

import numpy as np
import pytest
from click_logs import cells_of, drawn

from gradus.judgments.clicks.all_pairs import fit_all_pairs
from gradus.judgments.clicks.ctr import fit_ctr
from gradus.judgments.clicks.curve import resampled
from gradus.judgments.clicks.score import score_clicks
from gradus.judgments.clicks.utility import utility_of
from gradus.judgments.simulation.users import PBM
from gradus.settings import ClicksSettings


def test_a_click_is_worth_what_followed_it():
    # 100 clicks of document 0, 30 of which bought (1) and the rest did not (.2); document 1 was never bought.
    rows = [(0, 0, 1, 0, 500, 100), (0, 1, 2, 0, 500, 100)]
    utility, square = [30 + 70 * 0.2, 100 * 0.2], [30 + 70 * 0.04, 100 * 0.04]
    cells = cells_of(rows, utility=utility, utility_square=square)
    found = utility_of(cells, fit_ctr(cells).trials)
    assert 0.4 < found.mean[0] < 0.44  # .44, drawn a little to the mean of all, .32
    assert 0.2 < found.mean[1] < 0.24
    # One click says little: its pair stays near the mean of all clicks.
    cells = cells_of([*rows, (0, 2, 3, 0, 50, 1)], utility=[*utility, 1.0], utility_square=[*square, 1.0])
    found = utility_of(cells, fit_ctr(cells).trials)
    assert found.mean[2] < 0.6
    assert found.deviation[2] > 3 * found.deviation[0]


def test_clicks_that_are_all_worth_the_same_leave_attractiveness_alone():
    cells, _ = drawn(PBM(), 50_000)
    found = utility_of(cells, fit_ctr(cells).trials)
    np.testing.assert_allclose(found.mean, 1)
    np.testing.assert_allclose(found.deviation, 0)


def test_a_small_log_is_resampled_and_a_large_one_is_not():
    small, _ = drawn(PBM(), 10_000)
    curve = fit_all_pairs(small).curve
    wider = resampled(curve, small, 50, 0)
    assert (wider.deviation >= curve.deviation).all()
    assert (wider.deviation > curve.deviation).any()
    np.testing.assert_array_equal(wider.deviation, resampled(curve, small, 50, 0).deviation)
    large, _ = drawn(PBM(), 400_000)
    curve = fit_all_pairs(large).curve
    assert resampled(curve, large, 50, 0) is curve


def test_the_chain_from_cells_to_scores():
    cells, truth = drawn(PBM(), 200_000)
    found = score_clicks(cells, ClicksSettings())
    scores, true = found.scores, truth.attraction_of(found.scores.query, found.scores.document)
    assert found.fit.estimator == "browsing"
    assert scores.count.sum() == pytest.approx(200_000, rel=0.01)
    held = (scores.low <= true) & (true <= scores.high)
    assert 0.83 <= held.mean() <= 0.96
    assert np.corrcoef(scores.score, true)[0, 1] > 0.7
    np.testing.assert_allclose(found.curve.examination, 1 / np.arange(1, 11), rtol=0.3)
    assert (scores.high - scores.low)[scores.count > 200].mean() < 0.5 * (scores.high - scores.low)[
        scores.count < 5
    ].mean()
