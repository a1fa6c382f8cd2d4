"""ONNX models with 8-bit weights.

The weights of products and the tables of embeddings become 8-bit integers with one scale per tensor;
activations are brought to 8 bits as they come, with the range that a batch happens to have (dynamic
quantisation). Nothing has to be calibrated. Convolutions stay as they are: the towers have one each, on the
pixels, where errors are largest and little is won.
"""

import logging
import tempfile
from pathlib import Path
from typing import Any

from gradus.encoders.export.onnx_runtime import onnx_library

OPERATORS = ["MatMul", "Gather"]
"""What is quantised; a product with a bias (Gemm) is written as a MatMul first."""


def quantised(model: Any) -> Any:
    """The model with int8 weights; the one given is not changed."""
    onnx = onnx_library()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it recommends a preparation that the exporter has done
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            quantize_dynamic(model, path, op_types_to_quantize=OPERATORS, weight_type=QuantType.QInt8)
            return onnx.load(path)
    finally:
        logger.setLevel(level)
