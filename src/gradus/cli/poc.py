"""`gradus poc`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_text, shown_progress
from gradus.cli.pipelines_file import pipelines_file

if TYPE_CHECKING:
    from gradus.insight.poc import Poc
    from gradus.insight.verdict_words import Language


class Lang(StrEnum):
    """The languages of a report."""

    EN = "en"
    JA = "ja"


def poc(
    pipelines: Annotated[
        Path | None,
        typer.Argument(
            metavar="PIPELINES.TOML",
            help="The pipelines, as gradus bench reads them; without, pipelines.toml here, written where there is "
            "none.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Gets report.html, report.json, summary.png, cost.xlsx, bench/ and cadence/.",
        ),
    ] = Path("poc"),
    lang: Annotated[Lang, typer.Option(help="Language of the report.")] = Lang.EN,
    title: Annotated[
        str, typer.Option(help="What is searched; the name of the file's folder if empty.")
    ] = "",
    in_use: Annotated[
        str, typer.Option(metavar="PIPELINE", help="The pipeline in use; the deepest re-ranking if empty.")
    ] = "",
    candidate: Annotated[
        list[str] | None,
        typer.Option(metavar="PIPELINE", help="What stands against it; give it several times."),
    ] = None,
    kpi: Annotated[
        Path | None, typer.Option(metavar="FILE", help="As decision.kpi: numbers of the business per query.")
    ] = None,
    cadence: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What gradus cadence wrote, in place of a back-test of its own."),
    ] = None,
    study: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="What gradus study noise wrote.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Can the re-ranker go? Measure what is missing, decide, and write a report on one page.

    Quality, times, costs, cadence, evidence and examples; a report that was stopped goes on when it is run again.
    """
    from gradus.workflow.poc import Asked, prove

    asked = Asked(title, in_use, tuple(candidate or ()), kpi, cadence, study)
    file = pipelines_file(pipelines)
    with shown_progress() as progress:
        written = prove(file, out, asked, lang.value, progress=progress)
    if as_json:
        print_json(written.poc.as_dict())
        return
    print_text(*_told(written.poc, lang.value), *(f"{path} written" for path in written.files))


def _told(poc: "Poc", language: "Language") -> list[str]:
    from gradus.insight.verdict_words import sentences

    return [] if poc.verdict is None else sentences(poc.verdict, language)
