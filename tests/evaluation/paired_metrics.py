"""Per-query values of two pipelines, of shapes that metrics take, with a true relative difference that is known."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
"""Values of the system and of the reference."""


def reference(n: int, rng: np.random.Generator) -> Floats:
    """Like nDCG@10: a tenth of the queries find nothing, a seventh are perfect."""
    values = rng.beta(2, 1.2, n)
    values[rng.random(n) < 0.1] = 0
    values[rng.random(n) < 0.15] = 1
    return values


def ties(n: int, rng: np.random.Generator) -> Pair:
    """Half of the queries are left as they are, the others change a little."""
    r = reference(n, rng)
    change = np.where(rng.random(n) < 0.5, 0, rng.normal(0, 0.1, n))
    return np.clip(r + change, 0, 1), r


def rare_losses(n: int, rng: np.random.Generator) -> Pair:
    """Three queries in a hundred lose most of what they had."""
    r = reference(n, rng)
    return np.where(rng.random(n) < 0.03, 0.2 * r, r), r


def mixed_losses(n: int, rng: np.random.Generator) -> Pair:
    """One query in twenty loses much, one in five gains a little."""
    r, kind = reference(n, rng), rng.random(n)
    return np.where(kind < 0.05, 0.3 * r, np.where(kind < 0.25, np.minimum(r + 0.05, 1), r)), r


def unrelated(n: int, rng: np.random.Generator) -> Pair:
    """The two pipelines have nothing to do with each other."""
    values = rng.beta(2, 1.2, n)
    values[rng.random(n) < 0.1] = 0
    return values, reference(n, rng)


def reciprocal_ranks(n: int, rng: np.random.Generator) -> Pair:
    """Reciprocal ranks, of which a fifth are drawn anew."""
    values, chances = 1 / np.array([1, 2, 3, 4, 5, np.inf]), [0.5, 0.2, 0.1, 0.05, 0.05, 0.1]
    first, second = (rng.choice(6, n, p=chances) for _ in range(2))
    return values[np.where(rng.random(n) < 0.8, first, second)], values[first]


SHAPES: dict[str, Callable[[int, np.random.Generator], Pair]] = {
    "ties": ties,
    "rare losses": rare_losses,
    "mixed losses": mixed_losses,
    "unrelated": unrelated,
    "reciprocal ranks": reciprocal_ranks,
}


def true_difference(name: str) -> float:
    """mean(system) / mean(reference) − 1 of a shape, from two million queries."""
    system, values = SHAPES[name](2_000_000, np.random.default_rng(99))
    return float(system.mean() / values.mean() - 1)
