"""The report: two systems, measured on the same queries, on one page that needs nothing else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from gradus.catalog.table import Table
from gradus.errors import EvaluationError
from gradus.evaluation.comparison import Comparison
from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.results import Evaluation
from gradus.files import atomic_file
from gradus.insight.examples import RULE, Example, paired
from gradus.insight.page import render_page, signs
from gradus.insight.plots import Curve, plot_curves, plot_differences, plot_means
from gradus.judgments.judgments import Judgments
from gradus.judgments.split import Split

ALPHA = 0.05
"""A difference counts as found where its corrected p-value is below this."""

QUESTIONS = {
    "in-domain": "known queries, known documents",
    "novel-query": "new queries, known documents",
    "novel-document": "known queries, new documents",
    "zero-shot": "new queries, new documents",
    "validation": "held out for early stopping",
}


@dataclass(frozen=True)
class Training:
    """How a model was trained.

    Attributes:
        facts: What was set and what came of it, as label → text; both trainings have the same labels.
        curve: The validation metric over time.
    """

    facts: Mapping[str, str]
    curve: Curve


@dataclass(frozen=True)
class Report:
    """What a report says.

    Attributes:
        title: What the page is about, in a few words.
        introduction: What was compared with what, and why the comparison is fair.
        baseline: The one system.
        system: The other one.
        comparisons: `compare([baseline, system], metrics)`.
        metric: The metric that leads.
        judgments: What both were measured with.
        split: Its cells.
        examples: Result lists to show, as `choose_examples` gives them.
        examples_cell: The cell that they are from.
        trainings: Those of the baseline and of the system; empty where nothing was trained.
        commands: How to get the same again.
        versions: Label → text: what it was made with.
        limits: What the report does not show.
    """

    title: str
    introduction: str
    baseline: Evaluation
    system: Evaluation
    comparisons: Sequence[Comparison]
    metric: str
    judgments: Judgments
    split: Split
    examples: Sequence[Example] = ()
    examples_cell: str = ""
    trainings: Sequence[Training] = ()
    commands: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[str] = ()

    @cached_property
    def leading(self) -> list[Comparison]:
        """The rows of the leading metric, one per cell.

        Raises:
            EvaluationError: The comparison does not hold the metric.
        """
        rows = [row for row in self.comparisons if row.metric == self.metric]
        if not rows:
            raise EvaluationError(f"the comparison has no row for {self.metric}, which the report leads with")
        return rows


def write_report(report: Report, path: Path) -> None:
    """Write a report as one HTML file; an older one is replaced whole.

    Raises:
        EvaluationError: The comparison lacks the leading metric.
    """
    html = render_report(report)
    with atomic_file(path) as aside:
        aside.write_text(html, encoding="utf-8")


def render_report(report: Report) -> str:
    """A report as HTML: style, plots and pictures are inside, nothing is loaded.

    Raises:
        EvaluationError: The comparison lacks the leading metric.
    """
    return render_page(
        "report",
        report.title,
        {"p": show_p},
        ("examples",),
        report=report,
        headline=headline(report.leading),
        tables=_tables(report),
        plots=_plots(report),
        shares=_shares(report),
        data=_data(report),
        questions=QUESTIONS,
        rule=RULE,
    )


def headline(rows: Sequence[Comparison]) -> str:
    """What was found, in one sentence of plain words.

    Args:
        rows: One metric in one or more cells, at least one row.
    """
    better, worse, open_ = outcome(rows)
    system, baseline = rows[0].system, rows[0].baseline
    if not better and not worse:
        return f"No certain difference was found between {system} and {baseline}"
    if len(better) == len(rows):
        where = "every split" if len(rows) > 2 else _and(better)
        return f"{system} orders results better than {baseline} on {where}"
    if len(worse) == len(rows):
        where = "every split" if len(rows) > 2 else _and(worse)
        return f"{system} orders results worse than {baseline} on {where}"
    parts = [f"{word} on {_and(cells)}" for word, cells in (("better", better), ("worse", worse)) if cells]
    if open_:
        parts.append(f"without a certain difference on {_and(open_)}")
    return f"Against {baseline}, {system} orders results {', '.join(parts[:-1])}, and {parts[-1]}"


def outcome(rows: Sequence[Comparison]) -> tuple[list[str], list[str], list[str]]:
    """The cells in which the system is better, worse, and those in which the test cannot tell."""
    better: list[str] = []
    worse: list[str] = []
    open_: list[str] = []
    for row in rows:
        gain = row.difference if parse_metric(row.metric).higher_is_better else -row.difference
        found = row.p_value < ALPHA
        (better if found and gain > 0 else worse if found and gain < 0 else open_).append(row.cell)
    return better, worse, open_


def show_p(p_value: float) -> str:
    """A p-value; below a thousandth only that is said."""
    if not np.isfinite(p_value):
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def show_relative(row: Comparison) -> str:
    """The difference in percent of the baseline's mean; empty where that is zero."""
    if not np.isfinite(row.difference) or row.baseline_mean == 0:
        return ""
    return f"{signs(f'{100 * row.difference / row.baseline_mean:+.0f}')} %"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _tables(report: Report) -> list[dict[str, Any]]:
    """For each cell the rows of its table, with each system's interval beside its mean."""
    better, worse, _ = outcome(report.leading)
    tables = []
    for lead in report.leading:
        ours, theirs = report.baseline.cells[lead.cell], report.system.cells[lead.cell]
        rows = [
            {
                "comparison": row,
                "relative": show_relative(row),
                "baseline": ours.intervals[row.metric],
                "system": theirs.intervals[row.metric],
            }
            for row in report.comparisons
            if row.cell == lead.cell
        ]
        tables.append({
            "cell": lead.cell,
            "lead": lead,
            "relative": show_relative(lead),
            "outcome": "better" if lead.cell in better else "worse" if lead.cell in worse else "open",
            "documents": ours.documents,
            "rows": rows,
        })  # fmt: skip
    return tables


