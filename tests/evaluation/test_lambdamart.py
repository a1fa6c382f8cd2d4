"""LambdaMART as a second stage: it learns what its features say, and re-orders nothing else."""

from pathlib import Path

import numpy as np
import pytest

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.nearest import nearest
from gradus.errors import EvaluationError, MissingExtraError
from gradus.evaluation.cells import evaluate_search
from gradus.evaluation.rerankers.features import FirstStage, PairFeatures
from gradus.evaluation.rerankers.lambdamart import LambdaMart
from gradus.evaluation.rerankers.reranked import Reranked
from gradus.judgments.judgments import Judgments

lightgbm = pytest.importorskip("lightgbm")

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


def listed(first: object, rows: np.ndarray) -> np.ndarray:
    return EVERYTHING[first(rows, EVERYTHING, DEPTH)[0]]


def fitted(trees: int) -> tuple[Judgments, LambdaMart, object]:
    judgments, features, first = world()
    model = LambdaMart(features, trees=trees)
    model.fit(judgments.take(np.isin(judgments.query, TRAIN)), TRAIN, listed(first, TRAIN))
    return judgments, model, first


def precision(judgments: Judgments, search: object) -> float:
    cells = {"novel": (NOVEL, EVERYTHING)}
    result = evaluate_search("system", search, judgments, cells, ["P@3"], DEPTH)
    return float(result.cells["novel"].per_query["P@3"].mean())


def test_it_learns() -> None:
    judgments, model, first = fitted(30)
    # Of 20 documents a quarter has the colour: there are three of them nearly always.
    assert precision(judgments, first) < 0.5
    assert precision(judgments, Reranked(first, model, DEPTH)) > 0.95
    importance = model.importance()
    assert sum(importance.values()) == pytest.approx(1)
    assert (
        sum(v for name, v in importance.items() if name.startswith(("bm25", "covered", "used", "idf"))) > 0.5
    )


def test_the_same_seed_gives_the_same_scores() -> None:
    scores = []
    for _ in range(2):
        _, model, first = fitted(5)
        scores.append(model(NOVEL, listed(first, NOVEL)))
    np.testing.assert_array_equal(scores[0], scores[1])
    assert scores[0].shape == (len(NOVEL), DEPTH)


def test_what_follows_the_end_of_a_list_teaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    taught = []
    fit = lightgbm.LGBMRanker.fit

    def seen(self: object, x: np.ndarray, y: np.ndarray, group: np.ndarray) -> object:
        taught.append((x, y, group))
        return fit(self, x, y, group=group)

    monkeypatch.setattr(lightgbm.LGBMRanker, "fit", seen)
    judgments, features, first = world()
    lists = listed(first, TRAIN)
    for given in (lists, np.concatenate([lists, np.full((len(TRAIN), 7), -1)], axis=1)):
        LambdaMart(features, trees=2).fit(judgments, TRAIN, given)
    (x, y, group), (padded_x, padded_y, padded_group) = taught
    np.testing.assert_allclose(padded_x, x, atol=1e-6)
    np.testing.assert_array_equal(padded_y, y)
    assert padded_group.tolist() == group.tolist() == [DEPTH] * len(group)


def test_as_many_trees_as_a_measure_likes() -> None:
    _, model, first = fitted(30)
    whole = model(NOVEL, listed(first, NOVEL))
    tried = []

    def value(reranker: LambdaMart) -> float:
        tried.append(reranker(NOVEL, listed(first, NOVEL)))
        return (0.5, 0.7, 0.7)[len(tried) - 1]

    # 10, 20 and all 30 are tried; of equals the fewest are kept.
    assert model.choose_trees(value) == 20
    assert len(tried) == 3
    np.testing.assert_allclose(tried[2], whole, rtol=1e-6)
    np.testing.assert_allclose(model(NOVEL, listed(first, NOVEL)), tried[1], rtol=1e-6)
    assert np.abs(tried[0] - tried[1]).max() > 0.01


def test_kept_trees_score_as_before(tmp_path: Path) -> None:
    _, model, first = fitted(5)
    model.save(tmp_path / "trees.txt")
    _, features, _ = world()
    other = LambdaMart(features)
    other.load(tmp_path / "trees.txt")
    np.testing.assert_allclose(
        other(NOVEL, listed(first, NOVEL)), model(NOVEL, listed(first, NOVEL)), rtol=1e-6
    )
    with pytest.raises(EvaluationError, match=r"nowhere\.txt holds no LambdaMART"):
        other.load(tmp_path / "nowhere.txt")
    (tmp_path / "damaged.txt").write_text("tree")
    with pytest.raises(EvaluationError, match=r"damaged\.txt holds no LambdaMART"):
        other.load(tmp_path / "damaged.txt")
    fewer = LambdaMart(PairFeatures(None, world()[0]))
    with pytest.raises(EvaluationError, match="features"):
        fewer.load(tmp_path / "trees.txt")


def test_what_it_refuses() -> None:
    judgments, features, first = world()
    model = LambdaMart(features, trees=2)
    with pytest.raises(EvaluationError, match="not fitted"):
        model(NOVEL, listed(first, NOVEL))
    for known, lists in (
        (judgments.take(judgments.score < 0), listed(first, TRAIN)),
        (judgments, TRAIN[:, None] * 0 - 1),
    ):
        with pytest.raises(EvaluationError, match="nothing to learn"):
            model.fit(known, TRAIN, lists)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    _, features, _ = world()
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match=r"gradus\[rerank\]"):
        LambdaMart(features)
