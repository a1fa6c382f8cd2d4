"""Parts of the proof of concept's page: times, evidence, what the re-ranker lives on, KPIs, declarations."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gradus.insight.bench import PipelineResult
from gradus.insight.kpi import Correlation, KpiLink
from gradus.insight.page import show_count, show_value, signs
from gradus.insight.poc import Poc
from gradus.insight.poc_plots import Dot, plot_scatter
from gradus.insight.poc_words import WORDS, label
from gradus.insight.verdict import Verdict
from gradus.insight.verdict_words import Language, show_change, show_percent
from gradus.settings.section import Section

View = dict[str, Any]

_SINGLES = 10
"""Single features that are shown."""
_FAMILIES = {
    "similarity": ("similarity", "below best"),
    "bm25": ("bm25", "idf"),
    "covered": ("covered", "used"),
    "numbers": ("numbers", "near"),
    "appeal": ("judged", "appeal"),
    "terms": ("terms",),
}
"""Kind of feature → how the names of its features begin."""


def latency_view(poc: Poc, language: Language) -> View | None:
    """Quality against time, and tables; `None` where no times were taken."""
    timed = [result for result in poc.bench.pipelines if result.latency is not None]
    if not timed:
        return None
    w, metric, roles = WORDS[language], poc.decision.metric, poc.roles
    dots = []
    for result in timed:
        means = [c.metrics[metric].mean for c in result.cells.values() if metric in c.metrics]
        means = [mean for mean in means if math.isfinite(mean)]
        if means and result.latency is not None:
            value, p95 = sum(means) / len(means), result.latency.p95_ms
            told = f"{result.name}: {metric} {show_value(value)}, {show_ms(p95)} {'ms' if language == 'en' else 'ミリ秒'}"
            dots.append(Dot(p95, value, result.name, roles[result.name], told))
    limit = None
    if poc.sla.p95_ms:
        limit = (poc.sla.p95_ms, w["latency_limit"].format(ms=f"{poc.sla.p95_ms:,.4g}"))
    plot = plot_scatter(dots, w["latency_axis"], metric, w["latency_plot"], limit) if dots else None
    peak = poc.bench.peak_bytes
    return {
        "plot": plot,
        "rows": [_times(result) for result in timed],
        "sizes": [_sizes(result) for result in poc.bench.pipelines],
        "clients": timed[0].latency.clients if timed[0].latency else 0,
        "memory": None if peak is None else f"{peak / 1e9:.2f}",
    }


def _times(result: PipelineResult) -> tuple[str, list[str]]:
    times = result.latency
    assert times is not None  # noqa: S101 - narrows the type
    ms = [times.p50_ms, times.p95_ms, times.p99_ms, times.clients_p95_ms]
    return result.name, [
        *map(show_ms, ms),
        *(f"{rate:,.3g}" if rate < 100 else f"{rate:,.0f}" for rate in (times.throughput, times.per_core)),
    ]


def _sizes(result: PipelineResult) -> tuple[str, list[str]]:
    c = result.costs
    sizes = [f"{number / 1e6:,.1f}" for number in (c.index_bytes, c.model_bytes, c.reranker_bytes)]
    seconds = (c.training_seconds, c.embedding_seconds, c.fitting_seconds)
    return result.name, [*sizes, *("–" if s is None else f"{s:,.1f}" for s in seconds)]


def audit_view(poc: Poc, language: Language) -> View | None:
    """What `gradus judge` said of the evidence; `None` where it did not."""
    if poc.audit is None:
        return None
    coverage = poc.audit["coverage"]
    w = WORDS[language]
    return {
        "text": w["audit_text"].format(
            share=show_percent(1 - coverage["wide"], language),
            pairs=show_count(coverage["pairs"]),
            documents=show_count(coverage["documents"]),
            catalogue=show_count(coverage["catalogue"]),
        ),
        "faults": [finding for finding in poc.audit["findings"] if finding["severity"] == "error"],
        "sources": [
            (
                s["name"],
                show_count(s["pairs"]),
                show_count(s["evidence"]),
                "–" if s["say"] is None else show_percent(s["say"], language),
            )
            for s in poc.audit["sources"]
        ],
        "bands": [
            (
                label(b["name"], language),
                *(show_count(b[k]) for k in ("queries", "pairs", "impressions")),
                "–" if b["width"] is None else f"{b['width']:.2f}",
            )
            for b in poc.audit["bands"]
        ],
    }


def noise_view(poc: Poc, language: Language) -> View | None:
    """The table of a noise study; `None` without one."""
    if poc.noise is None:
        return None
    w, points = WORDS[language], [point for point in poc.noise["points"] if point["means"]]
    cells = list(dict.fromkeys(cell for point in points for cell in point["means"]))
    rows = [
        (
            w.get(f"noise_{p['estimator']}", p["estimator"]),
            show_count(p["impressions"]) if p["impressions"] else "–",
            *(show_value(p["means"][cell]) for cell in cells),
        )
        for p in points
    ]
    return {"metric": poc.noise["metric"], "cells": cells, "rows": rows}


def why_view(poc: Poc, verdict: Verdict | None, language: Language) -> View | None:
    """What the re-ranker in use, or else the first that tells, lives on; and where it wins."""
    told = [r for r in poc.bench.pipelines if "importance" in r.facts]
    if not told:
        return None
    in_use = None if verdict is None else verdict.reference.name
    result = next((r for r in told if r.name == in_use), told[0])
    importance: Mapping[str, float] = result.facts["importance"]
    families: dict[str, float] = defaultdict(float)
    for name, share in importance.items():
        families[_family(name)] += share
    singles = sorted(importance.items(), key=lambda item: -item[1])[:_SINGLES]
    wins = [] if verdict is None else [a for a in verdict.segments if a.alone.state == "breaks"]
    return {
        "pipeline": result.name,
        "families": _bars(
            ((WORDS[language][f"feature_{name}"], share) for name, share in families.items()), language
        ),
        "singles": _bars(((name, share) for name, share in singles), language),
        "wins": [f"{a.kind} = {a.segment} ({show_change(a.alone.result.relative, language)})" for a in wins],
        "appeal": families["appeal"] >= 0.1,
        "terms": families["bm25"] + families["covered"] + families["numbers"] >= 0.1,
    }


def _family(feature: str) -> str:
    begin = feature.partition(":")[0]
    return next((family for family, names in _FAMILIES.items() if begin in names), "other")


def _bars(shares: Iterable[tuple[str, float]], language: Language) -> list[tuple[str, str, float]]:
    ordered = sorted(shares, key=lambda item: -item[1])
    top = max((share for _, share in ordered), default=0) or 1.0
    return [
        (name, show_percent(share, language), round(100 * share / top, 2))
        for name, share in ordered
        if share > 0
    ]


def link_row(link: KpiLink, language: Language) -> tuple[str, ...]:
    """A row of the table of KPIs."""

    def correlation(c: Correlation) -> tuple[str, str]:
        if not math.isfinite(c.value):
            return "–", ""
        return signs(
            f"{c.value:+.2f}"
        ), f"{signs(f'{c.low:.2f}')} {WORDS[language]['to']} {signs(f'{c.high:.2f}')}"

    return (
        link.kpi,
        link.metric,
        show_count(link.queries),
        *correlation(link.spearman),
        *correlation(link.kendall),
        show_percent(link.first, language),
    )


def asked(poc: Poc) -> dict[str, str]:
    """What the verdict was asked with: setting → value."""
    found: dict[str, str] = {}
    for name, section in (("decision", poc.decision), ("sla", poc.sla)):
        found |= {f"{name}.{key}": value for key, value in _given(section)}
    return found


def _given(section: Section) -> Iterable[tuple[str, str]]:
    for key, value in vars(section).items():
        if value not in ("", ()):
            if isinstance(value, tuple):
                value = ", ".join(value)
            yield key, f"{value:g}" if isinstance(value, float) else str(value)


def declared(values: Mapping[str, Any], but: Sequence[str] = ()) -> dict[str, str]:
    """A declaration of a pipeline as setting → value, nested tables as dotted keys."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if key in but:
            continue
        if isinstance(value, Mapping):
            found |= {f"{key}.{inner}": text for inner, text in declared(value).items()}
        else:
            found[key] = str(value)
    return found


def show_ms(value: float) -> str:
    """Milliseconds, three significant digits below a hundred."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"
