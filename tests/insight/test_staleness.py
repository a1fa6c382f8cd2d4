"""Staleness and the cheapest cadence, by arithmetic that can be followed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import Interval
from gradus.insight.cadence import (
    FRESH,
    Losses,
    Plan,
    Reading,
    Refresh,
    cheapest,
    measure_losses,
    plan,
    slope,
)
from gradus.insight.cadence_plot import plot_cadence
from gradus.insight.cadence_result import Age, Cadence, read_cadence, write_cadence

NOTHING = Interval(0.0, 0.0, 0.0, 0)
FULL = Refresh("full", NOTHING, 100.0, 1000)


def sure(**arms: float) -> Losses:
    """Losses without any doubt: every resample says the same."""
    names = tuple(name.removeprefix("age_") for name in arms)
    mean = np.array(list(arms.values()))
    return Losses(names, mean, np.tile(mean, (50, 1)), np.full(len(mean), 40))


def test_losses_compare_models_on_the_same_queries_of_the_same_windows() -> None:
    readings = [
        Reading(FRESH, 7, {"a": 0.8, "b": 0.6}),
        Reading("2", 7, {"a": 0.6, "b": 0.6, "never asked of the fresh one": 0.1}),
        Reading(FRESH, 8, {"a": 0.4, "b": np.nan}),  # a harder window
        Reading("2", 8, {"a": 0.3, "b": 0.9}),
        Reading("warm", 8, {"a": 0.44}),
    ]
    losses = measure_losses(readings)
    assert losses.arms == ("2", "warm")
    two = ((0.8 - 0.6) + (0.6 - 0.6) + (0.4 - 0.3)) / (0.8 + 0.6 + 0.4)
    assert losses.mean == pytest.approx([two, (0.4 - 0.44) / 0.4])
    assert losses.queries.tolist() == [2, 1]


def test_resamples_draw_a_query_with_all_its_windows_and_models() -> None:
    rng = np.random.default_rng(0)
    names = [f"q{n}" for n in range(30)]
    fresh = {w: dict(zip(names, rng.uniform(0.2, 1, 30).tolist(), strict=True)) for w in (1, 2)}
    stale = {
        (arm, w): {q: v * rng.uniform(0.5, 1) for q, v in fresh[w].items()}
        for arm in ("1", "2")
        for w in (1, 2)
    }
    readings = [Reading(FRESH, w, values) for w, values in fresh.items()]
    readings += [Reading(arm, w, values) for (arm, w), values in stale.items()]
    losses = measure_losses(readings, samples=200, seed=3)

    draw = np.random.default_rng(3).integers(0, 30, (200, 30))  # as many as fit into one block
    for sample in range(0, 200, 37):
        for column, arm in enumerate(("1", "2")):
            lost = had = 0.0
            for query in draw[sample]:
                for window in (1, 2):
                    best = fresh[window][names[query]]
                    lost, had = lost + best - stale[arm, window][names[query]], had + best
            assert losses.draws[sample, column] == pytest.approx(lost / had)


def test_intervals_hold_the_true_loss_as_often_as_they_say() -> None:
    """120 logs of 60 queries: the true loss is 5 %."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(120):
        fresh = rng.uniform(0.3, 1, 60)
        stale = fresh * 0.95 + rng.normal(0, 0.1, 60)
        values = [dict(zip(map(str, range(60)), side.tolist(), strict=True)) for side in (fresh, stale)]
        found = measure_losses([Reading(FRESH, 0, values[0]), Reading("1", 0, values[1])], 500).interval("1")
        held += found.low <= 0.05 <= found.high
    assert 0.88 <= held / 120 <= 0.99


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(EvaluationError, match="window 3 was measured without a fresh model"):
        measure_losses([Reading("1", 3, {"a": 0.5})])
    with pytest.raises(EvaluationError, match="1 and the fresh model have no query in common"):
        measure_losses([Reading(FRESH, 3, {"b": 0.5}), Reading("1", 3, {"a": 0.5})])
    with pytest.raises(EvaluationError, match="an age above 0"):
        slope([0], np.zeros(1))


