"""`gradus simulate`."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings

if TYPE_CHECKING:
    from gradus.judgments.simulation.users import Users
    from gradus.judgments.simulation.write import WrittenLog

_SHOWN, _ASKED, _PEOPLE, _DIRT = "What is shown", "What is asked", "What people do", "What goes wrong"


class Model(StrEnum):
    """The click models."""

    PBM = "pbm"
    CASCADE = "cascade"
    DBN = "dbn"
    BROWSING = "browsing"


class Layout(StrEnum):
    """How the log is written."""

    UBI = "ubi"
    FLAT = "flat"
    FLAT_CSV = "flat-csv"


@with_settings("catalog", "query", "judgments")
def simulate(
    settings: Settings,
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    impressions: Annotated[int, typer.Option(min=1, help="About how many documents are shown.")] = 100_000,
    layout: Annotated[
        Layout,
        typer.Option(help="ubi: queries beside events; flat: a row per impression, in Parquet or CSV."),
    ] = Layout.UBI,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same log.")] = 0,
    page: Annotated[
        int, typer.Option(min=1, max=1000, help="Positions on a page.", rich_help_panel=_SHOWN)
    ] = 10,
    noise: Annotated[
        float, typer.Option(help="Error of the ranker, on the scale of scores.", rich_help_panel=_SHOWN)
    ] = 0.3,
    epochs: Annotated[
        int, typer.Option(help="Rankers that follow each other over the log.", rich_help_panel=_SHOWN)
    ] = 1,
    swaps: Annotated[
        float,
        typer.Option(help="Probability that neighbours change places.", rich_help_panel=_SHOWN),
    ] = 0.0,
    randomised: Annotated[
        float,
        typer.Option(help="Share of pages in random order; logs propensities.", rich_help_panel=_SHOWN),
    ] = 0.0,
    days: Annotated[int, typer.Option(help="Length of the log.", rich_help_panel=_ASKED)] = 14,
    zipf: Annotated[
        float, typer.Option(help="How uneven the queries' popularity is.", rich_help_panel=_ASKED)
    ] = 1.0,
    session: Annotated[
        float, typer.Option(help="Mean number of searches in a session.", rich_help_panel=_ASKED)
    ] = 2.0,
    robots: Annotated[
        float, typer.Option(help="Share of the pages that robots ask for.", rich_help_panel=_ASKED)
    ] = 0.0,
    drift: Annotated[
        float,
        typer.Option(help="Standard deviation of the change of relevance.", rich_help_panel=_ASKED),
    ] = 0.0,
    appeal: Annotated[
        float,
        typer.Option(help="Standard deviation of documents' own appeal.", rich_help_panel=_ASKED),
    ] = 0.0,
    renewal: Annotated[
        float,
        typer.Option(help="Share of that appeal that is new after a week.", rich_help_panel=_ASKED),
    ] = 0.1,
    model: Annotated[Model, typer.Option(help="The click model.", rich_help_panel=_PEOPLE)] = Model.PBM,
    eta: Annotated[
        float,
        typer.Option(help="pbm, browsing: attention falls as 1 / position^eta.", rich_help_panel=_PEOPLE),
    ] = 1.0,
    gamma: Annotated[
        float, typer.Option(help="dbn: probability of going on to the next.", rich_help_panel=_PEOPLE)
    ] = 0.9,
    trust: Annotated[
        float,
        typer.Option(help="How often position 1 is clicked whatever it holds.", rich_help_panel=_PEOPLE),
    ] = 0.0,
    abandoned: Annotated[
        float, typer.Option(help="Share of sessions that end within a page.", rich_help_panel=_PEOPLE)
    ] = 0.0,
    dropped: Annotated[
        float, typer.Option(help="Share of impressions that are lost.", rich_help_panel=_DIRT)
    ] = 0.0,
    zero_based: Annotated[
        bool, typer.Option("--zero-based", help="Positions count from 0.", rich_help_panel=_DIRT)
    ] = False,
    double_clicks: Annotated[
        float, typer.Option(help="Share of clicks logged twice.", rich_help_panel=_DIRT)
    ] = 0.0,
    duplicates: Annotated[
        float, typer.Option(help="Share of rows written twice.", rich_help_panel=_DIRT)
    ] = 0.0,
    clock_jumps: Annotated[
        float, typer.Option(help="Share of pages with a wrong clock.", rich_help_panel=_DIRT)
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Make a log of searches and clicks from true relevance: the scores of the judgments."""
    from gradus.catalog.read import open_catalog
    from gradus.judgments.read import read_judgments
    from gradus.judgments.simulation.dirt import Dirt
    from gradus.judgments.simulation.habits import Habits
    from gradus.judgments.simulation.policy import Policy
    from gradus.judgments.simulation.simulate import Simulation
    from gradus.judgments.simulation.traffic import Traffic
    from gradus.judgments.simulation.truth import drifting, truth_of, wandering
    from gradus.judgments.simulation.write import write_log

    users, policy = users_of(model, eta, gamma), Policy(noise, epochs, swaps, randomised)
    habits, traffic = Habits(trust, abandoned), Traffic(days, zipf, session, robots)
    dirt = Dirt(dropped, zero_based, double_clicks, duplicates, clock_jumps)
    truth = truth_of(read_judgments(settings, open_catalog(settings)))
    if drift:
        truth = drifting(truth, drift, seed)
    if appeal:
        truth = wandering(truth, appeal, renewal, days, seed)
    simulation = Simulation(truth, users, policy, habits, traffic, impressions, page, seed)
    with shown_progress() as progress:
        written = write_log(folder, simulation, layout, dirt, progress)
    if as_json:
        print_json(asdict(written))
    else:
        _print(written)


def users_of(model: Model, eta: float = 1.0, gamma: float = 0.9) -> "Users":
    """People of a click model."""
    from gradus.judgments.simulation.users import DBN, PBM, Browsing, Cascade

    match model:
        case Model.PBM:
            return PBM(eta)
        case Model.CASCADE:
            return Cascade()
        case Model.DBN:
            return DBN(gamma)
        case Model.BROWSING:
            return Browsing(eta)


def _print(written: "WrittenLog") -> None:
    robots = f", {written.robot_pages:,} of them robots'" if written.robot_pages else ""
    print_text(
        f"{written.pages:,} result pages{robots}: {written.impressions:,} impressions, {written.clicks:,} clicks, "
        f"{written.carts:,} put into the cart, {written.purchases:,} bought",
        *(f"{written.folder / name}: {rows:,} rows" for name, rows in written.rows.items()),
    )
