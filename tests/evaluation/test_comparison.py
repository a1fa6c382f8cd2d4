"""Systems against the first, on the queries that both answered."""

from itertools import product
from statistics import mean

import numpy as np
import pytest

from gradus.errors import EvaluationError
from gradus.evaluation.comparison import compare
from gradus.evaluation.results import CellResult, Evaluation
from gradus.evaluation.runs import Run

NAN = float("nan")


def system(name: str, **cells: dict[str, float]) -> Evaluation:
    """A system by its values of one metric: cell → query → value."""
    return Evaluation(
        name,
        {
            cell: CellResult(9, list(values), {"MRR": np.array(list(values.values()))}, Run(name, [], [], []))
            for cell, values in cells.items()
        },
    )


A = {"q1": 0.5, "q2": 0.25, "q3": 1.0, "q4": 0.0}
B = {"q4": 0.5, "q3": 1.0, "q1": 1.0, "q9": 1.0}


def exact_p(differences: list[float]) -> float:
    """Share of all sign patterns with a mean at least as far from 0."""
    observed = abs(sum(differences))
    patterns = list(product((1, -1), repeat=len(differences)))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in patterns]
    return sum(value >= observed - 1e-12 for value in sums) / len(patterns)


def test_queries_are_matched_by_id_and_not_by_place() -> None:
    (row,) = compare([system("base", cell=A), system("new", cell=B)], ["MRR"])
    assert (row.cell, row.metric, row.baseline, row.system, row.queries) == ("cell", "MRR", "base", "new", 3)
    assert row.baseline_mean == pytest.approx(mean([0.5, 1.0, 0.0]))
    assert row.system_mean == pytest.approx(mean([1.0, 1.0, 0.5]))
    assert row.difference == pytest.approx(row.system_mean - row.baseline_mean)
    assert row.low <= row.difference <= row.high
    assert row.p_value == pytest.approx(exact_p([0.5, 0.0, 0.5]))


def test_undefined_queries_are_left_out_of_both_means() -> None:
    one, other = {"q1": 0.5, "q2": NAN, "q3": 0.25}, {"q1": 1.0, "q2": 1.0, "q3": NAN}
    (row,) = compare([system("base", cell=one), system("new", cell=other)], ["MRR"])
    assert (row.queries, row.baseline_mean, row.system_mean, row.difference) == (1, 0.5, 1.0, 0.5)


def test_a_cell_without_any_defined_value_is_left_out() -> None:
    base, new = system("base", cell=A, empty={"q1": NAN}), system("new", cell=B, empty={"q1": 1.0})
    assert [row.cell for row in compare([base, new], ["MRR"])] == ["cell"]


def test_each_further_system_meets_the_first_in_every_common_cell() -> None:
    systems = [system("base", one=A, two=A), system("x", one=B, three=B), system("y", one=B, two=B)]
    rows = compare(systems, ["MRR"])
    assert [(row.system, row.cell) for row in rows] == [("x", "one"), ("y", "one"), ("y", "two")]
    assert {row.baseline for row in rows} == {"base"}


def test_p_values_are_corrected_over_all_rows() -> None:
    values = {f"q{n}": 0.0 for n in range(8)}
    better = {f"q{n}": 0.1 + n for n in range(8)}
    alone = compare([system("base", one=values), system("new", one=better)], ["MRR"])[0]
    assert alone.p_value == pytest.approx(2 / 2**8)
    rows = compare([system("base", one=values, two=values), system("new", one=better, two=values)], ["MRR"])
    assert rows[0].p_value == pytest.approx(2 * alone.p_value)  # Holm: the smallest of two counts twice
    assert rows[1].p_value == 1


def test_a_system_does_not_differ_from_itself() -> None:
    (row,) = compare([system("base", cell=A), system("same", cell=A)], ["MRR"])
    assert (row.difference, row.p_value) == (0, 1)


@pytest.mark.parametrize(
    ("systems", "metrics", "said"),
    [
        ([system("base", cell=A)], ["MRR"], "two evaluated models"),
        ([system("base", one=A), system("new", two=A)], ["MRR"], "in common"),
        ([system("base", one=A), system("new", one={"q8": 1.0})], ["MRR"], "in common"),
        ([system("base", one=A), system("new", one=B)], ["nDCG@10"], "in common"),
        ([system("base", one={"q1": NAN}), system("new", one=A)], ["MRR"], "in common"),
    ],
)
def test_without_anything_in_common_the_remedy_is_said(
    systems: list[Evaluation], metrics: list[str], said: str
) -> None:
    with pytest.raises(EvaluationError, match=said):
        compare(systems, metrics)


def test_uncorrected_p_values_and_effects_stand_beside_the_corrected_ones() -> None:
    systems = [system("base", one=A, two=A), system("new", one=B, two=B)]
    for row in compare(systems, ["MRR"]):
        assert row.p_uncorrected == pytest.approx(exact_p([0.5, 0.0, 0.5]))
        assert row.p_value == pytest.approx(min(1.0, 2 * row.p_uncorrected))
        assert (row.effect.wins, row.effect.ties, row.effect.losses) == (2, 1, 0)
        assert row.effect.relative == pytest.approx((2.5 / 3) / 0.5 - 1)
