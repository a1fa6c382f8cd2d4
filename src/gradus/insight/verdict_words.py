"""The verdict in plain words, English and Japanese."""

import math
from typing import Literal

from gradus.insight.page import show_count, signs
from gradus.insight.verdict import Answer, Finding, Missing, Verdict

Language = Literal["en", "ja"]

TEMPLATES: dict[Language, dict[str, str]] = {
    "en": {
        "drop": "Drop the re-ranker.",
        "fewer": "Re-rank fewer: {depth} documents instead of {full}.",
        "keep": "Keep the re-ranker.",
        "except_one": "{text}, except for one kind of query.",
        "except": "{text}, except for {count} kinds of query.",
        "undecided": "Not enough evidence: {missing}.",
        "depth": "re-ranking of {depth} documents",
        "alone": "the first stage alone",
        "change": "With {pipeline}, {metric} changes by {estimate} against re-ranking of {full} ({interval} %: "
        "{low} to {high}; {queries} judged queries).",
        "undefined": "With {pipeline}, no relative change of {metric} can be given ({queries} judged queries).",
        "holds": "It is shown to lose less than the margin of {margin}.",
        "breaks": "It is shown to lose more than the margin of {margin}.",
        "open": "Whether it loses more than the margin of {margin} is open: {missing}.",
        "more": "about {count} more judged queries are needed to decide it with a chance of {power}",
        "no_ratio": "the pipeline in use has no mean above 0 of which a share could be lost",
        "endless": "it lies so near to the margin that no affordable number of queries decides",
        "equal": "; {count} more if the two are equally good",
        "too_few": "{queries} judged queries are fewer than the {least} that a verdict needs: {missing}",
        "slow": "{Pipeline} misses the limit: 95 of 100 queries take up to {p95} ms, allowed are {limit} ms.",
        "fast": "{Pipeline} keeps to the limit of {limit} ms (95 of 100 queries within {p95} ms).",
        "unmeasured": "The latency of {pipeline} was not measured, so the limit of {limit} ms is unchecked.",
        "none_fast": "No pipeline that was measured keeps to the limit.",
        "best_fast": "The best that keeps to the limit is {pipeline}, with {estimate} in {metric}.",
        "segment": "{kind} = {segment}: {answer} {change}",
        "segments_agree": "No segment is shown to need another answer.",
        "segments_open": "In {count} of {all} segments there are too few queries to tell.",
    },
    "ja": {
        "drop": "リランカーは外せます。",
        "fewer": "リランクする文書を{full}件から{depth}件に減らせます。",
        "keep": "リランカーは残すべきです。",
        "except_one": "{text}(クエリ1種類を除く)。",
        "except": "{text}(クエリ{count}種類を除く)。",
        "undecided": "まだ判断できません。{missing}。",
        "depth": "{depth}件のリランク",
        "alone": "一段目のみの検索",
        "change": "{pipeline}では、{full}件のリランクに比べて{metric}が{estimate}変化します"
        "({interval}%区間:{low}〜{high}、評価済みクエリ{queries}件)。",
        "undefined": "{pipeline}では、{metric}の相対的な変化を求められません(評価済みクエリ{queries}件)。",
        "holds": "低下が許容差{margin}より小さいことが示されました。",
        "breaks": "低下が許容差{margin}より大きいことが示されました。",
        "open": "低下が許容差{margin}を超えるかどうかは未確定です。{missing}。",
        "more": "{power}の確率で決着するには、評価済みクエリがあと約{count}件必要です",
        "no_ratio": "現行の構成の平均が0以下のため、失われる割合を求められません",
        "endless": "許容差にきわめて近く、現実的なクエリ数では決着しません",
        "equal": "(両者が同等であれば、あと約{count}件)",
        "too_few": "評価済みクエリ{queries}件は、判断に必要な{least}件に足りません。{missing}",
        "slow": "{Pipeline}は応答時間の上限を超えます。95%のクエリが{p95}ミリ秒以内で、上限は{limit}ミリ秒です。",
        "fast": "{Pipeline}は上限{limit}ミリ秒を守ります(95%のクエリが{p95}ミリ秒以内)。",
        "unmeasured": "{pipeline}の応答時間は測定されていないため、上限{limit}ミリ秒は未確認です。",
        "none_fast": "測定した構成の中に、上限を守るものはありません。",
        "best_fast": "上限を守る構成で最良なのは{pipeline}で、{metric}の変化は{estimate}です。",
        "segment": "{kind} = {segment}:{answer}{change}",
        "segments_agree": "異なる判断が必要だと示されたセグメントはありません。",
        "segments_open": "{all}セグメント中{count}では、クエリが足りず判断できません。",
    },
}
"""Language → name → sentence; both languages take the same values."""


def headline(answer: Answer, verdict: Verdict, language: Language = "en") -> str:
    """The answer in one sentence: drop it, keep it, re-rank fewer, or what is missing.

    The overall answer also says for how many segments it does not hold.
    """
    words = TEMPLATES[language]
    if answer.action == "undecided":
        return words["undecided"].format(missing=_lacking(answer, answer.alone, verdict, language))
    text = words[answer.action].format(
        depth=show_count(answer.depth or 0), full=show_count(verdict.reference.depth)
    )
    against = 0 if answer is not verdict.overall or answer.action == "keep" else len(verdict.disagreeing)
    if not against:
        return text
    key = "except_one" if against == 1 else "except"
    return words[key].format(text=text.rstrip(".。"), count=show_count(against))


