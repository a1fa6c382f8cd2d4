import pytest

from gradus.errors import JudgmentsError
from gradus.judgments.grades.read import read_grades
from gradus.settings import from_mapping


def _read(tmp_path, text, name="grades.csv", **grades):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_grades(from_mapping({"grades": {"path": name, **grades}}, tmp_path))


def _given(grades):
    """(query, document, rater) → level as written."""
    return {
        (
            grades.queries[grades.query[pair]],
            grades.documents[grades.document[pair]],
            grades.raters[rater],
        ): grades.levels[level]
        for pair, rater, level in zip(grades.pair, grades.rater, grades.level, strict=True)
    }


LONG = "query,doc_id,grade,rater\n"


def test_a_row_per_grade(tmp_path):
    text = LONG + "bolt,d1,4,ann\n ｂｏｌｔ ,d1,2,bo\nbolt,d2,,ann\nnut,d2,1,\n"
    grades = _read(tmp_path, text)
    assert _given(grades) == {
        ("bolt", "d1", "ann"): "4", ("bolt", "d1", "bo"): "2", ("nut", "d2", "rater"): "1",
    }  # fmt: skip
    assert list(grades.values) == [0, (2 - 1) / (4 - 1), 1]
    assert grades.dense().tolist() == [[2, 1, -1], [-1, -1, 0]]


def test_a_column_per_rater_gives_the_same(tmp_path):
    grades = _read(tmp_path, "query,doc_id,ann,bo\nbolt,d1,4,2\nnut,d2,,1\n", raters=["ann", "bo"])
    assert _given(grades) == {
        ("bolt", "d1", "ann"): "4", ("bolt", "d1", "bo"): "2", ("nut", "d2", "bo"): "1",
    }  # fmt: skip


def test_without_a_column_of_raters_there_is_one(tmp_path):
    grades = _read(tmp_path, "query,doc_id,grade\nbolt,d1,0\nnut,d1,3\n")
    assert grades.raters == ["rater"]
    assert list(grades.per_pair) == [1, 1]


def test_words_lie_evenly_and_numbers_by_their_value(tmp_path):
    words = _read(tmp_path, LONG + "bolt,d1,ok,ann\nbolt,d2,good,ann\n", scale=["bad", "ok", "good", "best"])
    assert list(words.values) == [0, 1 / 3, 2 / 3, 1]
    assert list(words.level) == [1, 2]
    numbers = _read(tmp_path, LONG + "bolt,d1,2.0,ann\nbolt,d2,5,ann\n", scale=["0", "2", "5", "10"])
    assert list(numbers.values) == [0, 0.2, 0.5, 1]
    assert list(numbers.level) == [1, 2]
    school = _read(tmp_path, LONG + "bolt,d1,1,ann\nbolt,d2,4,ann\n", scale=["6", "5", "4", "3", "2", "1"])
    assert list(school.values[school.level]) == [1, 2 / 5]


def test_a_repeated_grade_counts_once_and_two_different_are_refused(tmp_path):
    row = "bolt,d1,4,ann\nbolt,d2,1,ann\n"
    assert len(_read(tmp_path, LONG + row + row)) == 2
    with pytest.raises(
        JudgmentsError,
        match=r"row 1 and row 3: rater 'ann' grades query 'bolt', document 'd1' both 4 and 1; keep one",
    ):
        _read(tmp_path, LONG + row + "bolt,d1,1,ann\n")


@pytest.mark.parametrize(
    ("text", "grades", "message"),
    [
        ("query,doc_id,grad\nbolt,d1,1\n", {}, r"no column 'grade' \(grades\.grade.*did you mean 'grad'"),
        ("query,doc_id,a,b\nbolt,d1,1,2\n", {}, r"no column 'grade'.*it has query, doc_id, a, b; .*grades\.raters"),
        ("query,doc_id,a\nbolt,d1,1\n", {"raters": ["a", "b"]}, r"no column 'b' \(grades\.raters"),
        ("query,doc_id,a\nbolt,d1,1\n", {"scale": ["bad", "good"]}, r"no column 'grade' \(grades\.grade"),
        (LONG + "bolt,d1,good,ann\n", {}, r"row 1, .*'good' is not a finite.*worst to best in grades\.scale"),
        (LONG + "b,d1,0,a\nb,d2,7,a\n", {"scale": ["0", "1"]}, r"row 2, column 'grade': '7' is not on the .* 0, 1;"),
        (LONG + "b,d1,bad,a\nb,d2,god,a\n", {"scale": ["bad", "good"]}, r"row 2, .*'god' is not on the scale"),
        (LONG + "b,d1,3,a\nb,d2,3,a\n", {}, r"all grades are 3; list the whole scale in grades\.scale"),
        (LONG + "b,d1,3,a\n", {"scale": ["3"]}, r"all grades are 3; list the whole scale"),
        (LONG + "b,d1,ok,a\n", {"scale": ["ok"]}, r"grades\.scale needs two grades or more"),
        (LONG + "b,d1,3,a\n", {"scale": ["1", "3", "2"]}, r"worst to best without repeats"),
        (LONG + "b,d1,ok,a\n", {"scale": ["ok", "good", "ok"]}, r"worst to best without repeats"),
        (LONG + "b,d1,,a\n", {}, r"holds no grades in grade"),
        (LONG + ",d1,1,a\n", {}, r"row 1, column 'query' is empty"),
        (LONG + "".join(f"b,d{i},{i / 7},a\n" for i in range(102)), {}, r"102 different grades; round them"),
    ],
)  # fmt: skip
def test_faults_name_row_column_and_remedy(tmp_path, text, grades, message):
    with pytest.raises(JudgmentsError, match=message):
        _read(tmp_path, text, **grades)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(JudgmentsError, match=r"no file .*nowhere\.csv \(grades\.path in gradus\.toml\)"):
        read_grades(from_mapping({"grades": {"path": "nowhere.csv"}}, tmp_path))
