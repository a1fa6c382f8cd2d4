"""`gradus weights`."""

from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text

_SHOWN = (
    "constant",
    "linear",
    "reciprocal",
    "power:2",
    "exponential:4",
    "log:10",
    "steps:0.2=0.1,0.5=0.4,1=1",
)
"""One of each, with parameters that keep the curves apart."""


def weights(
    functions: Annotated[
        list[str] | None, typer.Argument(metavar="FUNCTION", help="As in objective.weight: power:2")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw them: .svg, .png or .pdf.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the score-to-weight functions, show the weights some of them give, or plot them."""
    from gradus.judgments.weights import WEIGHT_FUNCTIONS, plot_weights

    columns: tuple[str, ...] = ("function", "weight of a score s")
    rows: list[tuple[object, ...]] = [(known.usage, known.formula) for known in WEIGHT_FUNCTIONS.values()]
    if functions:
        columns, rows = _table(functions)
    if plot:
        plot_weights(functions or _SHOWN, plot)
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_table("Score-to-weight functions", columns, rows)
    if plot:
        print_text(f"{plot} written")


def _table(functions: list[str]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """The weights of ten documents of one query, scored 0.1 to 1."""
    import numpy as np

    from gradus.judgments.weights import apply_weights

    score = np.arange(1, 11) / 10
    weights = [apply_weights(spec, score, np.zeros(10, np.int64)) for spec in functions]
    return ("score", *functions), list(zip(score.tolist(), *(w.tolist() for w in weights), strict=True))
