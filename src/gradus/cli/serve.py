"""`gradus serve`, `gradus key` and `gradus votes`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings


@with_settings("catalog", "query", "encoder.pixels", "index.path", "index.url", "service", "grades.scale")
def serve(
    settings: Settings,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained model.")],
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="MODEL|RUN",
            help="Another model, or the run file of any pipeline, to be compared on the page /compare; repeatable.",
        ),
    ] = None,
) -> None:
    """Serve searches over HTTP and on a page for people; record them, and what people do with the results."""
    from gradus.workflow.serving import serve as run

    with shown_progress() as progress:
        run(settings, model, against or (), progress=progress, told=_tell)


def key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    keys: Annotated[
        Path, typer.Option(metavar="FILE", help="Gets the key's digest; service.keys names it.")
    ] = Path("keys.json"),
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="search, feedback, judge or admin; repeatable. Without: search and feedback.",
        ),
    ] = None,
) -> None:
    """Make a key for the service and print it; it cannot be read again."""
    from gradus.search.service.keys import add_key

    print_text(add_key(keys, name, scopes or ["search", "feedback"]))


@with_settings("service.log")
def votes(settings: Settings, as_json: AsJson = False) -> None:
    """Sum up the votes of the page /compare: which model is preferred, how often, how surely."""
    from gradus.workflow.votes import read_preferences

    preferences = read_preferences(settings)
    if as_json:
        print_json([asdict(preference) for preference in preferences])
        return
    print_table(
        "Preferences; the share counts a tie as half, with a 95 % interval over queries",
        (*("model", "against"), *("wins", "ties", "losses"), *("queries", "share", "low", "high", "left")),
        [
            (
                *(p.first, p.second, p.wins, p.ties, p.losses, p.queries),
                *(p.share, p.low, p.high, p.left),
            )
            for p in preferences
        ],
    )


def _tell(url: str) -> None:
    print(f"Serving {url}", flush=True)
