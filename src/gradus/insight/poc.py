"""The proof of concept: all that was measured of a search, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from gradus.insight.bench import Bench, plain
from gradus.insight.cadence_result import Cadence
from gradus.insight.cost import Input
from gradus.insight.cost_range import Bar, Spread
from gradus.insight.examples import Example
from gradus.insight.kpi import KpiLink
from gradus.insight.verdict import Verdict
from gradus.insight.verdict_words import sentences
from gradus.settings import CostSettings, DecisionSettings, SlaSettings

FORMAT = 1

CORES = 4
"""Cores of an instance of the cost model, as its default price is meant."""


@dataclass(frozen=True)
class Money:
    """The cost model, evaluated.

    Attributes:
        inputs: What goes in.
        values: Every line at the most likely inputs.
        spreads: Every line over drawn inputs.
        bars: What each input alone does to the saving, the largest swing first.
    """

    inputs: Mapping[str, Input]
    values: Mapping[str, float]
    spreads: Mapping[str, Spread]
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Gap:
    """What was not measured.

    Attributes:
        part: A section of the report, or what one of them lacks.
        reason: What an error said; empty where nothing was there to measure.
    """

    part: str
    reason: str = ""


@dataclass(frozen=True)
class Poc:
    """A proof of concept.

    Attributes:
        title: What was searched, in a few words.
        bench: The pipelines, measured.
        decision: What the verdict was asked with.
        sla: What the search must hold in service.
        cost: Prices and assumptions.
        verdict: The verdict; `None` without a one-stage and a two-stage pipeline.
        money: The cost model of the verdict's pipelines; `None` without a verdict.
        cadence: The back-test; `None` without a dated log.
        audit: `audit.json` of the judgments; `None` where they were not made by `gradus judge`.
        noise: `noise.json` of `gradus study noise`; `None` where there is none.
        examples: Result lists of the pipeline in use beside those of the first stage alone.
        examples_cell: The cell of the split that they are from.
        links: How metrics follow KPIs; empty without KPIs.
        commands: What makes the same again.
        files: File → its SHA-256.
        failures: Part → what the error said that left it out.
    """

    title: str
    bench: Bench
    decision: DecisionSettings
    sla: SlaSettings
    cost: CostSettings
    verdict: Verdict | None = None
    money: Money | None = None
    cadence: Cadence | None = None
    audit: Mapping[str, Any] | None = None
    noise: Mapping[str, Any] | None = None
    examples: Sequence[Example] = ()
    examples_cell: str = ""
    links: Sequence[KpiLink] = ()
    commands: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def gaps(self) -> list[Gap]:
        """What is not in the report."""
        segments = {row.segment for result in self.bench.pipelines for row in result.segments}
        there = {
            "verdict": self.verdict,
            "latency": any(result.latency for result in self.bench.pipelines),
            "cost": self.money,
            "cadence": self.cadence,
            "evidence": self.audit,
            "noise": self.noise,
            "traffic": "traffic" in segments,
            "why": any("importance" in result.facts for result in self.bench.pipelines),
            "examples": self.examples,
            "kpi": self.links,
            "summary": "summary" not in self.failures,
        }
        return [Gap(part, self.failures.get(part, "")) for part, found in there.items() if not found]

    @property
    def roles(self) -> dict[str, str]:
        """Pipeline → `baseline` (in use), `system` (the first stage alone that stands against it) or `other`."""
        roles = {result.name: "other" for result in self.bench.pipelines}
        if self.verdict is not None:
            roles[self.verdict.reference.name] = "baseline"
            roles[self.verdict.overall.alone.name] = "system"
        return roles

    def as_dict(self) -> dict[str, Any]:
        """For JSON: all that the page shows but pictures; what is not a finite number is null."""
        found = asdict(replace(self, verdict=None, cadence=None))
        verdict = None
        if self.verdict is not None:
            verdict = asdict(self.verdict)
            del verdict["reference"]["values"]
            verdict["sentences"] = sentences(self.verdict)
        for example in found["examples"]:
            for shown in (example, *(hit for each in example["lists"] for hit in each["hits"])):
                del shown["picture"]
        cadence = None if self.cadence is None else self.cadence.as_dict()
        found |= {"verdict": verdict, "cadence": cadence, "gaps": [asdict(gap) for gap in self.gaps]}
        whole: dict[str, Any] = plain({"format": FORMAT} | found)
        return whole
