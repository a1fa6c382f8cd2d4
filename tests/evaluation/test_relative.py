"""The relative difference of two means: bounds and p-values that agree, and that cover."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paired_metrics import SHAPES, reference, true_difference

from gradus.errors import EvaluationError
from gradus.evaluation.relative import Relative, relative_difference

RNG = np.random.default_rng(0)
R = reference(120, RNG)
S = np.clip(R + RNG.normal(-0.01, 0.08, 120), 0, 1)


def naive(system: list[float], values: list[float], draws: list[list[int]]) -> list[float]:
    """The pivots of given resamples, by the book."""
    ratio = sum(system) / sum(values)
    pivots = []
    for draw in draws:
        s, r = [system[i] for i in draw], [values[i] for i in draw]
        again = sum(s) / sum(r)
        spread = np.std([(a - again * b) / np.mean(r) for a, b in zip(s, r, strict=True)])
        pivots.append((again - ratio) / (spread / math.sqrt(len(draw))))
    return sorted(pivots)


def test_pivots_equal_those_of_a_loop() -> None:
    got = relative_difference(S, R, samples=50, seed=4)
    draws = np.random.default_rng(4).integers(0, 120, size=(50, 120))
    np.testing.assert_allclose(got.pivots, naive(list(S), list(R), draws.tolist()))


def test_estimate_and_deviation_by_hand() -> None:
    got = relative_difference([0.2, 0.4, 0.6, math.nan], [0.4, 0.4, 0.4, 1.0])
    assert (got.n, got.system_mean, got.reference_mean) == (3, pytest.approx(0.4), pytest.approx(0.4))
    assert got.estimate == pytest.approx(0.4 / 0.4 - 1)
    # u = (s - 1 · r) / .4 = -.5, 0, .5 with n - 1 = 2 below the sum of squares.
    assert got.deviation == pytest.approx(math.sqrt((0.25 + 0 + 0.25) / 2))


def test_bounds_are_the_more_cautious_of_the_bootstrap_and_the_normal_one() -> None:
    got = relative_difference(*SHAPES["rare losses"](300, np.random.default_rng(7)), samples=999)
    error = got.deviation / math.sqrt(got.n)
    # The 50th largest of 999 pivots: p = (1 + 49) / 1000 passes .05 there.
    boot = got.estimate - got.pivots[-50] * error, got.estimate - got.pivots[49] * error
    normal = got.estimate - 1.644854 * error, got.estimate + 1.644854 * error
    assert got.low(0.95) == pytest.approx(min(boot[0], normal[0]), abs=1e-7)
    assert got.high(0.95) == pytest.approx(max(boot[1], normal[1]), abs=1e-7)
    # Losses are skewed: the bootstrap reaches further down, the normal bound further up.
    assert boot[0] < normal[0]
    assert boot[1] < normal[1]


@given(st.floats(-0.2, 0.2), st.sampled_from([0.9, 0.95, 0.99]))
def test_a_bound_passes_a_value_where_its_p_value_passes_one_less_confidence(
    value: float, confidence: float
) -> None:
    got = relative_difference(S, R, samples=999)
    if abs(value - got.low(confidence)) > 1e-9:
        assert (got.low(confidence) > value) == (got.p_above(value) <= 1 - confidence)
    if abs(value - got.high(confidence)) > 1e-9:
        assert (got.high(confidence) < value) == (got.p_below(value) <= 1 - confidence)


@given(st.floats(0.01, 100))
def test_the_scale_of_the_metric_does_not_matter(scale: float) -> None:
    one, other = (
        relative_difference(S, R, samples=199),
        relative_difference(scale * S, scale * R, samples=199),
    )
    assert other.estimate == pytest.approx(one.estimate, abs=1e-12)
    assert other.low(0.95) == pytest.approx(one.low(0.95), abs=1e-9)
    assert other.high(0.9) == pytest.approx(one.high(0.9), abs=1e-9)


def test_more_confidence_is_wider_and_too_much_for_the_resamples_is_endless() -> None:
    got = relative_difference(S, R, samples=199)
    lows, highs = zip(*((got.low(c), got.high(c)) for c in (0.6, 0.8, 0.9, 0.99)), strict=True)
    assert list(lows) == sorted(lows, reverse=True)
    assert list(highs) == sorted(highs)
    assert (got.low(0.999), got.high(0.999)) == (-math.inf, math.inf)


def test_pipelines_that_differ_nowhere_or_everywhere_alike() -> None:
    same, tenth, none = (relative_difference(factor * R, R, samples=99) for factor in (1, 0.9, 0))
    assert (same.low(0.95), same.high(0.95), same.p_above(-0.01), same.p_below(-0.01)) == (0, 0, 0.01, 1)
    assert same.p_above(0) >= 0.5
    assert (tenth.low(0.95), tenth.high(0.95)) == pytest.approx((-0.1, -0.1))
    assert (tenth.p_above(-0.01), tenth.p_below(-0.01)) == (1, 0.01)
    assert (none.low(0.95), none.p_below(-0.01)) == (-1, 0.01)


@pytest.mark.parametrize(("system", "values"), [([0.5, 0.4], [0.0, 0.0]), ([0.5], [0.4]), ([], [])])
def test_without_a_ratio_nothing_is_claimed(system: list[float], values: list[float]) -> None:
    got = relative_difference(system, values, samples=99)
    assert math.isnan(got.estimate)
    assert (got.low(0.95), got.high(0.95)) == (-math.inf, math.inf)
    assert (got.p_above(-0.5), got.p_below(0.5)) == (1, 1)


def test_a_resample_without_a_ratio_counts_against_every_claim() -> None:
    pivots = np.array([-1.0, 0.5, math.nan])
    got = Relative(0.1, 0.2, 0.55, 0.5, 100, pivots)
    # The NaN is beyond any observed value on both sides: (1 + 1) / (1 + 3).
    assert got.p_above(-10) == got.p_below(10) == pytest.approx(2 / 4)


def test_bad_pairs() -> None:
    with pytest.raises(EvaluationError, match="same queries"):
        relative_difference([0.1, 0.2], [0.1])
    with pytest.raises(EvaluationError, match="samples"):
        relative_difference([0.1, 0.2], [0.1, 0.3], samples=0)
    with pytest.raises(EvaluationError, match="confidence"):
        relative_difference([0.1, 0.2], [0.1, 0.3]).low(95)


def coverage(name: str, n: int, trials: int) -> tuple[float, float]:
    """How often the low and the high bound are on the right side of the truth."""
    truth, rng = true_difference(name), np.random.default_rng(n)
    found = [relative_difference(*SHAPES[name](n, rng), samples=499, seed=trial) for trial in range(trials)]
    low = np.mean([got.low(0.95) <= truth for got in found])
    high = np.mean([got.high(0.95) >= truth for got in found])
    return float(low), float(high)


@pytest.mark.parametrize("name", ["rare losses", "reciprocal ranks"])
def test_bounds_cover_where_a_plain_interval_does_not(name: str) -> None:
    # 300 trials of .95 have standard error .013. A percentile interval covers .86 of rare losses at n = 100.
    assert min(coverage(name, 100, 300)) > 0.91


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 200, 500])
@pytest.mark.parametrize("name", list(SHAPES))
def test_bounds_cover_as_often_as_they_say(name: str, n: int) -> None:
    low, high = coverage(name, n, 2000)
    print(f"{name}, {n} queries: low {low:.3f}, high {high:.3f}")
    # 2000 trials of .95 have standard error .005.
    assert min(low, high) > 0.93
