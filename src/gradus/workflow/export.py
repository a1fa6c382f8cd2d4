"""Leaving the house: a model as ONNX, as a sentence-transformers folder, its documents as short vectors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.image_cache import cache_folder
from gradus.catalog.read import open_catalog
from gradus.encoders.compression import PRECISIONS, Precision, encode, halvings, prefix
from gradus.encoders.encoder import Encoder
from gradus.encoders.export.onnx_encoder import OnnxEncoder
from gradus.encoders.export.onnx_folder import OnnxPrecision, write_onnx
from gradus.encoders.export.vectors_file import write_vectors
from gradus.encoders.saving import load_model
from gradus.evaluation.cells import evaluate_cells
from gradus.files import atomic_file
from gradus.judgments.split import CELLS
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.workflow.data import Data, load_data
from gradus.workflow.vectors import document_vectors, query_vectors

METRICS = ("nDCG@10", "R@10")
"""What an export may cost is measured in these."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """What some form of the vectors finds.

    Attributes:
        name: The form.
        dimensions: Numbers in a document's vector.
        bytes: Size of a document's vector.
        metrics: Metric → cell of the split → mean over its queries.
    """

    name: str
    dimensions: int
    bytes: int
    metrics: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class ExportSummary:
    """What an export wrote.

    Attributes:
        out: The folder or file.
        bytes: Its size.
        difference: Largest difference of a vector's component from the model's; `None` for vectors.
        measured: The forms that were measured, the model's own vectors first; empty unless asked for.
    """

    out: Path
    bytes: int
    difference: float | None
    measured: list[Measured]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"out": str(self.out)}


def export_onnx(
    model: Path,
    out: Path,
    precision: OnnxPrecision = "float32",
    measured_on: Settings | None = None,
    *,
    progress: Progress = silent,
) -> ExportSummary:
    """Write a model as ONNX graphs.

    Args:
        model: A model's folder, or a training run's.
        out: The folder to write; an earlier export there is replaced whole.
        precision: What the weights are stored in.
        measured_on: Settings on whose test cells the graphs are measured beside the model; `None` does not.
        progress: Told about each stage.

    Raises:
        GradusError: An input cannot be used; the type and the message say which and why.
    """
    encoder = load_model(model)
    # Read before anything is written: it may be refused.
    data = load_data(measured_on) if measured_on is not None else None
    difference = write_onnx(encoder, out, precision, progress)
    measured = []
    if measured_on is not None and data is not None:
        own = document_vectors(measured_on, model, encoder, data.documents, progress)
        measured = [
            _measure("the model", query_vectors(measured_on, encoder, data.judgments.queries), own, data),
            _measure(f"ONNX {precision}", *_onnx_vectors(measured_on, encoder, out, data, progress), data),
        ]
    return ExportSummary(out, _size(out), difference, measured)


def export_sentence_transformer(model: Path, out: Path) -> ExportSummary:
    """Write a model of one text field as a sentence-transformers folder.

    Args:
        model: A model's folder, or a training run's.
        out: The folder to write; an earlier export there is replaced whole.

    Raises:
        ModelError: The model has more than that, or a tower that the library does not know.
        MissingExtraError: sentence-transformers is not installed.
    """
    from gradus.encoders.export.sentence_folder import write_sentence_transformer

    difference = write_sentence_transformer(load_model(model), out)
    return ExportSummary(out, _size(out), difference, [])


def export_vectors(
    settings: Settings,
    model: Path,
    out: Path,
    dimensions: int = 0,
    precision: Precision = "float32",
    measure: bool = False,
    *,
    progress: Progress = silent,
) -> ExportSummary:
    """Write the vectors of a catalogue's documents as Parquet, cut short and in fewer bits where asked.

    Args:
        settings: Name the catalogue, and the judgments to measure on.
        model: A model's folder, or a training run's.
        out: The file to write.
        dimensions: Numbers kept of each vector; 0 keeps all.
        precision: What they are stored in.
        measure: Measure every precision at every half of the dimensions, and at `dimensions`.
        progress: Told about each stage.

    Raises:
        GradusError: An input cannot be used; the type and the message say which and why.
    """
    encoder = load_model(model)
    data = load_data(settings) if measure else None
    documents = open_catalog(settings) if data is None else data.documents
    vectors = document_vectors(settings, model, encoder, documents, progress)
    kept = dimensions or vectors.shape[1]
    codes = encode(prefix(vectors, kept), precision)
    about = {
        "dimensions": kept,
        "precision": precision,
        "scale": codes.scale.tolist(),
        "offset": codes.offset.tolist(),
        "use": "vector = offset + scale * code; rank by (query * scale) . code, the query cut to the same "
        "length and brought back to length 1",
    }
    with atomic_file(out) as aside:
        write_vectors(aside, documents.ids, codes.values, about)
    measured = []
    if data is not None:
        measured = _forms(query_vectors(settings, encoder, data.judgments.queries), vectors, data, kept)
    return ExportSummary(out, _size(out), None, measured)


def _forms(queries: Vectors, documents: Vectors, data: Data, kept: int) -> list[Measured]:
    """Every precision at every half of the dimensions and at those kept, all of them first."""
    found = []
    for dimensions in sorted({*halvings(documents.shape[1]), kept}, reverse=True):
        asked, cut = prefix(queries, dimensions), prefix(documents, dimensions)
        for precision in PRECISIONS:
            if precision == "binary" and dimensions % 8:
                continue
            codes = encode(cut, precision)
            stored = codes.codes()
            found.append(_measure(precision, asked * codes.scale, stored, data, codes.bytes))
            if precision == "binary":
                # An engine that only counts equal bits needs the query's signs as well.
                signs = np.where(asked > 0, np.float32(1), np.float32(-1))
                found.append(_measure("binary, Hamming", signs, stored, data, codes.bytes))
    return found


def _measure(
    name: str, queries: Vectors, documents: Vectors, data: Data, size: int | None = None
) -> Measured:
    cells = {cell: data.split.cell(cell) for cell in CELLS}
    evaluation = evaluate_cells(name, queries, documents, data.judgments, cells, METRICS, 10)
    metrics = {
        metric: {
            cell: float(np.nanmean(result.per_query[metric])) for cell, result in evaluation.cells.items()
        }
        for metric in METRICS
    }
    dimensions = documents.shape[1]
    return Measured(name, dimensions, dimensions * 4 if size is None else size, metrics)


def _onnx_vectors(
    settings: Settings, encoder: Encoder, folder: Path, data: Data, progress: Progress
) -> tuple[Vectors, Vectors]:
    """The queries' and the documents' vectors, by the exported graphs."""
    exported, cache = OnnxEncoder(folder, encoder), cache_folder(settings)
    progress("measuring", 0, 2, "queries")
    queries = exported.embed("query", exported.prepare("query", data.judgments.queries, cache))
    progress("measuring", 1, 2, "documents")
    documents = exported.embed("document", exported.prepare("document", data.documents, cache))
    progress("measuring", 2, 2, "")
    return queries, documents


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
