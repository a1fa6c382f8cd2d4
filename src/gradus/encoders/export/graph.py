"""The graphs of an encoder: each tower to unit vectors, and each side with its fields fused.

A document's residual is no part of its graph, which reads content: documents that training had evidence
for are known, and leave the house as vectors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gradus.encoders.encoder import SIDES, Encoder, Prepared, Side
from gradus.encoders.export.mini_readers import SquareReader, SubwordReader
from gradus.encoders.export.pretrained_readers import PictureReader, TokenReader
from gradus.encoders.export.reader import BATCH, Input, Reader
from gradus.encoders.hf_image import ImageTower
from gradus.encoders.hf_text import TextTower
from gradus.encoders.mini_image import MiniImage
from gradus.encoders.mini_text import MiniText
from gradus.errors import ModelError

OUTPUT = "vector"
PRESENT = "present"


class TowerGraph(nn.Module):
    """One tower with its projection.

    Attributes:
        name: The tower's key, which names the graph's file.
        inputs: What `forward` takes, in order.
        tolerance: As its reader's.
    """

    def __init__(self, encoder: Encoder, key: str, reader: Reader) -> None:
        super().__init__()
        self.name, self.reader = key, reader
        self.projection = encoder.projections[key]
        self.inputs = reader.inputs
        self.tolerance = reader.tolerance

    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        """Unit vectors (b, D) of one field's values."""
        return functional.normalize(self.projection(self.reader(tensors)).float(), dim=1)

    def arrays(self, prepared: Prepared, field: str, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The inputs of rows (b,) that have the field."""
        column = prepared[field]
        arrays = self.reader.arrays(column.features, column.value[rows])
        return {each.name: array for each, array in zip(self.inputs, arrays, strict=True)}


class SideGraph(nn.Module):
    """Queries, or documents: the towers of all fields, and their fusion.

    Attributes:
        name: The side, which names the graph's file.
        fields: Names of its fields.
        owners: The tower of each.
        inputs: What `forward` takes, in order: those of each field as `FIELD.NAME`, then which are there.
        tolerance: The widest of its towers'.
    """

    def __init__(self, encoder: Encoder, side: Side, towers: Mapping[str, TowerGraph]) -> None:
        super().__init__()
        self.name = side
        self.fields = [field.name for field in encoder.fields[side]]
        keys = [encoder.tower_key(side, field) for field in encoder.fields[side]]
        self.owners = [towers[key] for key in keys]
        self.towers = nn.ModuleList(self.owners)
        self.fusion = encoder.fusion[side]
        self.tolerance = max(tower.tolerance for tower in self.owners)
        meaning = "which fields a row has, in the order of `fields`"
        self.inputs = (
            *(
                each.of(field)
                for field, tower in zip(self.fields, self.owners, strict=True)
                for each in tower.inputs
            ),
            Input(PRESENT, "bool", (BATCH, len(self.fields)), 0, meaning),
        )

    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        """Unit vectors (b, D) of rows; zero where no field is there."""
        vectors, start = [], 0
        for tower in self.owners:
            vectors.append(tower(tensors[start : start + len(tower.inputs)]))
            start += len(tower.inputs)
        fused: Tensor = self.fusion(torch.stack(vectors, dim=1), tensors[-1])
        return fused

    def arrays(self, prepared: Prepared, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The inputs of rows (b,) of a table that `readable` made ready."""
        present = np.stack([prepared[field].present[rows] for field in self.fields], axis=1)
        fed: dict[str, NDArray[Any]] = {}
        for number, (field, tower) in enumerate(zip(self.fields, self.owners, strict=True)):
            here = np.flatnonzero(present[:, number])
            found = tower.arrays(prepared, field, rows[here]) if len(here) else {}
            for each in tower.inputs:
                array = each.empty(len(rows))
                if found:
                    array = np.full((len(rows), *found[each.name].shape[1:]), each.fill, each.dtype)
                    array[here] = found[each.name]
                fed[each.of(field).name] = array
        return fed | {PRESENT: present}


def reader_of(tower: nn.Module) -> Reader:
    """The reader of a tower.

    Raises:
        ModelError: The tower cannot be exported.
    """
    if isinstance(tower, MiniText):
        return SubwordReader(tower)
    if isinstance(tower, MiniImage):
        return SquareReader(tower)
    if isinstance(tower, TextTower):
        return TokenReader(tower)
    if isinstance(tower, ImageTower):
        return PictureReader(tower)
    raise ModelError(f"a tower of the kind {type(tower).__name__} cannot be exported to ONNX")


def tower_graphs(encoder: Encoder) -> dict[str, TowerGraph]:
    """The graph of each tower, by its key."""
    return {key: TowerGraph(encoder, key, reader_of(tower)) for key, tower in encoder.towers.items()}


def side_graphs(encoder: Encoder, towers: Mapping[str, TowerGraph]) -> dict[Side, SideGraph]:
    """The graph of each side."""
    return {side: SideGraph(encoder, side, towers) for side in SIDES}
