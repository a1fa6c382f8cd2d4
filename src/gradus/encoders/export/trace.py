"""From a PyTorch graph to an ONNX model, its batch size and text lengths left open."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray

from gradus.encoders.export.graph import OUTPUT, SideGraph, TowerGraph
from gradus.encoders.export.onnx_runtime import onnx_library
from gradus.encoders.export.reader import BATCH
from gradus.errors import ModelError

OPSET = 18
"""Version of ONNX's operators; onnxruntime runs it from 1.14 (2023) on."""


def trace(graph: TowerGraph | SideGraph, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The ONNX model of a graph, with its weights in it.

    Args:
        graph: What to trace, in evaluation mode.
        arrays: Inputs to trace it on; two rows or more, and two tokens or more, so that nothing is taken for
            a constant.

    Raises:
        MissingExtraError: The ONNX libraries are not installed.
        ModelError: PyTorch cannot trace the graph.
    """
    onnx_library()
    batch = torch.export.Dim(BATCH)
    shapes = [
        {
            axis: batch if length == BATCH else torch.export.Dim(f"{length}_{number}")
            for axis, length in enumerate(each.shape)
            if isinstance(length, str)
        }
        for number, each in enumerate(graph.inputs)
    ]
    # Inputs of one reader share their open lengths.
    for number, each in enumerate(graph.inputs[1:], 1):
        before = graph.inputs[number - 1]
        if each.shape == before.shape and _owner(each.name) == _owner(before.name):
            shapes[number] = shapes[number - 1]
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                graph,
                ([torch.from_numpy(arrays[each.name]) for each in graph.inputs],),
                input_names=[each.name for each in graph.inputs],
                output_names=[OUTPUT],
                dynamic_shapes=(shapes,),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # the exporter wraps whatever a network's code raises
        reason = str(error.__cause__ or error).strip().split("\n")[0]
        raise ModelError(f"PyTorch cannot export the {graph.name} graph to ONNX: {reason}") from error
    assert program is not None  # noqa: S101 - as `dynamo` is set
    return _plain(program.model_proto)


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _plain(model: Any) -> Any:
    """The model without the exporter's notes, which quote paths and code of this machine."""
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.ClearField("metadata_props")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says about operators and rewrites that are none of the user's concern."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
