"""The values of two systems over the same queries, where both are defined."""

import numpy as np
import numpy.typing as npt

from gradus.errors import EvaluationError

FloatArray = npt.NDArray[np.float64]


def paired_values(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Two vectors over the same queries, without those queries where either is NaN.

    Args:
        a: (n_queries,) metric values of the first system.
        b: (n_queries,) values of the second system, same queries in the same order.

    Raises:
        EvaluationError: The two are not vectors of one length.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise EvaluationError(
            f"a paired comparison needs two vectors over the same queries, but they have shapes "
            f"{first.shape} and {second.shape}"
        )
    both = ~(np.isnan(first) | np.isnan(second))
    return first[both], second[both]
