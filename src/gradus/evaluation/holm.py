"""Holm's correction for several tests."""

import numpy as np
import numpy.typing as npt

from gradus.errors import EvaluationError


def holm(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Holm's step-down correction for several tests (Holm 1979).

    With m tests in ascending order of p, the i-th becomes max over j ≤ i of (m − j + 1) p_j, at most 1. A
    corrected value below α rejects with the chance of any false rejection at most α, however the tests
    depend on each other.

    Args:
        p_values: (n_tests,) p-values; NaN marks a test that could not be made: it stays NaN and is not
            counted among the m.

    Returns:
        (n_tests,) corrected p-values, in the order given.

    Raises:
        EvaluationError: A value is outside [0, 1].
    """
    raw = np.asarray(p_values, dtype=np.float64)
    if ((raw < 0) | (raw > 1)).any():
        raise EvaluationError("p-values lie between 0 and 1")
    made = np.flatnonzero(~np.isnan(raw))
    order = made[np.argsort(raw[made], kind="stable")]
    corrected = np.full(raw.shape, np.nan)
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(factors * raw[order]))
    return corrected
