"""One file for the weights of several ONNX models: a tower that three graphs share is stored once.

ONNX lets a model name the place of a tensor in another file (`external_data`). It also lifts the limit of
2 GB that a model with its weights inside has.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Any

from gradus.encoders.export.onnx_runtime import onnx_library

SMALLEST = 1024
"""Bytes from which a tensor is moved; smaller ones stay readable in the model."""

_ALIGNMENT = 64


class WeightsFile:
    """A file that takes tensors out of models.

    Args:
        path: Where; models that use it lie in the same folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[bytes, int] = {}
        self.end = 0
        path.touch()

    def take(self, model: Any) -> None:
        """Move the tensors of a model into the file; equal bytes are stored once."""
        onnx = onnx_library()
        with self.path.open("ab") as file:
            for tensor in model.graph.initializer:
                data = onnx.numpy_helper.to_array(tensor).tobytes()
                if len(data) < SMALLEST:
                    continue
                digest = blake2b(data, digest_size=16).digest()
                if digest not in self.places:
                    file.write(b"\0" * (-self.end % _ALIGNMENT))
                    self.places[digest] = self.end + -self.end % _ALIGNMENT
                    file.write(data)
                    self.end = self.places[digest] + len(data)
                _point(tensor, self.path.name, self.places[digest], len(data))


def _point(tensor: Any, file: str, offset: int, length: int) -> None:
    """Make a tensor name its bytes' place in a file."""
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        tensor.ClearField(field)
    tensor.data_location = tensor.EXTERNAL
    for key, value in (("location", file), ("offset", offset), ("length", length)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
