"""`gradus export`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.errors import SettingsError
from gradus.settings import read_settings

if TYPE_CHECKING:
    from gradus.encoders.compression import Precision
    from gradus.encoders.export.onnx_folder import OnnxPrecision
    from gradus.settings import Settings
    from gradus.workflow.export import ExportSummary

_PRECISIONS = {
    "onnx": ("float32", "int8"),
    "sentence-transformers": ("float32",),
    "vectors": ("float32", "int8", "binary"),
}
"""What each format can be stored in."""


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained model.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; a file for vectors.")],
    form: Annotated[
        str, typer.Option("--format", metavar="", help=f"One of: {', '.join(_PRECISIONS)}.")
    ] = "onnx",
    precision: Annotated[
        str,
        typer.Option(metavar="", help="What is stored: float32; int8 (onnx, vectors); binary (vectors)."),
    ] = "float32",
    dimensions: Annotated[
        int, typer.Option(metavar="", min=0, help="Numbers kept of each vector; 0 keeps all. For vectors.")
    ] = 0,
    settings_file: Annotated[
        Path,
        typer.Option("--settings", help="The search whose documents become vectors, and which is measured."),
    ] = Path("gradus.toml"),
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure on the test cells what the export costs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a model for other programs: ONNX, a sentence-transformers folder, or vectors as Parquet."""
    _check(form, precision, dimensions, measure)
    from gradus.workflow.export import export_onnx, export_sentence_transformer, export_vectors

    settings = read_settings(settings_file) if measure or form == "vectors" else None
    with shown_progress() as progress:
        if form == "onnx":
            summary = export_onnx(model, out, cast("OnnxPrecision", precision), settings, progress=progress)
        elif form == "sentence-transformers":
            summary = export_sentence_transformer(model, out)
        else:
            summary = export_vectors(
                cast("Settings", settings),
                model,
                out,
                dimensions,
                cast("Precision", precision),
                measure,
                progress=progress,
            )
    if as_json:
        print_json(summary.as_dict())
    else:
        _print(summary, form, precision)


def _check(form: str, precision: str, dimensions: int, measure: bool) -> None:
    if form not in _PRECISIONS:
        raise SettingsError(f"--format is {form!r}; the formats are {', '.join(_PRECISIONS)}")
    if precision not in _PRECISIONS[form]:
        raise SettingsError(
            f"--precision is {precision!r}; for {form} it is one of {', '.join(_PRECISIONS[form])}"
        )
    if dimensions and form != "vectors":
        raise SettingsError("--dimensions is for --format vectors; a model's graphs give all of its numbers")
    if measure and form == "sentence-transformers":
        raise SettingsError("--measure is for onnx and vectors; a sentence-transformers folder costs nothing")


def _print(summary: "ExportSummary", form: str, precision: str) -> None:
    size = () if form == "onnx" else ("numbers", "bytes")
    for metric, first in summary.measured[0].metrics.items() if summary.measured else ():
        print_table(
            metric,
            ("vectors", *size, *first, "change"),
            (
                (
                    each.name,
                    *(() if form == "onnx" else (each.dimensions, each.bytes)),
                    *(f"{value:.4f}" for value in each.metrics[metric].values()),
                    _change(each.metrics[metric], first),
                )
                for each in summary.measured
            ),
        )
    checked = (
        "" if summary.difference is None else f", at most {summary.difference:.1e} from the model in float32"
    )
    print_text(f"{summary.out}: {form}, {precision}, {summary.bytes / 1e6:,.2f} MB{checked}")


def _change(cells: Mapping[str, float], first: Mapping[str, float]) -> str:
    """How the mean over cells compares with the first form's."""
    before = sum(first.values())
    return f"{sum(cells.values()) / before - 1:+.1%}" if before else "–"
