"""The image tower of `mini`: patch features, fixed before training, and a small trained net on top.

x = halved(norm(features)),   e = P x + V gelu(U x)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gradus.catalog.image_cache import ImageCache
from gradus.catalog.table import ImageSource
from gradus.encoders.patches import WIDTH, PatchDictionary
from gradus.encoders.tower import Modality, Tower

SAMPLE = 2500  # pictures that the dictionary is learned from


class ImageFeatures:
    """The described pictures of a column.

    Args:
        row: (n,) row of `described` for each value; -1 where there is no usable picture.
        described: (m, WIDTH) descriptions.
    """

    def __init__(self, row: NDArray[np.int64], described: NDArray[np.float16]) -> None:
        self.row, self.described = row, described
        self.present: NDArray[np.bool_] = row >= 0
        self.lengths: NDArray[np.int64] = np.zeros_like(row)

    def batch(self, rows: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Descriptions (b, WIDTH); the tower's dropout is all the augmentation, so `rng` is not used."""
        return {"described": torch.from_numpy(self.described[self.row[rows]]).float()}


class Halved(nn.Module):
    """Dropout of one half: in training each number is 0 or twice itself, by the toss of a coin.

    On a CPU a coin is one random bit, which costs a tenth of the random float that PyTorch's dropout draws.
    """

    def forward(self, numbers: Tensor) -> Tensor:
        """The numbers, any shape."""
        if not self.training or numbers.device.type != "cpu":
            return functional.dropout(numbers, 0.5, self.training)
        words = torch.empty(-(-numbers.numel() // 64), dtype=torch.int64).random_(-(2**63), None)
        coins = np.unpackbits(words.numpy().view(np.uint8), count=numbers.numel())
        return numbers * torch.from_numpy(2 * coins).view_as(numbers)


class MiniImage(Tower):
    """Patch features and two layers.

    Args:
        side: Pixels along the side of a picture.
        size: Length of the vectors.
    """

    modality: Modality = "image"

    def __init__(self, side: int, size: int) -> None:
        super().__init__()
        self.side, self.size = side, size
        self.dictionary = PatchDictionary()
        self.norm = nn.Sequential(nn.LayerNorm(WIDTH), Halved())
        self.linear = nn.Linear(WIDTH, size)
        self.hidden = nn.Sequential(nn.Linear(WIDTH, size), nn.GELU(), nn.Linear(size, size))

    def fit(self, images: Sequence[ImageSource], cache: Path | None) -> None:
        """Learn the dictionary of patches from training pictures."""
        rng = np.random.default_rng(0)
        chosen = rng.permutation(len(images))[:SAMPLE]
        found = ImageCache.open([images[i] for i in chosen], self.side, cache)
        rows = _distinct(found.row)
        if len(rows):
            self.dictionary.fit(found.pixels[rows], rng)

    def prepare(self, values: Sequence[Any], cache: Path | None) -> ImageFeatures:
        """Decode and describe the pictures, once."""
        found = ImageCache.open(values, self.side, cache)
        # The cache may hold the pictures of other columns as well; only ours are described.
        used = _distinct(found.row)
        place = np.full(len(found.pixels) + 1, -1)  # the last for the row -1 of a missing picture
        place[used] = np.arange(len(used))
        row = place[found.row]
        return ImageFeatures(row, self.dictionary.describe(found.pixels, used))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size)."""
        features = self.norm(batch["described"])
        vectors: Tensor = self.linear(features) + self.hidden(features)
        return vectors

    def save(self, folder: Path) -> dict[str, Any]:
        """Nothing beside the parameters; the config."""
        return {"kind": "mini-image", "side": self.side, "size": self.size}

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> "MiniImage":
        """The tower with fresh parameters."""
        return cls(config["side"], config["size"])


def _distinct(row: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of pictures, each once, in the order of the column: that of the cache is anybody's."""
    _, first = np.unique(row, return_index=True)
    distinct = row[np.sort(first)]
    return distinct[distinct >= 0]
