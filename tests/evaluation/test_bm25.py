"""BM25 against its formula in a loop, and as a system."""

from math import log
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.bm25 import Bm25, LaterTexts, joined_texts
from gradus.encoders.subwords import terms
from gradus.evaluation.baselines.bm25 import Bm25Search
from gradus.evaluation.cells import evaluate_search
from gradus.judgments.judgments import Judgments

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


def test_scores_are_those_of_another_library() -> None:
    bm25s = pytest.importorskip("bm25s")
    texts = ["hex bolt m8 zinc", "hex nut m8", "白靴 紐 bolt bolt", "socket screw m8×1,25 bolt", "washer"]
    other = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    other.index([terms(text) for text in texts], show_progress=False)
    for query in ("bolt m8", "白靴", "m8 m8 washer"):
        np.testing.assert_allclose(
            Bm25(texts).scores(query), other.get_scores(terms(query)), rtol=1e-5, atol=1e-6
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


@given(words, st.lists(words, max_size=5))
def test_a_kept_index_scores_alike(query: str, texts: list[str]) -> None:
    index = Bm25(texts)
    with TemporaryDirectory() as folder:
        index.save(Path(folder) / "bm25.npz")
        again = Bm25.load(Path(folder) / "bm25.npz")
    assert again.scores(query).tolist() == index.scores(query).tolist()
    assert again.most(query) == index.most(query)
    assert again.nbytes == index.nbytes


@given(words, st.lists(words, min_size=1, max_size=5))
def test_no_score_reaches_the_most(query: str, texts: list[str]) -> None:
    index = Bm25(texts)
    assert index.most(query) == pytest.approx(sum(index.idf(term) for term in terms(query)))
    assert (index.scores(query) <= index.most(query)).all()


@given(words, st.lists(words, min_size=1, max_size=5), st.data())
def test_later_texts_are_scored_by_the_index_as_it_was(
    query: str, texts: list[str], data: st.DataObject
) -> None:
    # The same texts again: each scores what its twin does, whenever it came.
    index = Bm25(texts)
    later = LaterTexts(index)
    cut = data.draw(st.integers(0, len(texts)))
    later.append(texts[:cut])
    later.append(texts[cut:])
    np.testing.assert_allclose(later.scores(query, len(texts)), index.scores(query), rtol=1e-5)
    np.testing.assert_allclose(later.scores(query, cut), index.scores(query)[:cut], rtol=1e-5)
