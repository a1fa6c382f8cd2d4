"""`gradus index`."""

from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings

index = typer.Typer(help="Make the catalogue searchable: build versions of its index, and choose among them.")


@index.command()
@with_settings("catalog", "index", "encoder.pixels")
def build(
    settings: Settings,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained model.")],
    draft: Annotated[bool, typer.Option("--draft", help="Leave the live version in use.")] = False,
    as_json: AsJson = False,
) -> None:
    """Index the catalogue as a new version, and put it into use."""
    from gradus.workflow.indexing import build_index

    with shown_progress() as progress:
        summary = build_index(settings, model, not draft, progress=progress)
    if as_json:
        print_json(summary.as_dict())
        return
    print_text(
        f"version {summary.version.number} ({summary.version.backend}): {summary.documents:,} documents, "
        f"filters: {', '.join(summary.fields) or 'none'}; {'not live yet' if draft else 'live'}"
    )


@index.command(name="list")
@with_settings("index")
def list_versions(settings: Settings, as_json: AsJson = False) -> None:
    """Show the versions and which one is live."""
    from gradus.workflow.indexing import versions_of

    versions = versions_of(settings).all()
    if as_json:
        print_json(
            [
                {"version": one.number, "live": one.live, "backend": one.backend, **one.about}
                for one in versions
            ]
        )
        return
    print_table(
        str(settings.resolve(settings.index.path)),
        ("version", "live", "backend", "documents", "model", "made"),
        (
            (
                one.number,
                "live" if one.live else "",
                one.backend,
                *(one.about.get(key) for key in ("documents", "model", "made")),
            )
            for one in versions
        ),
    )


@index.command()
@with_settings("index")
def use(
    settings: Settings,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="Its number, as in `gradus index list`.")],
) -> None:
    """Put a version into use."""
    from gradus.workflow.indexing import versions_of

    versions_of(settings).go_live(version)
    print_text(f"version {version} is live")


@index.command()
@with_settings("index")
def rollback(settings: Settings) -> None:
    """Go back to the version that was live before."""
    from gradus.workflow.indexing import versions_of

    print_text(f"version {versions_of(settings).roll_back().number} is live")


@index.command()
@with_settings("index")
def snapshot(
    settings: Settings,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")],
) -> None:
    """Copy the live version to a new folder, changes included; from a server, as an exact index."""
    from gradus.workflow.indexing import versions_of

    with versions_of(settings).open() as opened:
        opened.index.snapshot(out)
        print_text(f"{out}: {opened.index.count():,} documents")
