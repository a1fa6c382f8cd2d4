"""Reading and writing runs."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import EvaluationError
from gradus.evaluation.runs import Run, read_run, write_run

RUN = Run("gcl", ["ボルト", "nut"], [["d2", "d1", "d3"], ["d1"]], [[0.1 + 0.2, 0.25, 0.25], [-1e-30]])


@pytest.mark.parametrize("ending", ["parquet", "trec", "run", "txt"])
def test_round_trip(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"r.{ending}"
    write_run(RUN, path)
    assert read_run(path) == RUN


@st.composite
def runs(draw: st.DrawFn) -> Run:
    ids = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=4)
    queries = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    documents = [draw(st.lists(ids, min_size=1, max_size=5, unique=True)) for _ in queries]
    floats = st.floats(allow_nan=False, allow_infinity=False)
    scores = [sorted((draw(floats | st.just(0.5)) for _ in listed), reverse=True) for listed in documents]
    return Run(draw(ids), queries, documents, scores)


@given(runs(), st.sampled_from(["parquet", "trec"]))
def test_any_run_round_trips(tmp_path_factory: pytest.TempPathFactory, run: Run, ending: str) -> None:
    path = tmp_path_factory.mktemp("runs") / f"r.{ending}"
    write_run(run, path)
    assert read_run(path) == run


def test_trec_text_is_as_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "r.trec"
    write_run(Run("bm25", ["q1"], [["d7", "d2"]], [[2.5, 1.0]]), path)
    assert path.read_text() == "q1 Q0 d7 1 2.5 bm25\nq1 Q0 d2 2 1.0 bm25\n"


def test_order_is_by_score_then_rank_then_file(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text(
        "q Q0 low 1 0.1 t\n\nq Q0 second 3 0.5 t\nq\tQ0\tfirst 2 0.5 t\np Q0 only 9 1 t\nq Q0 third 3 5e-1 t\n"
    )
    run = read_run(path)
    assert run.query_ids == ["q", "p"]
    assert run.document_ids == [["first", "second", "third", "low"], ["only"]]
    assert run.scores == [[0.5, 0.5, 0.5, 0.1], [1.0]]
    assert run.name == "t"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q Q0 d 1 0.5 t\nq Q0 e 2 0.4\n", "line 2: 5 fields, but a TREC run line has 6"),
        ("q Q0 d one 0.5 t\n", "line 1: rank 'one' must be a whole number"),
        ("q Q0 d 1 high t\n", "line 1: .*score 'high' a number"),
        ("\n\nq Q0 d 1 nan t\n", "line 3: score nan is not a finite number"),
        ("q Q0 d 1 inf t\n", "line 1: score inf is not a finite number"),
        (
            "q Q0 d 1 2 t\np Q0 d 1 2 t\nq Q0 d 2 1 t\n",
            "line 3: document 'd' is returned twice for query 'q' .first in .*line 1",
        ),
        ("\n", "holds no results"),
    ],
)
def test_trec_errors_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.trec"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=message) as error:
        read_run(path)
    assert str(path) in str(error.value)


def test_trec_must_be_utf8(tmp_path: Path) -> None:
    path = tmp_path / "r.trec"
    path.write_bytes("q Q0 caf\xe9 1 1 t\n".encode("latin-1"))
    with pytest.raises(EvaluationError, match="not UTF-8"):
        read_run(path)


def parquet(path: Path, **columns: list) -> Path:
    table = {"query_id": ["q", "q"], "doc_id": ["a", "b"], "rank": [1, 2], "score": [2.0, 1.0], **columns}
    pq.write_table(pa.table({name: values for name, values in table.items() if values is not None}), path)
    return path


def test_parquet_of_others(tmp_path: Path) -> None:
    path = parquet(tmp_path / "other.parquet", query_id=[7, 7], note=["x", "y"], score=[1.0, 2.0])
    assert read_run(path) == Run("other", ["7"], [["b", "a"]], [[2.0, 1.0]])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"score": None, "sore": [1.0, 2.0]}, "column 'score' is missing.*this file has .*sore"),
        ({"score": [1.0, float("nan")]}, "row 2: score nan is not a finite number"),
        ({"score": ["high", "low"]}, "column 'score' does not hold double values"),
        ({"doc_id": ["a", None]}, "row 2: doc_id is empty"),
        ({"doc_id": ["a", "a"]}, "row 2: document 'a' is returned twice for query 'q'"),
        ({"rank": [1.5, 2.0]}, "column 'rank' does not hold int64 values"),
        ({"query_id": [], "doc_id": [], "rank": [], "score": []}, "holds no results|does not hold"),
    ],
)
def test_parquet_errors_name_the_row(tmp_path: Path, columns: dict, message: str) -> None:
    path = parquet(tmp_path / "r.parquet", **columns)
    with pytest.raises(EvaluationError, match=message) as error:
        read_run(path)
    assert str(path) in str(error.value)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no such run file"):
        read_run(tmp_path / "r.parquet")
    with pytest.raises(EvaluationError, match=r"ends in \.parquet or \.trec"):
        read_run(tmp_path / "r.csv")
    (tmp_path / "r.parquet").write_text("not parquet")
    with pytest.raises(EvaluationError, match="not a readable Parquet file"):
        read_run(tmp_path / "r.parquet")


@pytest.mark.parametrize(
    "run",
    [
        Run("t", ["a query"], [["d"]], [[1.0]]),
        Run("t", ["q"], [["d 1"]], [[1.0]]),
        Run("my run", ["q"], [["d"]], [[1.0]]),
        Run("t", ["q"], [[""]], [[1.0]]),
    ],
)
def test_whitespace_has_no_place_in_trec_and_leaves_no_file(tmp_path: Path, run: Run) -> None:
    with pytest.raises(EvaluationError, match=r"write \.parquet"):
        write_run(run, tmp_path / "r.trec")
    assert list(tmp_path.iterdir()) == []
    write_run(run, tmp_path / "r.parquet")
    assert read_run(tmp_path / "r.parquet") == run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["q"], [["d", "e", "d"]], [[3.0, 2.0, 1.0]]), "query 'q': document 'd' is returned twice"),
        ((["q"], [["d"]], [[float("nan")]]), "NaN or infinite"),
        ((["q"], [["d", "e"]], [[1.0, 2.0]]), "scores rise down the list"),
        ((["q"], [["d"]], [[1.0, 0.5]]), "1 documents but 2 scores"),
        ((["q", "q"], [["d"], ["e"]], [[1.0], [1.0]]), "lists a query twice"),
        ((["q"], [], []), "one of each per query"),
    ],
)
def test_a_run_fits_together(arguments: tuple, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        Run("r", *arguments)
