"""An encoder as a folder of ONNX graphs.

`query.onnx` and `document.onnx` read all fields of a row and give its unit vector; a graph per tower gives
the unit vector of one value. All share the weights in `weights.bin`. `export.json` says what every input
holds and how a value becomes it; `residual.parquet` holds what is added to the content of documents that
training had evidence for.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

import gradus
from gradus.encoders.encoder import SIDES, Encoder, Prepared, Side
from gradus.encoders.export.description import describe
from gradus.encoders.export.graph import SideGraph, TowerGraph, side_graphs, tower_graphs
from gradus.encoders.export.onnx_encoder import readable
from gradus.encoders.export.onnx_runtime import Session, onnx_library
from gradus.encoders.export.probe import ROWS, probe
from gradus.encoders.export.quantise import quantised
from gradus.encoders.export.target import require_dense, require_replaceable
from gradus.encoders.export.trace import OPSET, trace
from gradus.encoders.export.weights_file import WeightsFile
from gradus.errors import ModelError
from gradus.files import atomic_folder
from gradus.progress import Progress, silent

FORMAT = 1
DESCRIPTION = "export.json"
OnnxPrecision = Literal["float32", "int8"]

_BATCHES = (np.array([0]), np.array([1, 2, 3]), np.arange(ROWS))
"""Rows of the made-up tables that the graphs are checked on; the last are also what they are traced on."""

Case = tuple[dict[str, NDArray[Any]], NDArray[np.float32]]
"""A batch of a graph's inputs, and the vectors that the encoder gives for it."""


def write_onnx(
    encoder: Encoder, folder: Path, precision: OnnxPrecision = "float32", progress: Progress = silent
) -> float:
    """Write an encoder as ONNX; an earlier export is replaced whole.

    The float32 graphs are held to the encoder on made-up rows, in batches of several sizes, before anything
    is quantised or put in place.

    Args:
        encoder: The model, on the CPU.
        folder: Where.
        precision: What the weights are stored in.
        progress: Told about each graph.

    Returns:
        The largest difference that the check found.

    Raises:
        MissingExtraError: The ONNX libraries are not installed.
        ModelError: The folder holds something else; a tower cannot be exported; or a graph differs from the encoder
            by more than its tolerance.
    """
    onnx_library()
    require_dense(encoder)
    require_replaceable(folder, DESCRIPTION)
    encoder.eval()
    towers = tower_graphs(encoder)
    sides = side_graphs(encoder, towers)
    tables = {side: readable(encoder, sides[side], side, probe(encoder.fields[side])) for side in SIDES}
    cases = {side: _side_cases(encoder, sides[side], side, tables[side]) for side in SIDES} | {
        key: _tower_cases(encoder, tower, tables) for key, tower in towers.items()
    }
    graphs: list[TowerGraph | SideGraph] = [*sides.values(), *towers.values()]
    worst = 0.0
    with atomic_folder(folder) as aside:
        weights = WeightsFile(aside / "weights.bin")
        for number, graph in enumerate(graphs):
            progress("exporting", number, len(graphs), graph.name)
            model = trace(graph, cases[graph.name][-1][0])
            small = quantised(model) if precision == "int8" else None
            with tempfile.TemporaryDirectory() as scratch:
                # What is checked is the float32 graph, also where only the smaller one stays.
                place = weights if small is None else WeightsFile(Path(scratch) / "weights.bin")
                worst = max(worst, _check(graph, _save(model, graph.name, place), cases[graph.name]))
            if small is not None:
                Session(_save(small, graph.name, weights))
        progress("exporting", len(graphs), len(graphs), "")
        about = {"format": FORMAT, "gradus": gradus.__version__, "precision": precision, "opset": OPSET}
        about |= describe(encoder, sides, towers, aside)
        text = json.dumps(about, indent=2, ensure_ascii=False)
        (aside / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    return worst


def _save(model: Any, name: str, weights: WeightsFile) -> Path:
    """Write a model beside the file that takes its weights."""
    weights.take(model)
    path = weights.path.with_name(f"{name}.onnx")
    onnx_library().save(model, path)
    return path


def _check(graph: TowerGraph | SideGraph, path: Path, cases: list[Case]) -> float:
    """The largest difference of a float32 graph from the encoder."""
    session = Session(path)
    worst = float(np.max([np.abs(session(arrays) - expected).max() for arrays, expected in cases]))
    if not worst <= graph.tolerance:  # also NaN
        raise ModelError(
            f"{path.name} gives vectors that differ from the model's by {worst:.2g}, more than "
            f"{graph.tolerance:g}; nothing was written"
        )
    return worst


@torch.no_grad()
def _side_cases(encoder: Encoder, graph: SideGraph, side: Side, prepared: Prepared) -> list[Case]:
    return [(graph.arrays(prepared, rows), encoder(side, prepared, rows).merged.numpy()) for rows in _BATCHES]


@torch.no_grad()
def _tower_cases(encoder: Encoder, graph: TowerGraph, tables: Mapping[Side, Prepared]) -> list[Case]:
    """Of the first field that the tower reads."""
    side, number, field = next(
        (side, number, field.name)
        for side in SIDES
        for number, field in enumerate(encoder.fields[side])
        if encoder.tower_key(side, field) == graph.name
    )
    prepared = tables[side]
    batches = [rows[prepared[field].present[rows]] for rows in _BATCHES]
    return [
        (
            graph.arrays(prepared, field, rows),
            encoder(side, prepared, rows).fields[:, number].numpy(),
        )
        for rows in batches
        if len(rows)
    ]
