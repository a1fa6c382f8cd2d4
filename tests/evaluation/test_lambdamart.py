"""LambdaMART as a second stage: it learns what its features say, and re-orders nothing else."""

import numpy as np
import pytest

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.nearest import nearest
from gradus.errors import EvaluationError, MissingExtraError
from gradus.evaluation.cells import evaluate_search
from gradus.evaluation.rerankers.features import FirstStage, PairFeatures
from gradus.evaluation.rerankers.lambdamart import LambdaMart
from gradus.judgments.judgments import Judgments

pytest.importorskip("lightgbm")

N_Q, N_D, DEPTH = 60, 80, 20
TRAIN, NOVEL = np.arange(40), np.arange(40, N_Q)
EVERYTHING = np.arange(N_D)
COLOURS = ["red", "green", "blue", "black"]


def world() -> tuple[Judgments, PairFeatures, object]:
    """Vectors are noise; what makes a document good is that its colour is the query's."""
    rng = np.random.default_rng(0)
    wanted, owned = rng.integers(0, 4, N_Q), rng.integers(0, 4, N_D)
    text = (Field("text"),)
    queries = Table([f"q{n}" for n in range(N_Q)], text, {"text": [COLOURS[c] for c in wanted]})
    documents = Table([f"d{n}" for n in range(N_D)], text, {"text": [COLOURS[c] for c in owned]})
    query, document = np.nonzero(wanted[:, None] == owned)
    score = np.ones(len(query))
    judgments = Judgments(
        queries, documents, query, document, score, score, score, np.full(len(query), "t", object)
    )
    q, d = (rng.normal(size=(n, 4)).astype(np.float32) for n in (N_Q, N_D))

    def first(query_rows: np.ndarray, document_rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return nearest(q[query_rows], d[document_rows], k)

    known = judgments.take(np.isin(judgments.query, TRAIN))
    return judgments, PairFeatures(FirstStage(q, d, {"text": d}), known), first


def test_it_learns_and_keeps_to_the_first_stages_lists() -> None:
    judgments, features, first = world()
    model = LambdaMart(first, features, depth=DEPTH, trees=30)
    model.fit(judgments.take(np.isin(judgments.query, TRAIN)), TRAIN, EVERYTHING)
    order, scores = model(NOVEL, EVERYTHING, DEPTH)
    before, _ = first(NOVEL, EVERYTHING, DEPTH)
    assert [set(row) for row in order] == [set(row) for row in before]
    assert (np.diff(scores, axis=1) <= 0).all()
    cells = {"novel": (NOVEL, EVERYTHING)}
    value = {
        name: evaluate_search(name, search, judgments, cells, ["P@3"], DEPTH)
        .cells["novel"]
        .per_query["P@3"]
        .mean()
        for name, search in (("first", first), ("second", model))
    }
    # Of 20 documents a quarter has the colour: there are three of them nearly always.
    assert value["first"] < 0.5
    assert value["second"] > 0.95
    importance = model.importance()
    assert sum(importance.values()) == pytest.approx(1)
    assert (
        sum(v for name, v in importance.items() if name.startswith(("bm25", "covered", "used", "idf"))) > 0.5
    )


def test_the_same_seed_gives_the_same_lists() -> None:
    runs = []
    for _ in range(2):
        judgments, features, first = world()
        model = LambdaMart(first, features, depth=DEPTH, trees=5)
        model.fit(judgments, TRAIN, EVERYTHING)
        runs.append(model(NOVEL, EVERYTHING, 10))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    assert runs[0][0].shape == (len(NOVEL), 10)


def test_what_it_refuses() -> None:
    judgments, features, first = world()
    model = LambdaMart(first, features, depth=DEPTH, trees=2)
    with pytest.raises(EvaluationError, match="not fitted"):
        model(NOVEL, EVERYTHING, DEPTH)
    with pytest.raises(EvaluationError, match="nothing to learn"):
        model.fit(judgments.take(judgments.score < 0), TRAIN, EVERYTHING)
    model.fit(judgments, TRAIN, EVERYTHING)
    with pytest.raises(EvaluationError, match="only 20 documents"):
        model(NOVEL, EVERYTHING, DEPTH + 1)
    # A corpus smaller than the depth is no mistake.
    assert model(NOVEL, EVERYTHING[:5], 100)[0].shape == (len(NOVEL), 5)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    judgments, features, first = world()
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match=r"gradus\[rerank\]"):
        LambdaMart(first, features).fit(judgments, TRAIN, EVERYTHING)