def sentences(verdict: Verdict, language: Language = "en") -> list[str]:
    """The whole verdict: the answer, the evidence for it, latency, and segments that disagree."""
    overall = verdict.overall
    return [
        headline(overall, verdict, language),
        *(text for finding in _relevant(overall) for text in _evidence(overall, finding, verdict, language)),
        *_latency(verdict, language),
        *_segments(verdict, language),
    ]


def show_percent(share: float, language: Language = "en") -> str:
    """A share as percent, one decimal, with a sign only below 0."""
    return _percent(signs(f"{100 * share:.1f}".removesuffix(".0")), language)


def show_change(share: float, language: Language = "en") -> str:
    """A relative change as percent, one decimal, with its sign; ∞ where nothing bounds it."""
    if math.isinf(share):
        return "∞" if share > 0 else "−∞"
    return _percent(signs(f"{100 * share:+.1f}"), language)


def _percent(number: str, language: Language) -> str:
    return f"{number} %" if language == "en" else f"{number}%"


def _relevant(answer: Answer) -> list[Finding]:
    """The candidate that was chosen, the first stage alone, and depths that are open where none was chosen."""
    relevant = [
        finding
        for finding in answer.findings
        if finding.depth in (0, answer.depth) or (answer.action == "keep" and finding.state == "open")
    ]
    return sorted(relevant, key=lambda finding: finding.depth != answer.depth)


def _evidence(answer: Answer, finding: Finding, verdict: Verdict, language: Language) -> list[str]:
    margin = show_percent(verdict.decision.margin, language)
    missing = _lacking(answer, finding, verdict, language)
    state = TEMPLATES[language][finding.state].format(margin=margin, missing=missing)
    said_before = answer.action == "undecided" and finding.depth == 0
    return [_change(finding, verdict, language), *([] if said_before else [state])]


def _change(finding: Finding, verdict: Verdict, language: Language) -> str:
    result = finding.result
    return TEMPLATES[language]["undefined" if math.isnan(result.relative) else "change"].format(
        pipeline=_pipeline(finding.depth, language),
        metric=verdict.decision.metric,
        estimate=show_change(result.relative, language),
        full=show_count(verdict.reference.depth),
        interval=f"{100 * (2 * verdict.decision.confidence - 1):g}",
        low=show_change(result.low, language),
        high=show_change(result.high, language),
        queries=show_count(result.n),
    )


def _lacking(answer: Answer, finding: Finding, verdict: Verdict, language: Language) -> str:
    """What is missing for a decision about a candidate."""
    if finding.missing is None:
        return ""
    words = TEMPLATES[language]
    text = _more(finding, finding.missing, verdict.decision.power, language)
    if finding.result.n < verdict.decision.queries:
        least = show_count(verdict.decision.queries)
        return words["too_few"].format(queries=show_count(finding.result.n), least=least, missing=text)
    return text


def _more(finding: Finding, missing: Missing, power: float, language: Language) -> str:
    words = TEMPLATES[language]
    if missing.as_measured is None:
        text = words["no_ratio" if math.isnan(finding.result.relative) else "endless"]
    else:
        count = show_count(missing.as_measured)
        text = words["more"].format(count=count, power=show_percent(power, language))
    # Equality is a plan only where the interval allows it.
    plausible = finding.result.low <= 0 <= finding.result.high
    if not plausible or missing.if_equal in (None, 1, missing.as_measured):
        return text
    return text + words["equal"].format(count=show_count(missing.if_equal or 0))


def _pipeline(depth: int, language: Language) -> str:
    return TEMPLATES[language]["depth" if depth else "alone"].format(depth=show_count(depth))


def _latency(verdict: Verdict, language: Language) -> list[str]:
    """What the latency limit says of the first stage alone, the chosen depth and the pipeline in use."""
    if verdict.sla.p95_ms == 0:
        return []
    words, full = TEMPLATES[language], verdict.reference.depth
    measured = [(f.depth, f.p95_ms, f.meets_sla) for f in _relevant(verdict.overall)]
    measured.append((full, verdict.reference.p95_ms, verdict.reference_meets_sla))
    limit, said = f"{verdict.sla.p95_ms:,.4g}", []
    for depth, p95, meets in measured:
        name = _pipeline(depth, language)
        key = "unmeasured" if p95 is None else "fast" if meets else "slow"
        said.append(
            words[key].format(
                pipeline=name,
                Pipeline=name[0].upper() + name[1:],
                limit=limit,
                p95="" if p95 is None else f"{p95:,.3g}",
            )
        )
    every = [*(finding.meets_sla for finding in verdict.overall.findings), verdict.reference_meets_sla]
    if not any(meets is not False for meets in every):
        said.append(words["none_fast"])
    best = verdict.best_within_sla
    if best is not None:
        change = show_change(best.result.relative, language)
        name = _pipeline(best.depth, language)
        said.append(words["best_fast"].format(pipeline=name, estimate=change, metric=verdict.decision.metric))
    return said


def _segments(verdict: Verdict, language: Language) -> list[str]:
    if not verdict.segments:
        return []
    words, said = TEMPLATES[language], []
    for answer in verdict.disagreeing:
        compared = verdict.overall.depth if answer.at(verdict.overall.depth or 0) else answer.depth
        finding = answer.at(compared or 0) or answer.alone
        said.append(
            words["segment"].format(
                kind=answer.kind,
                segment=answer.segment,
                answer=headline(answer, verdict, language),
                change=_change(finding, verdict, language),
            )
        )
    if not said:
        said.append(words["segments_agree"])
    unsure = sum(answer.action == "undecided" for answer in verdict.segments)
    if unsure:
        said.append(words["segments_open"].format(count=unsure, all=len(verdict.segments)))
    return said
