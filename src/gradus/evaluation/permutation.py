"""Paired comparison of two systems over the same queries."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import bootstrap_interval
from gradus.evaluation.paired import FloatArray, paired_values

# Signs held at once; bounds memory whatever the number of queries.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class PairedResult:
    """How two systems differ over the queries where both are defined.

    Attributes:
        difference: Mean of a − b.
        low: Lower end of the bootstrap interval of the difference (95 %).
        high: Upper end of that interval.
        p_value: Two-sided; small where a difference this large is unlikely if the systems were
            exchangeable. NaN without queries.
        n: Number of queries compared.
    """

    difference: float
    low: float
    high: float
    p_value: float
    n: int


def paired_permutation(
    a: npt.ArrayLike, b: npt.ArrayLike, samples: int = 10_000, seed: int = 0
) -> PairedResult:
    """Paired sign-flip permutation test of a difference of means (Fisher 1935; Smucker et al., CIKM 2007).

    If the two systems were exchangeable, each query's difference would be as likely with the other sign.
    The p-value is the share of sign patterns whose mean difference is at least as far from 0 as the one
    observed. All 2ⁿ patterns are counted where they are no more than `samples`, which is exact; otherwise
    `samples` random ones are, and the observed pattern is counted with them:
    p = (1 + hits) / (1 + samples), which keeps the test valid (Phipson and Smyth 2010).

    Args:
        a: (n_queries,) metric values of the first system; queries with NaN in either are left out.
        b: (n_queries,) values of the second system, same queries in the same order.
        samples: Number of sign patterns to draw.
        seed: Seed of the draws, and of the interval's.

    Raises:
        EvaluationError: The two are not vectors of one length, or `samples` is out of range.
    """
    if samples < 1:
        raise EvaluationError(f"samples must be at least 1, but is {samples}")
    first, second = paired_values(a, b)
    differences = first - second
    interval = bootstrap_interval(differences, seed=seed)
    if interval.n == 0:
        p_value = np.nan
    elif 2**interval.n <= samples:
        p_value = _hits(differences, _all_patterns(interval.n)) / 2**interval.n
    else:
        p_value = (1 + _hits(differences, _random_patterns(interval.n, samples, seed))) / (1 + samples)
    return PairedResult(interval.mean, interval.low, interval.high, float(p_value), interval.n)


def _hits(differences: FloatArray, blocks: Iterator[FloatArray]) -> int:
    """Count the sign patterns, given as 1 where a query is flipped, that are as extreme as no flip at all."""
    observed = differences.sum()
    # Equal sums, added up in another order, differ by rounding; they count as equal.
    bound = abs(observed) - 1e-12 * np.abs(differences).sum()
    return sum(int((np.abs(observed - 2.0 * (flips @ differences)) >= bound).sum()) for flips in blocks)


def _all_patterns(n: int) -> Iterator[FloatArray]:
    step = max(1, _BLOCK // n)
    for start in range(0, 2**n, step):
        patterns = np.arange(start, min(start + step, 2**n))
        yield ((patterns[:, None] >> np.arange(n)) & 1).astype(np.float64)


def _random_patterns(n: int, samples: int, seed: int) -> Iterator[FloatArray]:
    generator = np.random.default_rng(seed)
    step = max(1, _BLOCK // n)
    for start in range(0, samples, step):
        count = min(step, samples - start)
        bits = np.frombuffer(generator.bytes(count * ((n + 7) // 8)), dtype=np.uint8).reshape(count, -1)
        yield np.unpackbits(bits, axis=1, count=n).astype(np.float64)
