"""What the proof of concept's page shows, part by part, in numbers that are formatted and words of one language."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradus.evaluation.bootstrap import Interval
from gradus.insight.cost import decided
from gradus.insight.cost_words import show_money
from gradus.insight.page import show_count, show_value, signs
from gradus.insight.poc import CORES, Poc
from gradus.insight.poc_cadence import cadence_view
from gradus.insight.poc_cost import cost_view
from gradus.insight.poc_parts import (
    asked,
    audit_view,
    declared,
    latency_view,
    link_row,
    noise_view,
    show_ms,
    why_view,
)
from gradus.insight.poc_scale import place, steps
from gradus.insight.poc_words import WORDS, label, segment_label
from gradus.insight.verdict import Answer, Finding, Verdict
from gradus.insight.verdict_words import Language, headline, sentences, show_change, show_percent
from gradus.judgments.split import CELLS

View = dict[str, Any]


def view_of(poc: Poc, language: Language) -> View:
    """Everything that the page's template shows."""
    verdict = None if poc.verdict is None else _named(poc.verdict, language)
    return {
        "headline": WORDS[language]["no_verdict"]
        if verdict is None
        else headline(verdict.overall, verdict, language),
        "sentences": [] if verdict is None else sentences(verdict, language)[1:],
        "tiles": [] if verdict is None else _tiles(poc, verdict, language),
        "margin": None if verdict is None else _margin(verdict, language),
        "marginal": show_percent(poc.decision.margin, language),
        "candidates": ""
        if verdict is None
        else (", " if language == "en" else "、").join(f.name for f in verdict.overall.findings),
        "cores": CORES,
        "roles": poc.roles,
        "labels": {cell: label(cell, language) for cell in CELLS},
        "quality": _quality(poc),
        "segments": None if verdict is None else _segments(verdict, language),
        "latency": latency_view(poc, language),
        "cost": None if poc.money is None else cost_view(poc, language),
        "cadence": None if poc.cadence is None else cadence_view(poc.cadence, language),
        "audit": audit_view(poc, language),
        "noise": noise_view(poc, language),
        "why": why_view(poc, verdict, language),
        "links": [link_row(link, language) for link in poc.links],
        "asked": asked(poc),
        "declared": {
            r.name: declared(r.declaration["first"]) | declared(r.declaration, ("first", "name"))
            for r in poc.bench.pipelines
        },
    }


def _named(verdict: Verdict, language: Language) -> Verdict:
    """The verdict with segments called as people call them."""
    segments = [
        replace(answer, kind=kind, segment=segment)
        for answer in verdict.segments
        for kind, segment in [segment_label(answer.kind, answer.segment, language)]
    ]
    return replace(verdict, segments=tuple(segments))


def _tiles(poc: Poc, verdict: Verdict, language: Language) -> list[View]:
    return [
        _quality_tile(verdict, language),
        _latency_tile(verdict, language),
        _saving_tile(poc, verdict, language),
        _cadence_tile(poc, language),
    ]


def _proposed(verdict: Verdict) -> Finding:
    """What would take the place of the pipeline in use: re-ranking of fewer documents, or else the first stage alone."""
    overall = verdict.overall
    chosen = overall.at(overall.depth or 0) if overall.action == "fewer" else None
    return chosen or overall.alone


def _heading(tile: str, chosen: Finding, w: Mapping[str, str]) -> str:
    return w[f"tile_{tile}_fewer" if chosen.depth else f"tile_{tile}"].format(depth=show_count(chosen.depth))


def _quality_tile(verdict: Verdict, language: Language) -> View:
    w, chosen = WORDS[language], _proposed(verdict)
    note = w["tile_quality_note"].format(
        metric=verdict.decision.metric,
        pipeline=verdict.reference.name,
        low=show_change(chosen.result.low, language),
        high=show_change(chosen.result.high, language),
    )
    kind = {"holds": "better", "breaks": "worse", "open": ""}[chosen.state]
    known = math.isfinite(chosen.result.relative)
    value = show_change(chosen.result.relative, language) if known else "–"
    return _tile(_heading("quality", chosen, w), value, "", note, kind)


def _latency_tile(verdict: Verdict, language: Language) -> View:
    w, chosen, in_use = WORDS[language], _proposed(verdict), verdict.reference.p95_ms
    heading = _heading("latency", chosen, w)
    if chosen.p95_ms is None or in_use is None:
        return _tile(heading, "–", "", w["tile_none"])
    note = w["tile_latency_note"].format(ms=show_ms(in_use))
    unit = "ms" if language == "en" else "ミリ秒"
    kind = "better" if chosen.p95_ms < in_use else "worse"
    return _tile(heading, show_ms(chosen.p95_ms), unit, note, kind)


def _saving_tile(poc: Poc, verdict: Verdict, language: Language) -> View:
    w = WORDS[language]
    heading = _heading("saving", _proposed(verdict), w)
    if poc.money is None:
        return _tile(heading, "–", "", w["tile_none"])
    of = decided(poc.money.values)
    spread = poc.money.spreads[f"{of}saving"]
    note = w["tile_saving_note"].format(
        currency=poc.cost.currency,
        months=f"{poc.cost.months:g}",
        low=show_money(spread.low),
        high=show_money(spread.high),
    )
    kind = "better" if spread.low > 0 else "worse" if spread.high < 0 else ""
    return _tile(heading, show_money(poc.money.values[f"{of}saving"]), "", note, kind)


