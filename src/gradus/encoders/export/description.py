"""What a program has to know to run exported graphs, as JSON: their inputs, and how values become them."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gradus.catalog.fields import Field
from gradus.encoders.encoder import Encoder, Side
from gradus.encoders.export.graph import OUTPUT, SideGraph, TowerGraph
from gradus.encoders.export.reader import BATCH
from gradus.encoders.export.vectors_file import write_vectors

_RESIDUALS: tuple[tuple[Side, str, str], ...] = (
    ("document", "residual", "its id"),
    (
        "query",
        "query_residual",
        "the JSON list of its fields' texts (NFKC, spaces collapsed, casefolded) where it has no picture",
    ),
)


def describe(
    encoder: Encoder, sides: Mapping[Side, SideGraph], towers: Mapping[str, TowerGraph], folder: Path
) -> dict[str, Any]:
    """The description; the files that it names (tokenizers, vocabularies, residuals) are written.

    Args:
        encoder: The model.
        sides: The graph of each side.
        towers: The graph of each tower.
        folder: The export's folder.
    """
    about: dict[str, Any] = {
        "output": {"name": OUTPUT, "dtype": "float32", "shape": [BATCH, encoder.dimensions]},
        "graphs": {f"{side}.onnx": _side(encoder, side, graph) for side, graph in sides.items()}
        | {f"{key}.onnx": {"inputs": _inputs(tower, key)} for key, tower in towers.items()},
        "preprocessing": {key: tower.reader.describe(folder / key) for key, tower in towers.items()},
    }
    for side, name, known_by in _RESIDUALS:
        residual = encoder.residual_of(side)
        if residual is not None:
            write_vectors(folder / f"{name}.parquet", residual.ids, residual.vectors.detach().numpy(), {})
            about[name] = {
                "file": f"{name}.parquet",
                "use": f"a {side} listed there, by {known_by}, has the vector "
                f"normalise(that of {side}.onnx + its residual)",
            }
    return about


def _side(encoder: Encoder, side: Side, graph: SideGraph) -> dict[str, Any]:
    """A side's fields with their inputs, and the input that says which are there."""
    fields = [
        {
            "name": field.name,
            "type": field.type,
            **_wording(field),
            "inputs": _inputs(tower, encoder.tower_key(side, field), field.name),
        }
        for field, tower in zip(encoder.fields[side], graph.owners, strict=True)
    ]
    return {"fields": fields, "inputs": [asdict(graph.inputs[-1])]}


def _inputs(tower: TowerGraph, key: str, field: str | None = None) -> list[dict[str, Any]]:
    return [
        asdict(each if field is None else each.of(field)) | {"preprocessing": key} for each in tower.inputs
    ]


def _wording(field: Field) -> dict[str, str]:
    """A number is read as text, with the field's name beside it."""
    return {"text": "%.10g " + field.name.replace("_", " ")} if field.type == "number" else {}
