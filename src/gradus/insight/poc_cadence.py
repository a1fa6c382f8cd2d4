"""A back-test in words and a plot, for the proof of concept's page."""

import math
from typing import Any

from gradus.insight.cadence import Plan
from gradus.insight.cadence_result import Cadence
from gradus.insight.page import show_count, signs
from gradus.insight.poc_plots import Whisker, plot_line
from gradus.insight.poc_words import WORDS
from gradus.insight.verdict_words import Language, show_percent


def cadence_view(cadence: Cadence, language: Language) -> dict[str, Any]:
    """Sentences, plot and table; `every` is the cadence that was chosen, empty where none holds."""
    chosen = cadence.chosen
    plans = {plan.mode: plan for plan in cadence.plans}
    return {
        "sentences": _sentences(cadence, language),
        "every": "" if chosen is None else _windows(chosen.every, cadence.window_days, language),
        "plot": _plot(cadence, language),
        "rows": [
            (
                WORDS[language][f"mode_{each.mode}"],
                _loss(each.loss.mean, language) if each.mode != "full" else "–",
                f"{each.cpu_seconds:,.3g}",
                show_count(each.documents),
                _every(plans.get(each.mode), cadence.window_days, language),
            )
            for each in cadence.refreshes
        ],
    }


def _sentences(cadence: Cadence, language: Language) -> list[str]:
    w, days = WORDS[language], cadence.window_days
    unit = w[f"unit_{_unit(days)}"].format(days=days)
    low, mean, high = (
        _loss(e, language) for e in (cadence.per_window.low, cadence.per_window.mean, cadence.per_window.high)
    )
    said = [w["cadence_loses"].format(loss=mean, metric=cadence.metric, unit=unit, low=low, high=high)]
    if not cadence.goes_stale:
        said.append(w["cadence_nothing"])
    allowed, chosen = show_percent(cadence.allowed, language), cadence.chosen
    if chosen is not None:
        every = _windows(chosen.every, days, language)
        said.append(w["cadence_chosen"].format(allowed=allowed, mode=w[f"mode_{chosen.mode}"], every=every))
        if chosen.mode != "full":
            horizon = _windows(max(age.age for age in cadence.ages), days, language)
            said.append(w["cadence_between"].format(horizon=horizon))
        return said
    said.append(w["cadence_none"].format(allowed=allowed))
    best = max(cadence.plans, key=lambda plan: plan.estimate, default=None)
    if best is not None and best.estimate:
        every = _windows(best.estimate, days, language)
        said.append(w["cadence_estimate"].format(mode=w[f"mode_{best.mode}"], every=every))
    return said


def _plot(cadence: Cadence, language: Language) -> Any:
    w = WORDS[language]
    points = [
        Whisker(
            age.age,
            age.loss.mean,
            age.loss.low,
            age.loss.high,
            f"{_windows(age.age, cadence.window_days, language)}: {_loss(age.loss.mean, language)} "
            f"({_loss(age.loss.low, language)} {w['to']} {_loss(age.loss.high, language)})",
        )
        for age in cadence.ages
    ]
    fit = cadence.per_window
    return plot_line(
        points,
        (fit.mean, fit.low, fit.high),
        (cadence.allowed, f"{w['cadence_allowed']} {show_percent(cadence.allowed, language)}"),
        w["cadence_age"].format(days=cadence.window_days),
        w["cadence_loss"],
        w["cadence_plot"],
    )


def _every(plan: Plan | None, days: int, language: Language) -> str:
    if plan is None or not plan.every:
        return WORDS[language]["cadence_no"]
    return _windows(plan.every, days, language)


def _unit(days: int) -> str:
    return {1: "day", 7: "week"}.get(days, "window")


def _windows(count: int, days: int, language: Language) -> str:
    """Some windows in words: 2 weeks."""
    form = ("unit_" if count == 1 else "units_") + _unit(days)
    return WORDS[language][form].format(count=count, days=days)


def _loss(share: float, language: Language) -> str:
    if not math.isfinite(share):
        return "–"
    text = signs(f"{100 * share:.2g}" if abs(share) < 0.0995 else f"{100 * share:.0f}")
    return f"{text} %" if language == "en" else f"{text}%"
