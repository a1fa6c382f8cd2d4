"""`gradus bench`."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, show_interval, shown_progress
from gradus.cli.pipelines_file import pipelines_file

if TYPE_CHECKING:
    from gradus.insight.bench import Bench, PipelineResult


def bench(
    pipelines: Annotated[
        Path | None,
        typer.Argument(
            metavar="PIPELINES.TOML",
            help="The pipelines to measure; without, pipelines.toml here, written where there is none.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Gets results.json and a folder for each pipeline; what is measured is not redone.",
        ),
    ] = Path("bench"),
    as_json: AsJson = False,
) -> None:
    """Measure declared pipelines side by side: quality on each split, times, sizes.

    Models that are not there are trained, re-rankers are fitted. A bench that was stopped goes on when it is run again.
    """
    from gradus.workflow.bench import RESULTS
    from gradus.workflow.bench import bench as run

    file = pipelines_file(pipelines)
    with shown_progress() as progress:
        found = run(file, out, progress=progress)
    if as_json:
        print_json(found.as_dict())
        return
    _print_quality(found)
    _print_costs(found)
    print_text(f"{out / RESULTS} written")


def _print_quality(found: "Bench") -> None:
    metric = found.metrics[0]
    cells = list(dict.fromkeys(cell for result in found.pipelines for cell in result.cells))
    print_table(
        f"{metric}, 95 % intervals",
        ("pipeline", *cells),
        ((result.name, *(_quality(result, cell, metric) for cell in cells)) for result in found.pipelines),
    )


def _quality(result: "PipelineResult", cell: str, metric: str) -> str:
    if cell not in result.cells:
        return "–"
    interval = result.cells[cell].metrics[metric]
    return show_interval(interval.mean, interval.low, interval.high)


def _print_costs(found: "Bench") -> None:
    timing = found.timing
    print_table(
        f"A query from text to list, {timing['documents']:,} documents; queries/s of {timing['clients']} clients; "
        "MB; processor seconds",
        (
            *("pipeline", "p50 ms", "p95 ms", "p99 ms", "per core/s", "queries/s"),
            *("index", "model", "re-ranker", "training", "embedding", "fitting"),
        ),
        ((result.name, *_costs(result)) for result in found.pipelines),
    )


def _costs(result: "PipelineResult") -> Iterator[float]:
    for name in ("p50_ms", "p95_ms", "p99_ms", "per_core", "throughput"):
        yield math.nan if result.latency is None else getattr(result.latency, name)
    for name in ("index_bytes", "model_bytes", "reranker_bytes"):
        yield getattr(result.costs, name) / 1e6
    for name in ("training_cpu_seconds", "embedding_cpu_seconds", "fitting_cpu_seconds"):
        value = getattr(result.costs, name)
        yield math.nan if value is None else value
