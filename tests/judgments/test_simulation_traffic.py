"""Who asks what, when; and what people do that click models leave out."""

from dataclasses import replace

import numpy as np
import pytest

from gradus.errors import LogError
from gradus.judgments.simulation import simulate as simulation_module
from gradus.judgments.simulation.habits import Habits
from gradus.judgments.simulation.pages import Pages
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation, simulate
from gradus.judgments.simulation.traffic import START, Traffic
from gradus.judgments.simulation.truth import random_truth
from gradus.judgments.simulation.users import PBM, Cascade

TRUTH = random_truth(50, 12, 0)
MINUTE, DAY = np.timedelta64(60, "s"), np.timedelta64(1, "D")


def pages(monkeypatch=None, part=None, **changes):
    """All pages of a simulation in one piece."""
    if part:
        monkeypatch.setattr(simulation_module, "_PART", part)
    values = {"truth": TRUTH, "impressions": 100_000, "page": 5, **changes}
    parts = list(simulate(Simulation(**values)))
    if part:
        assert len(parts) > 2
    columns = {
        name: np.concatenate([getattr(p, name) for p in parts])
        for name in Pages.__dataclass_fields__
        if name != "propensity"
    }
    return Pages(**columns, propensity=None)


def test_impressions_are_as_many_as_asked_for():
    assert pages().impressions == 100_000  # every query has more documents than a page
    assert pages(page=20).impressions == pytest.approx(100_000, abs=12)
    assert pages(impressions=1).impressions == 5


def test_queries_follow_a_zipf_law():
    asked = np.sort(np.bincount(pages().query, minlength=50))[::-1]
    want = 1 / np.arange(1, 51)
    want *= asked.sum() / want.sum()
    assert (np.abs(asked - want) < 5 * np.sqrt(want) + 5)[:10].all()
    even = np.bincount(pages(traffic=Traffic(zipf=0)).query, minlength=50)
    assert (np.abs(even - 400) < 5 * np.sqrt(400)).all()


def test_sessions_belong_to_one_user_and_run_without_long_pauses(monkeypatch):
    log = pages(monkeypatch, part=5000, traffic=Traffic(session=3.0))
    order = np.lexsort((log.time, log.session))
    same = log.session[order][1:] == log.session[order][:-1]
    assert (log.user[order][1:] == log.user[order][:-1])[same].all()
    pauses = np.diff(log.time[order])[same]
    assert pauses.max() < 30 * MINUTE
    assert pauses.mean() / MINUTE == pytest.approx(1, rel=0.05)
    lengths = np.unique(log.session, return_counts=True)[1]
    assert lengths.mean() == pytest.approx(3.0, rel=0.05)
    assert (lengths == 1).mean() == pytest.approx(1 / 3, abs=0.03)
    assert len(np.unique(log.user)) < len(lengths)


def test_time_runs_over_the_days_and_the_hours(monkeypatch):
    log = pages(monkeypatch, part=5000, traffic=Traffic(days=3))
    assert (log.number == np.arange(len(log))).all()
    assert log.time.min() >= START
    assert log.time.max() < START + 3 * DAY + 60 * MINUTE
    day, hour = np.divmod((log.time - START).astype("timedelta64[h]").astype(int), 24)
    assert (np.bincount(day, minlength=3)[:3] / len(log)) == pytest.approx(np.full(3, 1 / 3), abs=0.02)
    by_hour = np.bincount(hour, minlength=24)
    assert 14 <= np.argmax(by_hour) <= 18
    assert by_hour[4] < by_hour[16] / 4


def test_robots_ask_their_share_in_long_fast_sessions():
    log = pages(traffic=Traffic(robots=0.1))
    assert log.robot.mean() == pytest.approx(0.1, abs=1e-4)
    assert not set(log.user[log.robot]) & set(log.user[~log.robot])
    assert np.unique(log.session[log.robot], return_counts=True)[1].tolist() == [200] * 10
    shown, clicked = log.shown[log.robot].sum(axis=1), log.click[log.robot].sum(axis=1)
    keen = log.session[log.robot] % 2 == 1
    assert (clicked[keen] == shown[keen]).all()
    assert clicked[~keen].mean() == pytest.approx(2.5, abs=0.2)
    assert not log.cart[log.robot].any()
    assert log.cart[~log.robot].any()


