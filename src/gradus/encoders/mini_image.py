"""The image tower of `mini`: a small convolutional net, trained from scratch in minutes on a CPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradus.catalog.image_cache import ImageCache
from gradus.encoders.tower import Modality, Tower

PATCH = 4  # pixels along the side of the squares that the first layer reads
CHANNELS = (64, 128, 256)
SHIFT = 4  # pixels a picture moves at most, each way, in augmentation


class ImageFeatures:
    """The decoded pictures of a column."""

    def __init__(self, cache: ImageCache) -> None:
        self.cache = cache
        self.present: NDArray[np.bool_] = cache.row >= 0

    def batch(self, rows: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Pixels (b, 3, side, side) uint8; shifted and changed in brightness where `rng` is given."""
        pixels = np.ascontiguousarray(self.cache.pixels[self.cache.row[rows]])
        if rng is not None:
            pixels = augmented(pixels, rng)
        return {"pixels": torch.from_numpy(pixels).permute(0, 3, 1, 2)}


def augmented(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Each picture moved by up to `SHIFT` pixels, its edge repeated."""
    count, side = pixels.shape[:2]
    move = rng.integers(-SHIFT, SHIFT + 1, (2, count, 1))
    y, x = np.clip(np.arange(side) + move, 0, side - 1)
    moved: NDArray[np.uint8] = pixels[np.arange(count)[:, None, None], y[:, :, None], x[:, None, :]]
    return moved


class MiniImage(Tower):
    """A layer over patches, two strided convolutions, average and maximum over the picture, a linear layer.

    Patches in place of a stride of two in the first layer halve the time of a step at no loss measured.

    Args:
        side: Pixels along the side of a picture.
        size: Length of the vectors.
    """

    modality: Modality = "image"

    def __init__(self, side: int, size: int) -> None:
        super().__init__()
        self.side, self.size = side, size
        layers: list[nn.Module] = []
        width = 3
        for depth, channels in enumerate(CHANNELS):
            kernel, stride, padding = (3, 2, 1) if depth else (PATCH, PATCH, 0)
            layers += [nn.Conv2d(width, channels, kernel, stride, padding, bias=False)]
            layers += [nn.BatchNorm2d(channels), nn.ReLU()]
            width = channels
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Linear(2 * width, size)

    def prepare(self, values: Sequence[Any], cache: Path | None) -> ImageFeatures:
        """Decode the pictures, once."""
        return ImageFeatures(ImageCache.open(values, self.side, cache))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size)."""
        pixels = batch["pixels"].float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)
        maps = self.convolutions(pixels)
        vectors: Tensor = self.head(torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1))
        return vectors

    def save(self, folder: Path) -> dict[str, Any]:
        """Nothing beside the parameters; the config."""
        return {"kind": "mini-image", "side": self.side, "size": self.size}

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> "MiniImage":
        """The tower with fresh parameters."""
        return cls(config["side"], config["size"])
