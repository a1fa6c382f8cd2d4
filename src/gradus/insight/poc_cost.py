"""The costs of the proof of concept's page: a month of each, what the switch brings, and what that hangs on."""

import math
from typing import Any

from gradus.insight.cost import decided
from gradus.insight.cost_words import LABELS, cost_sentences, show_money, show_months, show_source, show_unit
from gradus.insight.page import show_count
from gradus.insight.poc import Poc
from gradus.insight.poc_scale import place
from gradus.insight.poc_words import WORDS
from gradus.insight.verdict_words import Language, show_percent

_BARS = 10
"""Most bars of the tornado plot."""

_ITEMS = (
    "serving",
    "rerank_serving",
    "refreshing",
    "rerank_refreshing",
    "labelling",
    "upkeep",
    "rerank_upkeep",
)
"""What a month's costs are made of."""


def cost_view(poc: Poc, language: Language) -> dict[str, Any]:
    """Sentences, a table and stacked bars of a month, figures of the whole time, the tornado plot, all inputs."""
    money, w = poc.money, WORDS[language]
    assert money is not None  # noqa: S101 - narrows the type
    v, currency = money.values, poc.cost.currency
    of = decided(v)
    stages = ("one", *(["fewer"] if of else []), "two")
    names = {stage: w[f"cost_{stage}"].format(depth=_depth(poc)) for stage in stages}
    rows = [(w[f"cost_{item}"], [v.get(_line(item, stage)) for stage in stages]) for item in (*_ITEMS, "all")]
    top = max(*(v[f"{stage}_month"] for stage in stages), 1e-9)
    stacks = [
        (
            names[stage],
            show_money(v[f"{stage}_month"]),
            [
                (name, show_money(amount), round(100 * amount / top, 2), number)
                for number, (name, amounts) in enumerate(rows[:-1])
                if (amount := amounts[column]) is not None
            ],
        )
        for column, stage in enumerate(stages)
    ]
    saving, payback, roi = (money.spreads[f"{of}{line}"] for line in ("saving", "payback", "roi"))
    figures = [
        (
            w["cost_saving"].format(currency=currency),
            show_money(v[f"{of}saving"]),
            [show_money(e) for e in (saving.low, saving.high)],
        ),
        (
            w["cost_payback"],
            show_months(v[f"{of}payback"], language),
            [show_months(e, language) for e in (payback.low, payback.high)],
        ),
        (w["cost_roi"], _share(v[f"{of}roi"], language), [_share(e, language) for e in (roi.low, roi.high)]),
    ]
    return {
        "sentences": cost_sentences(
            v, money.spreads, poc.cost.months, poc.sla.availability, currency, language
        ),
        "columns": list(names.values()),
        "table": [
            (name, ["–" if amount is None else show_money(amount) for amount in amounts])
            for name, amounts in rows
        ],
        "stacks": stacks,
        "figures": figures,
        "tornado": _tornado(poc, language),
        "inputs": [
            (
                LABELS[language][name],
                *(f"{n:,.4g}" for n in (i.value, i.low, i.high)),
                show_unit(i.unit, currency, language),
                show_source(i.source, language),
            )
            for name, i in money.inputs.items()
        ],
    }


def _line(item: str, stage: str) -> str:
    """The line of the model that holds an item of a pipeline; one that it does not have, where there is none."""
    if item == "all":
        return f"{stage}_month"
    return item if item == "labelling" or (stage, item[:6]) == ("two", "rerank") else f"{stage}_{item}"


def _depth(poc: Poc) -> str:
    """How many documents the verdict has re-ranked."""
    return "" if poc.verdict is None else show_count(poc.verdict.overall.depth or 0)


def _tornado(poc: Poc, language: Language) -> dict[str, Any]:
    money = poc.money
    assert money is not None  # noqa: S101 - narrows the type
    centre = money.values[f"{decided(money.values)}saving"]
    # What moves the saving by less than a hundredth of what the leading input does could not be seen.
    bars = [bar for bar in money.bars[:_BARS] if not bar.swing < 0.01 * money.bars[0].swing]
    finite = [e for bar in bars for e in (bar.at_low, bar.at_high) if math.isfinite(e)]
    low, high = min([centre, 0, *finite]), max([centre, 0, *finite])
    low, high = low - 0.04 * (high - low), high + 0.04 * (high - low) or 1.0
    rows = []
    for bar in bars:
        at_low, at_high = (place(min(max(e, low), high), low, high) for e in (bar.at_low, bar.at_high))
        middle = place(centre, low, high)
        rows.append(
            {
                "name": LABELS[language][bar.name],
                "low": show_money(bar.at_low),
                "high": show_money(bar.at_high),
                "low_from": min(at_low, middle),
                "low_width": round(abs(at_low - middle), 2),
                "high_from": min(at_high, middle),
                "high_width": round(abs(at_high - middle), 2),
            }
        )
    return {
        "rows": rows,
        "zero": place(0, low, high),
        "centre": place(centre, low, high),
        "value": show_money(centre),
    }


def _share(value: float, language: Language) -> str:
    return show_percent(value, language) if math.isfinite(value) else "∞"
