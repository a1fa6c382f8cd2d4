"""The cost model in plain words, English and Japanese."""

import math
from collections.abc import Mapping

from gradus.insight.cost import decided
from gradus.insight.cost_range import Spread
from gradus.insight.page import signs
from gradus.insight.verdict_words import Language, show_percent

LABELS: dict[Language, dict[str, str]] = {
    "en": {
        "load": "Searches at the busiest time",
        "availability": "Availability asked for",
        "freshness_days": "Days between refreshes",
        "months": "Months that are added up",
        "instance_price": "Instance of the first stage",
        "rerank_price": "Instance of the re-ranker",
        "training_price": "Instance that trains and embeds",
        "utilisation": "Load of an instance, of its throughput",
        "instance_availability": "Availability of one instance",
        "one_throughput": "Throughput of an instance, one stage",
        "two_throughput": "Throughput of an instance, first of two stages",
        "rerank_throughput": "Throughput of an instance, re-ranker",
        "one_training_hours": "Training at a refresh, one stage",
        "two_training_hours": "Training at a refresh, first of two stages",
        "rerank_training_hours": "Training at a refresh, re-ranker",
        "one_embedding_hours": "Embedding at a refresh, one stage",
        "two_embedding_hours": "Embedding at a refresh, first of two stages",
        "person_price": "Hour of a person",
        "labelling_hours": "Labelling",
        "one_upkeep_hours": "Upkeep, one stage",
        "two_upkeep_hours": "Upkeep, first of two stages",
        "rerank_upkeep_hours": "Upkeep, re-ranker",
        "switch_hours": "Work of the switch to one stage, once",
        "refreshes": "Refreshes",
        "one_needed": "Instances that carry the load, one stage",
        "one_replicas": "Instances with a spare, one stage",
        "one_available": "Availability reached, one stage",
        "two_needed": "Instances that carry the load, first of two stages",
        "two_replicas": "Instances with a spare, first of two stages",
        "rerank_needed": "Instances that carry the load, re-ranker",
        "rerank_replicas": "Instances with a spare, re-ranker",
        "two_available": "Availability reached, two stages",
        "one_serving": "Serving, one stage",
        "one_refreshing": "Refreshing, one stage",
        "labelling": "Labelling, either way",
        "one_upkeep": "Upkeep by people, one stage",
        "one_month": "One stage",
        "two_serving": "Serving, first of two stages",
        "two_refreshing": "Refreshing, first of two stages",
        "two_upkeep": "Upkeep by people, first of two stages",
        "rerank_serving": "Serving, re-ranker",
        "rerank_refreshing": "Refreshing, re-ranker",
        "rerank_upkeep": "Upkeep by people, re-ranker",
        "rerank_month": "Re-ranker",
        "two_month": "Two stages",
        "rerank_share": "Re-ranker's share of two stages",
        "switching": "Switch to one stage, once",
        "one_total": "One stage in all, switch included",
        "two_total": "Two stages in all",
        "saving_month": "Saving a month",
        "saving": "Saving in all, switch paid",
        "payback": "Pay-back time of the switch",
        "roi": "Return on the switch",
        "fewer_first_throughput": "Throughput of an instance, first stage before fewer",
        "fewer_first_training_hours": "Training at a refresh, first stage before fewer",
        "fewer_first_embedding_hours": "Embedding at a refresh, first stage before fewer",
        "fewer_first_upkeep_hours": "Upkeep, first stage before fewer",
        "fewer_rerank_throughput": "Throughput of an instance, re-ranker of fewer",
        "fewer_rerank_training_hours": "Training at a refresh, re-ranker of fewer",
        "fewer_rerank_upkeep_hours": "Upkeep, re-ranker of fewer",
        "fewer_switch_hours": "Work of the switch to re-ranking fewer, once",
        "fewer_first_needed": "Instances that carry the load, first stage before fewer",
        "fewer_first_replicas": "Instances with a spare, first stage before fewer",
        "fewer_rerank_needed": "Instances that carry the load, re-ranker of fewer",
        "fewer_rerank_replicas": "Instances with a spare, re-ranker of fewer",
        "fewer_available": "Availability reached, re-ranking fewer",
        "fewer_serving": "Serving, first stage before fewer",
        "fewer_refreshing": "Refreshing, first stage before fewer",
        "fewer_upkeep": "Upkeep by people, first stage before fewer",
        "fewer_rerank_serving": "Serving, re-ranker of fewer",
        "fewer_rerank_refreshing": "Refreshing, re-ranker of fewer",
        "fewer_rerank_upkeep": "Upkeep by people, re-ranker of fewer",
        "fewer_rerank_month": "Re-ranker of fewer",
        "fewer_month": "Re-ranking fewer",
        "fewer_switching": "Switch to re-ranking fewer, once",
        "fewer_total": "Re-ranking fewer in all, switch included",
        "fewer_saving_month": "Saving a month by re-ranking fewer",
        "fewer_saving": "Saving in all by re-ranking fewer, switch paid",
        "fewer_payback": "Pay-back time of re-ranking fewer",
        "fewer_roi": "Return on the switch to re-ranking fewer",
    },
    "ja": {
        "load": "最も混む時間帯の検索数",
        "availability": "求める稼働率",
        "freshness_days": "更新の間隔",
        "months": "合計する期間",
        "instance_price": "一段目のインスタンス",
        "rerank_price": "リランカーのインスタンス",
        "training_price": "学習と埋め込みのインスタンス",
        "utilisation": "インスタンスの利用率",
        "instance_availability": "インスタンス1台の稼働率",
        "one_throughput": "1台の処理能力(一段構成)",
        "two_throughput": "1台の処理能力(二段構成の一段目)",
        "rerank_throughput": "1台の処理能力(リランカー)",
        "one_training_hours": "更新ごとの学習(一段構成)",
        "two_training_hours": "更新ごとの学習(二段構成の一段目)",
        "rerank_training_hours": "更新ごとの学習(リランカー)",
        "one_embedding_hours": "更新ごとの埋め込み(一段構成)",
        "two_embedding_hours": "更新ごとの埋め込み(二段構成の一段目)",
        "person_price": "人件費(1時間)",
        "labelling_hours": "評価付け",
        "one_upkeep_hours": "保守(一段構成)",
        "two_upkeep_hours": "保守(二段構成の一段目)",
        "rerank_upkeep_hours": "保守(リランカー)",
        "switch_hours": "一段構成への移行作業(一度だけ)",
        "refreshes": "更新回数",
        "one_needed": "負荷に必要な台数(一段構成)",
        "one_replicas": "予備を含む台数(一段構成)",
        "one_available": "達成される稼働率(一段構成)",
        "two_needed": "負荷に必要な台数(二段構成の一段目)",
        "two_replicas": "予備を含む台数(二段構成の一段目)",
        "rerank_needed": "負荷に必要な台数(リランカー)",
        "rerank_replicas": "予備を含む台数(リランカー)",
        "two_available": "達成される稼働率(二段構成)",
        "one_serving": "配信(一段構成)",
        "one_refreshing": "更新(一段構成)",
        "labelling": "評価付け(共通)",
        "one_upkeep": "保守の人件費(一段構成)",
        "one_month": "一段構成",
        "two_serving": "配信(二段構成の一段目)",
        "two_refreshing": "更新(二段構成の一段目)",
        "two_upkeep": "保守の人件費(二段構成の一段目)",
        "rerank_serving": "配信(リランカー)",
        "rerank_refreshing": "更新(リランカー)",
        "rerank_upkeep": "保守の人件費(リランカー)",
        "rerank_month": "リランカー",
        "two_month": "二段構成",
        "rerank_share": "二段構成に占めるリランカーの割合",
        "switching": "一段構成への移行(一度だけ)",
        "one_total": "一段構成の合計(移行を含む)",
        "two_total": "二段構成の合計",
        "saving_month": "1か月の節約",
        "saving": "節約の合計(移行後)",
        "payback": "移行費用の回収期間",
        "roi": "移行の投資利益率",
        "fewer_first_throughput": "1台の処理能力(件数を減らす構成の一段目)",
        "fewer_first_training_hours": "更新ごとの学習(件数を減らす構成の一段目)",
        "fewer_first_embedding_hours": "更新ごとの埋め込み(件数を減らす構成の一段目)",
        "fewer_first_upkeep_hours": "保守(件数を減らす構成の一段目)",
        "fewer_rerank_throughput": "1台の処理能力(件数を減らしたリランカー)",
        "fewer_rerank_training_hours": "更新ごとの学習(件数を減らしたリランカー)",
        "fewer_rerank_upkeep_hours": "保守(件数を減らしたリランカー)",
        "fewer_switch_hours": "件数を減らす構成への移行作業(一度だけ)",
        "fewer_first_needed": "負荷に必要な台数(件数を減らす構成の一段目)",
        "fewer_first_replicas": "予備を含む台数(件数を減らす構成の一段目)",
        "fewer_rerank_needed": "負荷に必要な台数(件数を減らしたリランカー)",
        "fewer_rerank_replicas": "予備を含む台数(件数を減らしたリランカー)",
        "fewer_available": "達成される稼働率(件数を減らす構成)",
        "fewer_serving": "配信(件数を減らす構成の一段目)",
        "fewer_refreshing": "更新(件数を減らす構成の一段目)",
        "fewer_upkeep": "保守の人件費(件数を減らす構成の一段目)",
        "fewer_rerank_serving": "配信(件数を減らしたリランカー)",
        "fewer_rerank_refreshing": "更新(件数を減らしたリランカー)",
        "fewer_rerank_upkeep": "保守の人件費(件数を減らしたリランカー)",
        "fewer_rerank_month": "件数を減らしたリランカー",
        "fewer_month": "リランクの件数を減らす構成",
        "fewer_switching": "件数を減らす構成への移行(一度だけ)",
        "fewer_total": "件数を減らす構成の合計(移行を含む)",
        "fewer_saving_month": "件数を減らした場合の1か月の節約",
        "fewer_saving": "件数を減らした場合の節約の合計(移行後)",
        "fewer_payback": "件数を減らす移行の回収期間",
        "fewer_roi": "件数を減らす移行の投資利益率",
    },
}
"""Language → input or line of the model → what a person reads."""

