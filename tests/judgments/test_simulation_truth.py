"""The truth: made from judgments or made up, and what it says about pairs."""

from dataclasses import replace

import numpy as np
import pytest

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.judgments import Judgments
from gradus.judgments.simulation.truth import Truth, drifting, random_truth, truth_of

QUERIES = Table(
    ["q1", "q2", "q3"],
    (Field("image", "image"), Field("query", "text")),
    {"query": ["bolt", None, "bolt"], "image": [None, b"picture", None]},
)
DOCUMENTS = Table(["a", "b", "c"], (Field("title", "text"),), {"title": ["x", "y", "z"]})


def judged(*pairs):
    query, document, score = (np.array(side) for side in zip(*pairs, strict=True))
    source = np.full(len(pairs), "test", object)
    return Judgments(QUERIES, DOCUMENTS, query, document, score, score, score, source)


def test_judgments_become_a_truth():
    truth = truth_of(judged((2, 1, 1.0), (1, 0, 0.5), (0, 2, 0.0), (0, 1, 0.5)), floor=0.1, top=0.5)
    assert list(truth.queries) == ["bolt", "q2"]  # the picture goes by its id
    assert truth.query.tolist() == [0, 0, 1]
    assert truth.document.tolist() == [1, 2, 0]
    assert truth.relevance == pytest.approx([(0.5 + 1) / 2, 0, 0.5])
    assert truth.attraction == pytest.approx([0.1 + 0.4 * 0.75, 0.1, 0.1 + 0.4 * 0.5])
    assert truth.start.tolist() == [0, 2, 3]


def test_attraction_is_found_by_query_and_document():
    truth = random_truth(20, 7, 1)
    order = np.random.default_rng(0).permutation(len(truth))
    found = truth.attraction_of(truth.query[order], truth.document[order])
    assert np.array_equal(found, truth.attraction[order])
    pairs = set(zip(truth.query.tolist(), truth.document.tolist(), strict=True))
    absent = next(d for d in range(len(truth.documents)) if (0, d) not in pairs)
    assert np.isnan(truth.attraction_of(np.array([0]), np.array([absent]))).all()


def test_a_made_up_truth_has_few_good_documents():
    truth = random_truth(400, 25, 0)
    assert len(truth) == 400 * 25
    assert (np.bincount(truth.query) == 25).all()
    assert (truth.relevance < 0.2).mean() > 0.55
    assert 0.01 < (truth.relevance > 0.8).mean() < 0.1
    assert np.bincount(truth.document).max() > 1


def test_equal_seeds_make_equal_truths():
    one, same, other = random_truth(9, 5, 1), random_truth(9, 5, 1), random_truth(9, 5, 2)
    assert np.array_equal(one.relevance, same.relevance)
    assert np.array_equal(one.document, same.document)
    assert not np.array_equal(one.relevance, other.relevance)


def test_drift_passes_the_relevance_in_the_middle():
    truth = replace(random_truth(3, 4, 0), relevance=np.full(12, 0.5))
    assert np.array_equal(truth.relevance_at(np.arange(12), np.ones(12)), truth.relevance)
    moving = drifting(truth, 0.2, seed=3)
    begin, middle, end = (moving.relevance_at(np.arange(12), np.full(12, m)) for m in (0, 0.5, 1))
    assert np.array_equal(middle, truth.relevance)
    assert end - begin == pytest.approx(moving.trend)
    assert 0 < np.abs(moving.trend).max() < 1
    far = drifting(truth, 50.0, seed=3).relevance_at(np.arange(12), np.ones(12))
    assert set(far) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"relevance": np.array([0.5, 1.1, 0])}, "between 0 and 1"),
        ({"relevance": np.array([0.5, 1.0])}, "differ in length"),
        ({"trend": np.zeros(2)}, "differ in length"),
        ({"document": np.array([1, 1, 0])}, "without repeats"),
        ({"document": np.array([0, 3, 0])}, "outside its documents"),
        ({"query": np.array([0, 0, 0])}, "every query"),
        ({"query": np.array([0, 0, 2]), "queries": ["a", "b", "c"]}, "every query"),
        ({"floor": 0.7}, "floor ≤ top"),
    ],
)
def test_a_truth_that_cannot_be_is_refused(changes, message):
    columns = {
        "queries": ["a", "b"], "documents": ["x", "y", "z"], "query": np.array([0, 0, 1]),
        "document": np.array([0, 1, 0]), "relevance": np.array([0.5, 0.2, 0.1]),
    }  # fmt: skip
    Truth(**columns)
    with pytest.raises(JudgmentsError, match=message):
        Truth(**{**columns, **changes})


def test_no_judgments_make_no_truth():
    with pytest.raises(JudgmentsError, match="no judgments"):
        truth_of(judged((0, 0, 1.0)).take(np.array([], int)))
