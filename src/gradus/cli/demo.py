"""`gradus demo`."""

from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_text, shown_progress


def demo(
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("demo"),
    documents: Annotated[int, typer.Option(min=1, help="How many drawings.")] = 4000,
    minutes: Annotated[
        float,
        typer.Option(min=0, help="Training time of each model; 0: as many epochs as two cores make in one."),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of data and training.")] = 0,
    as_json: AsJson = False,
) -> None:
    """See it work: train a baseline and a graded model on generated drawings, and compare them in a report."""
    from gradus.workflow.demo import demo as run

    with shown_progress() as progress:
        summary = run(out, documents=documents, minutes=minutes, seed=seed, progress=progress)
    if as_json:
        print_json(summary.as_dict())
    else:
        print_text(*summary.lines)
