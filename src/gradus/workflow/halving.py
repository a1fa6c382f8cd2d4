"""Successive halving: every candidate gets a little time, the best of them more, few of them all of it.

Jamieson and Talwalkar, Non-stochastic Best Arm Identification (AISTATS 2016, arXiv 1502.07943). With n candidates
and a factor η all rounds cost about the same: r of them together about r n/η^(r−1) budgets of the last round, where
trying everything would cost n.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")


@dataclass(frozen=True)
class Round(Generic[C]):
    """One round.

    Attributes:
        budget: What each candidate of it was given.
        ranking: The candidates with their values, best first; among equals, and among those without a value, in
            the order in which they were given.
    """

    budget: float
    ranking: tuple[tuple[C, float | None], ...]


def plan(candidates: int, most: float, factor: int) -> list[tuple[int, float]]:
    """How many candidates each round has, and the budget of each of them.

    The last round is the first one that needs no further choice than its own: it has at most `factor` candidates.

    Args:
        candidates: How many there are, at least 1.
        most: The budget of a candidate of the last round.
        factor: One in `factor` candidates, rounded up, goes on, with `factor` times the budget; at least 2.
    """
    sizes = [candidates]
    while sizes[-1] > factor:
        sizes.append(-(-sizes[-1] // factor))
    last = len(sizes) - 1
    return [(size, most / factor ** (last - place)) for place, size in enumerate(sizes)]


def halve(
    candidates: Sequence[C], most: float, factor: int, measure: Callable[[C, float], float | None]
) -> list[Round[C]]:
    """Run the rounds.

    Args:
        candidates: In the order that decides between equals.
        most: The budget of a candidate of the last round.
        factor: As for `plan`.
        measure: A candidate and its budget → its value, higher is better; `None` where it has none, which ends it.

    Returns:
        The rounds, first to last; fewer than planned where no candidate is left.
    """
    rounds: list[Round[C]] = []
    left = list(candidates)
    for size, budget in plan(len(left), most, factor):
        left = left[:size]
        if not left:
            break
        measured = [(candidate, measure(candidate, budget)) for candidate in left]
        ranking = sorted(
            measured, key=lambda pair: -float("inf") if pair[1] is None else pair[1], reverse=True
        )
        rounds.append(Round(budget, tuple(ranking)))
        left = [candidate for candidate, value in ranking if value is not None]
    return rounds