def test_the_slope_is_that_of_the_line_through_the_origin() -> None:
    assert slope([1, 2, 4], np.array([0.01, 0.03, 0.05])) == pytest.approx(
        (1 * 0.01 + 2 * 0.03 + 4 * 0.05) / (1 + 4 + 16)
    )
    exact = slope([1, 2, 4, 8], np.outer([0.003, 0.01], [1, 2, 4, 8]))
    assert exact == pytest.approx([0.003, 0.01])
    # Least squares through the origin, by another route.
    ages, losses = np.array([1.0, 3.0, 7.0]), np.array([0.02, 0.01, 0.08])
    expected, *_ = np.linalg.lstsq(ages[:, None], losses, rcond=None)
    assert slope([1, 3, 7], losses) == pytest.approx(expected[0])


def test_the_cheapest_cadence_by_hand() -> None:
    """Half a percent is lost a window and 2 % may be lost in all; full ones are due every 8 windows."""
    ages = [1, 2, 4, 8]
    losses = sure(age_1=0.005, age_2=0.01, age_4=0.02, age_8=0.04, warm=0.004, queries=0.012)
    refreshes = [
        FULL,
        Refresh("warm", losses.interval("warm"), 30.0, 1000),
        Refresh("queries", losses.interval("queries"), 6.0, 0),
    ]
    per_window, plans = plan(refreshes, ages, losses, allowed=0.0201)
    assert per_window.mean == pytest.approx(0.005)
    full, warm, queries = plans
    # 0.005 · 4 = 0.02 holds, 0.005 · 5 does not.
    assert (full.every, full.loss.mean) == (4, pytest.approx(0.02))
    assert (full.cpu_seconds, full.documents) == (pytest.approx(100 / 4), pytest.approx(1000 / 4))
    # 0.004 + 0.005 · 3 = 0.019: in 8 windows a full one, then after 3 and 6 two warm ones.
    assert (warm.every, warm.loss.mean) == (3, pytest.approx(0.019))
    assert (warm.cpu_seconds, warm.documents) == (pytest.approx((100 + 2 * 30) / 8), pytest.approx(3000 / 8))
    # 0.012 + 0.005 · 1 = 0.017: a full one, then seven of queries alone, which embed nothing.
    assert (queries.every, queries.loss.mean) == (1, pytest.approx(0.017))
    assert (queries.cpu_seconds, queries.documents) == (
        pytest.approx((100 + 7 * 6) / 8),
        pytest.approx(1000 / 8),
    )
    assert cheapest(plans) == queries  # 17.75 s a window, against 20 and 25


def test_a_cadence_must_hold_by_the_upper_end_of_its_interval() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(0.01, 0.003, 4000)[:, None] * np.array([1.0, 4.0])
    losses = Losses(("1", "4"), np.array([0.01, 0.04]), draws, np.array([50, 50]))
    _, (full,) = plan([FULL], [1, 4], losses, allowed=0.0401)
    assert full.estimate == 4  # 0.04, by the mean
    # A window costs at most 0.01 + 1.96 · 0.003 = 0.0159: 2 windows 0.032, 3 windows 0.048.
    assert full.every == 2
    assert full.loss.high == pytest.approx(2 * (0.01 + 1.96 * 0.003), rel=0.03)


def test_a_mode_that_alone_loses_too_much_never_holds() -> None:
    losses = sure(age_1=0.001, age_2=0.002, queries=0.05)
    _, plans = plan([FULL, Refresh("queries", losses.interval("queries"), 1.0, 0)], [1, 2], losses, 0.02)
    assert [each.every for each in plans] == [2, 0]
    assert np.isnan(plans[1].cpu_seconds)
    assert cheapest(plans) == plans[0]
    assert cheapest(plans[1:]) is None


