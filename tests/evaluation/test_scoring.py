"""From ranked lists and judgments to the arrays of the metrics."""

import numpy as np
import pytest

from gradus.errors import EvaluationError
from gradus.evaluation.metrics import ERR, NDCG, RR, Precision
from gradus.evaluation.runs import Run
from gradus.evaluation.scoring import (
    Ranked,
    percent_grades,
    ranked_from_indices,
    ranked_from_run,
    score,
)

NAN = np.nan
RUN = Run(
    "dense",
    ["bolt", "nut", "gear"],
    [["b1", "b2", "x"], ["n1"], ["g1"]],
    [[3.0, 2.0, 1.0], [1.0], [1.0]],
)
JUDGED = {"bolt": {"b2": 0.9, "b1": 0.2, "b3": 0.4}, "nut": {"n1": 0.0}, "pin": {"p1": 1.0}}


def test_run_is_looked_up_by_id() -> None:
    got = ranked_from_run(RUN, ["pin", "bolt", "nut", "washer"], JUDGED)
    expected = [[NAN, NAN, NAN], [0.2, 0.9, NAN], [0.0, NAN, NAN], [NAN, NAN, NAN]]
    np.testing.assert_array_equal(got.gains, expected)
    np.testing.assert_array_equal(got.lengths, [0, 3, 1, 0])
    np.testing.assert_array_equal(
        got.judged, [[1.0, NAN, NAN], [0.9, 0.4, 0.2], [0.0, NAN, NAN], [NAN, NAN, NAN]]
    )


def test_scores_by_metric_name_and_nan_where_undefined() -> None:
    ranked = ranked_from_run(RUN, ["bolt", "pin", "nut", "washer"], JUDGED)
    values = score(ranked, [RR(rel=0.5), Precision(cutoff=10)])
    assert list(values) == ["RR(rel=0.5)", "P@10"]
    # An unretrieved list earns 0; a query without a positive judgment is undefined.
    np.testing.assert_array_equal(values["RR(rel=0.5)"], [1 / 2, 0, NAN, NAN])
    np.testing.assert_array_equal(values["P@10"], [2 / 10, 0, NAN, NAN])


def test_indices_and_ids_give_the_same_arrays() -> None:
    rng = np.random.default_rng(3)
    n_queries, n_documents, depth = 40, 30, 12
    order = np.array([rng.permutation(n_documents)[:depth] for _ in range(n_queries)])
    lengths = rng.integers(0, depth + 1, n_queries)
    order[np.arange(depth) >= lengths[:, None]] = -1
    query, document = np.nonzero(rng.random((n_queries, n_documents)) < 0.3)
    values = rng.random(len(query)).round(2)
    shuffled = rng.permutation(len(query))
    fast = ranked_from_indices(
        order, query[shuffled], document[shuffled], values[shuffled], n_queries, n_documents
    )

    ids = [f"q{q}" for q in range(n_queries)]
    lists = [[f"d{d}" for d in row if d >= 0] for row in order]
    run = Run("same", ids, lists, [[0.0] * len(row) for row in lists])
    judged: dict[str, dict[str, float]] = {}
    for q, d, s in zip(query, document, values, strict=True):
        judged.setdefault(f"q{q}", {})[f"d{d}"] = float(s)
    slow = ranked_from_run(run, ids, judged)
    np.testing.assert_array_equal(fast.lengths, slow.lengths)
    np.testing.assert_array_equal(fast.judged, slow.judged)
    width = slow.gains.shape[1]
    np.testing.assert_array_equal(fast.gains[:, :width], slow.gains)
    assert np.isnan(fast.gains[:, width:]).all()


def test_a_large_evaluation_equals_a_dictionary() -> None:
    rng = np.random.default_rng(0)
    n_queries, n_documents, depth = 300, 100_000, 50
    keys = np.unique(rng.integers(0, n_queries * n_documents, 60_000))
    query, document, values = keys // n_documents, keys % n_documents, rng.random(len(keys))
    order = np.array([rng.choice(document[query == q], depth, replace=False) for q in range(n_queries)])
    order[:, ::3] = (order[:, ::3] + 1) % n_documents  # mostly unjudged
    order = np.array(
        [list(dict.fromkeys(row.tolist())) + [-1] * (depth - len(set(row.tolist()))) for row in order]
    )
    got = ranked_from_indices(order, query, document, values, n_queries, n_documents)
    table = dict(zip(keys.tolist(), values.tolist(), strict=True))
    expected = [
        [table.get(q * n_documents + d, NAN) if d >= 0 else NAN for d in row] for q, row in enumerate(order)
    ]
    np.testing.assert_array_equal(got.gains, expected)


