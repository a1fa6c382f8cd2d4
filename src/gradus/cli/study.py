"""`gradus study`: what a search's evidence is worth."""

import json
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.cli.simulate import Model, users_of
from gradus.settings import Settings

if TYPE_CHECKING:
    from gradus.workflow.noise_study import NoiseStudy, Point

study = typer.Typer(help="Find out what a search's evidence is worth.")


@study.callback()
def _study() -> None:
    """Keep `noise` a sub-command while it is the only one."""


@study.command()
@with_settings("catalog", "query", "judgments", "split", "encoder", "objective", "training", "clicks")
def noise(
    settings: Settings,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Gets models, table and plot.")] = Path("study"),
    impressions: Annotated[
        list[int] | None, typer.Option(min=100, help="A size of the log; give it several times.")
    ] = None,
    estimators: Annotated[
        list[str] | None, typer.Option("--estimator", help="As clicks.estimator; give it several times.")
    ] = None,
    model: Annotated[Model, typer.Option(help="How the simulated people click.")] = Model.PBM,
    noise: Annotated[float, typer.Option(help="Error of the logging ranker, on the scale of scores.")] = 0.3,
    epochs: Annotated[int, typer.Option(help="Rankers that follow each other over the log.")] = 6,
    swaps: Annotated[float, typer.Option(help="Probability that neighbours change places.")] = 0.2,
    trust: Annotated[float, typer.Option(help="How often position 1 is clicked whatever it holds.")] = 0.0,
    abandoned: Annotated[float, typer.Option(help="Share of sessions that end within a page.")] = 0.0,
    robots: Annotated[float, typer.Option(help="Share of pages by robots that no filter found.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Find out how much log is enough: train on judgments of simulated logs, measure against the truth.

    The search's judgments are the truth. Each log has a floor, the model that takes all its clicked pairs for
    equally relevant, and all share a ceiling, the model that knows the true scores.
    """
    from gradus.files import atomic_file
    from gradus.insight.noise_plot import plot_noise
    from gradus.judgments.simulation.habits import Habits
    from gradus.judgments.simulation.policy import Policy
    from gradus.judgments.simulation.traffic import Traffic
    from gradus.workflow.noise_study import FLOOR, Habit, study_noise

    habit = Habit(
        users_of(model), Policy(noise, epochs, swaps), Habits(trust, abandoned), Traffic(robots=robots)
    )
    sizes = sorted(set(impressions or (10_000, 100_000, 1_000_000)))
    names = list(dict.fromkeys(estimators or ("auto", "ctr")))
    with shown_progress() as progress:
        found = study_noise(settings, out, habit, sizes, names, progress=progress)
    with atomic_file(out / "noise.json") as aside:
        aside.write_text(json.dumps(found.as_dict(), indent=1), encoding="utf-8")
    curves = {name: [(p.impressions, p.means) for p in found.of(name)] for name in (FLOOR, *names)}
    plot = out / "noise.svg"
    plot_noise(plot, found.metric, found.ceiling.means, curves)
    if as_json:
        print_json(found.as_dict())
        return
    cells = list(found.ceiling.means)
    print_table(
        f"{found.metric} against the truth, and the share of the gain of perfect scores that survives",
        ("judgments from", "impressions", *cells),
        [
            (
                point.estimator,
                f"{point.impressions:,}" if point.impressions else "–",
                *(_shown(found, point, cell) for cell in cells),
            )
            for point in found.points
        ],
    )
    print_text(
        *(f"{p.estimator}, {p.impressions:,} impressions: {p.refusal}" for p in found.points if p.refusal),
        f"{plot} and {out / 'noise.json'} written",
    )


def _shown(study: "NoiseStudy", point: "Point", cell: str) -> str:
    from gradus.workflow.noise_study import ENDS

    if not point.means:
        return "refused"
    mean = f"{point.means[cell]:.3f}"
    if point.estimator in ENDS:
        return mean
    share = study.survival(point)[cell]
    return f"{mean} (–)" if isnan(share) else f"{mean} ({share:.0%})"
