"""The verdict: whether the re-ranker can go, must stay, may re-rank fewer, or whether nobody can tell yet.

Each candidate (the first stage alone, and re-ranking of fewer documents) is tested against the pipeline in
use, overall and in every segment: does it hold the margin, does it break it, or is that open? Holm's
correction runs over the candidates of the overall question, and over candidates × segments within each kind
of segment, separately for "holds" and for "breaks". So the chance that any candidate is wrongly said to hold
the margin is at most 1 − confidence within a family, and the same goes for breaking it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradus.errors import EvaluationError
from gradus.evaluation.holm import holm
from gradus.evaluation.noninferiority import NonInferiority, noninferiority
from gradus.evaluation.power import queries_needed
from gradus.settings import DecisionSettings, SlaSettings

Action = Literal["drop", "fewer", "keep", "undecided"]
State = Literal["holds", "breaks", "open"]

_LARGEST = 1_000_000
"""More judged queries than this are nobody's plan."""


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as it was measured.

    Attributes:
        name: What people call it.
        depth: How many documents it re-ranks; 0 is the first stage alone.
        values: (n_queries,) values of the deciding metric, of which more is better; NaN where undefined.
        p95_ms: Milliseconds that 95 of 100 queries take at most; `None` where not measured.
    """

    name: str
    depth: int
    values: NDArray[np.float64]
    p95_ms: float | None = None


class Missing(NamedTuple):
    """How many more judged queries a decision is expected to need.

    `None` where more than a million, or where enough were asked and the pipeline in use has no mean above 0.

    Attributes:
        as_measured: If the true difference is the measured one.
        if_equal: If the two pipelines are truly as good as each other.
    """

    as_measured: int | None
    if_equal: int | None


@dataclass(frozen=True)
class Finding:
    """One candidate against the pipeline in use, over some queries.

    Attributes:
        name: The candidate.
        depth: How many documents it re-ranks.
        result: Its relative difference with bounds and uncorrected p-values.
        state: Whether it holds the margin, breaks it, or neither is shown.
        p_holds: Holm-corrected p-value against losing the margin or more; NaN with too few queries.
        p_breaks: Holm-corrected p-value against losing the margin or less; NaN with too few queries.
        missing: Where the state is open, the queries that would settle it.
        p95_ms: Its latency, where measured.
        meets_sla: Whether the latency is allowed; `None` where not measured or no limit is set.
    """

    name: str
    depth: int
    result: NonInferiority
    state: State
    p_holds: float
    p_breaks: float
    missing: Missing | None
    p95_ms: float | None
    meets_sla: bool | None


@dataclass(frozen=True)
class Answer:
    """What follows for all queries, or for those of one segment.

    Attributes:
        kind: Kind of segment ("length", "category"); empty for all queries.
        segment: The segment's label; empty for all queries.
        queries: Number of queries where both pipelines' metric is defined.
        action: What to do.
        depth: How many documents to re-rank; `None` where undecided.
        findings: One per candidate, fewest re-ranked first.
    """

    kind: str
    segment: str
    queries: int
    action: Action
    depth: int | None
    findings: tuple[Finding, ...]

    def at(self, depth: int) -> Finding | None:
        """The finding of the candidate that re-ranks `depth` documents."""
        return next((finding for finding in self.findings if finding.depth == depth), None)

    @property
    def alone(self) -> Finding:
        """The finding of the first stage alone."""
        return self.findings[0]


@dataclass(frozen=True)
class Verdict:
    """The answer for all queries, those for segments, and what they rest on.

    Attributes:
        decision: Metric, margin, confidence and power that were asked for.
        sla: The service level that was asked for.
        reference: The pipeline in use.
        reference_meets_sla: As `Finding.meets_sla`.
        overall: The answer for all queries.
        segments: The answers for segments, in the order given.
    """

    decision: DecisionSettings
    sla: SlaSettings
    reference: Pipeline
    reference_meets_sla: bool | None
    overall: Answer
    segments: tuple[Answer, ...]

    @property
    def disagreeing(self) -> tuple[Answer, ...]:
        """Segments that were decided and where the overall answer is shown to lose too much, or is not needed."""
        depth = self.overall.depth
        return tuple(answer for answer in self.segments if _disagrees(answer, depth))

    @property
    def best_within_sla(self) -> Finding | None:
        """Where the answer is too slow, or is to keep what is too slow: the best candidate that is fast enough."""
        chosen = self.overall.at(-1 if self.overall.depth is None else self.overall.depth)
        fast = self.reference_meets_sla if chosen is None else chosen.meets_sla
        allowed = [finding for finding in self.overall.findings if finding.meets_sla]
        if fast is not False or not allowed:
            return None
        return max(allowed, key=lambda finding: finding.result.system_mean)


def decide(
    candidates: Sequence[Pipeline],
    reference: Pipeline,
    decision: DecisionSettings,
    sla: SlaSettings,
    segments: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
) -> Verdict:
    """Decide what may become of the re-ranker.

    - *drop*: the first stage alone holds the margin.
    - *fewer*: it does not, or not surely, but some smaller depth does; the smallest is named.
    - *keep*: the first stage alone breaks the margin, and no smaller depth holds it.
    - *undecided*: neither is shown of the first stage alone, and no smaller depth holds the margin.

    Among the candidates that hold the margin, those that are known to miss the latency limit come last.

    Args:
        candidates: The first stage alone, and re-ranking of fewer documents; all on the same queries.
        reference: The pipeline in use, which re-ranks more documents than any candidate.
        decision: Metric, margin, confidence, power and the fewest queries.
        sla: Service level; its latency limit counts here.
        segments: Kind of segment → (n_queries,) the label of each query; an empty label is none.
        seed: Seed of the resampling.

    Raises:
        EvaluationError: No first stage alone, a depth twice or not below the reference's, or values or labels
            for another number of queries.
    """
    ordered = sorted(candidates, key=lambda candidate: candidate.depth)
    _check(ordered, reference, segments or {})
    everything = {"": np.ones(len(reference.values), dtype=bool)}
    (overall,) = _answers("", everything, ordered, reference, decision, sla, seed)
    answers: list[Answer] = []
    for kind, labels in (segments or {}).items():
        given = np.asarray(labels, dtype=object)
        masks = {label: given == label for label in dict.fromkeys(labels) if label}
        answers += _answers(kind, masks, ordered, reference, decision, sla, seed)
    return Verdict(decision, sla, reference, _meets(reference, sla), overall, tuple(answers))


def _answers(
    kind: str,
    masks: Mapping[str, NDArray[np.bool_]],
    candidates: Sequence[Pipeline],
    reference: Pipeline,
    decision: DecisionSettings,
    sla: SlaSettings,
    seed: int,
) -> list[Answer]:
    """The answers of one family of tests: every candidate in every segment of a kind."""
    results = [
        noninferiority(
            candidate.values[mask],
            reference.values[mask],
            decision.margin,
            decision.confidence,
            seed=seed,
        )
        for mask in masks.values()
        for candidate in candidates
    ]
    enough = [result.n >= decision.queries for result in results]
    p_holds = holm([r.p_noninferior if ok else math.nan for r, ok in zip(results, enough, strict=True)])
    p_breaks = holm([r.p_inferior if ok else math.nan for r, ok in zip(results, enough, strict=True)])
    level = 1 - decision.confidence
    states: list[State] = [
        "holds" if holds <= level else "breaks" if breaks <= level else "open"
        for holds, breaks in zip(p_holds, p_breaks, strict=True)
    ]
    still_open = states.count("open")
    answers = []
    for place, segment in enumerate(masks):
        findings = []
        for offset, candidate in enumerate(candidates):
            row = place * len(candidates) + offset
            missing = _missing(results[row], decision, still_open) if states[row] == "open" else None
            findings.append(
                Finding(
                    candidate.name, candidate.depth, results[row], states[row], float(p_holds[row]),
                    float(p_breaks[row]), missing, candidate.p95_ms, _meets(candidate, sla),
                )
            )  # fmt: skip
        action, depth = _action(findings, reference.depth)
        answers.append(Answer(kind, segment, findings[0].result.n, action, depth, tuple(findings)))
    return answers


def _action(findings: Sequence[Finding], full: int) -> tuple[Action, int | None]:
    holding = [finding for finding in findings if finding.state == "holds"]
    if holding:
        fast = [finding for finding in holding if finding.meets_sla is not False]
        chosen = (fast or holding)[0].depth
        return ("fewer" if chosen else "drop"), chosen
    return ("keep", full) if findings[0].state == "breaks" else ("undecided", None)


def _missing(result: NonInferiority, decision: DecisionSettings, tests: int) -> Missing:
    """Queries to add so that one of `tests` open tests is decided with the power asked for."""
    confidence = 1 - (1 - decision.confidence) / tests

    def more(gap: float) -> int | None:
        if not math.isfinite(result.deviation):
            return decision.queries - result.n if result.n < decision.queries else None
        total = max(queries_needed(gap, result.deviation, confidence, decision.power), decision.queries)
        return max(int(total) - result.n, 1) if total - result.n <= _LARGEST else None

    return Missing(more(result.relative + decision.margin), more(decision.margin))


def _disagrees(answer: Answer, overall: int | None) -> bool:
    if answer.depth is None or answer.depth == overall:
        return False
    if overall is None or answer.depth < overall:
        return True
    chosen = answer.at(overall)
    return chosen is not None and chosen.state == "breaks"


def _meets(pipeline: Pipeline, sla: SlaSettings) -> bool | None:
    if pipeline.p95_ms is None or sla.p95_ms == 0:
        return None
    return pipeline.p95_ms <= sla.p95_ms


def _check(
    candidates: Sequence[Pipeline], reference: Pipeline, segments: Mapping[str, Sequence[str]]
) -> None:
    depths = [candidate.depth for candidate in candidates]
    if not depths or depths[0] != 0:
        raise EvaluationError("a verdict needs the first stage alone: a candidate of depth 0")
    if len(set(depths)) < len(depths) or depths[-1] >= reference.depth:
        raise EvaluationError(
            f"candidates differ in depth and re-rank fewer documents than {reference.name!r} "
            f"({reference.depth}), but have depths {', '.join(map(str, depths))}"
        )
    for candidate in candidates:
        if candidate.values.shape != reference.values.shape:
            raise EvaluationError(
                f"{candidate.name!r} has values of shape {candidate.values.shape}, {reference.name!r} "
                f"{reference.values.shape}; measure both on the same queries"
            )
    for kind, labels in segments.items():
        if len(labels) != len(reference.values):
            raise EvaluationError(
                f"segments {kind!r} have {len(labels)} labels for {len(reference.values)} queries"
            )