def test_no_judgments_and_no_queries() -> None:
    none = np.array([], dtype=np.int64)
    ranked = ranked_from_indices(np.array([[0, 1]]), none, none, none, 1, 2)
    assert np.isnan(ranked.gains).all()
    assert np.isnan(NDCG(cutoff=10)(ranked)).all()
    assert NDCG(cutoff=10)(ranked_from_run(RUN, [], JUDGED)).shape == (0,)


@pytest.mark.parametrize("bad", [NAN, -0.1, 1.5, np.inf])
def test_scores_out_of_range_are_refused(bad: float) -> None:
    with pytest.raises(EvaluationError, match=r"query 'bolt' and document 'b1' has score .*from 0 to 1"):
        ranked_from_run(RUN, ["bolt"], {"bolt": {"b2": 0.5, "b1": bad}})
    with pytest.raises(EvaluationError, match="query row 0 and document row 1 has score"):
        ranked_from_indices([[0]], [0, 0], [0, 1], [0.5, bad], 1, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 1, 0]], [0], [0], [1.0], 1, 2), "query row 0 returns a document twice"),
        (([[-1, 1]], [0], [0], [1.0], 1, 2), "only the end of a list is padded"),
        (([[0, 2]], [0], [0], [1.0], 1, 2), "row outside 0 to 1"),
        (([[0.0, 1.0]], [0], [0], [1.0], 1, 2), "matrix of integers"),
        (([[0], [1]], [0], [0], [1.0], 1, 2), "1 rows"),
        (([[0]], [0, 0], [1, 1], [1.0, 0.5], 1, 2), "query row 0 and document row 1 are judged twice"),
        (([[0]], [1], [0], [1.0], 1, 2), "query_of_pair holds a row outside 0 to 0"),
        (([[0]], [0], [-1], [1.0], 1, 2), "document_of_pair holds a row outside 0 to 1"),
        (([[0]], [0, 0], [0, 1], [1.0], 1, 2), "must be of one length"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        ranked_from_indices(*arguments)


def test_a_query_is_scored_once() -> None:
    with pytest.raises(EvaluationError, match="lists a query twice"):
        ranked_from_run(RUN, ["bolt", "bolt"], JUDGED)


def test_ranked_needs_a_row_per_query() -> None:
    with pytest.raises(EvaluationError, match="one row per query"):
        Ranked(np.zeros((2, 3)), np.zeros(2, np.int64), np.zeros((1, 1)))
    with pytest.raises(EvaluationError, match="at least one column"):
        Ranked(np.zeros((2, 0)), np.zeros(2, np.int64), np.zeros((2, 1)))


def test_percent_grades_are_whole_numbers_over_a_hundred() -> None:
    # (0.5 - 0.2) / 0.8 · 99 + 1 = 38.125, cut to 38.
    np.testing.assert_allclose(percent_grades([0.2, 0.5, 1.0]), [0.01, 0.38, 1.0])
    np.testing.assert_allclose(percent_grades([0.4, 0.4]), [0.01, 0.01])


def test_public_gcl_form_of_err_by_hand() -> None:
    grades = percent_grades([0.0, 0.5, 1.0])  # 1, 50, 100
    ranked = Ranked(np.array([[grades[0], grades[1]]]), np.array([2]), np.array([[grades[1], grades[0]]]))
    # The query's best grade is 50: stop with (2¹ - 1)/2⁵⁰, then (2⁵⁰ - 1)/2⁵⁰.
    expected = 1 / 2**50 + (1 - 1 / 2**50) * (1 - 1 / 2**50) / 2
    np.testing.assert_allclose(ERR(max=100, top="query")(ranked), [expected])
