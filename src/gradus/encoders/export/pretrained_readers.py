"""Readers of the pretrained towers: token ids, and pictures as their image processor crops them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gradus.encoders.export.reader import BATCH, TOKENS, Input, Reader
from gradus.encoders.hf_image import ImageTower
from gradus.encoders.hf_text import TextTower
from gradus.encoders.tower import Features
from gradus.errors import ModelError


class TokenReader(Reader):
    """A pretrained text tower."""

    def __init__(self, tower: TextTower) -> None:
        super().__init__()
        self.tower = tower

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Token ids and, where the network reads it, the mask of what is no filling."""
        padding = self.tower.padding
        shape = (BATCH, padding.length or TOKENS)
        ids = Input("input_ids", "int64", shape, padding.token, "the text's tokens")
        # A row without a text is shown as filling throughout: attention over nothing is not a number.
        mask = Input("attention_mask", "int64", shape, 1, "1 for a token, 0 beyond the end of a shorter text")
        return (ids, mask) if padding.masked else (ids,)

    def prepare(self, values: Sequence[Any], cache: Path | None) -> Features:
        """The tower's own features."""
        return self.tower.prepare(values, cache)

    def arrays(self, features: Features, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
        """The tower's own batch."""
        batch = features.batch(rows, None)
        return [batch[each.name].numpy() for each in self.inputs]

    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        """Vectors (b, size)."""
        names = [each.name for each in self.inputs]
        vectors: Tensor = self.tower(dict(zip(names, tensors, strict=True)))
        return vectors

    def describe(self, folder: Path) -> dict[str, Any]:
        """The tokenizer's files, and what is done beside it."""
        folder.mkdir()
        self.tower.tokenizer.save_pretrained(folder)
        padding = self.tower.padding
        return {
            "kind": "tokenizer",
            "tokenizer": f"{folder.name}/tokenizer.json",
            "prompt": self.tower.prompt,
            "lowercase": self.tower.lowercase,
            "max_length": self.tower.length,
            "padding": {
                "token": padding.token,
                "side": "left" if padding.left else "right",
                "to": padding.length or "the longest text of the batch",
            },
        }


class PictureReader(Reader):
    """A pretrained image tower on cropped bytes; scaling and normalisation are in the graph."""

    def __init__(self, tower: ImageTower) -> None:
        super().__init__()
        if tower.preparation.patched:
            raise ModelError(
                f"a {tower.network.config.model_type} image tower cannot be exported to ONNX: it cuts each "
                "picture into a grid of its own, which no graph with a free batch size does"
            )
        self.tower = tower

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The pixels."""
        shape = (BATCH, *self.tower.preparation.shape)
        return (
            Input("pixels", "uint8", shape, 0, "the picture, channels first, neither scaled nor normalised"),
        )

    def prepare(self, values: Sequence[Any], cache: Path | None) -> Features:
        """The tower's own features."""
        return self.tower.prepare(values, cache)

    def arrays(self, features: Features, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
        """The tower's own batch."""
        return [features.batch(rows, None)["pixels"].numpy()]

    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        """Vectors (b, size)."""
        vectors: Tensor = self.tower({"pixels": tensors[0]})
        return vectors

    def describe(self, folder: Path) -> dict[str, Any]:
        """The image processor's file, and what of it is in the graph."""
        processor = self.tower.preparation.processor
        folder.mkdir()
        processor.save_pretrained(folder)
        mean, deviation = self.tower.preparation.constants()
        return {
            "kind": "processor",
            "processor": f"{folder.name}/preprocessor_config.json",
            "steps": [
                "resize and crop as the processor's file says, without its rescaling and normalisation"
            ],
            "normalisation": "in the graph: (pixels - mean) / deviation",
            "mean": mean.flatten().tolist(),
            "deviation": deviation.flatten().tolist(),
        }
