"""The `gradus` command."""

import os
from typing import Annotated

import typer

import gradus
from gradus.cli.bench import bench
from gradus.cli.cadence import cadence
from gradus.cli.check import check
from gradus.cli.compare import compare
from gradus.cli.demo import demo
from gradus.cli.distil import distil
from gradus.cli.evaluate import evaluate
from gradus.cli.export import export
from gradus.cli.failures import Commands
from gradus.cli.import_open_clip import import_open_clip
from gradus.cli.index import index
from gradus.cli.init import init
from gradus.cli.judge import judge
from gradus.cli.poc import poc
from gradus.cli.sample import sample
from gradus.cli.search import search
from gradus.cli.serve import key, serve, votes
from gradus.cli.simulate import simulate
from gradus.cli.study import study
from gradus.cli.sweep import sweep
from gradus.cli.train import train
from gradus.cli.weights import weights

app = typer.Typer(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gradus {gradus.__version__}")
        raise typer.Exit


@app.callback()
def _gradus(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """First-stage multimodal search, trained on graded evidence.

    Start with `gradus demo`, or on data of your own with `gradus init CATALOGUE`,
    `gradus check`, `gradus train` and `gradus search model "a query"`.
    """


_DATA, _MODEL, _LEARN = "Data", "Model", "Look around"

app.command(rich_help_panel=_LEARN)(demo)
app.add_typer(sample, name="sample", rich_help_panel=_LEARN)
app.command(rich_help_panel=_LEARN)(weights)
app.command(rich_help_panel=_LEARN)(simulate)
app.add_typer(study, name="study", rich_help_panel=_LEARN)
app.command(rich_help_panel=_DATA)(init)
app.command(rich_help_panel=_DATA)(check)
app.command(rich_help_panel=_DATA)(judge)
app.command(rich_help_panel=_DATA)(distil)
app.command(rich_help_panel=_MODEL)(train)
app.command(rich_help_panel=_MODEL)(sweep)
app.command(rich_help_panel=_MODEL)(evaluate)
app.command(rich_help_panel=_MODEL)(compare)
app.command(rich_help_panel=_MODEL)(bench)
app.command(rich_help_panel=_MODEL)(cadence)
app.command(rich_help_panel=_MODEL)(poc)
app.command(rich_help_panel=_MODEL)(search)
app.add_typer(index, name="index", rich_help_panel=_MODEL)
app.command(rich_help_panel=_MODEL)(serve)
app.command(rich_help_panel=_MODEL)(key)
app.command(rich_help_panel=_MODEL)(votes)
app.command(rich_help_panel=_MODEL)(export)
app.command(rich_help_panel=_MODEL)(import_open_clip)


def main() -> None:
    """Run `gradus` with the arguments of this process."""
    # OpenMP's threads wait for each other busily, and beside another program they mostly wait: training took four times
    # as long with one core of two taken. Asleep they cost 8 % of an idle machine. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()
