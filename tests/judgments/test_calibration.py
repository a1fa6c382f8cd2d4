import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.judgments.calibration import _quantile_curve, calibrate, deviation, isotonic, shared_pairs
from gradus.judgments.scores import Scores, Z


def source(name, score, sd=0.0, start=0, per_query=10):
    """Scores of the pairs number `start` and on, `per_query` of them for each query, each with its own document."""
    score = np.clip(np.asarray(score, float), 0, 1)
    number = np.arange(start, start + len(score))
    low, high = (np.clip(score + sign * Z * sd, 0, 1) for sign in (-1, 1))
    queries = [f"q{i}" for i in range(number.max() // per_query + 1)]
    return Scores(
        name, queries, [f"d{i}" for i in number], number // per_query, np.arange(len(score)),
        score, low, high, np.ones(len(score)),
    )  # fmt: skip


values = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1), st.floats(0.1, 10)),
    min_size=1, max_size=9,
)  # fmt: skip


@given(values)
def test_isotonic_regression_is_the_greatest_of_least_means(pairs):
    # f_i = max over a ≤ i of min over b ≥ i of the mean of y_a … y_b: the closed form of the solution.
    y, w = np.array(pairs).T
    expected = [
        max(
            min(np.average(y[a : b + 1], weights=w[a : b + 1]) for b in range(i, len(y)))
            for a in range(i + 1)
        )
        for i in range(len(y))
    ]
    np.testing.assert_allclose(isotonic(y, w), expected, atol=1e-12)


def test_isotonic_regression_by_search():
    y, w = np.array([0.4, 0.2, 0.6, 0.5]), np.array([1.0, 3.0, 1.0, 1.0])
    grid = np.linspace(0, 1, 21)
    rising = itertools.combinations_with_replacement(grid, 4)
    best = min(rising, key=lambda f: float((w * (y - np.array(f)) ** 2).sum()))
    np.testing.assert_allclose(isotonic(y, w), best)
    # By hand: 0.4 and 0.2 pool to (0.4 + 3 · 0.2)/4, 0.6 and 0.5 to their mean.
    np.testing.assert_allclose(isotonic(y, w), [0.25, 0.25, 0.55, 0.55])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, unique=True),
       st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, unique=True))  # fmt: skip
def test_shared_pairs(one, other):
    def scores(pairs, turn):
        # Only the names that occur, in another order for each, so that rows differ.
        queries = sorted({f"q{q}" for q, _ in pairs}, reverse=turn)
        documents = sorted({f"d{d}" for _, d in pairs}, reverse=turn)
        rows = np.array([[queries.index(f"q{q}"), documents.index(f"d{d}")] for q, d in pairs], np.int64)
        half = np.full(len(pairs), 0.5)
        return Scores("s", queries, documents, rows[:, 0], rows[:, 1], half, half, half, half)

    mine, theirs = shared_pairs(scores(one, False), scores(other, True))
    assert [one[row] for row in mine] == [other[row] for row in theirs]
    assert {one[row] for row in mine} == set(one) & set(other)


def test_it_finds_the_curve_between_sources():
    rng = np.random.default_rng(0)
    x = rng.random(400)
    calibration = calibrate(source("log", x, 0.01), source("gold", x**2 + rng.normal(0, 0.03, 400), 0.03))
    assert (calibration.method, calibration.pairs) == ("isotonic", 400)
    grid = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(np.interp(grid, np.linspace(0, 1, 101), calibration.curve), grid**2, atol=0.04)
    assert (np.diff(calibration.curve) >= 0).all()


def test_calibrated_intervals_cover_what_the_source_misses():
    # The source is sure of itself to ±0.02, but the truth lies around its curve with a deviation of 0.15.
    rng = np.random.default_rng(0)
    x = rng.random(600)
    truth = np.clip(0.2 + 0.6 * x + rng.normal(0, 0.15, 600), 0, 1)
    log = source("log", x, 0.02)
    gold = source("gold", truth[:200], 0.02)
    calibrated = calibrate(log, gold)(log)
    covered = (calibrated.low <= truth) & (truth <= calibrated.high)
    assert 0.85 <= covered[200:].mean() <= 0.95
    assert ((log.low <= truth) & (truth <= log.high))[200:].mean() < 0.3


