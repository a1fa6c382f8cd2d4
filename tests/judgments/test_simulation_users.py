"""Click models against closed forms, against each other, and against a person at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import LogError
from gradus.judgments.simulation.users import DBN, PBM, Browsing, Cascade

N = 40_000
ATTRACTION = np.array([0.5, 0.1, 0.3, 0.05, 0.6, 0.2])
SATISFACTION = np.array([0.8, 0.1, 0.5, 0.0, 0.9, 0.3])


def drawn(users, attraction=ATTRACTION, satisfaction=SATISFACTION, n=N, seed=0):
    shape = (n, len(attraction))
    return users.clicks(
        np.broadcast_to(attraction, shape), np.broadcast_to(satisfaction, shape), np.random.default_rng(seed)
    )


def assert_rates(clicks, expected):
    """Every rate lies within five standard errors of what it should be: one in a million would not."""
    error = np.sqrt(np.maximum(expected * (1 - expected), 1e-9) / len(clicks))
    assert (np.abs(clicks.mean(axis=0) - expected) < 5 * error).all()


def reading(gamma, attraction, satisfaction):
    """P(examined) of each position: reached, and neither satisfied nor out of patience there."""
    examined = [1.0]
    for a, s in zip(attraction[:-1], satisfaction[:-1], strict=True):
        examined.append(examined[-1] * gamma * (1 - a * s))
    return np.array(examined)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0, 2.0])
def test_position_based_rates(eta):
    examined = np.array([1, 1 / 2**eta, 1 / 3**eta, 1 / 4**eta, 1 / 5**eta, 1 / 6**eta])
    assert PBM(eta).examination(6) == pytest.approx(examined)
    assert_rates(drawn(PBM(eta)), examined * ATTRACTION)


def test_position_based_clicks_are_independent():
    clicks = drawn(PBM(0.0))
    both = (clicks[:, :1] & clicks[:, 1:]).mean(axis=0)
    assert both == pytest.approx(ATTRACTION[0] * ATTRACTION[1:], abs=0.01)


def test_cascade_rates():
    # 0.5, 0.5 · 0.1, 0.5 · 0.9 · 0.3, …: attracted here and by nothing above
    unattracted = np.array(
        [1, 0.5, 0.5 * 0.9, 0.5 * 0.9 * 0.7, 0.5 * 0.9 * 0.7 * 0.95, 0.5 * 0.9 * 0.7 * 0.95 * 0.4]
    )
    assert_rates(drawn(Cascade()), unattracted * ATTRACTION)


def test_cascade_never_clicks_after_a_click():
    assert drawn(Cascade()).sum(axis=1).max() == 1


@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.9, 1.0])
def test_dynamic_bayesian_rates(gamma):
    assert_rates(drawn(DBN(gamma)), reading(gamma, ATTRACTION, SATISFACTION) * ATTRACTION)


def test_limits_of_the_dynamic_bayesian_network():
    everything, nothing = np.ones(6), np.zeros(6)
    assert np.array_equal(drawn(DBN(1.0), satisfaction=everything), drawn(Cascade()))
    # Never satisfied and never tired: everybody reads everything, as without position bias.
    assert_rates(drawn(DBN(1.0), satisfaction=nothing), ATTRACTION)
    assert not drawn(DBN(0.0))[:, 1:].any()


def test_browsing_without_clicks_above_is_position_based():
    # With one attractive document at the end nothing is ever clicked above it.
    attraction = np.array([0, 0, 0, 0, 0, 0.9])
    assert_rates(drawn(Browsing(1.0), attraction), np.array([0, 0, 0, 0, 0, 0.9 / 6]))


def test_browsing_starts_anew_below_a_click():
    attraction = np.array([1.0, 0, 0.8, 0, 0, 0])
    # Position 1 is always clicked; position 3 lies two below it.
    assert_rates(drawn(Browsing(1.0), attraction), np.array([1, 0, 0.8 / 2, 0, 0, 0]))


def person(gamma, attraction, satisfaction, chance):
    """One reader of one page, in words; `chance` holds what is drawn for each position."""
    clicks = []
    for place, (a, s) in enumerate(zip(attraction, satisfaction, strict=True)):
        attracted, satisfied, patient = (chance[step][place] for step in range(3))
        if attracted < a:
            clicks.append(place)
            if satisfied < s:
                break
        if patient >= gamma:
            break
    return clicks


@given(st.floats(0, 1), st.integers(0, 2**32))
def test_dynamic_bayesian_network_against_a_reader_at_a_time(gamma, seed):
    clicks = drawn(DBN(gamma), n=30, seed=seed)
    rng = np.random.default_rng(seed)
    chance = [rng.random((30, 6)) for _ in range(3)]
    for page in range(30):
        expected = person(gamma, ATTRACTION, SATISFACTION, [step[page] for step in chance])
        assert list(np.flatnonzero(clicks[page])) == expected


@pytest.mark.parametrize("users", [PBM(0.0), Browsing(0.0), Cascade(), DBN(1.0)])
def test_where_no_document_is_nothing_is_clicked(users):
    assert not drawn(users, attraction=np.zeros(6)).any()


@pytest.mark.parametrize(("make", "name"), [(PBM, "eta"), (Browsing, "eta"), (DBN, "gamma")])
@pytest.mark.parametrize("value", [-0.1, float("nan")])
def test_parameters_out_of_range_are_named(make, name, value):
    with pytest.raises(LogError, match=f"^{name} is {value}"):
        make(value)
