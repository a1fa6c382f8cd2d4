"""Formulas on paper mean what they mean in numbers."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.insight.formula import Formula, Value, ceiling, choose, divide, write

NUMBERS = {"a": 3.0, "b": 7.0, "c": 0.5}
NODES = st.recursive(
    st.sampled_from(["a", "b", "c", 2.0]),
    lambda inner: st.tuples(st.sampled_from(["+", "-", "*", "/"]), inner, inner),
    max_leaves=8,
)


def build(node: object, names: dict[str, Value]) -> Value:
    """The value of an expression tree over numbers or formulas."""
    if not isinstance(node, tuple):
        return names[node] if isinstance(node, str) else node
    sign, left, right = node[0], build(node[1], names), build(node[2], names)
    return {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
    }[sign]()


@given(NODES)
def test_brackets_stand_where_they_are_needed(node: object) -> None:
    names = {name: Formula(name) for name in NUMBERS}
    # A number on the left of a formula: the model has 1 - a and numbers over formulas alone.
    try:
        value = build(node, NUMBERS)
        text = write(build(node, names), 3)
    except (ZeroDivisionError, TypeError):
        return
    assert eval(text, {}, NUMBERS) == pytest.approx(value, rel=1e-9, abs=1e-9)  # noqa: S307


def test_functions_on_paper() -> None:
    a, b = Formula("a"), Formula("b")
    assert ceiling(a / (a * b)).text == "ROUNDUP(a/(a*b)-1E-09,0)"
    assert choose(a**b < a + b, a + 1, 0).text == "IF(a^b<a+b,a+1,0)"
    assert divide(a - b, a).text == 'IF(a>0,(a-b)/a,"∞")'
    assert (a - (b - a)).text == "a-(b-a)"
    assert (1 - a).text == "1-a"
    assert (30.5 / (a + b)).text == "30.5/(a+b)"
    assert not re.search(r"\(\(", ((a + b) * (a - b)).text)


def test_functions_on_numbers_and_arrays() -> None:
    np.testing.assert_array_equal(ceiling(np.array([2.0, 2.1, 3 + 1e-12])), [2, 3, 3])
    np.testing.assert_array_equal(
        divide(np.array([6.0, 6.0, 6.0]), np.array([3.0, 0.0, -1.0])), [2, np.inf, np.inf]
    )
    np.testing.assert_array_equal(choose(np.array([1.0, 3.0]) < 2, 10, 20), [10, 20])
