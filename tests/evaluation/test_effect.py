"""Effect sizes by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.evaluation.effect import cohens_d_z, paired_effect

VALUES = st.lists(st.integers(0, 10), min_size=2, max_size=20)


def test_every_size_by_hand() -> None:
    got = paired_effect([0.5, 0.7, 0.2, 0.4, math.nan], [0.4, 0.4, 0.4, 0.4, 0.1])
    # Differences .1 .3 -.2 0: mean .05, sum of squares about it .13.
    assert got.d_z == pytest.approx(0.05 / math.sqrt(0.13 / 3))
    assert got.relative == pytest.approx(0.45 / 0.4 - 1)
    assert (got.wins, got.ties, got.losses) == (2, 1, 1)
    assert got.superiority == (2 + 1 / 2) / 4
    assert got.relative_low < got.relative < got.relative_high


def test_one_point_more_or_less_does_not_change_d_as_it_would_t() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(0.5, 1, 200), rng.normal(0.5, 1, 20_000)
    assert cohens_d_z(few) == pytest.approx(0.5, abs=0.2)
    assert cohens_d_z(many) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("differences", "d"),
    [([0.0, 0.0], 0.0), ([0.5, 0.5], math.inf), ([-0.5, -0.5], -math.inf), ([1.0], math.nan)],
)
def test_differences_without_spread(differences: list[float], d: float) -> None:
    assert cohens_d_z(np.array(differences)) == pytest.approx(d, nan_ok=True)


@given(VALUES, VALUES)
def test_swapping_the_systems_turns_every_size_around(one: list[int], other: list[int]) -> None:
    n = min(len(one), len(other))
    ab, ba = (paired_effect(x[:n], y[:n], samples=19) for x, y in ((one, other), (other, one)))
    assert (ab.wins, ab.ties, ab.losses) == (ba.losses, ba.ties, ba.wins)
    assert ab.superiority == pytest.approx(1 - ba.superiority)
    assert ab.d_z == pytest.approx(-ba.d_z)


def test_nothing_in_common_has_no_size() -> None:
    got = paired_effect([math.nan, 0.5], [0.5, math.nan])
    assert (got.wins, got.ties, got.losses) == (0, 0, 0)
    assert all(map(math.isnan, (got.relative, got.relative_low, got.relative_high, got.d_z, got.superiority)))
