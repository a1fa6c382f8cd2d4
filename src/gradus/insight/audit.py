"""The audit's page: what judgments rest on, so that a person can decide whether to trust them."""

import json
from pathlib import Path

import numpy as np
from markupsafe import Markup

from gradus.files import atomic_file
from gradus.insight.audit_plots import plot_days, plot_examination, plot_scores, plot_widths
from gradus.insight.page import render_page, signs
from gradus.judgments.audit import Audit, percent
from gradus.judgments.audit.coverage import Source

_SHOWN = 10
"""Rows of a list of pairs on the page."""
_CERTAIN = 3.0
"""From so many standard deviations on two sources really contradict each other."""


def write_audit(json_path: Path, html_path: Path, audit: Audit, title: str) -> None:
    """Write an audit as JSON and as one HTML file; older ones are replaced whole.

    Args:
        json_path: File for the numbers; undefined ones are null.
        html_path: File for the page.
        audit: The audit.
        title: What was judged, in a few words.
    """
    html = render_audit(audit, title)
    with atomic_file(json_path) as aside:
        text = json.dumps(audit.as_dict(), ensure_ascii=False, allow_nan=False, indent=1)
        aside.write_text(text + "\n", encoding="utf-8")
    with atomic_file(html_path) as aside:
        aside.write_text(html, encoding="utf-8")


def render_audit(audit: Audit, title: str) -> str:
    """An audit as HTML: style and plots are inside, nothing is loaded."""
    plots = {"scores": plot_scores(audit.scores), "widths": plot_widths(audit.widths, audit.coverage.limit)}
    if audit.position is not None:
        plots["examination"] = plot_examination(audit.position.curve)
    if audit.log is not None and any(day is not None for day, *_ in audit.log.days):
        plots["days"] = plot_days(audit.log.days)
    return render_page(
        "audit",
        title,
        {"percent": percent, "two": show_two, "sentence": sentence},
        audit=audit,
        plots={name: Markup(svg) for name, svg in plots.items()},  # noqa: S704 - escaped there
        heading=title,
        shown=_SHOWN,
        calibrations={source.name: describe_calibration(source, audit.sources) for source in audit.sources},
        contradictions=sum(abs(conflict.z) >= _CERTAIN for conflict in audit.conflicts),
    )


def describe_calibration(source: Source, sources: tuple[Source, ...]) -> str:
    """In words, how a source came to the scale of the others."""
    reference = next(each.name for each in sources if each.reference)
    if len(sources) == 1:
        return "the only source, so its own scale is that of the scores"
    if source.reference:
        return "the reference: the others are carried to its scale"
    if source.method == "isotonic":
        return f"by the rising curve that fits the {source.shared:,} pairs that {reference} judges, too"
    if source.method == "quantiles":
        return f"only {source.shared:,} pairs are {reference}'s, too, so distributions were matched on shared queries"
    return f"only {source.shared:,} pairs are {reference}'s, too, so the scores are as they were, with wider intervals"


def show_two(value: float) -> str:
    """A number with two decimals, a dash where it is undefined."""
    return signs(f"{value:.2f}") if np.isfinite(value) else "–"


def sentence(text: str) -> str:
    """A clause as a sentence: its first letter large, a full stop at its end."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