CENTURY = 1200
"""Months beyond which nobody counts them."""

_UNITS_JA = {
    "queries per second": "クエリ/秒",
    "share": "割合",
    "days": "日",
    "months": "か月",
    "hours": "時間",
    "hours per month": "時間/月",
    "instances": "台",
    "per month": "回/月",
}

_SOURCES_JA = {
    "measured": "測定値",
    "default: on-demand list price of 4 vCPU and 16 GB at large clouds, rounded": "既定値:大手クラウドの4 vCPU・16 GBの定価(概数)",
    "default: on-demand list price of a 24 GB GPU with 4 to 8 vCPU at large clouds, rounded": "既定値:大手クラウドの24 GB GPU・4〜8 vCPUの定価(概数)",
    "default: assumed, not measured": "既定値:仮定(未測定)",
    "default: assumed, state yours": "既定値:仮定(設定してください)",
    "default: three years": "既定値:3年",
    "default: half of what an instance can do": "既定値:処理能力の半分",
    "default: what large clouds promise of a single instance": "既定値:大手クラウドが1台に保証する値",
    "default: an engineer with all overheads": "既定値:諸経費込みのエンジニア",
    "default: a day a month": "既定値:月1日",
    "default: two days a month": "既定値:月2日",
    "default: a day and a half a month": "既定値:月1日半",
    "default: a month of one engineer": "既定値:エンジニア1人の1か月",
    "default: a week of one engineer": "既定値:エンジニア1人の1週間",
}

