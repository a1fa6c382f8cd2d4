"""Kinds of queries, and a system's quality on each."""

import numpy as np
import pytest

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.evaluation.bootstrap import bootstrap_interval
from gradus.evaluation.results import CellResult, Evaluation
from gradus.evaluation.runs import Run
from gradus.evaluation.segments import CATEGORIES, measure_segments, query_segments
from gradus.judgments.judgments import Judgments


def judgments(
    texts: list[str | None],
    judged: list[int],
    pictures: list[bytes | None] | None = None,
    category: list[str | None] | None = None,
) -> Judgments:
    fields, columns = [Field("query")], {"query": texts}
    if pictures:
        fields, columns = [*fields, Field("shown", "image")], columns | {"shown": pictures}
    if category:
        fields, columns = [*fields, Field("shop", "category", 0)], columns | {"shop": category}
    queries = Table([f"q{n}" for n in range(len(texts))], tuple(fields), columns)
    documents = Table([f"d{n}" for n in range(max(judged))], (Field("t"),), {"t": ["x"] * max(judged)})
    query = np.repeat(np.arange(len(texts)), judged)
    document = np.concatenate([np.arange(count) for count in judged])
    score = np.ones(len(query))
    return Judgments(
        queries, documents, query, document, score, score, score, np.full(len(query), "t", object)
    )


def test_traffic_is_cut_where_a_third_of_the_evidence_ends() -> None:
    # Of 90, the first query has 40. The second begins before 60, the third at 65.
    evidence = np.array([5.0, 40.0, 10.0, 25.0, 10.0])
    found = query_segments(judgments(["a"] * 5, [1] * 5), evidence)["traffic"]
    assert found.tolist() == ["tail", "head", "tail", "torso", "tail"]
    assert "traffic" not in query_segments(judgments(["a"] * 5, [1] * 5))
    assert "traffic" not in query_segments(judgments(["a"] * 2, [1] * 2), np.zeros(2))


def test_how_much_is_judged() -> None:
    found = query_segments(judgments(["a"] * 6, [1, 1, 2, 3, 9, 9]))["judged"]
    assert found.tolist() == ["few", "few", "some", "some", "many", "many"]
    assert "judged" not in query_segments(judgments(["a"] * 3, [4, 4, 4]))


def test_input() -> None:
    found = query_segments(judgments(["bolt", None, "nut", None], [1] * 4, [None, b"1", b"2", None]))["input"]
    assert found.tolist() == ["text", "image", "mixed", None]


def test_language_by_script() -> None:
    texts = ["hex bolt", "ボルト M8", "六角", "12.5", "болт", "m8 болт", None]
    found = query_segments(judgments(texts, [1] * 7))["language"]
    assert found.tolist() == ["Latin", "Japanese", "Japanese", None, "other", "other", None]
    # Without kana anywhere, Han is Chinese.
    assert query_segments(judgments(["bolt", "六角"], [1, 1]))["language"].tolist() == ["Latin", "Chinese"]


def test_categories_of_a_query() -> None:
    shops = [f"s{n:02d}" for n in range(CATEGORIES + 2)]
    values = [*shops, *shops[2:], None]
    found = query_segments(judgments(["a"] * len(values), [1] * len(values), category=values))["shop"]
    assert found.tolist() == ["other", "other", *shops[2:], *shops[2:], None]


def test_every_segment_of_every_cell_is_measured() -> None:
    data = judgments(["hex bolt", "ボルト", "nut", "12"], [1] * 4)
    per_query = {"nDCG@10": np.array([0.2, 0.8, 0.4]), "R@10": np.zeros(3)}
    run = Run("system", ["q2", "q1", "q0"], [[]] * 3, [[]] * 3)
    evaluation = Evaluation("system", {"novel-query": CellResult(9, ["q2", "q1", "q0"], per_query, run)})
    rows = measure_segments(evaluation, data.queries, query_segments(data), ["nDCG@10"])
    assert [(r.cell, r.segment, r.value, r.queries) for r in rows] == [
        ("novel-query", "language", "Japanese", 1),
        ("novel-query", "language", "Latin", 2),
    ]
    japanese, latin = (row.metrics for row in rows)
    assert japanese.keys() == {"nDCG@10"}
    assert japanese["nDCG@10"].mean == pytest.approx(0.8)
    assert latin["nDCG@10"] == bootstrap_interval([0.2, 0.4])