def _plots(report: Report) -> dict[str, Any]:
    curves = [training.curve for training in report.trainings]
    drawn = len(curves) == 2 and all(len(curve.values) for curve in curves)
    differences = {cell: values for cell, values in _differences(report).items() if len(values)}
    return {
        "means": Markup(plot_means(report.baseline, report.system, report.metric)),  # noqa: S704 - escaped there
        "curves": Markup(plot_curves(curves, report.metric)) if drawn else None,  # noqa: S704
        "differences": {
            cell: Markup(svg)  # noqa: S704
            for cell, svg in (plot_differences(differences, report.metric) if differences else {}).items()
        },
    }


def _differences(report: Report) -> dict[str, Any]:
    found = {}
    for row in report.leading:
        _, before, after = paired(report.baseline, report.system, row.cell, report.metric)
        found[row.cell] = after - before
    return found


def _shares(report: Report) -> dict[str, str]:
    """For each cell in words how many queries gained and lost."""
    said = {}
    for cell, values in _differences(report).items():
        if len(values):
            higher, lower = (round(100 * float(np.mean(side))) for side in (values > 0, values < 0))
            said[cell] = f"higher for {higher} % of {len(values):,} queries, lower for {lower} %"
    return said


def _data(report: Report) -> dict[str, Any]:
    """What the data is, counted."""
    judgments = report.judgments
    score = judgments.score
    low, middle, high = np.quantile(score, (0.25, 0.5, 0.75)) if len(score) else (np.nan,) * 3
    sources = Counter(judgments.source.tolist())
    return {
        "counts": {
            "documents": f"{len(judgments.documents):,}",
            "queries": f"{len(judgments.queries):,}",
            "judged pairs": f"{len(judgments):,}",
            "scores": f"median {middle:.2f}, half of them from {low:.2f} to {high:.2f}",
            "sources": ", ".join(f"{source} ({count:,})" for source, count in sources.most_common()),
        },
        "fields": [
            ("document", _fields(judgments.documents)),
            ("query", _fields(judgments.queries)),
        ],
        "cells": report.split.counts(judgments),
    }


def _fields(table: Table) -> list[tuple[str, str, str, str]]:
    """Name, type, weight and share of rows that have it, of every field that is encoded."""
    return [
        (
            f.name,
            f.type,
            f"{f.weight:g}",
            f"{100 * sum(value is not None for value in table.columns[f.name]) / len(table):.0f} %",
        )
        for f in table.encoded
    ]