def _cadence_tile(poc: Poc, language: Language) -> View:
    w = WORDS[language]
    if poc.cadence is None:
        return _tile(w["tile_cadence"], "–", "", w["tile_none"])
    every = cadence_view(poc.cadence, language)["every"]
    note = w["tile_cadence_note" if every else "tile_cadence_none"]
    return _tile(
        w["tile_cadence"], every or "–", "", note.format(allowed=show_percent(poc.cadence.allowed, language))
    )


def _tile(heading: str, value: str, unit: str, note: str, kind: str = "") -> View:
    return {"heading": heading, "value": value, "unit": unit, "note": note, "kind": kind}


def _margin(verdict: Verdict, language: Language) -> View:
    """The candidates' intervals on one axis of relative change, places in percent of its width."""
    ends = [0.0, -2 * verdict.decision.margin, verdict.decision.margin]
    for finding in verdict.overall.findings:
        ends += [e for e in (finding.result.low, finding.result.high) if math.isfinite(e)]
    low, high = min(ends), max(ends)
    # All is 0 where no margin is given and nothing differs.
    room = 0.06 * (high - low) or 0.01
    low, high = low - room, high + room
    rows = [_range_row(finding, low, high, language) for finding in verdict.overall.findings]
    return {
        "rows": rows,
        "zero": place(0, low, high),
        "limit": place(-verdict.decision.margin, low, high),
        "ticks": [(place(tick, low, high), show_change(tick, language)) for tick in steps(low, high)],
    }


def _range_row(finding: Finding, low: float, high: float, language: Language) -> View:
    result, w = finding.result, WORDS[language]
    start, end = (
        place(min(max(e, low), high), low, high) if math.isfinite(e) else None
        for e in (result.low, result.high)
    )
    return {
        "name": finding.name,
        "state": finding.state,
        "word": w[f"state_{finding.state}"],
        "at": place(result.relative, low, high) if math.isfinite(result.relative) else None,
        "from": 0 if start is None else start,
        "width": (100 if end is None else end) - (0 if start is None else start),
        "value": show_change(result.relative, language) if math.isfinite(result.relative) else "–",
        "ends": f"{show_change(result.low, language)} {w['to']} {show_change(result.high, language)}",
    }


def _quality(poc: Poc) -> View:
    """For every metric the pipelines' intervals cell by cell, all metrics' cells on one axis each."""
    cells = list(dict.fromkeys(cell for result in poc.bench.pipelines for cell in result.cells))
    counts = {
        cell: next(
            (r.cells[cell].queries, r.cells[cell].documents) for r in poc.bench.pipelines if cell in r.cells
        )
        for cell in cells
    }
    metrics = {}
    for metric in poc.bench.metrics:
        intervals = {
            cell: {r.name: r.cells[cell].metrics.get(metric) for r in poc.bench.pipelines if cell in r.cells}
            for cell in cells
        }
        known = [
            i for of in intervals.values() for i in of.values() if i is not None and math.isfinite(i.mean)
        ]
        if known:
            metrics[metric] = _metric(intervals, known)
    return {
        "cells": cells,
        "counts": counts,
        "metrics": metrics,
        "lead": poc.decision.metric if poc.decision.metric in metrics else next(iter(metrics), ""),
    }


def _metric(intervals: Mapping[str, Mapping[str, Interval | None]], known: Sequence[Interval]) -> View:
    ends = [e for i in known for e in (i.mean, i.low, i.high) if math.isfinite(e)]
    low, high = min(ends), max(ends)
    room = 0.05 * (high - low) or 0.05
    low, high = low - room, high + room
    cells = {
        cell: [
            {
                "name": name,
                "mean": show_value(interval.mean),
                "low": show_value(interval.low),
                "high": show_value(interval.high),
                "at": place(interval.mean, low, high),
                "from": place(interval.low, low, high) if math.isfinite(interval.low) else 0,
                "width": _width(interval, low, high),
            }
            for name, interval in of.items()
            if interval is not None and math.isfinite(interval.mean)
        ]
        for cell, of in intervals.items()
    }
    ticks = [(place(tick, low, high), signs(f"{tick:.4g}")) for tick in steps(low, high)]
    return {"cells": cells, "ticks": ticks}


def _width(interval: Interval, low: float, high: float) -> float:
    """Percent of the axis that an interval covers; 0 where one query tells of none."""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return 0.0
    return round(place(interval.high, low, high) - place(interval.low, low, high), 2)


def _segments(verdict: Verdict, language: Language) -> View:
    rows = [_segment(answer, language) for answer in verdict.segments]
    decided = [row for row in rows if row["action"] != "undecided"]
    return {"rows": rows, "decided": decided, "least": show_count(verdict.decision.queries)}


def _segment(answer: Answer, language: Language) -> View:
    result = answer.alone.result
    known = math.isfinite(result.relative)
    depth = "" if answer.depth is None else show_count(answer.depth)
    return {
        "kind": answer.kind,
        "segment": answer.segment,
        "queries": show_count(answer.queries),
        "change": show_change(result.relative, language) if known else "–",
        "ends": f"{show_change(result.low, language)} {WORDS[language]['to']} {show_change(result.high, language)}"
        if known and math.isfinite(result.low)
        else "",
        "action": answer.action,
        "answer": WORDS[language][f"action_{answer.action}"].format(depth=depth),
        "two": show_value(result.reference_mean),
        "one": show_value(result.system_mean),
    }