def test_a_mode_measured_on_one_query_holds_nothing() -> None:
    """One query, whatever it is drawn with, says the same in every resample: no spread is no proof."""
    many = {f"q{n}": 0.5 for n in range(30)}
    readings = [Reading(FRESH, 0, many), Reading("1", 0, many), Reading("2", 0, many)]
    losses = measure_losses([*readings, Reading("warm", 0, {"q0": 0.5})], samples=50)
    assert losses.queries.tolist() == [30, 30, 1]
    _, (full, warm) = plan([FULL, Refresh("warm", losses.interval("warm"), 1.0, 0)], [1, 2], losses, 0.02)
    assert (full.every, full.loss.n) == (2, 30)
    assert (warm.every, warm.loss.n) == (0, 1)


def test_no_cadence_is_longer_than_what_was_measured() -> None:
    _, (full,) = plan([FULL], [1, 3], sure(age_1=0.0, age_3=0.0), 0.02)
    assert full.every == 3


def cadence(slope: Interval, plans: tuple[Plan, ...]) -> Cadence:
    return Cadence(
        "nDCG@10", 7, 4, 14, "2026-01-05", ("2026-04-06",), 7, Interval(0.8, 0.78, 0.82, 100),
        (Age(1, Interval(0.01, 0.0, 0.02, 100)), Age(8, Interval(0.04, 0.01, 0.07, 100))), (16,), slope, 0.02,
        (FULL, Refresh("queries", Interval(0.01, 0.0, 0.02, 100), 6.0, 0)), plans,
    )  # fmt: skip


HELD = (
    Plan("full", 4, 5, Interval(0.01, 0.0, 0.019, 90), 25.0, 250.0),
    Plan("queries", 0, 2, Interval(0.02, 0.0, 0.04, 90), np.nan, np.nan),
)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    before = cadence(Interval(0.005, 0.001, 0.009, 100), HELD)
    write_cadence(before, tmp_path / "cadence.json")
    after = read_cadence(tmp_path / "cadence.json")
    assert np.isnan(after.plans[1].cpu_seconds)
    first, second = (replace(each, plans=each.plans[:1]) for each in (before, after))
    assert first == second
    found = json.loads((tmp_path / "cadence.json").read_text())
    assert found["goes_stale"] is True
    assert found["chosen"]["every"] == 4
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(EvaluationError, match=r"other\.json holds no back-test"):
        read_cadence(tmp_path / "other.json")
    with pytest.raises(EvaluationError, match="gradus cadence"):
        read_cadence(tmp_path / "none.json")


def test_it_says_what_was_found_and_what_could_not_be_told() -> None:
    told = cadence(Interval(0.005, 0.001, 0.009, 100), HELD).sentences()
    assert told[0] == "A model loses 0.5 % of nDCG@10 a week (95 % interval 0.1 % to 0.9 %)."
    assert told[1] == (
        "Cheapest that keeps the loss within 2 %: full, every 4 weeks (loss at most 1.9 %, 25 s of computing and "
        "250 documents embedded a week)."
    )
    doubtful = cadence(Interval(0.002, -0.001, 0.005, 100), HELD[1:])
    assert not doubtful.goes_stale
    assert "cannot be told from nothing" in doubtful.sentences()[0]
    assert doubtful.sentences()[1] == (
        "No cadence is sure to keep the loss within 2 %; by the mean alone, queries every 2 weeks would."
    )
    one = cadence(Interval(0.002, np.nan, np.nan, 1), HELD)
    assert "0.2 % of nDCG@10 a week (95 % interval – to –)" in one.sentences()[0]
    partial = replace(doubtful, plans=(replace(HELD[0], mode="queries"),)).sentences()[1]
    assert "queries, every 4 weeks, with a full training every 8 weeks" in partial


def test_the_plot_shows_the_curve_and_is_the_same_each_time(tmp_path: Path) -> None:
    found = cadence(Interval(0.005, 0.001, 0.009, 100), HELD)
    for name in ("a.svg", "b.svg"):
        plot_cadence(tmp_path / name, found)
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for words in (
        "0.5 % a window",
        "allowed: 2 %",
        "queries, just refreshed",
        "age of the model, in windows of 7 days",
    ):
        assert f"<!-- {words} -->" in text
    assert (tmp_path / "b.svg").read_text(encoding="utf-8") == text
