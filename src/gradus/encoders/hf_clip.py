"""Towers from a dual encoder: the text half or the image half of CLIP, SigLIP, SigLIP2 and their kin.

Both halves of one checkpoint answer in the space that they were trained to share, so that with
`dimensions` equal to its size no projection is added and search works before any training.
"""

from pathlib import Path
from typing import Any, Self

from torch import Tensor

from gradus.encoders.hf_image import ImageTower
from gradus.encoders.hf_text import Padding, TextTower, padding_token
from gradus.encoders.pretrained import (
    blank_network,
    read_config,
    read_image_processor,
    read_network,
    read_tokenizer,
)
from gradus.encoders.tower import Modality
from gradus.errors import ModelError


class DualTextTower(TextTower):
    """The text half of a dual encoder; the vectors are the model's own text features."""

    kind = "dual-text"

    @classmethod
    def pretrained(cls, name: str) -> Self:
        """The tower of a checkpoint; see `PretrainedTower.pretrained`."""
        config = read_config(name)
        network, _ = read_network(name, config)
        return cls(half(network, "text", name), read_tokenizer(name), feature_size(config, "text"))

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> Self:
        """The tower that `save` wrote, its weights yet to be loaded."""
        name = str(folder)
        network = blank_network(read_config(name))
        return cls(half(network, "text", name), read_tokenizer(name), feature_size(network.config, "text"))

    @property
    def padding(self) -> Padding:
        """SigLIP reads every text at full length and attends to the filling, as it was trained to."""
        token, left = padding_token(self.tokenizer), self.tokenizer.padding_side == "left"
        if self.network.config.model_type.startswith("siglip"):
            return Padding(token, left, self.length, masked=False)
        return Padding(token, left)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size): the projected text features."""
        return pooled(self.network.get_text_features(**batch))


class DualImageTower(ImageTower):
    """The image half of a dual encoder; the vectors are the model's own image features."""

    kind = "dual-image"

    @classmethod
    def pretrained(cls, name: str) -> Self:
        """The tower of a checkpoint; see `PretrainedTower.pretrained`."""
        config = read_config(name)
        network, _ = read_network(name, config)
        return cls(half(network, "image", name), read_image_processor(name), feature_size(config, "image"))

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> Self:
        """The tower that `save` wrote, its weights yet to be loaded."""
        name = str(folder)
        network = blank_network(read_config(name))
        size = feature_size(network.config, "image")
        return cls(half(network, "image", name), read_image_processor(name), size)

    def encode(self, inputs: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size): the projected image features."""
        return pooled(self.network.get_image_features(**inputs))


def is_dual(config: Any) -> bool:
    """Whether a config describes a text and an image half."""
    return hasattr(config, "text_config") and hasattr(config, "vision_config")


def half(network: Any, modality: Modality, name: str) -> Any:
    """A dual encoder without the parts that one modality does not use; changes the network.

    Raises:
        ModelError: The network reads both modalities and yet embeds neither alone.
    """
    if not (hasattr(network, "get_text_features") and hasattr(network, "get_image_features")):
        raise ModelError(
            f"the pretrained model {name!r} ({network.config.model_type}) is not a dual encoder: "
            "it does not embed texts and images each on their own"
        )
    unused = ("vis",) if modality == "text" else ("text",)
    for child, _ in list(network.named_children()):
        if child.startswith(unused):
            setattr(network, child, None)
    # The parameters of its own are the temperature and bias of the loss it was trained with.
    for parameter, _ in list(network.named_parameters(recurse=False)):
        setattr(network, parameter, None)
    return network


def feature_size(config: Any, modality: Modality) -> int:
    """Length of a dual encoder's features; SigLIP has no projection shared by both halves."""
    if hasattr(config, "projection_dim"):
        return int(config.projection_dim)
    if modality == "text":
        return int(config.text_config.projection_size)
    return int(config.vision_config.hidden_size)


def pooled(output: Any) -> Tensor:
    """The features, which transformers returns bare or, from 5 on, as the output's `pooler_output`."""
    features: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return features
