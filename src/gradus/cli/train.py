"""`gradus train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings

if TYPE_CHECKING:
    from gradus.workflow.training import TrainingSummary


_SHOWN = 5
"""How many queries are named."""


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
    asked_with = summary.queries_unusable
    if documents := summary.images_unusable - len(asked_with):
        print_text(f"Counted as missing: {_unusable(documents)}; gradus check lists them")
    if asked_with:
        more = f" and {len(asked_with) - _SHOWN:,} more" if len(asked_with) > _SHOWN else ""
        print_text(
            f"Counted as missing: {_unusable(len(asked_with))} of queries {', '.join(asked_with[:_SHOWN])}{more}"
        )
    print_text(f"Next: gradus evaluate {out}")


def _unusable(count: int) -> str:
    return f"{count:,} unusable image{'s' if count > 1 else ''}"
