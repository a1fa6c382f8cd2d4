import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.judgments import Judgments
from gradus.judgments.qrels import read_qrels, write_qrels
from gradus.judgments.read import read_judgments
from gradus.settings import from_mapping

QUERIES = Table(["301", "302", "303"], (Field("text"),), {"text": ["bolt", "nut", "gear"]})
DOCUMENTS = Table(["FT-1", "FT-2"], (), {})


def _write(tmp_path, text, name="test.qrels"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_grades_become_scores_and_negative_ones_zero(tmp_path):
    path = _write(tmp_path, "301 0 FT-1 3\n303\tQ0  FT-2\t1\n301 0 FT-2 -2\n\n")
    judgments = read_qrels(path, QUERIES, DOCUMENTS, scale=3).judgments
    assert judgments.queries.ids == ["301", "303"]  # 302 is not judged
    assert list(judgments.query) == [0, 1, 0]
    assert list(judgments.document) == [0, 1, 1]
    assert list(judgments.score) == [3 / 3, 1 / 3, 0]
    assert set(judgments.source) == {"test"}


@pytest.mark.parametrize("name", ["test.qrels", "test.txt"])
def test_through_the_settings(tmp_path, name):
    _write(tmp_path, "301 0 FT-1 2\n", name)
    _write(tmp_path, "qid,text\n301,bolt\n", "queries.csv")
    sections = {
        "judgments": {"path": name, "scale": 2},
        "query": {"path": "queries.csv", "id": "qid", "fields": {"text": {"type": "text"}}},
    }
    judgments = read_judgments(from_mapping(sections, tmp_path), DOCUMENTS)
    assert judgments.queries.columns["text"] == ["bolt"]
    assert list(judgments.score) == [1]
    del sections["query"]
    with pytest.raises(JudgmentsError, match=r"holds no query texts; name the queries' file in query\.path"):
        read_judgments(from_mapping(sections, tmp_path), DOCUMENTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"test\.qrels holds no judgments"),
        ("301 0 FT-1 1\n301 FT-2 1\n", r"row 2: '301 FT-2 1' is no qrels line"),
        ("301 0 FT-1 1\n\n301 0 FT-2 1\n", "row 2: '' is no qrels line"),
        ("301 0 FT-1 high\n", "row 1: '301 0 FT-1 high' is no qrels line"),
        ("301 0 FT-1 nan\n", "row 1: the score is missing or not a finite number"),
        ("301 0 FT-1 1\n301 0 FT-2 3\n", r"row 2: the score 3 .*judgments\.scale = 3"),
        ("301 0 FT-1 1\n999 0 FT-1 1\n", "row 2: 1 query id not in the queries file: '999'"),
        ("301 0 FT-9 1\n", "row 1: 1 document id not in the catalogue: 'FT-9'"),
        ("301 0 FT-1 1\n301 0 FT-1 0\n", "row 1 and .*row 2 judge the same pair differently"),
    ],
)
def test_faults_name_the_row(tmp_path, text, message):
    with pytest.raises(JudgmentsError, match=message):
        read_qrels(_write(tmp_path, text), QUERIES, DOCUMENTS)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "test.qrels").write_bytes(b"301 0 FT-\xff 1\n")
    with pytest.raises(JudgmentsError, match="is not UTF-8"):
        read_qrels(tmp_path / "test.qrels", QUERIES, DOCUMENTS)


@given(st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 1)), st.integers(0, 4), min_size=1))
def test_writing_and_reading_gives_the_same(tmp_path_factory, grades):
    query, document = (np.array([pair[side] for pair in grades], np.int64) for side in (0, 1))
    score = np.array(list(grades.values())) / 4
    judgments = Judgments(
        QUERIES, DOCUMENTS, query, document, score, score, score, np.full(len(score), "x", object)
    )
    path = tmp_path_factory.mktemp("qrels") / "out.qrels"
    write_qrels(path, judgments, scale=4)
    back = read_qrels(path, QUERIES, DOCUMENTS, scale=4).judgments
    found = {
        (back.queries.ids[q], DOCUMENTS.ids[d]): s
        for q, d, s in zip(back.query, back.document, back.score, strict=True)
    }
    assert found == {(QUERIES.ids[q], DOCUMENTS.ids[d]): grade / 4 for (q, d), grade in grades.items()}


def test_ids_with_spaces_cannot_be_written(tmp_path):
    spaced = Table(["FT 1"], (), {})
    one, row = np.ones(1), np.zeros(1, np.int64)
    judgments = Judgments(QUERIES, spaced, row, row, one, one, one, np.array(["x"], object))
    with pytest.raises(JudgmentsError, match="'FT 1' holds whitespace"):
        write_qrels(tmp_path / "out.qrels", judgments, 3)
    assert list(tmp_path.iterdir()) == []
