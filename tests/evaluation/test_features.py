"""Features of a re-ranker against visible arithmetic and against loops."""

from math import asinh, isnan, log1p

import numpy as np
import pytest

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.evaluation.rerankers.features import FirstStage, PairFeatures
from gradus.judgments.judgments import Judgments

DOCUMENTS = Table(
    ["a", "b", "c"],
    (Field("title"), Field("pads", "number"), Field("colour", "category")),
    {
        "title": ["red connector 2.54mm", "red socket", None],
        "pads": [8.0, 16.0, None],
        "colour": ["red", None, "blue"],
    },
)
QUERIES = Table(["q", "r"], (Field("query"),), {"query": ["red connector 8 pads", "blue"]})
Q = np.array([[1, 0], [0, 1]], np.float32)
D = np.array([[0.5, 0.25], [0.75, 0], [0, 1]], np.float32)
PAIRS = [(0, 0, 1.0), (0, 1, 0.5), (1, 0, 0.25)]


@pytest.fixture(scope="module")
def features() -> PairFeatures:
    query, document, score = (np.array(column) for column in zip(*PAIRS, strict=True))
    judgments = Judgments(
        QUERIES, DOCUMENTS, query, document, score, score, score, np.full(3, "test", object)
    )
    return PairFeatures(FirstStage(Q, D, {"title": 2 * D}), judgments)


def of(features: PairFeatures, query: int, document: int) -> dict[str, float]:
    values = features.of(np.array([query]), np.array([[0, 1, 2]]))[0, document]
    return dict(zip(features.names, values.tolist(), strict=True))


def test_golden_values(features: PairFeatures) -> None:
    pair = of(features, 0, 0)
    assert pair["similarity"] == 0.5
    assert pair["below best"] == 0.5 - 0.75
    assert pair["similarity:title"] == 2 * 0.5
    # Terms of the query: red, connector, 8, pads. Those of the title: red, connector, =2.54mm, 2.54, mm.
    assert pair["covered:title"] == 2 / 4
    assert pair["used:title"] == pytest.approx(2 / 5)
    assert pair["covered:pads"] == 2 / 4
    assert pair["used:pads"] == 2 / 2
    assert pair["covered:colour"] == 1 / 4
    assert pair["terms"] == 4
    assert pair["numbers"] == 1
    assert pair["near:pads"] == 0


def test_what_is_rare_counts_more(features: PairFeatures) -> None:
    # Held by 2 of 3 documents: red, pads. By 1: connector, 8.
    common, rare = log1p(3 / 3), log1p(3 / 2)
    assert of(features, 0, 0)["idf"] == pytest.approx(1)
    assert of(features, 0, 1)["idf"] == pytest.approx(2 * common / (2 * common + 2 * rare))
    assert of(features, 0, 2)["idf"] == 0
    assert of(features, 0, 0)["bm25"] > of(features, 0, 1)["bm25"] > of(features, 0, 2)["bm25"] == 0
    assert of(features, 0, 1)["bm25:colour"] == 0


def test_numbers_are_compared_as_sizes(features: PairFeatures) -> None:
    assert of(features, 0, 1)["near:pads"] == pytest.approx(asinh(8) - asinh(16))
    assert of(features, 0, 1)["numbers"] == 0
    assert isnan(of(features, 0, 2)["near:pads"])
    assert isnan(of(features, 1, 0)["near:pads"])
    assert isnan(of(features, 1, 0)["numbers"])


def test_a_digit_that_is_no_number_is_a_word() -> None:
    # An Ethiopic digit has no decimal value; a Thai one has.
    queries = Table(["q", "r"], (Field("query"),), {"query": ["፩ socket", "๘ pads"]})
    empty = Judgments(queries, DOCUMENTS, *(np.zeros(0, int),) * 2, *(np.zeros(0),) * 3, np.zeros(0, object))
    bare = PairFeatures(None, empty)
    assert isnan(of(bare, 0, 0)["numbers"])
    assert of(bare, 1, 0)["near:pads"] == 0


def test_a_pairs_own_score_is_left_out(features: PairFeatures) -> None:
    for query in range(2):
        for document in range(3):
            others = [score for q, d, score in PAIRS if d == document and q != query]
            pair = of(features, query, document)
            assert pair["judged"] == len(others)
            assert pair["appeal"] == sum(others) / len(others) if others else isnan(pair["appeal"])


def test_order_and_length_of_lists(features: PairFeatures) -> None:
    whole = features.of(np.array([0, 1]), np.array([[0, 1, 2], [2, 1, 0]]))
    assert whole.shape == (2, 3, len(features.names))
    names = [n for n, name in enumerate(features.names) if name != "below best"]  # depends on the list
    np.testing.assert_array_equal(
        features.of(np.array([1]), np.array([[0]]))[0, 0, names], whole[1, 2, names]
    )


def test_exact_terms_count_for_whole_vectors_and_not_for_fields() -> None:
    judgments = Judgments(
        QUERIES, DOCUMENTS, *(np.zeros(0, int),) * 2, *(np.zeros(0),) * 3, np.zeros(0, object)
    )
    longer = np.concatenate([Q, np.full((2, 3), 0.5, np.float32)], axis=1)
    stage = FirstStage(longer, np.concatenate([D, np.ones((3, 3), np.float32)], axis=1), {"title": 2 * D})
    pair = of(PairFeatures(stage, judgments), 0, 0)
    assert pair["similarity"] == 0.5 + 3 * 0.5
    assert pair["similarity:title"] == 2 * 0.5


def test_without_vectors_the_other_features_stay(features: PairFeatures) -> None:
    query, document, score = (np.array(column) for column in zip(*PAIRS, strict=True))
    judgments = Judgments(
        QUERIES, DOCUMENTS, query, document, score, score, score, np.full(3, "test", object)
    )
    bare = PairFeatures(None, judgments)
    assert not [name for name in bare.names if "similarity" in name or "best" in name]
    whole = of(features, 0, 1)
    assert {name: whole[name] for name in bare.names} == pytest.approx(of(bare, 0, 1), nan_ok=True)
    assert 0 < bare.nbytes < features.nbytes - D.nbytes + 1
