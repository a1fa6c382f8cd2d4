"""Metric names: round trips, aliases, and the errors of a mistyped name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import EvaluationError
from gradus.evaluation.metrics import ERR, MAP, METRICS, NDCG, RBP, Metric, parse_metric

NAMES = [
    "nDCG@10",
    "nDCG",
    "nDCG(gain=exp)@10",
    "nDCG(gain=exp,max=4)@10",
    "ERR(max=4)@20",
    "ERR(max=100)",
    "ERR(max=100,top=query)",
    "RBP(p=0.9)",
    "RBP(p=0.8)@100",
    "MAP@100",
    "MAP(rel=0.5)@100",
    "RR@10",
    "RR(rel=0.25)@10",
    "R@100",
    "P(rel=1)@5",
    "Judged@10",
    "RankOfBest@100",
    "KendallTau",
    "KendallTau@50",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_round_trip(name: str) -> None:
    assert str(parse_metric(name)) == name


def test_every_metric_has_a_round_trip_above() -> None:
    assert {type(parse_metric(name)) for name in NAMES} == set(METRICS.values())


@given(
    st.one_of(
        st.builds(NDCG, cutoff=st.none() | st.integers(1, 1000)),
        st.builds(NDCG, gain=st.just("exp"), max=st.floats(0.001, 1000), cutoff=st.integers(1, 1000)),
        st.builds(ERR, max=st.floats(0.001, 1000), top=st.sampled_from(["scale", "query"])),
        st.builds(RBP, p=st.floats(1e-9, 1, exclude_max=True), cutoff=st.none() | st.integers(1, 1000)),
        st.builds(MAP, rel=st.floats(0, 1), cutoff=st.none() | st.integers(1, 1000)),
    )
)
def test_metrics_round_trip(metric: Metric) -> None:
    assert parse_metric(str(metric)) == metric


def test_a_parameter_at_its_default_is_left_out_of_the_name() -> None:
    assert str(parse_metric(" nDCG( gain = linear )@10 ")) == "nDCG@10"
    assert parse_metric("nDCG(gain=linear)@10") == NDCG(cutoff=10)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("NDCG@10", "nDCG@10"), ("MRR@10", "RR@10"), ("AP", "MAP"), ("Recall@5", "R@5"), ("Precision@5", "P@5")],
)
def test_habitual_names_are_understood(alias: str, name: str) -> None:
    assert str(parse_metric(alias)) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nDGC@10", "unknown metric 'nDGC'; did you mean 'nDCG'"),
        ("judged@10", "unknown metric 'judged'; did you mean 'Judged'"),
        ("rankofbest@10", "did you mean 'RankOfBest'"),
        ("xyzzy", "unknown metric 'xyzzy'; known: nDCG, ERR"),
        ("nDCG@ten", "not of the form"),
        ("nDCG@10@20", "not of the form"),
        ("", "not of the form"),
        ("nDCG@0", "cutoff must be at least 1"),
        ("P", "P needs cutoff, as in P@10"),
        ("RankOfBest", "needs cutoff"),
        ("RBP", "RBP needs p, as in RBP(p=…)"),
        ("RBP(p=1)", "p must be between 0 and 1"),
        ("RBP(p=nan)", "p must be between 0 and 1"),
        ("RBP(q=0.9)", "unknown parameter 'q'"),
        ("RBP(p=often)", "p must be a number, but is 'often'"),
        ("RBP(p)", "'p' is not of the form name=value"),
        ("RBP(p=0.8,p=0.9)", "'p' is given twice"),
        ("RBP(p=0.8,top=sky)", "top must be scale or query"),
        ("ERR@20", "ERR needs max"),
        ("ERR(max=0)", "max must be above 0"),
        ("ERR(max=4,top=sky)", "top must be scale or query"),
        ("nDCG(gain=log)@10", "gain must be linear or exp"),
        ("nDCG(max=4)@10", "max changes nothing with linear gain"),
        ("nDCG(gain=exp,max=inf)@10", "max must be above 0 and at most 1000"),
        ("nDCG(gian=exp)@10", "unknown parameter 'gian'; did you mean 'gain'"),
        ("KendallTau(rel=1)", "unknown parameter 'rel'; it has none"),
        ("MAP(rel=2)", "rel must be a score from 0 to 1"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as error:
        parse_metric(text)
    assert message in str(error.value)
