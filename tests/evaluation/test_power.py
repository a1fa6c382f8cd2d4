"""The number of queries that decides: by hand, against its own formula, and by trying."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.evaluation.noninferiority import noninferiority
from gradus.evaluation.power import queries_needed

NORMAL = NormalDist()


def decision_power(n: float, gap: float, deviation: float, confidence: float = 0.95) -> float:
    """Chance that n queries decide: the lower bound ends above the margin, or the upper one below."""
    z, reach = NORMAL.inv_cdf(confidence), gap * math.sqrt(n) / deviation
    return NORMAL.cdf(reach - z) + NORMAL.cdf(-reach - z)


def test_by_hand() -> None:
    # Φ⁻¹(.95) = 1.644854, Φ⁻¹(.8) = .841621.
    assert queries_needed(0.01, 0.1) == math.ceil(((1.644854 + 0.841621) * 0.1 / 0.01) ** 2) == 619


def test_ends() -> None:
    assert queries_needed(0, 0.1) == math.inf
    assert queries_needed(math.nan, 0.1) == math.inf
    assert queries_needed(1e-200, 0.1) == math.inf
    assert queries_needed(0.01, 0) == 2
    assert queries_needed(0, 0) == math.inf


@given(
    st.floats(0.001, 0.2),
    st.floats(0.05, 1),
    st.floats(0.8, 0.99),
    st.floats(0.6, 0.95),
    st.sampled_from([1, -1]),
)
def test_the_number_reaches_the_power_and_one_less_does_not(
    gap: float, deviation: float, confidence: float, power: float, sign: int
) -> None:
    n = queries_needed(sign * gap, deviation, confidence, power)
    assert decision_power(n, sign * gap, deviation, confidence) >= power - 1e-9
    if n > 2:
        # The chance of deciding in the wrong direction is not planned with.
        reach = gap * math.sqrt(n - 1) / deviation
        wrong = NORMAL.cdf(-reach - NORMAL.inv_cdf(confidence))
        assert decision_power(n - 1, sign * gap, deviation, confidence) <= power + wrong + 1e-9


@pytest.mark.parametrize("true", [0.01, -0.045])
def test_as_many_queries_decide_as_often_as_planned(true: float) -> None:
    margin, trials = 0.02, 250
    pool = np.random.default_rng(0).beta(3, 1.5, 1_000_000)
    system = pool * (1 + true) + np.random.default_rng(1).normal(0, 0.1, len(pool))
    deviation = float(np.std((system - (1 + true) * pool) / pool.mean()))
    n = int(queries_needed(true + margin, deviation))
    rng, decided = np.random.default_rng(2), 0
    for trial in range(trials):
        picked = rng.integers(0, len(pool), n)
        got = noninferiority(system[picked], pool[picked], margin, samples=399, seed=trial)
        decided += (got.p_noninferior if true > -margin else got.p_inferior) <= 0.05
    # 250 trials of .8 have standard error .025.
    assert 0.72 < decided / trials < 0.88
