"""Ranking a cell's documents for its queries, against loops over ids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import EvaluationError
from gradus.evaluation.cells import answerable, evaluate_cells, evaluate_search, rank
from gradus.judgments.judgments import Judgments

SCORES = [0.0, 0.25, 0.5, 1.0]


def table(prefix: str, count: int) -> Table:
    return Table([f"{prefix}{row}" for row in range(count)], (Field("text"),), {"text": ["x"] * count})


def judgments(judged: dict[tuple[int, int], float], n_q: int = 6, n_d: int = 8) -> Judgments:
    query, document = np.array(list(judged) or np.zeros((0, 2)), np.int64).T
    score = np.array(list(judged.values()), np.float64)
    source = np.full(len(judged), "test", object)
    return Judgments(table("q", n_q), table("d", n_d), query, document, score, score, score, source)


def vectors(count: int, seed: int) -> np.ndarray:
    # Whole numbers, so that dot products are exact and ties are real.
    return np.random.default_rng(seed).integers(-2, 3, (count, 3)).astype(np.float32)


cells = st.tuples(st.integers(0, 5), st.integers(0, 7))


@given(
    st.dictionaries(cells, st.sampled_from(SCORES)),
    st.sets(st.integers(0, 5)),
    st.sets(st.integers(0, 7), min_size=1),
    st.integers(1, 10),
)
def test_a_ranking_is_looked_up_in_the_judgments(
    judged: dict[tuple[int, int], float], some_queries: set[int], some_documents: set[int], depth: int
) -> None:
    queries, documents = vectors(6, 0), vectors(8, 1)
    query_rows, document_rows = np.array(sorted(some_queries), np.int64), np.array(sorted(some_documents))
    ranked, order, scores = rank(
        queries[query_rows], documents[document_rows], judgments(judged), query_rows, document_rows, depth
    )
    for place, q in enumerate(query_rows):
        best = sorted(document_rows, key=lambda d: (-float(queries[q] @ documents[d]), d))[:depth]
        assert document_rows[order[place]].tolist() == best
        assert scores[place].tolist() == [float(queries[q] @ documents[d]) for d in best]
        gains = [judged.get((q, d), np.nan) for d in best]
        np.testing.assert_array_equal(ranked.gains[place, : len(best)], gains)
        known = sorted((s for (i, d), s in judged.items() if i == q and d in some_documents), reverse=True)
        found = ranked.judged[place]
        assert found[~np.isnan(found)].tolist() == known


@given(
    st.dictionaries(cells, st.sampled_from(SCORES)), st.sets(st.integers(0, 5)), st.sets(st.integers(0, 7))
)
def test_a_query_is_answerable_with_something_to_find(
    judged: dict[tuple[int, int], float], queries: set[int], documents: set[int]
) -> None:
    found = answerable(
        judgments(judged), np.array(sorted(queries), np.int64), np.array(sorted(documents), np.int64)
    )
    assert found.tolist() == [q for q in sorted(queries) if any(judged.get((q, d), 0) > 0 for d in documents)]


def test_cells_are_measured_on_their_own_documents() -> None:
    judged = {(0, 0): 1.0, (0, 4): 1.0, (1, 4): 0.5, (2, 0): 0.0}
    queries, documents = np.eye(6, 8, dtype=np.float32), np.eye(8, dtype=np.float32)
    found = evaluate_cells(
        "mine", queries, documents, judgments(judged),
        {
            "near": (np.arange(3), np.arange(4)),
            "far": (np.arange(3), np.arange(4, 8)),
        },
        ["MRR", "Judged@2"], 2,
    )  # fmt: skip
    near, far = found.cells["near"], found.cells["far"]
    # Near: q0 finds d0 at once; q1 has nothing judged there, q2 nothing positive.
    assert (near.query_ids, near.documents) == (["q0"], 4)
    assert near.per_query["RR"].tolist() == [1.0]
    assert near.run.document_ids == [["d0", "d1"]]
    assert near.per_query["Judged@2"].tolist() == [0.5]
    # Far: no dot product says anything, so ties go by row and d4 is first.
    assert far.query_ids == ["q0", "q1"]
    assert far.run.document_ids == [["d4", "d5"]] * 2
    assert far.per_query["RR"].tolist() == [1.0, 1.0]


def test_an_unknown_metric_is_refused_before_anything_is_ranked() -> None:
    with pytest.raises(EvaluationError, match="nDGC"):
        evaluate_cells("mine", vectors(6, 0), vectors(8, 1), judgments({(0, 0): 1.0}), {}, ["nDGC@10"], 10)


def test_a_cell_with_nothing_to_find_is_left_out() -> None:
    cells = {"empty": (np.arange(3), np.arange(0)), "unanswerable": (np.arange(1, 3), np.arange(8)),
             "good": (np.arange(3), np.arange(8))}  # fmt: skip
    found = evaluate_cells(
        "mine", vectors(6, 0), vectors(8, 1), judgments({(0, 0): 1.0, (1, 0): 0.0}), cells, ["nDCG@10"], 10
    )
    assert list(found.cells) == ["good"]


def test_lists_that_end_early() -> None:
    judged = {(0, 1): 1.0, (1, 0): 1.0, (1, 2): 0.5}

    def search(query_rows: np.ndarray, document_rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        order = np.array([[-1, -1], [2, -1]])
        return order, np.where(order >= 0, np.float32(1), np.float32(-np.inf))

    cells = {"all": (np.array([0, 1]), np.arange(8))}
    result = evaluate_search("short", search, judgments(judged), cells, ["R@2", "Judged@2"], 2).cells["all"]
    assert result.run.document_ids == [[], ["d2"]]
    assert result.run.scores == [[], [1.0]]
    assert result.per_query["R@2"].tolist() == [0.0, 0.5]
    np.testing.assert_array_equal(result.per_query["Judged@2"], [np.nan, 1.0])
