import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import JudgmentsError
from gradus.judgments.business import ranks, read_business, shifted
from gradus.settings import from_mapping

unit = st.floats(0, 1)


def _read(tmp_path, text, **business):
    (tmp_path / "business.csv").write_text(text, encoding="utf-8")
    return read_business(from_mapping({"business": {"path": "business.csv", **business}}, tmp_path))


def test_the_weighted_mean_of_ranks(tmp_path):
    text = "doc_id,margin,age\na,10,400\nb,30,\nc,20,100\nd,20,200\n"
    business = _read(tmp_path, text, columns={"margin": 3, "age": -1})
    # margin: 10 < 20 = 20 < 30 → 0, ½, ½, 1; age, less is better: 400 > 200 > 100 → 0, ½, 1, and ½ without one.
    expected = [(3 * 0 + 0) / 4, (3 * 1 + 0.5) / 4, (3 * 0.5 + 1) / 4, (3 * 0.5 + 0.5) / 4]
    np.testing.assert_allclose(business.of(["q"] * 4, list("abcd")), expected)
    assert list(business.of(["q", "q"], ["elsewhere", "b"])) == [0.5, expected[1]]
    with pytest.raises(
        JudgmentsError, match=r"knows none of the judged documents.*'a'.*'elsewhere'; check business"
    ):
        business.of(["q"], ["elsewhere"])
    assert business.constant == ()


def test_a_column_of_equal_numbers_says_so_and_moves_nothing(tmp_path):
    business = _read(tmp_path, "doc_id,stock,new\na,5,1\nb,5,2\n", columns={"stock": 1, "new": 1})
    assert business.constant == ("stock",)
    np.testing.assert_allclose(business.of(["q", "q"], ["a", "b"]), [0.25, 0.75])


def test_scores_for_one_query(tmp_path):
    business = _read(tmp_path, "query,doc_id,boost\nbolt,a,1\nbolt,b,2\n ｎｕｔ,a,3\n", columns={"boost": 1})
    np.testing.assert_allclose(
        business.of(["bolt", "bolt", "nut", "nut"], ["a", "b", "a", "b"]), [0, 0.5, 1, 0.5]
    )


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("doc_id,margin\na,1\n", {}, r"business\.columns names no column"),
        ("doc_id,margin\na,1\n", {"margin": 0}, r"business\.columns names no column"),
        ("doc_id,margin\na,1\n", {"margn": 1}, r"no column 'margn' \(business\.columns.*did you mean 'margin'"),
        ("doc_id,margin\na,1\nb,much\n", {"margin": 1}, r"row 2, column 'margin': 'much' is not a finite"),
        ("doc_id,margin\na,1\na,2\n", {"margin": 1}, r"row 2: document 'a' has a row above; keep one"),
        ("query,doc_id,m\nq,a,1\nq,a,2\n", {"m": 1}, r"row 2: document 'a' with query 'q' has a row above"),
        ("doc_id,margin\n,1\n", {"margin": 1}, r"row 1, column 'doc_id' is empty"),
    ],
)  # fmt: skip
def test_faults_are_named(tmp_path, text, columns, message):
    with pytest.raises(JudgmentsError, match=message):
        _read(tmp_path, text, columns=columns)


@given(st.lists(st.none() | st.integers(-3, 3), max_size=12))
def test_ranks_count_what_is_lower(numbers):
    known = [number for number in numbers if number is not None]
    expected = [
        0.5
        if number is None or len(set(known)) < 2
        else (sum(k < number for k in known) + (known.count(number) - 1) / 2) / (len(known) - 1)
        for number in numbers
    ]
    array = np.array([np.nan if number is None else number for number in numbers], float)
    np.testing.assert_allclose(ranks(array), expected)


@given(score=unit, b=unit, cap=unit)
def test_a_shift_is_bounded_and_towards_b(score, b, cap):
    moved = shifted(np.array([score]), np.array([b]), cap)[0] - score
    assert abs(moved) <= cap + 1e-9
    assert moved * (b - 0.5) >= -1e-12
    assert 0 <= score + moved <= 1


@given(scores=st.lists(unit, min_size=2, max_size=8), b=unit, cap=st.floats(0, 0.9))
def test_the_order_of_scores_stays(scores, b, cap):
    ordered = np.sort(np.array(scores))
    assert (np.diff(shifted(ordered, np.full(len(ordered), b), cap)) >= -1e-12).all()


def test_the_cap_is_reached_and_ends_stay():
    # Logit shift of 4 artanh(c): the largest move is from ½ - c/2 to ½ + c/2.
    assert shifted(np.array([0.5 - 0.3 / 2]), np.array([1.0]), 0.3)[0] == pytest.approx(0.5 + 0.3 / 2)
    assert shifted(np.array([0.5 + 0.3 / 2]), np.array([0.0]), 0.3)[0] == pytest.approx(0.5 - 0.3 / 2)
    np.testing.assert_array_equal(shifted(np.array([0.0, 1.0]), np.array([1.0, 0.0]), 0.3), [0, 1])
    np.testing.assert_allclose(shifted(np.array([0.2, 0.7]), np.array([0.5, 0.5]), 0.3), [0.2, 0.7])
