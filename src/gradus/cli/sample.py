"""`gradus sample`: generated catalogues."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_text, shown_progress

sample = typer.Typer(help="Generate a catalogue with queries and true graded relevance.")


@sample.callback()
def _sample() -> None:
    """Keep `drawings` a sub-command while it is the only one."""


@sample.command()
def drawings(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to write.")] = Path("drawings"),
    documents: Annotated[int, typer.Option(min=1, help="How many documents.")] = 4000,
    queries: Annotated[
        int | None, typer.Option(min=1, help="How many queries.", show_default="half as many, at least 60")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Draw mechanical parts: bolts, gears, flanges, bearings and more, titled in English and Japanese."""
    from gradus.catalog.samples import write_drawings

    with shown_progress() as progress:
        summary = write_drawings(
            folder, documents, seed, queries, lambda done, total: progress("drawings", done, total, "")
        )
    if as_json:
        print_json(asdict(summary))
    else:
        print_text(
            f"{summary.folder}: {summary.documents:,} documents, {summary.queries:,} queries, "
            f"{summary.judgments:,} judgments",
            f"Next: gradus train --settings {summary.folder}/gradus.toml",
        )