TEMPLATES: dict[Language, dict[str, str]] = {
    "en": {
        "month": "A month costs about {one} {currency} with one stage and {two} {currency} with two, of which "
        "{share} is the re-ranker's part.",
        "month_fewer": "With fewer documents re-ranked, it costs about {fewer} {currency}.",
        "saving": "Over {months} months {what} saves {saving} {currency} (90 % of the draws: {low} to {high}), the "
        "switch paid; it saves anything at all in {positive} of the draws.",
        "loss": "Over {months} months {what} costs {saving} {currency} more (90 % of the draws: {low} to {high}), the "
        "switch paid; it saves anything at all in {positive} of the draws.",
        "payback": "The switch pays back after {payback} months (90 % of the draws: {low} to {high}).",
        "late": "The switch takes more than a century to pay back.",
        "never": "The switch does not pay back: {what} is not cheaper by the month.",
        "availability": "With one spare instance per stage, the availability of {pipeline} reaches {reached}, less than the {asked} asked for.",
        "one": "one stage",
        "two": "two stages",
        "fewer": "re-ranking fewer documents",
        "unbounded": "never",
    },
    "ja": {
        "month": "1か月の費用は、一段構成で約{one} {currency}、二段構成で約{two} {currency}です。"
        "二段構成の{share}がリランカーの分です。",
        "month_fewer": "リランクの件数を減らす構成では約{fewer} {currency}です。",
        "saving": "{months}か月で、{what}は移行費用を差し引いて{saving} {currency}の節約になります"
        "(試行の90%:{low}〜{high})。節約になるのは試行の{positive}です。",
        "loss": "{months}か月で、{what}は移行費用を含めて{saving} {currency}高くつきます"
        "(試行の90%:{low}〜{high})。節約になるのは試行の{positive}です。",
        "payback": "移行費用は{payback}か月で回収できます(試行の90%:{low}〜{high})。",
        "late": "移行費用の回収には100年以上かかります。",
        "never": "{what}のほうが月額で安くならないため、移行費用は回収できません。",
        "availability": "予備が各段1台では、{pipeline}の稼働率は{reached}で、求める{asked}に届きません。",
        "one": "一段構成",
        "two": "二段構成",
        "fewer": "リランクの件数を減らす構成",
        "unbounded": "回収不能",
    },
}
"""Language → name → sentence; both languages take the same values."""


