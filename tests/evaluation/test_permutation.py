"""The paired permutation test."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import bootstrap_interval
from gradus.evaluation.permutation import paired_permutation


def enumerated(differences: list[int]) -> float:
    """Share of all sign patterns at least as extreme; whole numbers, so that sums compare exactly."""
    sums = [
        abs(sum(sign * d for sign, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    return float(np.mean([s >= abs(sum(differences)) for s in sums]))


@given(st.lists(st.integers(-10, 10), min_size=1, max_size=9))
def test_few_queries_are_enumerated_exactly(differences: list[int]) -> None:
    # Tenths do not add up exactly in floats: equal sums must still count as equal.
    got = paired_permutation(np.array(differences) / 10, np.zeros(len(differences)))
    assert got.p_value == enumerated(differences)


def test_golden_values() -> None:
    # All three differences positive: of 8 patterns, + + + and - - - are as extreme.
    assert paired_permutation([0.3, 0.2, 0.1], [0.1, 0.1, 0.0]).p_value == 2 / 8
    assert paired_permutation([0.5, 0.5], [0.5, 0.5]).p_value == 1


def test_sampling_approaches_enumeration() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(12) + 0.2, rng.random(12)
    exact = paired_permutation(a, b, samples=2**12).p_value
    sampled = paired_permutation(a, b, samples=2**12 - 1).p_value
    # Standard error of the share: √(p (1 − p) / 4095).
    assert 0.001 < exact < 0.5
    assert sampled != exact
    assert sampled == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 4095))


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(10) + 0.1, rng.random(10)
    exact, sampled = paired_permutation(a, b), paired_permutation(a, b, samples=1000)
    monkeypatch.setattr("gradus.evaluation.permutation._BLOCK", 70)  # 7 patterns at once
    assert paired_permutation(a, b).p_value == exact.p_value
    # Two independent shares of 1000 patterns, each with standard error √(p (1 − p) / 1000).
    error = math.sqrt(2 * exact.p_value * (1 - exact.p_value) / 1000)
    assert paired_permutation(a, b, samples=1000).p_value == pytest.approx(sampled.p_value, abs=4 * error)


def test_sampled_p_value_is_never_zero() -> None:
    # 99 random patterns of 50 signs miss the two extreme ones; the observed one still counts.
    assert paired_permutation(np.ones(50), np.zeros(50), samples=99).p_value == (1 + 0) / (1 + 99)


def test_false_alarms_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(5)
    p = np.array(
        [paired_permutation(rng.random(30), rng.random(30), samples=200).p_value for _ in range(300)]
    )
    # Under exchangeability P(p ≤ α) ≤ α; 300 trials of .1 have standard error .017.
    assert 0.04 < (p <= 0.1).mean() < 0.16
    assert 0.4 < (p <= 0.5).mean() < 0.6


def test_difference_and_interval_over_the_common_queries() -> None:
    a, b = [0.9, math.nan, 0.5, 0.7], [0.4, 0.1, math.nan, 0.6]
    got = paired_permutation(a, b, seed=3)
    interval = bootstrap_interval([0.9 - 0.4, 0.7 - 0.6], seed=3)
    assert (got.difference, got.low, got.high, got.n) == (interval.mean, interval.low, interval.high, 2)
    assert got.difference == pytest.approx((0.5 + 0.1) / 2)
    swapped = paired_permutation(b, a)
    assert swapped.difference == -got.difference
    assert swapped.p_value == got.p_value


def test_no_common_queries() -> None:
    got = paired_permutation([math.nan, 0.5], [0.5, math.nan])
    assert got.n == 0
    assert math.isnan(got.p_value)
    assert math.isnan(got.difference)


def test_bad_requests() -> None:
    with pytest.raises(EvaluationError, match="same queries"):
        paired_permutation([0.1, 0.2], [0.1])
    with pytest.raises(EvaluationError, match="samples"):
        paired_permutation([0.1], [0.2], samples=0)
