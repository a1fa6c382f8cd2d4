"""What a pipeline's scores are worth: curves against planted ones, intervals against held-out pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import JudgmentsError
from gradus.judgments.distil import BINS, READINGS, Curve, _ends, _rising, fit_curve


def planted(
    rng: np.random.Generator, queries: int, length: int = 20
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lists whose judged score is a curve of the pipeline's score, with noise that grows with it."""
    query = np.repeat(np.arange(queries), length)
    raw = rng.normal(3.0, 2.0, len(query))
    truth = 1 / (1 + np.exp(3.0 - raw))
    return query, raw, np.clip(truth + rng.normal(size=len(raw)) * (0.02 + 0.2 * truth), 0, 1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_intervals_hold_nine_in_ten_pairs_of_other_queries_everywhere(seed: int) -> None:
    rng = np.random.default_rng(seed)
    curve = fit_curve(*planted(rng, 100))
    query, raw, judged = planted(rng, 400)
    score, low, high = curve(query, raw)
    held = (low <= judged) & (judged <= high)
    assert 0.88 < held.mean() < 0.93
    # Noise is ten times as large at the top: one width for all would hold too many below and too few above.
    for part in np.array_split(np.argsort(score), 5):
        assert 0.85 < held[part].mean() < 0.96
    width = (high - low)[np.argsort(score)]
    assert width[-800:].mean() > 3 * width[:800].mean()
    # 1/(1 + e^{3 − raw}) is what was planted, but for noise that is cut off at 0 and 1.
    assert np.abs(score - 1 / (1 + np.exp(3.0 - raw))).mean() < 0.04
    assert curve.error < 0.6 * curve.spread


def test_an_overconfident_fit_does_not_narrow_the_intervals() -> None:
    # Noise alone in few pairs: a curve fits what it has seen, and its own residuals would be too small.
    rng = np.random.default_rng(3)
    held, own = [], []
    for _ in range(60):
        query, x = np.repeat(np.arange(20), 6), rng.normal(size=120)
        try:
            curve = fit_curve(query, x, rng.random(120))
        except JudgmentsError:
            continue
        new = rng.random(400)
        _, low, high = curve(np.repeat(np.arange(40), 10), rng.normal(size=400))
        held.append(((low <= new) & (new <= high)).mean())
        own.append(curve.error)
    assert len(held) > 30
    assert np.mean(held) > 0.88
    assert np.mean(own) > np.sqrt(1 / 12)  # the deviation of a uniform number: nothing was learned


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3)), min_size=1, max_size=30))
def test_readings_keep_the_order_of_a_list(pairs: list[tuple[int, int]]) -> None:
    query, raw = np.array(pairs, np.int64).T
    raw = raw / 2
    for read in READINGS.values():
        value = read(query, raw)
        assert np.isfinite(value).all()
        for i in range(len(raw)):
            for j in range(len(raw)):
                if query[i] == query[j]:
                    assert np.sign(np.round(value[i] - value[j], 9)) == np.sign(raw[i] - raw[j])


def test_readings_by_hand() -> None:
    query, raw = np.array([7, 7, 7, 2]), np.array([1.0, 3.0, 3.0, 5.0])
    assert READINGS["as it is"](query, raw).tolist() == [1, 3, 3, 5]
    # Mean 7/3, variance ((4/3)² + 2 (2/3)²)/3 = 8/9.
    expected = np.array([-4 / 3, 2 / 3, 2 / 3]) / np.sqrt(8 / 9)
    np.testing.assert_allclose(READINGS["standardised per query"](query, raw), [*expected, 0])
    # Ranks 1 and 2 are shared.
    np.testing.assert_allclose(READINGS["by rank"](query, raw), [-np.log(3), -np.log(1.5), -np.log(1.5), 0])


@pytest.mark.parametrize(
    ("reading", "made"),
    [
        ("as it is", lambda truth, query: np.exp(truth)),
        ("standardised per query", lambda truth, query: truth * (1 + query % 7) + 10 * query),
    ],
)
def test_the_reading_that_tells_most_is_taken(reading: str, made) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    query = np.repeat(np.arange(60), 30)
    # Lists differ in how good they are where scores compare across them, and not where they do not.
    level = rng.normal(size=60)[query] if reading == "as it is" else 0.0
    truth = level + rng.normal(size=len(query))
    judged = np.clip(0.5 + 0.2 * truth, 0, 1)
    assert fit_curve(query, made(truth, query), judged).reading == reading


@given(st.integers(0, 10**6))
def test_a_better_score_is_never_worth_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, raw, judged = planted(rng, 12, 12)
    curve = fit_curve(query, raw, judged)
    if curve.reading == "as it is":
        order = np.argsort(raw)
        assert (np.diff(curve(query, raw)[0][order]) >= 0).all()
    for one in range(12):
        mine = query == one
        score, low, high = (values[mine] for values in curve(query, raw))
        assert (np.diff(score[np.argsort(raw[mine])]) >= 0).all()
        assert ((low >= 0) & (low <= score) & (score <= high) & (high <= 1)).all()


def test_the_curve_by_hand() -> None:
    # 0.4 and 0.2 are pooled: (0.4 + 0.2)/2 at the centre 1.5 of their scores.
    knots, levels = _rising(np.array([1.0, 2.0, 3.0, 3.0]), np.array([0.4, 0.2, 0.8, 0.6]))
    np.testing.assert_allclose(knots, [1.5, 3.0])
    np.testing.assert_allclose(levels, [0.3, 0.7])
    curve = Curve("as it is", knots, levels, np.array([0.5]), np.array([-0.2, -np.inf]), np.array([0.1, 0.5]),
                  4, 4, 0.0, 0.0)  # fmt: skip
    score, low, high = curve(np.zeros(3, np.int64), np.array([0.0, 2.25, 9.0]))
    np.testing.assert_allclose(
        score, [0.3, 0.5, 0.7]
    )  # level before the first and after the last, straight between
    np.testing.assert_allclose(low, [0.1, 0.0, 0.0])  # 0.5 is of the upper bin, where nothing is known below
    np.testing.assert_allclose(high, [0.4, 1.0, 1.0])  # 0.7 + 0.5 is cut off at 1


def test_ends_are_conformal() -> None:
    # Of 39 residuals the second smallest and the second largest: 0.05 · 40 = 2.
    assert _ends(np.arange(39.0)) == (1.0, 37.0)
    assert _ends(np.arange(20.0)) == (0.0, 19.0)
    assert _ends(np.arange(18.0)) == (-np.inf, np.inf)  # too few to say anything


def test_unjudged_pairs_count_for_ranks_and_for_nothing_else() -> None:
    query, raw, judged = planted(np.random.default_rng(0), 50)
    judged[::2] = np.nan
    curve = fit_curve(query, raw, judged)
    assert (curve.pairs, curve.queries) == (500, 50)
    assert len(curve.below) == len(curve.bounds) + 1 <= BINS


def test_what_cannot_be_learned_is_said() -> None:
    query, raw, judged = planted(np.random.default_rng(0), 50)
    with pytest.raises(
        JudgmentsError, match=r"^60 judged pairs of 3 queries are among .* takes 100 of 10\. Let"
    ):
        fit_curve(query, raw, np.where(query < 3, judged, np.nan))
    with pytest.raises(JudgmentsError, match=r"say nothing about the 1000 judged pairs"):
        fit_curve(query, raw, -raw / 100 + 0.5)
