"""`gradus serve` and `gradus key`."""

from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings


@with_settings("catalog", "encoder.pixels", "index.path", "index.url", "service")
def serve(
    settings: Settings,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained model.")],
) -> None:
    """Serve searches over HTTP, and record them and what people do with the results."""
    from gradus.workflow.serving import serve as run

    with shown_progress() as progress:
        run(settings, model, progress=progress, told=_tell)


def key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    keys: Annotated[
        Path, typer.Option(metavar="FILE", help="Gets the key's digest; service.keys names it.")
    ] = Path("keys.json"),
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="search, feedback or admin; repeatable."),
    ] = None,
) -> None:
    """Make a key for the service and print it; it cannot be read again."""
    from gradus.search.service.keys import add_key

    print_text(add_key(keys, name, scopes or ["search", "feedback"]))


def _tell(url: str) -> None:
    print(f"Serving {url}", flush=True)