def test_trust_draws_clicks_to_the_top():
    truth = replace(TRUTH, floor=0.2, top=0.2)
    log = pages(truth=truth, users=PBM(1.0), habits=Habits(trust=0.3))
    position = np.arange(1, 6)
    want = (0.2 + 0.8 * 0.3 / position) / position
    assert log.click.mean(axis=0) == pytest.approx(want, abs=5 * np.sqrt(0.25 / len(log)))


def test_abandoned_sessions_end_within_their_last_page():
    truth = replace(TRUTH, floor=1.0, top=1.0)
    log = pages(truth=truth, users=PBM(0.0), habits=Habits(abandoned=1.0), traffic=Traffic(session=2.0))
    depth = log.click.sum(axis=1)
    assert (log.click == (np.arange(5) < depth[:, None])).all()  # everything above, nothing below
    order = np.lexsort((log.time, log.session))
    final = np.r_[log.session[order][1:] != log.session[order][:-1], True]
    assert (depth[order][~final] == 5).all()
    assert np.bincount(depth[order][final], minlength=6) / final.sum() == pytest.approx(
        [0.2] * 5 + [0], abs=0.02
    )


def test_carts_and_purchases_follow_clicks_by_relevance():
    truth = replace(TRUTH, relevance=np.full(len(TRUTH), 0.5), floor=0.8, top=0.8)
    log = pages(truth=truth, users=PBM(0.0), habits=Habits(cart=0.4, purchase=0.6))
    assert (log.click | ~log.cart).all()
    assert (log.cart | ~log.purchase).all()
    assert log.cart.sum() / log.click.sum() == pytest.approx(0.4 * 0.5, abs=0.01)
    assert log.purchase.sum() / log.cart.sum() == pytest.approx(0.6 * 0.5, abs=0.02)
    assert ((log.dwell > 0) == log.click).all()
    assert np.median(log.dwell[log.click]) == pytest.approx(5 + 60 * 0.5, rel=0.03)


def test_clicks_drift_with_the_relevance():
    ones = np.ones(len(TRUTH))
    truth = replace(TRUTH, relevance=ones * 0.5, floor=0.0, top=1.0, trend=ones * 0.8)
    log = pages(truth=truth, users=PBM(0.0))
    early, late = np.array_split(log.click.mean(axis=1), 2)
    # From 0.1 to 0.9 in a straight line: 0.3 and 0.7 in the middle of each half.
    assert (early.mean(), late.mean()) == pytest.approx((0.3, 0.7), abs=0.02)


def test_equal_seeds_make_equal_logs_and_other_seeds_others():
    policy = Policy(epochs=2, swaps=0.1, randomised=0.1)
    one, same, other = (
        pages(seed=seed, users=Cascade(), policy=policy, impressions=5000) for seed in (1, 1, 2)
    )
    for name in ("query", "pair", "click", "time", "session", "dwell"):
        assert np.array_equal(getattr(one, name), getattr(same, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (Traffic, {"days": 0}), (Traffic, {"session": 0.5}), (Traffic, {"zipf": -1}), (Traffic, {"robots": 1.0}),
        (Habits, {"trust": 2.0}), (Habits, {"abandoned": -0.1}), (Habits, {"cart": float("nan")}),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(make, values):
    with pytest.raises(LogError):
        make(**values)


@pytest.mark.parametrize("values", [{"impressions": 0}, {"page": 0}, {"page": 1001}])
def test_impossible_logs_are_refused(values):
    with pytest.raises(LogError, match=str(next(iter(values.values())))):
        Simulation(TRUTH, **values)
