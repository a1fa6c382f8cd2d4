"""`gradus distil`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.errors import SettingsError
from gradus.settings import Settings

if TYPE_CHECKING:
    from gradus.workflow.distil import Distilled, Pipeline


@with_settings("catalog", "query", "judgments", "split")
def distil(
    settings: Settings,
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run file of any pipeline: Parquet or TREC text.")
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Gets the pairs, their scores and intervals.")
    ] = Path("distilled.parquet"),
    reranker: Annotated[
        str, typer.Option(metavar="", help="Instead of a run: lambdamart, fitted to the training part.")
    ] = "",
    first: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="The model whose lists the re-ranker reads.")
    ] = None,
    lists: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also gets the pipeline's lists for judged training queries, as a run: gradus judge --clicks.run FILE "
            "asks it about pairs with few clicks.",
        ),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Queries that nobody judged, such as those of a log, with the columns of query.fields.",
        ),
    ] = None,
    synthetic: Annotated[
        int,
        typer.Option(
            metavar="",
            min=0,
            help="How many synthetic queries to ask as well, made of training documents' words as judged queries pick "
            "them; with --reranker.",
        ),
    ] = 0,
    depth: Annotated[
        int, typer.Option(metavar="", min=1, help="How many documents of each list are looked at.")
    ] = 100,
    unjudged: Annotated[
        str,
        typer.Option(
            metavar="",
            help="What a judged query's unjudged documents are: unknown, or worthless where everything good was "
            "judged, or a search chose what people saw; then only queries without judgments are told anything.",
        ),
    ] = "unknown",
    learned_from: Annotated[
        str,
        typer.Option(
            metavar="",
            help="Queries whose judged pairs say what scores are worth: train, or validation for a pipeline that "
            "was trained on these judgments. By default train; with --reranker validation, where it has ten judged "
            "queries.",
            show_default=False,
        ),
    ] = "",
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out",
            help="Also write pairs of queries and documents of the test cells and of validation. Training on them "
            "would make what is measured there worthless, so gradus train leaves them out as long as the split "
            "holds them out.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a slow pipeline into judgments of pairs that nobody judged, with intervals, to train on."""
    from gradus.workflow.distil import checked
    from gradus.workflow.distil import distil as start

    learned_from = learned_from or ("" if reranker else "train")
    if synthetic and not reranker:
        raise SettingsError(
            "--synthetic makes queries that no run file has lists for; use it with --reranker lambdamart"
        )
    choices = checked(unjudged, learned_from, depth=depth, held_out=held_out, synthetic=synthetic)
    pipeline = _pipeline(settings, run, reranker, first)
    with shown_progress() as progress:
        distilled = start(
            settings, out, pipeline, choices=choices, queries=queries, lists_out=lists, progress=progress
        )
    if as_json:
        print_json(distilled.as_dict())
    else:
        _print(distilled, lists, settings.root)


def _pipeline(settings: Settings, run: Path | None, reranker: str, first: Path | None) -> "Pipeline":
    if (
        (run is None) == (not reranker)
        or (first is None) == bool(reranker)
        or reranker not in ("", "lambdamart")
    ):
        raise SettingsError(
            "name one pipeline: a run file (gradus distil RUN), or --reranker lambdamart with its --first MODEL"
        )
    if run is not None:
        from gradus.evaluation.runs import read_run
        from gradus.workflow.distil import given

        return given(read_run(run))
    from gradus.workflow.distil_reranker import reranked

    assert first is not None  # noqa: S101 - narrows the type
    return reranked(settings, first)


def _print(distilled: "Distilled", lists: Path | None, root: Path) -> None:
    curve = distilled.curve

    def seen(path: Path) -> Path:
        """Settings speak of paths as seen from their own folder."""
        return path if root == Path() else path.resolve()

    if distilled.left_out:
        print_text(
            f"{distilled.left_out:,} queries left out: they ask what another one asks, or are held out"
        )
    print_text(
        f"{distilled.path}: {distilled.pairs:,} pairs of {distilled.queries:,} queries, "
        f"{distilled.unjudged_queries:,} of them without a judgment; intervals {distilled.width:.2f} wide",
        f"Learned from {curve.pairs:,} judged pairs of {curve.queries:,} queries, scores {curve.reading}: off by "
        f"{curve.error:.3f} on other queries, where the mean is off by {curve.spread:.3f}",
        f"Next: gradus train --judgments.distilled {seen(distilled.path)}, and compare with a model that was trained "
        "without",
    )
    if lists is not None:
        print_text(f"and where judgments come from a log: gradus judge --clicks.run {seen(lists)}")
