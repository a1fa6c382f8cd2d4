"""Verdicts against planted truth."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradus.errors import EvaluationError
from gradus.evaluation.holm import holm
from gradus.evaluation.noninferiority import noninferiority
from gradus.evaluation.power import queries_needed
from gradus.insight.verdict import Action, Pipeline, Verdict, decide
from gradus.settings import DecisionSettings, SlaSettings

N = 600
RULE = DecisionSettings(margin=0.02)
FREE = SlaSettings()
REFERENCE = Pipeline("two stages", 100, np.random.default_rng(0).beta(3, 1.5, N))


def planted(share: float, depth: int, deviation: float = 0.1, p95: float | None = None) -> Pipeline:
    """A pipeline whose mean is higher than the reference's by exactly this share.

    Standard error of the relative difference: deviation / √600 / .67 = .061 deviation.
    """
    noise = np.random.default_rng(depth + 1).normal(0, deviation, N)
    values = REFERENCE.values + noise - noise.mean() + share * REFERENCE.values.mean()
    return Pipeline(f"depth {depth}", depth, values, p95)


@pytest.mark.parametrize(
    ("alone", "fewer", "action", "depth"),
    [
        (0.10, 0.10, "drop", 0),  # better
        (0.00, 0.00, "drop", 0),  # equal
        (-0.005, -0.001, "drop", 0),  # worse by less than the margin
        (-0.10, 0.00, "fewer", 20),  # worse alone, equal with a few
        (-0.019, 0.00, "fewer", 20),  # alone undecidable
        (-0.10, -0.10, "keep", 100),  # worse
        (-0.10, -0.02, "keep", 100),  # worse alone, undecidable with a few
        (-0.02, -0.02, "undecided", None),  # at the margin
        (-0.015, -0.10, "undecided", None),
    ],
)
def test_planted_truth(alone: float, fewer: float, action: Action, depth: int | None) -> None:
    got = decide([planted(fewer, 20), planted(alone, 0)], REFERENCE, RULE, FREE).overall
    assert (got.action, got.depth, got.queries) == (action, depth, N)
    assert [finding.depth for finding in got.findings] == [0, 20]


def test_noise_makes_equal_pipelines_undecidable() -> None:
    loud = [planted(0, 0, deviation=0.5)]
    got = decide(loud, REFERENCE, RULE, FREE).overall
    assert got.action == "undecided"
    assert got.alone.missing is not None


def test_the_smallest_depth_that_holds_is_named() -> None:
    depths = [planted(share, depth) for share, depth in ((-0.1, 0), (-0.09, 10), (0, 20), (0, 50))]
    assert decide(depths, REFERENCE, RULE, FREE).overall.depth == 20


def test_truth_is_seldom_missed() -> None:
    rng, wrong, trials = np.random.default_rng(5), 0, 100
    for trial in range(trials):
        reference = rng.beta(3, 1.5, 200)
        # All three lose exactly the margin in expectation: any of them called holding is a false claim.
        candidates = [
            Pipeline("", depth, 0.98 * reference + rng.normal(0, 0.05, 200)) for depth in (0, 10, 20)
        ]
        got = decide(candidates, Pipeline("", 100, reference), RULE, FREE, seed=trial)
        wrong += got.overall.action in ("drop", "fewer")
    # 100 trials of .05 have standard error .022; without Holm's correction .14 would be wrong.
    assert wrong / trials <= 0.11


def test_findings_are_corrected_for_the_number_of_candidates() -> None:
    candidates = [planted(share, depth) for share, depth in ((-0.01, 0), (-0.012, 10), (0.01, 20))]
    got = decide(candidates, REFERENCE, RULE, FREE)
    alone = [noninferiority(c.values, REFERENCE.values, 0.02) for c in candidates]
    np.testing.assert_allclose(
        [f.p_holds for f in got.overall.findings], holm([a.p_noninferior for a in alone])
    )
    np.testing.assert_allclose(
        [f.p_breaks for f in got.overall.findings], holm([a.p_inferior for a in alone])
    )
    assert [f.result for f in got.overall.findings] == alone


def test_missing_queries_are_those_of_the_power_analysis() -> None:
    got = decide([planted(-0.015, 0), planted(-0.025, 10)], REFERENCE, RULE, FREE).overall
    # Both are open, so each is planned with a confidence of 1 - .05 / 2.
    for finding in got.findings:
        assert finding.missing is not None
        result = finding.result
        total = queries_needed(result.relative + 0.02, result.deviation, confidence=0.975, power=0.8)
        assert finding.missing.as_measured == total - N
        equal = queries_needed(0.02, result.deviation, confidence=0.975, power=0.8)
        assert finding.missing.if_equal == max(1, equal - N)


def test_no_number_of_queries_decides_at_the_margin() -> None:
    missing = decide([planted(-0.02, 0)], REFERENCE, RULE, FREE).overall.alone.missing
    assert missing is not None
    assert missing.as_measured is None


def test_too_few_queries_decide_nothing_however_clear_they_look() -> None:
    few = Pipeline("two", 100, REFERENCE.values[:99])
    better = Pipeline("one", 0, few.values + 0.1)
    got = decide([better], few, RULE, FREE).overall
    assert (got.action, got.alone.state) == ("undecided", "open")
    assert math.isnan(got.alone.p_holds)
    assert got.alone.missing is not None
    assert got.alone.missing.as_measured == 1
    assert decide([better], few, replace(RULE, queries=99), FREE).overall.action == "drop"


def test_a_reference_that_finds_nothing_decides_nothing() -> None:
    nothing = Pipeline("two", 100, np.zeros(N))
    got = decide([Pipeline("one", 0, np.ones(N))], nothing, RULE, FREE).overall
    assert got.action == "undecided"
    # More queries of the same kind would find nothing either.
    assert got.alone.missing == (None, None)
    few = decide([Pipeline("one", 0, np.ones(N))], nothing, replace(RULE, queries=N + 7), FREE).overall
    assert few.alone.missing == (7, 7)


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.08, 0.02), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_a_wider_margin_never_re_ranks_more(share: float, one: float, other: float) -> None:
    order: list[Action] = ["drop", "fewer", "undecided", "keep"]
    candidates = [planted(share, 0), planted(share / 2, 20)]
    tight, loose = (
        decide(candidates, REFERENCE, replace(RULE, margin=margin), FREE).overall
        for margin in sorted((one, other))
    )
    assert order.index(loose.action) <= order.index(tight.action)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.01, 1000))
def test_the_scale_of_the_metric_does_not_matter(scale: float) -> None:
    candidates = [planted(-0.03, 0), planted(-0.005, 20)]
    one = decide(candidates, REFERENCE, RULE, FREE).overall
    scaled = [replace(c, values=scale * c.values) for c in candidates]
    other = decide(scaled, replace(REFERENCE, values=scale * REFERENCE.values), RULE, FREE).overall
    assert (one.action, one.depth) == (other.action, other.depth)
    assert [f.p_holds for f in one.findings] == pytest.approx([f.p_holds for f in other.findings])


def by_segment(shares: dict[str, float]) -> Verdict:
    """A first stage whose loss differs by segment, of 200 queries each, against the reference."""
    labels = [name for name in shares for _ in range(N // len(shares))]
    values = np.concatenate(
        [REFERENCE.values[np.array(labels) == name] * (1 + share) for name, share in shares.items()]
    )
    values += np.random.default_rng(8).normal(0, 0.02, N)
    return decide([Pipeline("one", 0, values)], REFERENCE, RULE, FREE, {"traffic": labels})


def test_segments_that_disagree_are_named() -> None:
    got = by_segment({"head": 0.1, "torso": 0.0, "tail": -0.08})
    assert got.overall.action == "drop"
    assert [(a.kind, a.segment, a.action) for a in got.segments] == [
        ("traffic", "head", "drop"), ("traffic", "torso", "drop"), ("traffic", "tail", "keep"),
    ]  # fmt: skip
    assert [answer.segment for answer in got.disagreeing] == ["tail"]


def test_a_segment_that_can_do_without_is_named_where_all_together_cannot() -> None:
    got = by_segment({"head": 0.05, "torso": -0.2, "tail": -0.2})
    assert got.overall.action == "keep"
    assert [answer.segment for answer in got.disagreeing] == ["head"]


def test_a_segment_that_is_merely_unsure_does_not_disagree() -> None:
    loud = np.arange(N) < 150
    noise = np.random.default_rng(3).normal(0, 0.3, N)
    noise[loud] -= noise[loud].mean() + 0.02
    alone = Pipeline("one", 0, REFERENCE.values + np.where(loud, noise, 0.02))
    got = decide(
        [alone, planted(0.03, 20, deviation=0.01)],
        REFERENCE,
        RULE,
        FREE,
        {"kind": ["loud" if flag else "calm" for flag in loud]},
    )
    answers = {answer.segment: answer for answer in got.segments}
    assert (got.overall.action, answers["loud"].action) == ("drop", "fewer")
    assert answers["loud"].alone.state == "open"
    assert got.disagreeing == ()


def test_segments_are_corrected_within_their_kind() -> None:
    labels = ["a", "b", "c"] * (N // 3)
    alone = [planted(-0.012, 0)]
    got = decide(alone, REFERENCE, RULE, FREE, {"kind": labels, "other": ["x"] * N})
    raw = [
        noninferiority(alone[0].values[start::3], REFERENCE.values[start::3], 0.02).p_noninferior
        for start in range(3)
    ]
    np.testing.assert_allclose([a.alone.p_holds for a in got.segments[:3]], holm(raw))
    assert got.segments[3].alone.p_holds == got.overall.alone.p_holds


def test_queries_without_a_label_are_in_no_segment() -> None:
    labels = ["a"] * 150 + [""] * (N - 150)
    (answer,) = decide([planted(0, 0)], REFERENCE, RULE, FREE, {"kind": labels}).segments
    assert (answer.segment, answer.queries) == ("a", 150)


def test_latency_is_held_against_the_limit() -> None:
    limit = SlaSettings(p95_ms=100)
    slow = replace(REFERENCE, p95_ms=240.0)
    got = decide([planted(0, 0, p95=20), planted(0, 20, p95=100), planted(0, 50)], slow, RULE, limit)
    assert [f.meets_sla for f in got.overall.findings] == [True, True, None]
    assert got.reference_meets_sla is False
    assert decide([planted(0, 0, p95=20)], slow, RULE, FREE).reference_meets_sla is None


def test_of_depths_that_hold_the_margin_a_fast_one_is_chosen() -> None:
    limit = SlaSettings(p95_ms=100)
    # Depth 20 runs on a slower machine than depth 50.
    candidates = [planted(-0.1, 0, p95=20), planted(0, 20, p95=120), planted(0, 50, p95=90)]
    assert decide(candidates, REFERENCE, RULE, limit).overall.depth == 50
    assert decide(candidates, REFERENCE, RULE, FREE).overall.depth == 20


def test_where_keeping_is_too_slow_the_best_fast_candidate_is_named() -> None:
    limit = SlaSettings(p95_ms=100)
    candidates = [planted(-0.2, 0, p95=20), planted(-0.1, 20, p95=90), planted(-0.05, 50, p95=150)]
    got = decide(candidates, replace(REFERENCE, p95_ms=240.0), RULE, limit)
    assert got.overall.action == "keep"
    assert got.best_within_sla is not None
    assert got.best_within_sla.depth == 20
    assert decide(candidates, replace(REFERENCE, p95_ms=80.0), RULE, limit).best_within_sla is None


def test_bad_requests() -> None:
    with pytest.raises(EvaluationError, match="first stage alone"):
        decide([planted(0, 20)], REFERENCE, RULE, FREE)
    with pytest.raises(EvaluationError, match="depths 0, 20, 20"):
        decide([planted(0, 0), planted(0, 20), planted(0, 20)], REFERENCE, RULE, FREE)
    with pytest.raises(EvaluationError, match="fewer documents than 'two stages'"):
        decide([planted(0, 0), planted(0, 100)], REFERENCE, RULE, FREE)
    with pytest.raises(EvaluationError, match="the same queries"):
        decide([Pipeline("one", 0, REFERENCE.values[1:])], REFERENCE, RULE, FREE)
    with pytest.raises(EvaluationError, match="'kind' have 1 labels for 600"):
        decide([planted(0, 0)], REFERENCE, RULE, FREE, {"kind": ["a"]})
