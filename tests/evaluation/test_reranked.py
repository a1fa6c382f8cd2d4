"""Two stages as one, against a loop, with lists that end early."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradus.evaluation.rerankers.reranked import Reranked, filled

LISTS = st.lists(st.lists(st.integers(0, 9), unique=True, max_size=6), min_size=1, max_size=4)


def first_stage(lists: list[list[int]]) -> object:
    def search(query_rows: np.ndarray, document_rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        width = min(k, len(document_rows))
        order = np.full((len(query_rows), width), -1)
        scores = np.full(order.shape, -np.inf, np.float32)
        for place, row in enumerate(query_rows):
            kept = lists[row][:width]
            order[place, : len(kept)], scores[place, : len(kept)] = kept, 10 - np.arange(len(kept))
        return order, scores

    return search


def worth(query: int, document: int) -> float:
    return float((document * 7 + query) % 5)


def scorer(query_rows: np.ndarray, listed: np.ndarray) -> np.ndarray:
    return np.array(
        [[worth(q, d) for d in row] for q, row in zip(query_rows, listed, strict=True)], np.float32
    ).reshape(listed.shape)


@given(LISTS, st.integers(1, 7), st.integers(1, 7))
def test_the_top_is_reordered_and_the_rest_follows(lists: list[list[int]], depth: int, asked: int) -> None:
    everything = np.arange(10)
    system = Reranked(first_stage(lists), scorer, depth)
    order, scores = system(np.arange(len(lists)), everything, asked)
    for query, found in enumerate(lists):
        top = sorted(found[:depth], key=lambda d: -worth(query, d))
        # Nothing beyond what was asked for, or what is re-ranked, ever reaches the list.
        expected = (top + found[depth : max(depth, asked)])[:asked]
        kept = order[query][order[query] >= 0].tolist()
        assert kept == expected
        assert (order[query, len(kept) :] == -1).all()
        assert np.isfinite(scores[query, : len(kept)]).all()
        assert (scores[query, len(kept) :] == -np.inf).all()
        assert (np.diff(scores[query, : len(kept)]) <= 0).all()


def test_scores_below_the_top_keep_the_first_stages_gaps() -> None:
    # The top, 4 and 3, is worth 3 and 1; below it the first stage falls from 9 by one each.
    order, scores = Reranked(first_stage([[3, 4, 1, 2]]), scorer, 2)(np.array([0]), np.arange(10), 4)
    assert order.tolist() == [[4, 3, 1, 2]]
    assert scores.tolist() == [[3.0, 1.0, 1.0 + (8 - 9), 1.0 + (7 - 9)]]


def test_the_end_of_a_list_is_shown_as_its_first_document() -> None:
    assert filled(np.array([[3, 1, -1], [-1, -1, -1]])).tolist() == [[3, 1, 3], [0, 0, 0]]
