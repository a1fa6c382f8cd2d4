"""The ONNX libraries, imported where they are used, and a graph that runs in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gradus.encoders.export.graph import OUTPUT
from gradus.errors import MissingExtraError, ModelError


def onnx_library() -> Any:
    """The onnx package.

    Raises:
        MissingExtraError: It, or onnxscript or onnxruntime, which make and run graphs, is not installed.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise MissingExtraError("export to ONNX", "onnx") from None
    return onnx


class Session:
    """A graph in onnxruntime, on the CPU, with as many threads as PyTorch has.

    Args:
        path: The graph's file, its weights beside it.

    Raises:
        ModelError: onnxruntime refuses the graph.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        self.path = path
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common base but this
            raise ModelError(f"onnxruntime cannot load {path.name}: {_first_line(error)}") from None

    def __call__(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The vectors (b, D) of a batch.

        Raises:
            ModelError: onnxruntime refuses the batch.
        """
        try:
            (vectors,) = self.session.run([OUTPUT], dict(arrays))
        except Exception as error:
            raise ModelError(f"onnxruntime cannot run {self.path.name}: {_first_line(error)}") from None
        found: NDArray[np.float32] = vectors
        return found


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
