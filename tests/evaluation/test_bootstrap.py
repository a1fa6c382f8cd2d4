"""Bootstrap intervals of the mean."""

import math

import numpy as np
import pytest

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import Interval, bootstrap_interval, resample_counts


def test_interval_of_a_mean_agrees_with_the_normal_one() -> None:
    values = np.random.default_rng(1).random(4000)
    got = bootstrap_interval(values)
    spread = 1.96 * values.std() / math.sqrt(4000)
    assert got.mean == pytest.approx(values.mean())
    assert got.low == pytest.approx(values.mean() - spread, abs=0.1 * spread)
    assert got.high == pytest.approx(values.mean() + spread, abs=0.1 * spread)
    assert got.n == 4000


def test_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    # Skewed, in [0, 1], like a metric: squares of uniforms have mean 1/3.
    intervals = [bootstrap_interval(rng.random(100) ** 2, 0.9, samples=400) for _ in range(400)]
    covered = np.mean([i.low <= 1 / 3 <= i.high for i in intervals])
    # 400 trials of .9 have standard error .015; the percentile interval loses a little at n = 100.
    assert 0.84 <= covered <= 0.95


def test_two_values_by_hand() -> None:
    # Resamples of (0, 1) have means 0, ½ and 1 with chances ¼, ½, ¼: the middle 40 % are ½, the middle 60 % reach both ends.
    assert bootstrap_interval([0.0, 1.0], confidence=0.4) == Interval(0.5, 0.5, 0.5, 2)
    assert bootstrap_interval([0.0, 1.0], confidence=0.6) == Interval(0.5, 0.0, 1.0, 2)


def test_undefined_queries_are_left_out() -> None:
    values = [0.2, math.nan, 0.4, 0.9, math.nan]
    assert bootstrap_interval(values) == bootstrap_interval([0.2, 0.4, 0.9])
    assert bootstrap_interval(values).n == 3


def test_too_few_queries_have_no_interval() -> None:
    none, one = bootstrap_interval([math.nan]), bootstrap_interval([0.5, math.nan])
    assert none.n == 0
    assert math.isnan(none.mean)
    assert (one.n, one.mean) == (1, 0.5)
    assert math.isnan(one.low)
    assert math.isnan(one.high)


def test_seed_decides() -> None:
    values = np.random.default_rng(0).random(50)
    assert bootstrap_interval(values, seed=4) == bootstrap_interval(values, seed=4)
    assert bootstrap_interval(values, seed=4) != bootstrap_interval(values, seed=5)


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(50)
    whole = bootstrap_interval(values)
    monkeypatch.setattr("gradus.evaluation.bootstrap._BLOCK", 350)  # 7 resamples at once, 2000 = 285 · 7 + 5
    blocks = bootstrap_interval(values)
    assert blocks.mean == whole.mean
    assert blocks.low == pytest.approx(whole.low, abs=0.1 * (whole.high - whole.low))
    assert blocks.high == pytest.approx(whole.high, abs=0.1 * (whole.high - whole.low))


def test_bad_requests() -> None:
    with pytest.raises(EvaluationError, match="confidence"):
        bootstrap_interval([1.0, 2.0], confidence=95)
    with pytest.raises(EvaluationError, match="samples"):
        bootstrap_interval([1.0, 2.0], samples=0)
    with pytest.raises(EvaluationError, match="vector"):
        bootstrap_interval([[1.0, 2.0]])


def test_counts_are_of_the_same_draws_as_the_interval() -> None:
    values = np.random.default_rng(3).random(40)
    counts = np.concatenate(list(resample_counts(40, 2000, seed=8)))
    assert counts.shape == (2000, 40)
    assert (counts.sum(axis=1) == 40).all()
    got = bootstrap_interval(values, 0.9, seed=8)
    np.testing.assert_allclose(np.quantile(counts @ values / 40, (0.05, 0.95)), (got.low, got.high))


def test_blocks_of_counts_do_not_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(resample_counts(9, 100, seed=1)))
    monkeypatch.setattr("gradus.evaluation.bootstrap._COUNTS_BLOCK", 63)  # 7 resamples at once
    np.testing.assert_array_equal(np.concatenate(list(resample_counts(9, 100, seed=1))), whole)


def test_counts_need_resamples() -> None:
    with pytest.raises(EvaluationError, match="samples"):
        list(resample_counts(3, 0, seed=0))
