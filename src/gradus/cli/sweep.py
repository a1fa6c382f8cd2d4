"""`gradus sweep`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings


@with_settings("sweep", "catalog", "query", "judgments", "split", "encoder", "objective", "training")
def sweep(
    settings: Settings,
    settings_file: Path,
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Gets sweep.json and sweep.svg; what is there is not redone."),
    ] = Path("sweep"),
    no_write: Annotated[
        bool, typer.Option("--no-write", help="Only print what would be written into gradus.toml.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Choose objective, score-to-weight function, temperature and other settings on validation data.

    All candidates of a round train for the same time; the best of them go on to a round that trains longer. The
    winner is written into gradus.toml. A sweep that was stopped goes on when it is run again.
    """
    from gradus.insight.sweep_plot import plot_sweep
    from gradus.settings.edit import needed_changes, write_changes
    from gradus.workflow.sweep import sweep as run
    from gradus.workflow.sweep_grid import SWEPT, Candidate, shown, tried
    from gradus.workflow.training import VALIDATION_METRIC

    with shown_progress() as progress:
        found = run(settings, out, progress=progress)

    def combination(candidate: Candidate, between: str = "\n") -> tuple[str, str, float, str]:
        return (*candidate.key[:3], between.join(shown(candidate.others)))

    plot = out / "sweep.svg"
    plot_sweep(
        plot,
        VALIDATION_METRIC,
        [
            (each.budget, {combination(c): v for c, v in each.ranking if v is not None})
            for each in found.rounds
        ],
        combination(found.winner),
    )
    named = (*SWEPT, *tried(settings))
    objective = [f"objective.{name}" for name in vars(found.settings.objective)]
    settle = needed_changes if no_write else write_changes
    changes = settle(settings_file, found.settings, list(dict.fromkeys([*objective, *named])), named)
    if as_json:
        print_json(found.as_dict() | {"changes": changes, "written": bool(changes) and not no_write})
        return
    print_table(
        f"{VALIDATION_METRIC} on validation after some minutes of training",
        (
            "objective",
            "weight",
            "temperature",
            *(("others",) if settings.sweep.others else ()),
            *(f"{each.budget:.3g} min" for each in found.rounds),
            "same as",
        ),
        (
            (
                *combination(candidate, ", ")[: 4 if settings.sweep.others else 3],
                *_values(values, len(found.rounds)),
                ", ".join(candidate.same),
            )
            for candidate, values in found.table()
        ),
    )
    print_text(
        *(f"{each.candidate}: {each.failure}" for each in found.trainings if each.failure),
        f"Best: {found.winner}",
        *_told(changes, settings_file, no_write),
        f"{plot} and {out / 'sweep.json'} written",
    )


def _values(values: Sequence[float | None], rounds: int) -> list[float]:
    """A number for every round, NaN where there is none, which is shown as a dash."""
    known = [math.nan if value is None else value for value in values]
    return known + [math.nan] * (rounds - len(known))


def _told(changes: Mapping[str, Any], file: Path, no_write: bool) -> list[str]:
    if not changes:
        return [f"{file} says so already"]
    what = [
        f"  {key} = {value!r}" if value is not None else f"  {key} goes, as the winner does not take it"
        for key, value in changes.items()
    ]
    return [f"{file} {'would hold' if no_write else 'now holds'}:", *what]
