"""Holm's correction."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import EvaluationError
from gradus.evaluation.holm import holm


def test_holm_by_hand() -> None:
    # Ascending .01 .02 .03 .5: times 4, 3, 2, 1 gives .04 .06 .06 .5.
    np.testing.assert_allclose(holm([0.03, 0.01, 0.5, 0.02]), [0.06, 0.04, 0.5, 0.06])
    # The second, 2 · .02, must not fall below the first, 3 · .015.
    np.testing.assert_allclose(holm([0.015, 0.02, 0.9]), [0.045, 0.045, 0.9])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1.0, 1.0])
    assert holm([]).shape == (0,)


def test_holm_passes_over_tests_not_made() -> None:
    np.testing.assert_allclose(holm([0.02, math.nan, 0.5]), [0.04, math.nan, 0.5])


def test_holm_refuses_what_is_no_p_value() -> None:
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        holm([0.5, 1.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_decides_like_its_step_down_procedure(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for alpha in (0.01, 0.05, 0.3):
        rejected: set[int] = set()
        for step, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            if (len(p_values) - step) * p_values[i] > alpha:
                break
            rejected.add(i)
        assert set(np.flatnonzero(corrected <= alpha)) == rejected
