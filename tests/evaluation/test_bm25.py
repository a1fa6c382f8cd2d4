"""BM25 against its formula in a loop, and as a system."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.subwords import terms
from gradus.errors import MissingExtraError
from gradus.evaluation.baselines.bm25 import Bm25, Bm25Search, joined_texts
from gradus.evaluation.cells import evaluate_search
from gradus.judgments.judgments import Judgments

pytest.importorskip("bm25s")

words = st.lists(st.sampled_from(["bolt", "nut", "m8", "靴", "白靴", "1,5", "x"]), max_size=6).map(" ".join)


def bm25(query: str, text: str, texts: list[str], k1: float = 1.2, b: float = 0.75) -> float:
    """The formula, term by term."""
    documents = [terms(t) for t in texts]
    mean, own = sum(map(len, documents)) / len(documents), terms(text)
    total = 0.0
    for term in terms(query):
        holders = sum(term in document for document in documents)
        count = own.count(term)
        if count:
            idf = log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))
            total += idf * count / (count + k1 * (1 - b + b * len(own) / mean))
    return total


@given(words, st.lists(words, min_size=1, max_size=5))
def test_scores_follow_the_formula(query: str, texts: list[str]) -> None:
    np.testing.assert_allclose(
        Bm25(texts).scores(query), [bm25(query, text, texts) for text in texts], rtol=1e-5, atol=1e-6
    )


def test_nothing_to_match() -> None:
    assert Bm25(["bolt", None]).scores("screw").tolist() == [0, 0]
    assert Bm25(["bolt", None]).scores(None).tolist() == [0, 0]
    assert Bm25([None, ""]).scores("bolt").tolist() == [0, 0]


def test_all_fields_but_pictures_are_one_text() -> None:
    fields = (Field("title"), Field("image", "image"), Field("pads", "number"), Field("kind", weight=0))
    columns = {"title": ["bolt", None], "image": [b"", None], "pads": [8.0, 2.5], "kind": ["a", "b"]}
    assert joined_texts(Table(["1", "2"], fields, columns)) == ["bolt 8 pads", "2.5 pads"]
    no_text = Table(["1", "2"], (Field("image", "image"),), {"image": [None, None]})
    assert joined_texts(no_text) == ["", ""]


def test_as_a_system() -> None:
    text = (Field("text"),)
    documents = Table(["a", "b", "c"], text, {"text": ["red shoe", "blue shoe", "hat"]})
    queries = Table(["q", "r"], text, {"text": ["blue shoe", "hat"]})
    score = np.ones(2)
    source = np.full(2, "test", object)
    judgments = Judgments(queries, documents, np.arange(2), np.array([1, 2]), score, score, score, source)
    # The corpus leaves document 0 out; a list holds only documents that share a term with the query.
    cells = {"some": (np.array([0, 1]), np.array([2, 1]))}
    search = Bm25Search(queries, documents)
    result = evaluate_search("bm25", search, judgments, cells, ["RR"], 100).cells["some"]
    assert result.run.document_ids == [["b"], ["c"]]
    assert result.per_query["RR"].tolist() == [1.0, 1.0]
    order, scores = search(np.zeros(0, np.int64), np.array([2, 1]), 5)
    assert order.shape == scores.shape == (0, 2)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bm25s", None)
    with pytest.raises(MissingExtraError, match=r"gradus\[rerank\]"):
        Bm25(["bolt"])
