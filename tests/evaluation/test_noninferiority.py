"""Non-inferiority: planted differences are found on the right side of the margin, false claims are rare."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import EvaluationError
from gradus.evaluation.noninferiority import noninferiority

RNG = np.random.default_rng(1)
R = RNG.beta(3, 1.5, 400)


def shifted(share: float, deviation: float = 0.05) -> np.ndarray:
    """A system whose mean is higher than the reference's by exactly this share."""
    noise = np.random.default_rng(2).normal(0, deviation, len(R))
    return R + noise - noise.mean() + share * R.mean()


@pytest.mark.parametrize(
    ("share", "holds", "breaks"),
    [
        (0.05, True, False),
        (0.0, True, False),
        (-0.002, True, False),
        (-0.01, False, False),
        (-0.012, False, False),
        (-0.05, False, True),
    ],
)
def test_planted_differences(share: float, holds: bool, breaks: bool) -> None:
    # Standard error: .05 / √400 / .67 = .0037, so one-sided bounds reach .006 to each side.
    got = noninferiority(shifted(share), R, margin=0.01)
    assert got.relative == pytest.approx(share)
    assert (got.p_noninferior < 0.05, got.p_inferior < 0.05) == (holds, breaks)
    assert (got.low > -0.01, got.high < -0.01) == (holds, breaks)


@given(st.floats(0, 0.3), st.floats(0, 0.3))
def test_a_wider_margin_is_never_harder_to_hold(one: float, other: float) -> None:
    narrow, wide = sorted((one, other))
    tight, loose = (noninferiority(shifted(-0.02), R, margin, samples=199) for margin in (narrow, wide))
    assert tight.p_noninferior >= loose.p_noninferior
    assert tight.p_inferior <= loose.p_inferior
    assert (tight.low, tight.high) == (loose.low, loose.high)


def test_a_margin_of_nothing_asks_for_more_than_equality() -> None:
    same = noninferiority(R, R, margin=0)
    assert (same.low, same.high) == (0, 0)
    assert same.p_noninferior >= 0.5


def test_queries_undefined_in_either_are_left_out() -> None:
    system, reference = shifted(-0.02).copy(), R.copy()
    system[:5], reference[5:9] = np.nan, np.nan
    assert noninferiority(system, reference, 0.01) == noninferiority(shifted(-0.02)[9:], R[9:], 0.01)


def test_a_loss_of_the_margin_is_rarely_called_none() -> None:
    rng, wrong = np.random.default_rng(3), 0
    for trial in range(400):
        reference = rng.beta(3, 1.5, 150)
        # Expected to lose exactly the margin: the system gets 0.98 of every query's value, and noise.
        system = 0.98 * reference + rng.normal(0, 0.05, 150)
        wrong += noninferiority(system, reference, 0.02, samples=399, seed=trial).p_noninferior <= 0.05
    # 400 trials of .05 have standard error .011.
    assert 0.01 < wrong / 400 < 0.085


@pytest.mark.parametrize("margin", [-0.01, float("nan")])
def test_margins_are_shares(margin: float) -> None:
    with pytest.raises(EvaluationError, match="margin"):
        noninferiority(R, R, margin)