def test_no_excess_where_intervals_explain_the_distance():
    rng = np.random.default_rng(1)
    truth = rng.random(2000) * 0.6 + 0.2
    log = source("log", truth, 0.01)
    calibration = calibrate(log, source("gold", truth + rng.normal(0, 0.05, 2000), 0.05))
    assert calibration.deviation[25:75].max() < 0.02
    # The same where it is the source that is noisy, and says so.
    noisy = source("log", truth + rng.normal(0, 0.05, 2000), 0.05)
    assert calibrate(noisy, source("gold", truth, 0.02)).deviation[30:70].max() < 0.02
    # Where the curve is steep, a source's interval is stretched with it.
    steep = calibrate(log, source("gold", (truth - 0.2) / 0.6, 0.02))(log)
    assert np.median(steep.high - steep.low) == pytest.approx(np.median(log.high - log.low) / 0.6, rel=0.1)


def test_precise_reference_scores_count_more():
    x = np.tile([0.2, 0.8], 20)
    y = np.tile([0.1, 0.9], 20)
    y[:2] = [0.9, 0.1]
    vague, sharp = (source("gold", y, np.r_[sd, sd, np.full(38, 0.05)]) for sd in (0.5, 0.05))
    assert calibrate(source("log", x), vague).curve[20] < calibrate(source("log", x), sharp).curve[20]


def test_matched_quantiles_by_hand():
    # Half of x at 0.2, half at 0.8: the middles of the halves are the quantiles ¼ and ¾ of y.
    curve = _quantile_curve(np.repeat([0.2, 0.8], 4), np.array([0.0, 0.1, 0.3, 0.7, 1.0]))
    np.testing.assert_allclose(curve[[0, 20, 50, 80, 100]], [0.1, 0.1, 0.4, 0.7, 0.7])


def test_few_shared_pairs_match_distributions_on_shared_queries():
    rng = np.random.default_rng(0)
    x = rng.random(300) * 0.5
    # Of the reference only ten pairs are shared; on the same queries it has other documents too.
    reference = source("grades", np.sqrt(rng.random(200)), per_query=10)
    log = source("log", x, per_query=10)
    renamed = Scores(
        "log", log.queries, [f"x{i}" if i >= 10 else f"d{i}" for i in range(300)], log.query, log.document,
        log.score, log.low, log.high, log.count,
    )  # fmt: skip
    calibration = calibrate(renamed, reference)
    assert (calibration.method, calibration.pairs) == ("quantiles", 10)
    # Scores even in [0, ½] to the distribution of √u: half of x at ¼ → median √½.
    assert calibration.curve[25] == pytest.approx(np.sqrt(0.5), abs=0.08)
    assert (np.diff(calibration.curve) >= 0).all()
    assert calibration.deviation.min() >= 0.1


@pytest.mark.parametrize("score", [np.full(50, 0.4), np.linspace(0, 1, 15)], ids=["constant", "few"])
def test_otherwise_scores_stay_and_intervals_widen(score):
    log = source("log", score, 0.05)
    calibration = calibrate(log, source("gold", np.linspace(0, 1, len(score)), 0.05))
    assert calibration.method == "identity"
    calibrated = calibration(log)
    np.testing.assert_allclose(calibrated.score, log.score)
    inside = (calibrated.low > 0) & (calibrated.high < 1)
    np.testing.assert_allclose(
        (calibrated.high - calibrated.low)[inside], 2 * Z * np.hypot(0.05, 0.15), rtol=1e-6
    )


def test_calibration_repeats_by_seed():
    rng = np.random.default_rng(0)
    log, gold = source("log", rng.random(60), 0.05), source("gold", rng.random(60), 0.05)
    one, same, other = (calibrate(log, gold, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.deviation, same.deviation)
    assert (one.deviation != other.deviation).any()


def test_deviation_has_a_floor():
    np.testing.assert_allclose(deviation(source("gold", [0.5], 0.0)), 0.02)
    np.testing.assert_allclose(deviation(source("gold", [0.5], 0.1)), 0.1)
