"""Exact nearest neighbours against a full sort."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradus.encoders.nearest
from gradus.encoders.nearest import nearest


@settings(max_examples=50)
@given(st.integers(0, 5), st.integers(0, 9), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_it_is_a_stable_sort_of_all_dot_products(n_q: int, n_d: int, k: int, seed: int) -> None:
    # Small whole numbers: many ties, and every dot product exact.
    rng = np.random.default_rng(seed)
    queries = rng.integers(-1, 2, (n_q, 3)).astype(np.float32)
    documents = rng.integers(-1, 2, (n_d, 3)).astype(np.float32)
    order, scores = nearest(queries, documents, k)
    assert order.shape == scores.shape == (n_q, min(k, n_d))
    for row, query in enumerate(queries):
        products = [float(query @ document) for document in documents]
        expected = sorted(range(n_d), key=lambda place: (-products[place], place))[:k]
        assert order[row].tolist() == expected
        assert scores[row].tolist() == [products[place] for place in expected]


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, documents = (
        rng.normal(size=(23, 8)).astype(np.float32),
        rng.normal(size=(40, 8)).astype(np.float32),
    )
    order, _ = nearest(queries, documents, 5)
    monkeypatch.setattr(gradus.encoders.nearest, "BLOCK", 4 * 40)
    assert np.array_equal(nearest(queries, documents, 5)[0], order)
