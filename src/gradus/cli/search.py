"""`gradus search`."""

from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, shown_progress
from gradus.cli.flags import with_settings
from gradus.errors import SettingsError
from gradus.settings import Settings


@with_settings(
    *("catalog", "encoder.pixels", "index.path", "index.url", "index.prefix"),
    *("index.hybrid", "index.per_field"),
)
def search(
    settings: Settings,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained model.")],
    text: Annotated[str | None, typer.Argument(metavar="QUERY", help="What to look for.")] = None,
    image: Annotated[Path | None, typer.Option(metavar="FILE", help="A picture to look for.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many documents.")] = 10,
    factors: Annotated[
        list[str] | None,
        typer.Option(
            "--field-factor", metavar="FIELD=FACTOR", help="Scale the weight of a query's field; repeatable."
        ),
    ] = None,
    document_factors: Annotated[
        list[str] | None,
        typer.Option(
            "--document-weight",
            metavar="FIELD=FACTOR",
            help="Scale the weight of a field of the documents, with index.per_field; repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search a catalogue by text, by picture, or by both.

    The live index answers where it was built with this model; elsewhere every document of the catalogue is compared.
    """
    from gradus.workflow.searching import search as run

    with shown_progress() as progress:
        ours = dict(_factor("--field-factor", given) for given in factors or ())
        theirs = dict(_factor("--document-weight", given) for given in document_factors or ())
        hits = run(settings, model, text, image, k, ours, theirs, progress=progress)
    if as_json:
        print_json([hit.as_dict() for hit in hits])
        return
    # What only filters or splits would crowd out what was searched.
    names = [name for name, field in settings.catalog.fields.items() if field.get("weight", 1.0) > 0]
    print_table(
        " and ".join(str(part) for part in (text, image) if part is not None),
        ("rank", "document", "score", *names),
        (
            (rank, hit.doc_id, hit.score, *(hit.fields.get(name) for name in names))
            for rank, hit in enumerate(hits, 1)
        ),
        longest=48,
    )


def _factor(flag: str, given: str) -> tuple[str, float]:
    field, _, factor = given.rpartition("=")
    try:
        value = float(factor)
    except ValueError:
        value = -1.0
    if not field or not 0 <= value < float("inf"):
        raise SettingsError(f"{flag} is {given!r}; write it as image=2, with a factor of at least 0")
    return field, value