def cost_sentences(
    values: Mapping[str, float],
    spreads: Mapping[str, Spread],
    months: float,
    availability: float,
    currency: str,
    language: Language = "en",
) -> list[str]:
    """What the cost model says: monthly totals, the saving, the pay-back time, an availability missed.

    The saving is that of one stage, or of re-ranking fewer documents where the model has that.

    Args:
        values: Every line at the most likely inputs, as `cost_of` gives them.
        spreads: Every line over drawn inputs, as `spread_costs` gives them.
        months: How long costs are added up.
        availability: Share of the time that was asked for.
        currency: Name of the currency.
        language: English or Japanese.
    """
    words, of = TEMPLATES[language], decided(values)
    what = words["fewer" if of else "one"]
    saving, payback = spreads[f"{of}saving"], spreads[f"{of}payback"]
    # Where two stages cost nothing, so does the re-ranker.
    share = values["rerank_share"] if math.isfinite(values["rerank_share"]) else 0.0
    total, ends = values[f"{of}saving"], [show_money(saving.low), show_money(saving.high)]
    if total < 0:
        ends = [show_money(-saving.high), show_money(-saving.low)]
    said = [
        words["month"].format(
            one=show_money(values["one_month"]),
            two=show_money(values["two_month"]),
            currency=currency,
            share=show_percent(share, language),
        )
    ]
    if of:
        said.append(words["month_fewer"].format(fewer=show_money(values["fewer_month"]), currency=currency))
    said.append(
        words["loss" if total < 0 else "saving"].format(
            what=what,
            months=f"{months:g}",
            saving=show_money(abs(total)),
            currency=currency,
            low=ends[0],
            high=ends[1],
            positive=show_percent(saving.positive, language),
        )
    )
    if math.isinf(values[f"{of}payback"]):
        said.append(words["never"].format(what=what))
    elif values[f"{of}payback"] > CENTURY:
        said.append(words["late"])
    else:
        likely, low, high = (
            show_months(v, language) for v in (values[f"{of}payback"], payback.low, payback.high)
        )
        said.append(words["payback"].format(payback=likely, low=low, high=high))
    for pipeline in ("one", *(["fewer"] if of else []), "two"):
        reached = values[f"{pipeline}_available"]
        if reached < availability:
            said.append(
                words["availability"].format(
                    pipeline=words[pipeline],
                    reached=_precise(reached, language),
                    asked=_precise(availability, language),
                )
            )
    return said


def show_money(amount: float) -> str:
    """An amount of money, three significant digits and no cents: 12,345.6 becomes 12,300."""
    if not math.isfinite(amount):
        return "∞"
    if abs(amount) < 1:
        return signs(f"{amount:.2f}")
    return signs(f"{float(f'{amount:.3g}'):,.0f}") if abs(amount) >= 100 else signs(f"{amount:.3g}")


def show_months(months: float, language: Language = "en") -> str:
    """A pay-back time in months, one decimal, up to a century."""
    if not math.isfinite(months):
        return TEMPLATES[language]["unbounded"]
    return f"> {CENTURY:,}" if months > CENTURY else f"{months:,.1f}"


def show_unit(unit: str, currency: str, language: Language = "en") -> str:
    """A unit of an input or line, with the currency's name for `money`."""
    if unit.startswith("money"):
        period = {"": "", "hour": "時間", "month": "月"}[unit.removeprefix("money").removeprefix(" per ")]
        if language == "ja":
            return f"{currency}/{period}" if period else currency
        return unit.replace("money", currency)
    return unit if language == "en" else _UNITS_JA[unit]


def show_source(source: str, language: Language = "en") -> str:
    """Where an input comes from."""
    return source if language == "en" else _SOURCES_JA.get(source, source)


def _precise(share: float, language: Language) -> str:
    """A share near 1, with as many nines as it has."""
    number = f"{100 * share:.4f}".rstrip("0").rstrip(".")
    return f"{number} %" if language == "en" else f"{number}%"
