"""`gradus compare`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table


def compare(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL MODEL...", help="Models that `gradus evaluate` measured.")
    ],
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", help="What to compare; repeatable.", show_default="all that were measured"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Test whether models differ from the first one, query by query, on each split."""
    from gradus.evaluation.comparison import compare as run
    from gradus.evaluation.results import read_evaluation

    evaluations = [read_evaluation(model / "evaluation") for model in models]
    measured = dict.fromkeys(metric for cell in evaluations[0].cells.values() for metric in cell.per_query)
    rows = run(evaluations, metrics or list(measured))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        "Paired differences, 95 % intervals, permutation p-values with Holm's correction",
        (
            "split",
            "metric",
            "baseline",
            "mean",
            "system",
            "mean",
            "difference",
            "low",
            "high",
            "p",
            "queries",
        ),
        (
            (
                *(row.cell, row.metric, row.baseline, row.baseline_mean, row.system, row.system_mean),
                *(row.difference, row.low, row.high, row.p_value, row.queries),
            )
            for row in rows
        ),
    )
