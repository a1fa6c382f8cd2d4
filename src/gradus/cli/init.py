"""`gradus init`."""

from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import print_text
from gradus.errors import SettingsError
from gradus.files import atomic_file


def init(
    catalog: Annotated[
        Path,
        typer.Argument(metavar="CATALOGUE", help="Its file, or a folder of images with a metadata file."),
    ],
    judgments: Annotated[
        Path | None,
        typer.Option(help="The judgments; without, judgments.csv (.parquet, …) beside the catalogue."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The settings file to write.")] = Path("gradus.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a settings file.")] = False,
) -> None:
    """Write gradus.toml for a catalogue by looking at its columns."""
    from gradus.catalog.infer import infer_settings

    if out.exists() and not force:
        raise SettingsError(f"{out} exists; overwrite it with --force, or write elsewhere with --out")
    if out.parent.resolve() != Path.cwd():
        # Paths in the file are relative to its folder, and those given here to the working folder.
        catalog, judgments = catalog.resolve(), judgments and judgments.resolve()
    text = infer_settings(catalog, judgments)
    with atomic_file(out) as aside:
        aside.write_text(text, encoding="utf-8")
    print_text(f"{out} written; read it through, then: gradus check --settings {out}")
