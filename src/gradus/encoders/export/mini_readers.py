"""Readers of the mini towers: subwords as a padded matrix, pictures as squares of bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gradus.catalog.image_cache import ImageCache
from gradus.encoders.export.reader import BATCH, TOKENS, Input, Reader
from gradus.encoders.mini_image import MiniImage
from gradus.encoders.mini_text import MiniText
from gradus.encoders.patches import PatchDictionary
from gradus.encoders.subwords import rules
from gradus.encoders.tower import Features


class SubwordReader(Reader):
    """The mini text tower on padded rows of subwords; a factor of 0 is no subword."""

    def __init__(self, tower: MiniText) -> None:
        super().__init__()
        self.tower = tower

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Rows of the embedding table, and the subwords' coefficients."""
        shape = (BATCH, TOKENS)
        return (
            Input("rows", "int64", shape, 0, "row of each subword of the text"),
            Input("factors", "float32", shape, 0, "coefficient of each subword"),
        )

    def prepare(self, values: Sequence[Any], cache: Path | None) -> Features:
        """The tower's own features."""
        return self.tower.prepare(values, cache)

    def arrays(self, features: Features, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
        """Subwords, padded to the longest text."""
        batch = {name: tensor.numpy() for name, tensor in features.batch(rows, None).items()}
        count = np.diff(batch["offset"], append=len(batch["row"]))
        shown = np.arange(count.max()) < count[:, None]
        row, factor = np.zeros(shown.shape, np.int64), np.zeros(shown.shape, np.float32)
        row[shown], factor[shown] = batch["row"], batch["factor"]
        return [row, factor]

    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        """Vectors (b, size)."""
        row, factor = tensors
        weight = factor * self.tower.log_weights[row].exp()
        # `embedding` becomes the operator that quantisation knows as a table; indexing, as above, does not.
        vectors = functional.embedding(row, self.tower.vectors)
        return self.tower.of_bag((weight[:, None] @ vectors)[:, 0])

    def describe(self, folder: Path) -> dict[str, Any]:
        """The vocabulary as a file, and the rules by which a text is cut."""
        folder.mkdir()
        self.tower.save(folder)
        return {
            "kind": "subwords",
            "vocabulary": f"{folder.name}/subwords.json",
            **rules(),
            "steps": [
                "bring the text to Unicode NFKC and fold its case",
                "find all matches of `chunk` in the text, and in each chunk all matches of `run`",
                "a chunk of more than one run gives the subword '=' + chunk, coefficient 1",
                "a run that begins with a digit gives itself with ',' as '.', coefficient 1",
                "a run is split where `unspaced` matches; each match gives all its n-grams of `unspaced_ngrams` "
                "characters, coefficient `unspaced_factor`",
                "every other run is written <run> and gives that, coefficient 1, and its shorter n-grams of "
                "`ngrams` characters, coefficient 1 / their number",
                "a subword's row is its place in `vocabulary`, or len(vocabulary) + crc32(its UTF-8) % buckets",
            ],
        }


class Squares:
    """Pictures fitted into squares, described when they are asked for, in single precision."""

    def __init__(self, cache: ImageCache, dictionary: PatchDictionary) -> None:
        self.cache, self.dictionary = cache, dictionary
        self.present: NDArray[np.bool_] = cache.row >= 0
        self.lengths: NDArray[np.int64] = np.zeros_like(cache.row)

    def pixels(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(b, side, side, 3)."""
        return np.ascontiguousarray(self.cache.pixels[self.cache.row[rows]])

    def batch(self, rows: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """What the mini image tower reads."""
        return {"described": self.dictionary(torch.from_numpy(self.pixels(rows)))}


class SquareReader(Reader):
    """The mini image tower with its dictionary of patches, on pixels.

    The encoder keeps descriptions of pictures in half precision. A graph describes in single precision, so
    that its vectors may lie 1e-4 from the encoder's where those were rounded. The square roots in a
    description enlarge the rounding of sums near zero, hence the wider tolerance.
    """

    tolerance = 5e-5

    def __init__(self, tower: MiniImage) -> None:
        super().__init__()
        self.tower = tower

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The pixels."""
        side = self.tower.side
        return (Input("pixels", "uint8", (BATCH, side, side, 3), 0, "the picture, red, green and blue"),)

    def prepare(self, values: Sequence[Any], cache: Path | None) -> Features:
        """Decode and fit the pictures."""
        return Squares(ImageCache.open(values, self.tower.side, cache), self.tower.dictionary)

    def arrays(self, features: Features, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
        """The pixels."""
        assert isinstance(features, Squares)  # noqa: S101 - they come from `prepare`
        return [features.pixels(rows)]

    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        """Vectors (b, size)."""
        vectors: Tensor = self.tower({"described": self.tower.dictionary(tensors[0])})
        return vectors

    def describe(self, folder: Path) -> dict[str, Any]:
        """How a picture becomes a square."""
        return {
            "kind": "square",
            "side": self.tower.side,
            "steps": [
                "turn the picture upright by its EXIF orientation, transparency on white, to RGB",
                f"resize it in its own proportions (Lanczos) to fit a square of {self.tower.side} pixels",
                "centre it on white",
            ],
            "normalisation": "in the graph",
        }
