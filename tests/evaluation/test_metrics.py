"""Metrics: golden values as arithmetic, a naive loop per metric as oracle, and the undefined cases."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradus.evaluation.metrics import (
    ERR,
    MAP,
    NDCG,
    RBP,
    RR,
    Judged,
    KendallTau,
    Metric,
    Precision,
    RankOfBest,
    Recall,
)
from gradus.evaluation.scoring import Ranked, ranked_from_indices

NAN = math.nan


def ranked(gains: list[float], judged: list[float], depth: int | None = None) -> Ranked:
    """One query: the judged scores by rank (NaN: unjudged), and all judged scores."""
    depth = max(1, depth or len(gains))
    row = np.array([gains + [NAN] * (depth - len(gains))])
    ideal = np.array([sorted(judged, reverse=True) or [NAN]])
    return Ranked(row, np.array([len(gains)]), ideal)


def value(metric: Metric, gains: list[float], judged: list[float]) -> float:
    return float(metric(ranked(gains, judged))[0])


# Golden values ------------------------------------------------------------------------------------------


def test_ndcg_of_float_scores_in_the_worst_order() -> None:
    worst = 0.1 / 1 + 0.4 / math.log2(3) + 0.9 / 2
    best = 0.9 / 1 + 0.4 / math.log2(3) + 0.1 / 2
    assert value(NDCG(cutoff=10), [0.1, 0.4, 0.9], [0.9, 0.4, 0.1]) == pytest.approx(worst / best)
    assert worst / best == pytest.approx(0.667, abs=5e-4)


def test_ndcg_ideal_counts_what_was_not_retrieved() -> None:
    got = value(NDCG(cutoff=2), [0.5, NAN], [0.5, 1.0])
    assert got == pytest.approx(0.5 / (1.0 + 0.5 / math.log2(3)))


def test_ndcg_with_exponential_gain() -> None:
    got = value(NDCG(cutoff=10, gain="exp"), [0.5, 1.0], [1.0, 0.5])
    low, high = 2**0.5 - 1, 2**1.0 - 1
    assert got == pytest.approx((low + high / math.log2(3)) / (high + low / math.log2(3)))
    got = value(NDCG(cutoff=10, gain="exp", max=4), [0.5, 1.0], [1.0, 0.5])
    low, high = 2**2 - 1, 2**4 - 1
    assert got == pytest.approx((low + high / math.log2(3)) / (high + low / math.log2(3)))


def test_err_cascade() -> None:
    # Grades 2, unjudged, 4 of 4: stop with 3/16, 0, 15/16.
    got = value(ERR(max=4, cutoff=20), [0.5, NAN, 1.0], [1.0, 0.5])
    assert got == pytest.approx(3 / 16 + (1 - 3 / 16) * (15 / 16) / 3)


def test_err_on_a_hundred_grades_asks_only_for_the_top_document() -> None:
    judged = [grade / 100 for grade in range(100, 0, -1)]
    assert value(ERR(max=100), judged, judged) == pytest.approx(1.0, abs=1e-3)
    # Σ_r 2^-r / r = ln 2 at grades 99, 98, … (stop 1/2, 1/4, … of all users, each time those who are left)
    left, expected = 1.0, 0.0
    for rank, grade in enumerate(range(99, 0, -1), start=1):
        stop = (2**grade - 1) / 2**100
        expected += left * stop / rank
        left *= 1 - stop
    got = value(ERR(max=100), judged[1:], judged)
    assert got == pytest.approx(expected)
    assert got == pytest.approx(0.587, abs=5e-4)


def test_rbp_takes_scores_as_graded_relevance() -> None:
    got = value(RBP(p=0.9), [0.9, NAN, 0.4], [0.9, 0.4])
    assert got == pytest.approx(0.1 * (0.9 + 0 * 0.9 + 0.4 * 0.9**2))


def test_top_of_the_query_scales_by_its_best_judgment() -> None:
    assert value(RBP(p=0.5, top="query"), [0.2, 0.4], [0.4, 0.2]) == pytest.approx(0.5 * (0.5 + 1.0 * 0.5))
    # Grades 2 and 4 of 10, top grade 4: stop with (2² - 1)/2⁴ and (2⁴ - 1)/2⁴.
    got = value(ERR(max=10, top="query"), [0.2, 0.4], [0.4, 0.2])
    assert got == pytest.approx(3 / 16 + (13 / 16) * (15 / 16) / 2)


def test_binary_metrics_by_threshold() -> None:
    gains, judged = [0.4, 0.9, NAN, 0.5], [0.9, 0.5, 0.5, 0.4]
    assert value(MAP(rel=0.5), gains, judged) == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert value(MAP(), gains, judged) == pytest.approx((1 / 1 + 2 / 2 + 3 / 4) / 4)
    assert value(MAP(cutoff=3), gains, judged) == pytest.approx((1 / 1 + 2 / 2) / 4)
    assert value(RR(rel=0.5), gains, judged) == 1 / 2
    assert value(RR(rel=0.9, cutoff=1), gains, judged) == 0
    assert value(Recall(rel=0.5, cutoff=3), gains, judged) == pytest.approx(1 / 3)
    assert value(Precision(rel=0.5, cutoff=4), gains, judged) == 2 / 4


def test_a_score_of_zero_is_never_relevant() -> None:
    assert value(Precision(cutoff=2), [0.0, 0.1], [0.1, 0.0]) == 1 / 2
    assert value(RR(), [0.0, 0.1], [0.1, 0.0]) == 1 / 2


def test_judged_share_is_of_what_was_returned() -> None:
    assert value(Judged(cutoff=3), [0.0, NAN, 0.5, 0.5], [0.5, 0.5, 0.0]) == pytest.approx(2 / 3)
    assert value(Judged(cutoff=10), [0.0, NAN], [0.5, 0.0]) == 1 / 2


def test_rank_of_best() -> None:
    assert value(RankOfBest(cutoff=10), [0.2, NAN, 0.8], [0.8, 0.2]) == 3
    assert value(RankOfBest(cutoff=10), [0.2, 0.8, 0.8], [0.8, 0.8, 0.2]) == 2
    assert value(RankOfBest(cutoff=2), [0.2, NAN, 0.8], [0.8, 0.2]) == 2 + 1
    assert value(RankOfBest(cutoff=10), [0.2], [0.8, 0.2]) == 10 + 1
    assert not RankOfBest(cutoff=10).higher_is_better


def test_kendall_tau_b_with_ties() -> None:
    # Scores down the list .9 .4 .4 .5: pairs in order (.9,.4)(.9,.4)(.9,.5), against (.4,.5) twice, one tie.
    got = value(KendallTau(), [0.9, 0.4, NAN, 0.4, 0.5], [0.9, 0.5, 0.4, 0.4])
    assert got == pytest.approx((3 - 2) / math.sqrt(6 * 5))
    assert value(KendallTau(), [0.9, 0.5, 0.1], [0.9, 0.5, 0.1]) == 1
    assert value(KendallTau(), [0.1, NAN, 0.5, 0.9], [0.9, 0.5, 0.1]) == -1


# Undefined and edge cases ---------------------------------------------------------------------------------

ALL: list[Metric] = [
    NDCG(cutoff=5),
    NDCG(),
    NDCG(cutoff=3, gain="exp"),
    NDCG(cutoff=3, gain="exp", max=4),
    ERR(max=4, cutoff=5),
    ERR(max=100, top="query"),
    RBP(p=0.8),
    RBP(p=0.9, cutoff=3, top="query"),
    MAP(),
    MAP(rel=0.5, cutoff=4),
    RR(),
    RR(rel=0.5, cutoff=2),
    Recall(cutoff=3),
    Recall(cutoff=10, rel=0.5),
    Precision(cutoff=3),
    Precision(cutoff=10, rel=0.5),
    Judged(cutoff=4),
    RankOfBest(cutoff=4),
    RankOfBest(cutoff=50),
    KendallTau(),
    KendallTau(cutoff=3),
]


@pytest.mark.parametrize("metric", ALL, ids=str)
def test_undefined_without_a_positive_judgment(metric: Metric) -> None:
    assert math.isnan(value(metric, [0.0, NAN], [0.0, 0.0]))
    assert math.isnan(value(metric, [NAN, NAN], []))


def test_a_threshold_that_no_judgment_reaches_leaves_the_query_out() -> None:
    assert math.isnan(value(MAP(rel=0.5), [0.4], [0.4]))
    assert value(MAP(rel=0.4), [0.4], [0.4]) == 1


@pytest.mark.parametrize("metric", [m for m in ALL if not isinstance(m, RankOfBest)], ids=str)
def test_empty_list_earns_nothing(metric: Metric) -> None:
    got = value(metric, [], [0.5, 0.1])
    if isinstance(metric, Judged | KendallTau):
        assert math.isnan(got)
    else:
        assert got == 0


@pytest.mark.parametrize(
    "metric", [m for m in ALL if isinstance(m, NDCG | ERR | RR | MAP | KendallTau)], ids=str
)
def test_perfect_order_is_best_of_all_orders(metric: Metric) -> None:
    judged = [1.0, 0.7, 0.3, 0.05]
    perfect = value(metric, judged, judged)
    for order in ([0.7, 1.0, 0.3, 0.05], [0.05, 0.3, 0.7, 1.0], [1.0, 0.3, 0.7, 0.05]):
        assert value(metric, order, judged) <= perfect
    if isinstance(metric, NDCG):
        assert perfect == pytest.approx(1)


# Naive loops ------------------------------------------------------------------------------------------------


def naive(metric: Metric, gains: list[float], judged: list[float]) -> float:
    """Each metric as its definition reads, one query, plain loops."""
    k = metric.cutoff if metric.cutoff is not None else len(gains)
    shown = gains[:k]
    scores = [0.0 if math.isnan(g) else g for g in shown]
    ideal = sorted(judged, reverse=True)
    rel = getattr(metric, "rel", 0.0)
    relevant = [s > 0 and s >= rel for s in scores]
    total = sum(s > 0 and s >= rel for s in judged)
    if total == 0:
        return NAN
    if isinstance(metric, NDCG):

        def dcg(values: list[float]) -> float:
            out = 0.0
            for i, s in enumerate(values):
                out += (2 ** (metric.max * s) - 1 if metric.gain == "exp" else s) / math.log2(i + 2)
            return out

        return dcg(scores) / dcg(ideal[: metric.cutoff])
    if isinstance(metric, ERR):
        top = ideal[0] if metric.top == "query" else 1.0
        left, out = 1.0, 0.0
        for i, s in enumerate(scores):
            stop = (2 ** (metric.max * s) - 1) / 2 ** (metric.max * top)
            out += left * stop / (i + 1)
            left *= 1 - stop
        return out
    if isinstance(metric, RBP):
        top = ideal[0] if metric.top == "query" else 1.0
        return (1 - metric.p) * sum(s / top * metric.p**i for i, s in enumerate(scores))
    if isinstance(metric, MAP):
        out, seen = 0.0, 0
        for i, hit in enumerate(relevant):
            seen += hit
            out += seen / (i + 1) if hit else 0.0
        return out / total
    if isinstance(metric, RR):
        return next((1 / (i + 1) for i, hit in enumerate(relevant) if hit), 0.0)
    if isinstance(metric, Recall):
        return sum(relevant) / total
    if isinstance(metric, Precision):
        return sum(relevant) / k
    if isinstance(metric, Judged):
        return sum(not math.isnan(g) for g in shown) / len(shown) if shown else NAN
    if isinstance(metric, RankOfBest):
        return next((i + 1.0 for i, g in enumerate(shown) if g == ideal[0]), k + 1.0)
    assert isinstance(metric, KendallTau)
    known = [g for g in shown if not math.isnan(g)]
    pairs = [(a, b) for i, a in enumerate(known) for b in known[i + 1 :]]
    untied = sum(a != b for a, b in pairs)
    if untied == 0:
        return NAN
    return sum((a > b) - (a < b) for a, b in pairs) / math.sqrt(len(pairs) * untied)


@st.composite
def evaluations(draw: st.DrawFn) -> tuple[Ranked, list[tuple[list[float], list[float]]]]:
    """A few queries over a few documents: the arrays from the fast path, and the same as plain lists."""
    n_queries, n_documents, depth = draw(st.integers(1, 4)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    # Few distinct scores, so that ties and zeros are common; some arbitrary ones.
    scores = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(1e-4, 1)
    judged = draw(
        st.dictionaries(
            st.tuples(st.integers(0, n_queries - 1), st.integers(0, n_documents - 1)), scores, max_size=25
        )
    )
    order = np.full((n_queries, depth), -1)
    plain = []
    for q in range(n_queries):
        documents = draw(st.permutations(range(n_documents)))[: draw(st.integers(0, depth))]
        order[q, : len(documents)] = documents
        gains = [judged.get((q, d), NAN) for d in documents]
        plain.append((gains, [s for (query, _), s in judged.items() if query == q]))
    pairs = np.array(list(judged), dtype=np.int64).reshape(-1, 2)
    arrays = ranked_from_indices(
        order, pairs[:, 0], pairs[:, 1], np.array(list(judged.values()), float), n_queries, n_documents
    )
    return arrays, plain


@settings(max_examples=150)
@given(evaluations())
def test_every_metric_equals_its_naive_loop(
    case: tuple[Ranked, list[tuple[list[float], list[float]]]],
) -> None:
    arrays, plain = case
    for metric in ALL:
        expected = [naive(metric, gains, judged) for gains, judged in plain]
        np.testing.assert_allclose(metric(arrays), expected, rtol=1e-9, atol=1e-12, err_msg=str(metric))


@settings(max_examples=60)
@given(st.lists(st.sampled_from([NAN, 0.0, 0.2, 0.4, 0.9, 1.0]), min_size=1, max_size=60))
def test_kendall_equals_scipy(gains: list[float]) -> None:
    stats = pytest.importorskip("scipy.stats")
    judged = [g for g in gains if not math.isnan(g)]
    # scipy correlates two variables: the closeness to the top of the list, and the score.
    closeness = -np.arange(len(judged))
    expected = stats.kendalltau(closeness, judged).statistic if len(set(judged)) > 1 else NAN
    np.testing.assert_allclose(value(KendallTau(), gains, judged), expected, atol=1e-12)
