"""Fusion of stages against visible arithmetic and against dictionaries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.evaluation.baselines.fusion import Fusion, standardised

LISTS = st.lists(st.lists(st.integers(0, 7), unique=True, max_size=5), min_size=2, max_size=3)


def stage(lists: list[list[int]], scores: list[list[float]] | None = None) -> object:
    def search(query_rows: np.ndarray, document_rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        order = np.full((len(query_rows), min(k, len(document_rows))), -1)
        values = np.full(order.shape, -np.inf, np.float32)
        for place, row in enumerate(query_rows):
            found = lists[row]
            order[place, : len(found)] = found
            values[place, : len(found)] = scores[row] if scores else -np.arange(len(found))
        return order, values

    return search


def listed(found: tuple[np.ndarray, np.ndarray]) -> list[tuple[int, float]]:
    order, scores = found
    return [(int(d), float(s)) for d, s in zip(order[0], scores[0], strict=True) if d >= 0]


def test_reciprocal_ranks() -> None:
    fusion = Fusion([stage([[4, 2, 0]]), stage([[2, 5]])], [1.0, 1.0])
    found = dict(listed(fusion(np.array([0]), np.arange(8), 10)))
    assert list(found) == [2, 4, 5, 0]  # 4 leads a list, but 2 is in both
    assert found[2] == pytest.approx(1 / 62 + 1 / 61)
    assert found[4] == pytest.approx(1 / 61)
    assert found[5] == pytest.approx(1 / 62)
    assert found[0] == pytest.approx(1 / 63)


def test_weighted_scores() -> None:
    # Standard scores of 3, 2, 1 are ±√1.5 and 0; of 9, 1 they are ±1. What is not listed gets the least of the list.
    fusion = Fusion([stage([[4, 2, 0]], [[3, 2, 1]]), stage([[2, 5]], [[9, 1]])], [0.25, 0.75], "weighted")
    found = dict(listed(fusion(np.array([0]), np.arange(8), 10)))
    root = 1.5**0.5
    assert found[2] == pytest.approx(0.25 * 0 + 0.75 * 1)
    assert found[4] == pytest.approx(0.25 * root - 0.75 * 1)
    assert found[5] == pytest.approx(-0.25 * root - 0.75 * 1)
    assert found[0] == pytest.approx(-0.25 * root - 0.75 * 1)
    assert list(found) == [2, 4, 0, 5]  # ties go by place


@given(LISTS, st.integers(1, 8), st.sampled_from(["rrf", "weighted"]))
def test_against_dictionaries(lists: list[list[int]], depth: int, method: str) -> None:
    weights = [1.0, 0.5, 0.25][: len(lists)]
    fusion = Fusion([stage([each]) for each in lists], weights, method)
    totals: dict[int, float] = {d: 0.0 for each in lists for d in each}
    for weight, each in zip(weights, lists, strict=True):
        own = (
            dict(zip(each, standardised(-np.arange(len(each), dtype=np.float32)), strict=True))
            if each
            else {}
        )
        for document in totals:
            if method == "rrf":
                totals[document] += weight / (61 + each.index(document)) if document in each else 0
            elif each:
                totals[document] += weight * own.get(document, min(own.values()))
    found = listed(fusion(np.array([0]), np.arange(8), depth))
    assert len(found) == min(depth, len(totals))
    best = sorted(totals.values(), reverse=True)
    for rank, (document, score) in enumerate(found):
        assert score == pytest.approx(totals[document], abs=1e-6)
        assert score == pytest.approx(best[rank], abs=1e-6)


def test_every_stage_brings_a_pool_whatever_is_asked_for() -> None:
    asked = []

    def search(query_rows: np.ndarray, document_rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        asked.append(k)
        return stage([[1, 2]])(query_rows, document_rows, k)

    fusion = Fusion([search, search], [1, 1])
    for depth, pool in ((1, 100), (300, 300)):
        assert fusion(np.array([0]), np.arange(400), depth)[0].shape == (1, depth)
        assert asked[-2:] == [pool, pool]


def test_equal_scores_say_nothing() -> None:
    assert standardised(np.full(3, 0.1, np.float32)).tolist() == [0, 0, 0]
