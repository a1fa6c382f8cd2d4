"""Appeal that comes and goes: as much of it new after a week as was asked for, and clicks that follow it."""

from dataclasses import replace

import numpy as np
import pytest

from gradus.errors import JudgmentsError, LogError
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation, simulate_cells
from gradus.judgments.simulation.traffic import Traffic
from gradus.judgments.simulation.truth import random_truth, wandering
from gradus.judgments.simulation.users import PBM


@pytest.mark.parametrize("renewal", [0.0, 0.1, 0.5, 1.0])
def test_appeals_weeks_apart_are_correlated_as_planted(renewal):
    appeal = wandering(random_truth(2000, 8, 0), 0.2, renewal, days=29, seed=1).appeal
    assert appeal.shape == (29, 4000)
    assert appeal.std(axis=1) == pytest.approx(
        np.full(29, 0.2), rel=0.05
    )  # no more at the end than at the start
    for weeks in (1, 2, 4):
        found = np.corrcoef(appeal[0], appeal[7 * weeks])[0, 1]
        assert found == pytest.approx((1 - renewal) ** weeks, abs=0.05)


def test_the_relevance_of_a_day_is_moved_by_the_appeal_of_the_document():
    truth = replace(random_truth(3, 4, 0), relevance=np.full(12, 0.5))
    moving = wandering(truth, 0.1, 0.3, days=4, seed=2)
    assert not np.array_equal(moving.appeal, wandering(truth, 0.1, 0.3, days=4, seed=3).appeal)
    assert np.array_equal(moving.appeal, wandering(truth, 0.1, 0.3, days=4, seed=2).appeal)
    for moment, day in ((0.0, 0), (0.24, 0), (0.26, 1), (0.99, 3), (1.0, 3)):
        found = moving.relevance_at(np.arange(12), np.full(12, moment))
        assert found == pytest.approx(0.5 + moving.appeal[day, truth.document])
    far = wandering(truth, 50.0, 0.3, days=4, seed=2).relevance_at(np.arange(12), np.zeros(12))
    assert set(far) == {0.0, 1.0}


def test_clicks_follow_the_appeal_of_their_day():
    truth = replace(random_truth(1, 5, 0), relevance=np.full(5, 0.5))
    moving = wandering(truth, 0.2, 0.9, days=14, seed=0)
    simulation = Simulation(moving, PBM(0), Policy(noise=0), traffic=Traffic(14), impressions=70_000)
    cells = simulate_cells(simulation, by_day=True)
    for day in (0, 7, 13):
        here = cells.take(cells.window == day)
        rate = np.bincount(here.document, here.clicks, 5) / np.bincount(here.document, here.impressions, 5)
        expected = moving.attracting(np.clip(0.5 + moving.appeal[day], 0, 1))
        assert rate == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 900))


def test_what_cannot_be_is_refused():
    truth = random_truth(3, 4, 0)
    with pytest.raises(LogError, match=r"renewal of appeal is 1\.5"):
        wandering(truth, 0.1, 1.5, 7, 0)
    with pytest.raises(LogError, match="standard deviation is -1"):
        wandering(truth, -1, 0.5, 7, 0)
    with pytest.raises(JudgmentsError, match="not that of its documents"):
        replace(truth, appeal=np.zeros((7, 3), np.float32))
