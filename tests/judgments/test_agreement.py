import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_raters import grades_of

from gradus.judgments.grades.agreement import krippendorff, pairwise, spread

_ = -1
# Reliability data of Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers,
# twelve units with values 1 to 5, missing ones among them. The published figures stand in the test.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
).T
PUBLISHED_LEVELS = np.where(PUBLISHED > 0, PUBLISHED - 1, -1)


@pytest.mark.parametrize(("metric", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example(metric, alpha):
    assert krippendorff(grades_of(PUBLISHED_LEVELS), metric).alpha == pytest.approx(alpha, abs=0.0005)


def test_nominal_alpha_by_hand():
    # Two raters, pairs 00 00 11 01: coincidences o_00 = 4, o_11 = 2, o_01 = o_10 = 1, so n_0 = 5, n_1 = 3, n = 8.
    grades = grades_of([[0, 0], [0, 0], [1, 1], [0, 1]])
    observed, expected = (1 + 1) / 8, 2 * 5 * 3 / (8 * 7)
    assert krippendorff(grades, "nominal").alpha == pytest.approx(1 - observed / expected)


tables = st.lists(st.lists(st.integers(-1, 3), min_size=3, max_size=3), min_size=2, max_size=8)


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval"])
@given(table=tables)
def test_alpha_against_loops_over_ordered_pairs(metric, table):
    grades = grades_of(np.array(table), 4)
    units = [[level for level in row if level >= 0] for row in table]
    units = [unit for unit in units if len(unit) > 1]
    everything = [level for unit in units for level in unit]
    n = len(everything)

    def difference(c, k):
        if metric == "nominal":
            return float(c != k)
        if metric == "interval":
            return ((c - k) / 3) ** 2
        low, high = min(c, k), max(c, k)
        between = sum(low <= level <= high for level in everything)
        return (between - (everything.count(c) + everything.count(k)) / 2) ** 2 if c != k else 0.0

    observed = sum(
        difference(unit[i], unit[j]) / (len(unit) - 1)
        for unit in units
        for i in range(len(unit))
        for j in range(len(unit))
        if i != j
    )
    expected = sum(difference(c, k) for c in everything for k in everything)
    alpha = krippendorff(grades, metric, samples=1).alpha
    if expected == 0:
        assert np.isnan(alpha)
    else:
        assert alpha == pytest.approx(1 - (n - 1) * observed / expected)


def test_the_interval_narrows_with_more_pairs_and_repeats_by_seed():
    few, many = grades_of(PUBLISHED_LEVELS), grades_of(np.tile(PUBLISHED_LEVELS, (20, 1)))
    narrow, wide = krippendorff(many, "ordinal"), krippendorff(few, "ordinal")
    assert wide.low < wide.alpha < wide.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2
    assert krippendorff(few, "ordinal", seed=0) == wide
    assert krippendorff(few, "ordinal", seed=1) != wide


def test_kappa_by_hand():
    # x = 0 0 1 2 and y = 0 1 1 0 on the levels 0 ½ 1: mean squared difference (0 + ¼ + 0 + 1)/4;
    # by chance, over all 16 combinations.
    grades = grades_of([[0, 0, -1], [0, 1, -1], [1, 1, -1], [2, 0, 2]])
    x, y = [0, 0, 0.5, 1], [0, 0.5, 0.5, 0]
    chance = sum((a - b) ** 2 for a in x for b in y) / 16
    first = pairwise(grades)[0]
    assert (first.raters, first.pairs, first.same) == (("r0", "r1"), 4, 2 / 4)
    assert first.kappa == pytest.approx(1 - (1.25 / 4) / chance)
    assert [agreement.pairs for agreement in pairwise(grades)] == [4, 1, 1]
    assert np.isnan(pairwise(grades_of([[1, 1], [1, 1]]))[0].kappa)


def test_raters_without_a_common_pair_are_left_out():
    assert pairwise(grades_of([[0, -1], [-1, 1]])) == []


def test_kappa_equals_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, 200)
    y = np.clip(x + rng.integers(-1, 2, 200), 0, 4)
    ours = pairwise(grades_of(np.stack([x, y], 1), 5))[0].kappa
    assert ours == pytest.approx(metrics.cohen_kappa_score(x, y, weights="quadratic"))


def test_spread_of_values():
    values, pair = np.array([0.1, 0.9, 0.4, 0.2]), np.array([0, 0, 1, 0])
    np.testing.assert_allclose(spread(values, pair, 3), [0.8, 0, 0])
