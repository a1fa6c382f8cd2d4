import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import JudgmentsError
from gradus.judgments.weights import WEIGHT_FUNCTIONS, apply_weights, plot_weights

SPECS = [
    "constant", "linear", "reciprocal", "power:0.5", "power:3", "exponential:0.001", "exponential:4",
    "exponential:2000", "log:0.01", "log:50", "steps:0.2=0.1,0.5=0.4,1=1",
]  # fmt: skip
ONE_QUERY = np.zeros(5, np.int64)
SCORES = np.array([0.0, 0.2, 0.5, 0.5, 1.0])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("constant", [0, 1, 1, 1, 1]),
        ("linear", [0, 0.2, 0.5, 0.5, 1]),
        ("reciprocal", [0, 1 / 4, 1 / 2, 1 / 2, 1 / 1]),
        ("power:2", [0, 0.2 * 0.2, 0.5 * 0.5, 0.5 * 0.5, 1]),
        ("exponential:3", [0, *((math.exp(3 * s) - 1) / (math.exp(3) - 1) for s in (0.2, 0.5, 0.5)), 1]),
        ("log:9", [0, *(math.log(1 + 9 * s) / math.log(10) for s in (0.2, 0.5, 0.5)), 1]),
        ("steps:0.2=0.1,0.5=0.4,1=1", [0, 0.1, 0.4, 0.4, 1]),
        ("steps:0.3=0,0.9=0.5", [0, 0, 0, 0, 0.5]),
        (" power : 1 ", [0, 0.2, 0.5, 0.5, 1]),
    ],
)
def test_weights_of_one_query(spec, expected):
    np.testing.assert_allclose(apply_weights(spec, SCORES, ONE_QUERY), expected, atol=1e-12)


def test_steps_take_the_score_of_a_step_as_reached():
    just_below = np.nextafter(0.5, 0)
    weights = apply_weights("steps:0.5=0.7", np.array([just_below, 0.5]), np.zeros(2, np.int64))
    assert list(weights) == [0, 0.7]


queries_and_scores = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1)),
    max_size=40,
)


@given(queries_and_scores)
def test_reciprocal_equals_a_count_of_better_documents(pairs):
    query = np.array([q for q, _ in pairs], np.int64)
    score = np.array([s for _, s in pairs], np.float64)
    naive = [
        0 if s == 0 else 1 / (1 + sum(other_q == q and other_s > s for other_q, other_s in pairs))
        for q, s in pairs
    ]
    np.testing.assert_allclose(apply_weights("reciprocal", score, query), naive)


@pytest.mark.parametrize("spec", SPECS)
@given(pairs=queries_and_scores)
def test_a_better_score_never_weighs_less(spec, pairs):
    query = np.array([q for q, _ in pairs], np.int64)
    score = np.array([s for _, s in pairs], np.float64)
    weights = apply_weights(spec, score, query)
    assert ((weights >= 0) & (weights <= 1)).all()
    assert (weights[score == 0] == 0).all()
    for one_query in np.unique(query):
        rows = np.flatnonzero(query == one_query)
        ordered = weights[rows[np.argsort(score[rows], kind="stable")]]
        assert (np.diff(ordered) >= -1e-15).all()


def test_the_registry_covers_every_tested_spec_and_back():
    assert {spec.partition(":")[0] for spec in SPECS} == set(WEIGHT_FUNCTIONS)


@pytest.mark.parametrize("function", WEIGHT_FUNCTIONS.values(), ids=WEIGHT_FUNCTIONS.keys())
def test_every_listed_usage_parses(function):
    spec = function.usage.replace(":p", ":2").replace(":a", ":2")
    assert apply_weights(spec, np.array([1.0]), np.array([0]))[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("lineal", "unknown score-to-weight function 'lineal'"),
        ("", "unknown score-to-weight function ''"),
        ("linear:2", "takes no parameter"),
        ("power", "'' is not a number"),
        ("power:x", "'x' is not a number"),
        ("power:-1", "must lie between"),
        ("exponential:0", "must lie between"),
        ("log:nan", "must lie between"),
        ("steps:0.2", "score=weight"),
        ("steps:0.5=0.4,0.2=0.1", "must rise"),
        ("steps:0.2=0.5,0.5=0.4", "must not fall"),
        ("steps:0.2=1.5", "weights in [0, 1]"),
        ("steps:0=0.1", "scores must lie in (0, 1]"),
    ],
)
def test_faults_are_named_with_the_list_of_functions(spec, fault):
    with pytest.raises(JudgmentsError) as error:
        apply_weights(spec, SCORES, ONE_QUERY)
    assert fault in str(error.value)
    assert all(function.usage in str(error.value) for function in WEIGHT_FUNCTIONS.values())


def test_no_pairs_have_no_weights():
    nothing = np.zeros(0)
    assert all(len(apply_weights(spec, nothing, nothing.astype(np.int64))) == 0 for spec in SPECS)


def test_plot_holds_every_curve(tmp_path):
    path = tmp_path / "weights.svg"
    plot_weights(["linear", "power:2", "steps:0.5=0.4,1=1"], path)
    drawing = path.read_text(encoding="utf-8")
    assert drawing.count('<g id="line2d_') > 6
    plot_weights(["linear"], tmp_path / "weights.png")
    assert (tmp_path / "weights.png").read_bytes().startswith(b"\x89PNG")
    plot_weights(["linear", "power:2", "steps:0.5=0.4,1=1"], path)
    assert path.read_text(encoding="utf-8") == drawing


def test_plot_leaves_nothing_behind_when_it_cannot_draw(tmp_path):
    with pytest.raises(JudgmentsError, match=r"\.svg, \.png or \.pdf"):
        plot_weights(["linear"], tmp_path / "weights.xyz")
    with pytest.raises(JudgmentsError, match="unknown score-to-weight"):
        plot_weights(["linea"], tmp_path / "weights.svg")
    assert list(tmp_path.iterdir()) == []
