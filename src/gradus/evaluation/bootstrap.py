"""Bootstrap intervals of a mean over queries, and the resamples that other statistics are made from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradus.errors import EvaluationError

# Resampled values held at once; bounds memory to a few tens of megabytes whatever the number of queries.
_BLOCK = 1 << 20
# Counts are summed at random places: a block that fits into a processor's cache is several times faster.
_COUNTS_BLOCK = 1 << 16


@dataclass(frozen=True)
class Interval:
    """A mean over queries with its confidence interval.

    Attributes:
        mean: Mean over the queries where the metric is defined; NaN where there are none.
        low: Lower end of the interval; NaN with fewer than two queries, which say nothing of spread.
        high: Upper end of the interval; likewise.
        n: Number of queries where the metric is defined.
    """

    mean: float
    low: float
    high: float
    n: int


def bootstrap_interval(
    values: npt.ArrayLike, confidence: float = 0.95, samples: int = 2000, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of the mean (Efron and Tibshirani, An Introduction to the Bootstrap, 13.3).

    The queries are drawn with replacement `samples` times; the interval spans the middle `confidence` of
    the resampled means. It speaks of other queries of the same kind, not of other training seeds.

    Args:
        values: (n_queries,) metric values; NaN marks queries where the metric is undefined, left out.
        confidence: Share of resampled means inside the interval, between 0 and 1.
        samples: Number of resamples.
        seed: Seed of the draws; the same values and seed give the same interval.

    Raises:
        EvaluationError: `values` is not a vector, or `confidence` or `samples` is out of range.
    """
    if not 0 < confidence < 1:
        raise EvaluationError(f"confidence must be between 0 and 1, but is {confidence}")
    if samples < 1:
        raise EvaluationError(f"samples must be at least 1, but is {samples}")
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise EvaluationError(f"values must be a vector, one per query, but have shape {array.shape}")
    defined = array[~np.isnan(array)]
    n = len(defined)
    if n < 2:
        return Interval(float(defined[0]) if n else np.nan, np.nan, np.nan, n)
    generator = np.random.default_rng(seed)
    means = np.empty(samples)
    step = max(1, _BLOCK // n)
    for start in range(0, samples, step):
        stop = min(start + step, samples)
        means[start:stop] = defined[generator.integers(0, n, size=(stop - start, n))].mean(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Interval(float(defined.mean()), float(low), float(high), n)


def resample_counts(n: int, samples: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """How often each of n queries is drawn in each bootstrap resample, a block of resamples at a time.

    A resampled mean of values x is counts @ x / n, of several columns at once or of anything that is made of
    weighted sums, and the same seed draws the same queries.

    Args:
        n: Number of queries, at least 1.
        samples: Number of resamples.
        seed: Seed of the draws.

    Yields:
        (block, n) counts, whose rows sum to n; the blocks have `samples` rows together.

    Raises:
        EvaluationError: `samples` is out of range.
    """
    if samples < 1:
        raise EvaluationError(f"samples must be at least 1, but is {samples}")
    generator = np.random.default_rng(seed)
    step = max(1, _COUNTS_BLOCK // n)
    for start in range(0, samples, step):
        rows = min(step, samples - start)
        drawn = generator.integers(0, n, size=(rows, n)) + np.arange(0, rows * n, n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
