"""The costs of the proof of concept's page: a month of each, what the switch brings, and what that hangs on."""

import math
from collections.abc import Mapping
from typing import Any

from gradus.insight.cost_words import LABELS, cost_sentences, show_money, show_source, show_unit
from gradus.insight.poc import Poc
from gradus.insight.poc_scale import place
from gradus.insight.poc_words import WORDS
from gradus.insight.verdict_words import Language, show_percent

_BARS = 10
"""Most bars of the tornado plot."""


def cost_view(poc: Poc, language: Language) -> dict[str, Any]:
    """Sentences, a table and stacked bars of a month, figures of the whole time, the tornado plot, all inputs."""
    money, w = poc.money, WORDS[language]
    assert money is not None  # noqa: S101 - narrows the type
    v, currency = money.values, poc.cost.currency
    lines: list[tuple[str, str | None, str | None]] = [
        ("cost_serving", "one_serving", "two_serving"),
        ("cost_rerank_serving", None, "rerank_serving"),
        ("cost_refreshing", "one_refreshing", "two_refreshing"),
        ("cost_rerank_refreshing", None, "rerank_refreshing"),
        ("cost_labelling", "labelling", "labelling"),
        ("cost_upkeep", "one_upkeep", "two_upkeep"),
        ("cost_rerank_upkeep", None, "rerank_upkeep"),
        ("cost_all", "one_month", "two_month"),
    ]
    top = max(v["one_month"], v["two_month"], 1e-9)
    stacks = [
        (
            w[f"cost_{stage}"],
            show_money(v[f"{stage}_month"]),
            [
                (w[name], show_money(v[line]), round(100 * v[line] / top, 2), number)
                for number, (name, *of) in enumerate(lines[:-1])
                if (line := of[stage == "two"])
            ],
        )
        for stage in ("one", "two")
    ]
    spreads = money.spreads
    figures = [
        (
            w["cost_saving"].format(currency=currency),
            show_money(v["saving"]),
            [show_money(e) for e in (spreads["saving"].low, spreads["saving"].high)],
        ),
        (
            w["cost_payback"],
            _months(v["payback"], w),
            [_months(e, w) for e in (spreads["payback"].low, spreads["payback"].high)],
        ),
        (
            w["cost_roi"],
            _share(v["roi"], language),
            [_share(e, language) for e in (spreads["roi"].low, spreads["roi"].high)],
        ),
    ]
    return {
        "sentences": cost_sentences(v, spreads, poc.cost.months, poc.sla.availability, currency, language),
        "table": [
            (w[name], *("–" if line is None else show_money(v[line]) for line in of)) for name, *of in lines
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


def _tornado(poc: Poc, language: Language) -> dict[str, Any]:
    money = poc.money
    assert money is not None  # noqa: S101 - narrows the type
    centre = money.values["saving"]
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


def _months(value: float, w: Mapping[str, str]) -> str:
    return f"{value:,.1f}" if math.isfinite(value) else w["cost_never"]


def _share(value: float, language: Language) -> str:
    return show_percent(value, language) if math.isfinite(value) else "∞"
