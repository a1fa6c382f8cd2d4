"""An exported encoder that embeds tables through onnxruntime, as `Encoder` does through PyTorch."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.encoders.encoder import SIDES, Encoder, Prepared, Side, make_column
from gradus.encoders.export.graph import SideGraph, side_graphs, tower_graphs
from gradus.encoders.export.onnx_runtime import Session
from gradus.encoders.words import as_text


class OnnxEncoder:
    """The graphs of an export folder.

    Args:
        folder: Holds a graph per side.
        encoder: The model that they were made of; it prepares the tables and knows the residuals.
    """

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.encoder = encoder
        self.graphs = side_graphs(encoder, tower_graphs(encoder))
        self.sessions = {side: Session(folder / f"{side}.onnx") for side in SIDES}

    def prepare(self, side: Side, table: Table, cache: Path | None = None) -> Prepared:
        """As `Encoder.prepare`, by the graphs' readers."""
        return readable(self.encoder, self.graphs[side], side, table, cache)

    def embed(
        self, side: Side, prepared: Prepared, rows: NDArray[np.int64] | None = None, batch: int = 64
    ) -> NDArray[np.float32]:
        """Unit vectors (n, D) of rows, with the residuals of known rows, as `Encoder.embed` gives them."""
        rows = np.arange(len(prepared)) if rows is None else rows
        vectors = np.zeros((len(rows), self.encoder.dimensions), np.float32)
        for start in range(0, len(rows), batch):
            some = rows[start : start + batch]
            vectors[start : start + batch] = self.sessions[side](self.graphs[side].arrays(prepared, some))
        residual = self.encoder.residual_of(side)
        if residual is not None:
            with torch.no_grad():
                known, _ = residual(torch.from_numpy(vectors), prepared.evidence[rows], None)
            vectors = known.numpy()
        return vectors


def readable(
    encoder: Encoder, graph: SideGraph, side: Side, table: Table, cache: Path | None = None
) -> Prepared:
    """A table made ready by a graph's readers; the encoder reads it as well.

    Raises:
        ModelError: The table lacks one of the fields.
    """
    encoder.require(side, table)
    columns = {
        field.name: make_column(tower.reader.prepare, as_text(field, table.columns[field.name]), cache)
        for field, tower in zip(encoder.fields[side], graph.owners, strict=True)
    }
    return Prepared(columns, encoder.evidence(side, table))
