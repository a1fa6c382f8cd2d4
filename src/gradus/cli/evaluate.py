"""`gradus evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, show_interval, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings

if TYPE_CHECKING:
    from gradus.evaluation.results import Evaluation


@with_settings("catalog", "query", "judgments", "split", "evaluation")
def evaluate(
    settings: Settings,
    models: Annotated[list[Path], typer.Argument(metavar="MODEL", help="Folders of trained models.")],
    as_json: AsJson = False,
) -> None:
    """Measure models on each split, with 95 % intervals, and write the results to MODEL/evaluation."""
    from gradus.evaluation.results import write_evaluation
    from gradus.workflow.data import load_data
    from gradus.workflow.evaluation import evaluate as run

    data = load_data(settings)
    evaluations = []
    with shown_progress() as progress:
        for model in models:
            evaluation = run(settings, model, progress=progress, data=data)
            write_evaluation(evaluation, model / "evaluation")
            evaluations.append(evaluation)
    if as_json:
        print_json([evaluation.as_dict() for evaluation in evaluations])
    else:
        _print(evaluations)


def _print(evaluations: "list[Evaluation]") -> None:
    """One table per split, one row per model."""
    for split, first in evaluations[0].cells.items():
        metrics = list(first.intervals)
        print_table(
            f"{split}: {len(first.query_ids):,} queries, {first.documents:,} documents",
            ("model", *metrics),
            (
                (
                    evaluation.name,
                    *(
                        show_interval(interval.mean, interval.low, interval.high)
                        for interval in (evaluation.cells[split].intervals[metric] for metric in metrics)
                    ),
                )
                for evaluation in evaluations
            ),
        )
