"""`gradus judge`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings

if TYPE_CHECKING:
    from gradus.workflow.judging import Judged


def _inspect(log: Path | None) -> None:
    """An eager option, since looking at a log needs no gradus.toml."""
    if log is None:
        return
    from gradus.judgments.logs.propose import propose

    print_text(propose(log).toml())
    raise typer.Exit


@with_settings("catalog", "query", "log", "clicks", "grades", "business", "hierarchy", "fusion")
def judge(
    settings: Settings,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Gets judgments, audit and position curve.")
    ] = Path("judged"),
    inspect: Annotated[
        Path | None,
        typer.Option(
            metavar="LOG",
            callback=_inspect,
            is_eager=True,
            help="Look at a log and propose the section of gradus.toml that reads it, as TOML.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn evidence (logs, grades, business scores, hierarchies) into judgments with intervals."""
    from gradus.workflow.judging import judge as run

    with shown_progress() as progress:
        judged = run(settings, out, progress=progress)
    if as_json:
        print_json(
            judged.audit.as_dict() | {"files": {name: str(path) for name, path in judged.files.items()}}
        )
        return
    _print(judged, settings.root)


def _print(judged: "Judged", root: Path) -> None:
    from gradus.judgments.audit import percent
    from gradus.workflow.judging import REJECTS

    fused = judged.fused
    print_table(
        "Evidence",
        ("source", "pairs", "evidence"),
        [
            (name, f"{int((fused.count[:, column] > 0).sum()):,}", f"{fused.count[:, column].sum():,.0f}")
            for column, name in enumerate(fused.sources)
        ],
    )
    if judged.log is not None:
        summary = judged.log.summary
        lost = [str(path) for name, path in judged.files.items() if name in REJECTS]
        print_text(
            *summary.in_words(f"; they are in {' and '.join(lost)}" if lost else ""),
            judged.log.clicks.reason,
            *map(str, judged.log.findings),
        )
        hinted = judged.audit.hinted
        if hinted is not None:
            print_text(f"The run of clicks.run lists {percent(hinted)} of the pairs that were shown")
    if judged.unknown:
        print_text(*judged.unknown)
    print_text(
        f"{len(fused):,} judgments in {judged.files['judgments']}; what they rest on in "
        f"{judged.files['page']}",
        f"{judged.audit.verdict}.",
    )
    if not judged.audit.faults:
        path = os.path.relpath(judged.files["judgments"], root)
        print_text(f'Next: set judgments.path = "{path}" in gradus.toml, then gradus train')
