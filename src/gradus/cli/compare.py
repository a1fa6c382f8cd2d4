"""`gradus compare`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table
from gradus.cli.flags import with_settings
from gradus.settings import Settings


@with_settings("evaluation.metrics")
def compare(
    settings: Settings,
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL",
            help="The baseline, then those to hold against it: models that `gradus evaluate` measured, or "
            "pipelines of `gradus bench`.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Test whether models differ from the first one, query by query, on each split."""
    from gradus.evaluation.comparison import compare as run
    from gradus.evaluation.metrics import parse_metric
    from gradus.evaluation.results import read_evaluation

    evaluations = [read_evaluation(model / "evaluation") for model in models]
    rows = run(evaluations, [str(parse_metric(name)) for name in settings.evaluation.metrics])
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        "Paired differences, 95 % intervals, Holm-corrected permutation p, Cohen's d_z, queries higher and lower",
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
            "p (Holm)",
            "d_z",
            "higher",
            "lower",
            "queries",
        ),
        (
            (
                *(row.cell, row.metric, row.baseline, row.baseline_mean, row.system, row.system_mean),
                *(row.difference, row.low, row.high, row.p_value),
                *(row.effect.d_z, row.effect.wins, row.effect.losses, row.queries),
            )
            for row in rows
        ),
    )
