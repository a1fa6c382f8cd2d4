"""A proof of concept put together by hand: three pipelines on six parts, everything measured, and one with nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
from two_systems import CELL, METRIC, evaluation, judgments, png

from gradus.evaluation.bootstrap import Interval
from gradus.evaluation.segments import SegmentResult
from gradus.insight.bench import Bench, CellSummary, Costs, PipelineResult
from gradus.insight.cadence import Plan, Refresh
from gradus.insight.cadence_result import Age, Cadence
from gradus.insight.cost import cost_of
from gradus.insight.cost_inputs import Measured, cost_inputs
from gradus.insight.cost_range import spread_costs, tornado
from gradus.insight.examples import choose_examples
from gradus.insight.kpi import Correlation, KpiLink
from gradus.insight.latency import Latency
from gradus.insight.poc import Money, Poc
from gradus.insight.verdict import Pipeline, Verdict, decide
from gradus.settings import CostSettings, DecisionSettings, SlaSettings

IN_USE, ALONE, WORDS_ONLY = "old + trees@100", "new", "words"
FEWER = "new + trees@20"
COST, SLA = CostSettings(currency="EUR"), SlaSettings(p95_ms=100)


def interval(mean: float) -> Interval:
    return Interval(mean, mean - 0.03, mean + 0.04, 200)


def result(name: str, mean: float, p95: float, **more: Any) -> PipelineResult:
    """A pipeline whose metric is `mean` on new queries, and 0.1 less on known ones."""
    return PipelineResult(
        name=name,
        folder=name,
        key=name,
        declaration={"name": name, "first": {"stage": {"kind": "model", "with": {"training.epochs": 3}}}},
        cells={
            cell: CellSummary(200, 50, {METRIC: interval(m), "R@10": interval(m / 2)})
            for cell, m in (("novel-query", mean), (CELL, mean - 0.1))
        },
        segments=(SegmentResult(CELL, "traffic", "head", 30, {METRIC: interval(mean)}),),
        costs=Costs(index_bytes=2_500_000, training_seconds=7200.0),
        latency=Latency(
            100, p95 / 2, p95 / 2, p95, p95, p95 / 2, 2000 / p95, 4, 1000 / p95, p95, 2 * p95, p95
        ),
        **more,
    )


def bench() -> Bench:
    shares = {"similarity": 0.5, "bm25:title": 0.2, "appeal": 0.25, "unheard of": 0.05}
    return Bench(
        versions={"gradus": "9.9"},
        machine={"cores": 2},
        data={"documents": 1234, "queries": 6, "pairs": 5678},
        metrics=(METRIC, "R@10"),
        seed=7,
        timing={"queries": 100, "clients": 4, "documents": 1234, "returned": 10},
        peak_bytes=3_210_000_000,
        pipelines=(
            result(WORDS_ONLY, 0.413, 0.5),
            result(IN_USE, 0.812, 40.0, facts={"importance": shares}),
            result(ALONE, 0.807, 8.0),
        ),
    )


def verdict(loss: float = 0.0) -> Verdict:
    """On 400 queries the new stage loses this share, twice as much on the tail."""
    rng = np.random.default_rng(0)
    used = rng.beta(3, 1.5, 400)
    tail = np.arange(400) % 2 == 1
    noise = rng.normal(0, 0.02, 400)
    alone = used * (1 - loss * np.where(tail, 2, 0)) + noise - noise.mean()
    labels = {"traffic": np.where(tail, "tail", "head").tolist()}
    return decide(
        [Pipeline(ALONE, 0, alone, 8.0)],
        Pipeline(IN_USE, 100, used, 40.0),
        DecisionSettings(margin=0.02),
        SLA,
        labels,
    )


def fewer() -> dict[str, Any]:
    """What differs where re-ranking of 20 documents is the verdict: it loses nothing, one stage a tenth."""
    rng = np.random.default_rng(0)
    used = rng.beta(3, 1.5, 400)
    noise = rng.normal(0, 0.02, 400)
    noise -= noise.mean()
    candidates = [Pipeline(ALONE, 0, 0.9 * used, 8.0), Pipeline(FEWER, 20, used + noise, 16.0)]
    decision = DecisionSettings(margin=0.02)
    given = decide(candidates, Pipeline(IN_USE, 100, used, 40.0), decision, SLA)
    known = {"rerank_throughput": Measured(0.5), "fewer_rerank_throughput": Measured(2)}
    inputs = cost_inputs(COST, SLA, known, fewer=True)
    bars = tornado(inputs, "fewer_saving")
    return {"verdict": given, "money": Money(inputs, cost_of(inputs), spread_costs(inputs, 500), bars)}


def money() -> Money:
    inputs = cost_inputs(COST, SLA, {"one_throughput": Measured(400, 200, 400)})
    return Money(inputs, cost_of(inputs), spread_costs(inputs, 500), tornado(inputs))


def cadence() -> Cadence:
    loss = [Interval(0.011 * age, 0.008 * age, 0.013 * age, 90) for age in range(5)]
    return Cadence(
        metric=METRIC, window_days=7, history=4, windows=9, start="2026-01-05", measured_on=("2026-03-02",),
        trainings=5, fresh=interval(0.8), ages=(Age(1, loss[1]), Age(4, loss[4])), unmeasured=(8,),
        per_window=loss[1], allowed=0.03,
        refreshes=(Refresh("full", loss[0], 120.0, 1234), Refresh("warm", loss[1], 40.0, 1234)),
        plans=(Plan("full", 2, 2, loss[2], 60.0, 617.0), Plan("warm", 0, 1, loss[1], np.nan, np.nan)),
    )  # fmt: skip


AUDIT = {
    "coverage": {"wide": 0.25, "pairs": 5678, "documents": 1100, "catalogue": 1234},
    "findings": [{"severity": "error", "name": "x", "text": "only clicks are logged", "remedy": "log more"}],
    "sources": [{"name": "log", "pairs": 5678, "evidence": 99_000.0, "say": 1.0}],
    "bands": [{"name": "head", "queries": 12, "pairs": 345, "impressions": 4000.0, "width": 0.21}],
}
NOISE = {
    "metric": METRIC,
    "points": [
        {"estimator": "perfect", "impressions": 0, "means": {CELL: 0.9}},
        {"estimator": "pbm", "impressions": 10_000, "means": {CELL: 0.777}},
        {"estimator": "ips", "impressions": 10_000, "means": {}},
    ],
}


def proof(**changes: Any) -> Poc:
    """With every part."""
    texts: list[str | None] = ["hex bolt", "六角ボルト", "washr", "hex nut", None, "ピン"]
    judged = judgments(texts, {4: png()})
    before, after = [0.9, 0.8, 0.7, 0.9, 0.5, 0.6], [0.8, 0.8, 0.9, 0.9, 0.1, 0.6]
    systems = (
        evaluation(name, values, lists={2: ["d1", "d5"], 3: []})
        for name, values in ((IN_USE, before), (ALONE, after))
    )
    given: dict[str, Any] = {
        "title": "Parts",
        "bench": bench(),
        "decision": DecisionSettings(margin=0.02),
        "sla": SLA,
        "cost": COST,
        "verdict": verdict(),
        "money": money(),
        "cadence": cadence(),
        "audit": AUDIT,
        "noise": NOISE,
        "examples": choose_examples(*systems, judged, CELL, METRIC),
        "examples_cell": CELL,
        "links": [
            KpiLink("sales", METRIC, 55, Correlation(0.42, 0.2, 0.61), Correlation(0.3, 0.1, 0.5), 0.93)
        ],
        "commands": ["gradus poc pipelines.toml --out poc"],
        "files": {"pipelines.toml": "ab" * 32},
    }
    return Poc(**given | changes)


def bare() -> Poc:
    """One pipeline, no times, nothing else."""
    full = bench()
    words = replace(full.pipelines[0], latency=None, segments=())
    return Poc("Parts", replace(full, pipelines=(words,), peak_bytes=None), DecisionSettings(), SLA, COST)
