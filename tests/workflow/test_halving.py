"""Successive halving on made-up objective functions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.workflow.halving import halve, plan


@pytest.mark.parametrize(
    ("candidates", "factor", "expected"),
    [
        (1, 3, [(1, 9.0)]),
        (3, 3, [(3, 9.0)]),
        (4, 3, [(4, 3.0), (2, 9.0)]),
        (14, 3, [(14, 1.0), (5, 3.0), (2, 9.0)]),  # ceil(14 / 3) = 5, ceil(5 / 3) = 2
        (5, 2, [(5, 2.25), (3, 4.5), (2, 9.0)]),
    ],
)
def test_the_plan(candidates: int, factor: int, expected: list[tuple[int, float]]) -> None:
    assert plan(candidates, 9, factor) == expected


def test_the_best_go_on_and_budgets_grow() -> None:
    given_to: dict[int, list[float]] = {}

    def measure(candidate: int, budget: float) -> float:
        given_to.setdefault(candidate, []).append(budget)
        return -abs(candidate - 6)

    rounds = halve(range(10), 9, 3, measure)
    assert [[candidate for candidate, _ in each.ranking] for each in rounds] == [
        [6, 5, 7, 4, 8, 3, 9, 2, 1, 0],
        [6, 5, 7, 4],
        [6, 5],
    ]
    assert given_to[6] == [1, 3, 9]
    assert given_to[4] == [1, 3]
    assert given_to[9] == [1]


def test_what_counts_is_the_value_of_the_round_not_of_the_one_before() -> None:
    # The hare leads after 1 and 3 units, the tortoise at the end.
    def measure(candidate: str, budget: float) -> float:
        return {"hare": 1.0, "tortoise": budget / 5, "snail": 0.01, "stone": 0.0}[candidate]

    rounds = halve(["stone", "snail", "tortoise", "hare"], 9, 3, measure)
    assert [each.ranking[0][0] for each in rounds] == ["hare", "tortoise"]


def test_what_has_no_value_goes_no_further() -> None:
    def measure(candidate: int, budget: float) -> float | None:
        return None if candidate > 0 and budget < 9 else float(candidate)

    rounds = halve(range(5), 9, 3, measure)
    assert [each.ranking for each in rounds] == [
        ((0, 0.0), (1, None), (2, None), (3, None), (4, None)),
        ((0, 0.0),),
    ]
    nothing = halve(range(5), 9, 3, lambda candidate, budget: None)
    assert [len(each.ranking) for each in nothing] == [5]


def test_among_equals_the_first_goes_on() -> None:
    rounds = halve("abcd", 9, 3, lambda candidate, budget: 0.5)
    assert [candidate for candidate, _ in rounds[-1].ranking] == ["a", "b"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(2, 5))
def test_without_noise_the_best_wins_and_no_round_costs_much_more_than_the_last(
    values: list[float], factor: int
) -> None:
    rounds = halve(range(len(values)), 1.0, factor, lambda candidate, budget: values[candidate])
    assert rounds[-1].ranking[0][1] == max(values)
    assert rounds[-1].budget == 1.0
    assert len(rounds[-1].ranking) <= factor
    assert len(rounds) <= 1 + math.ceil(math.log(len(values), factor))
    for each in rounds:
        # Rounding up adds at most one candidate to each of the rounds that follow.
        assert len(each.ranking) * each.budget <= factor * (1 + len(rounds))
