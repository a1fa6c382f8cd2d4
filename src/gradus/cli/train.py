"""`gradus train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings

if TYPE_CHECKING:
    from gradus.workflow.training import TrainingSummary


@with_settings("catalog", "query", "judgments", "split", "encoder", "objective", "training")
def train(
    settings: Settings,
    out: Annotated[Path, typer.Option(metavar="MODEL", help="The model's folder.")] = Path("model"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in the model's folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on a catalogue and its judgments."""
    from gradus.training.distributed import launched
    from gradus.workflow.training import train as run

    with shown_progress() as progress:
        summary = run(settings, out, resume=resume, progress=progress)
    rank, _ = launched()
    if rank > 0:
        return  # of several processes, the first speaks for all
    if as_json:
        print_json(summary.as_dict())
    else:
        _print(summary, out)


def _print(summary: "TrainingSummary", out: Path) -> None:
    best = "–" if summary.validation is None else f"{summary.validation:.4f}"
    print_table(
        "Split",
        ("", *next(iter(summary.cells.values()))),
        ((n, *c.values()) for n, c in summary.cells.items()),
    )
    print_text(
        f"{summary.model}: nDCG@10 on validation {best}, {summary.epochs:,} epochs, {summary.steps:,} steps, "
        f"{summary.seconds:,.0f} s",
    )
    if summary.images_unusable:
        print_text(f"{summary.images_unusable:,} images are unusable and count as missing; see gradus check")
    print_text(f"Next: gradus evaluate {out}")
