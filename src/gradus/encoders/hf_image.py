"""The image tower from any Hugging Face vision network, such as ViT, DINOv2 or ConvNeXt.

Pictures are resized and cropped once, by the model's own image processor, and kept as bytes; scaling and
normalisation follow on the device, so that what the network sees equals what the processor makes.
"""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from gradus.catalog.image_cache import ImageCache
from gradus.encoders.pretrained import (
    PretrainedTower,
    blank_network,
    read_config,
    read_image_processor,
    read_network,
)
from gradus.encoders.tower import Modality
from gradus.errors import ModelError

Pooling = Literal["pooler", "cls", "mean"]

SMALLEST_WINDOW = 0.85
"""Side of the smallest window that augmentation looks through, as a share of the picture's."""


class Preparation:
    """A model's image processor in two parts: resize and crop to bytes, then scale and normalise.

    Args:
        processor: The image processor, in its PIL form.

    Attributes:
        shape: Of a picture's bytes: (3, H, W), or (patches, values) where the processor cuts patches.
        patched: Whether it cuts patches, as many per row and column as suit the picture (SigLIP2 NaFlex).
        side: Of the square of three-byte pixels that the bytes are packed into.
        key: Names what the processor does, for a cache on disk.

    Raises:
        ModelError: The processor gives pictures of different sizes.
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        wide, tall = (self._bytes(Image.new("RGB", size)) for size in ((96, 48), (48, 96)))
        if wide[0].shape != tall[0].shape:
            raise ModelError(
                f"the image processor {type(processor).__name__} makes pictures of different sizes; "
                "set do_center_crop, or a height and width, in its preprocessor_config.json"
            )
        self.shape = wide[0].shape
        self.patched = wide[1] is not None
        count = wide[0].size + (8 if self.patched else 0)
        self.side = math.isqrt(math.ceil(count / 3) - 1) + 1
        self.key = hashlib.sha256(processor.to_json_string().encode()).hexdigest()[:16]

    def _bytes(self, picture: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None]:
        made = self.processor(images=picture, do_rescale=False, do_normalize=False, return_tensors="np")
        grid = made["spatial_shapes"][0].astype(np.int32) if "spatial_shapes" in made else None
        return made["pixel_values"][0].astype(np.uint8), grid

    def pack(self, picture: Image.Image, side: int) -> Image.Image:
        """Resize and crop an RGB picture; the bytes, then the rows and columns of patches, in a square."""
        values, grid = self._bytes(picture)
        flat = np.zeros(side * side * 3, np.uint8)
        flat[: values.size] = values.ravel()
        if grid is not None:
            flat[values.size : values.size + 8] = grid.view(np.uint8)
        return Image.fromarray(flat.reshape(side, side, 3))

    def unpack(self, packed: NDArray[np.uint8]) -> dict[str, Tensor]:
        """`pixels` (b, *shape) of squares (b, side, side, 3); where patched also `grid` (b, 2)."""
        flat = np.ascontiguousarray(packed).reshape(len(packed), -1)
        count = math.prod(self.shape)
        batch = {"pixels": torch.from_numpy(flat[:, :count].reshape(-1, *self.shape))}
        if self.patched:
            grid = np.ascontiguousarray(flat[:, count : count + 8]).view(np.int32)
            batch["grid"] = torch.from_numpy(grid.astype(np.int64))
        return batch

    def constants(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation, in bytes, that normalise `pixels`; they broadcast against `shape`."""
        own = self.processor
        scale = own.rescale_factor if own.do_rescale else 1.0
        mean, deviation = (own.image_mean, own.image_std) if own.do_normalize else ([0.0] * 3, [1.0] * 3)
        both = torch.tensor([mean, deviation], dtype=torch.float64) / scale
        # A patch holds its pixels one after the other, each with its three channels.
        both = both.repeat(1, self.shape[1] // 3) if self.patched else both[..., None, None]
        return both[0].float(), both[1].float()


class Pictures:
    """The pictures of a table, as `Preparation` packed them."""

    def __init__(self, cache: ImageCache, preparation: Preparation) -> None:
        self.cache = cache
        self.preparation = preparation
        self.present: NDArray[np.bool_] = cache.row >= 0
        self.lengths: NDArray[np.int64] = np.zeros_like(cache.row)

    def batch(self, rows: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """`pixels` and, where patched, `grid`; with `rng` also `window` (b, 3).

        A window is its side as a share of the picture's, and its centre's x and y in [−1, 1]. Pictures
        are shifted and scaled a little and never mirrored, which would mirror letters and left and right
        shoes; pictures cut into patches are left alone.
        """
        batch = self.preparation.unpack(self.cache.pixels[self.cache.row[rows]])
        if rng is not None and not self.preparation.patched:
            side = rng.uniform(SMALLEST_WINDOW, 1.0, size=(len(rows), 1))
            centre = rng.uniform(-1.0, 1.0, size=(len(rows), 2)) * (1.0 - side)
            batch["window"] = torch.from_numpy(np.concatenate([side, centre], axis=1).astype(np.float32))
        return batch


class ImageTower(PretrainedTower):
    """An image-only network.

    Args:
        network: The network.
        processor: Its image processor.
        size: Length of the vectors; `None` for the network's hidden size.
        pooling: How its output becomes a vector: its own pooler, its first token, or the mean.
    """

    modality: Modality = "image"
    kind = "hf-image"
    mean: Tensor
    deviation: Tensor

    def __init__(
        self, network: Any, processor: Any, size: int | None = None, pooling: Pooling = "pooler"
    ) -> None:
        super().__init__(network, size or output_size(network.config))
        self.preparation = Preparation(processor)
        self.pooling: Pooling = pooling
        if pooling != "pooler" and getattr(network, "pooler", None) is not None:
            network.pooler = None
        mean, deviation = self.preparation.constants()
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    @classmethod
    def pretrained(cls, name: str) -> Self:
        """The tower of a checkpoint; see `PretrainedTower.pretrained`.

        A pooler that the checkpoint has no weights for (a ViT from which a classifier was taken off) is
        not used: the vector is then the first token where the network has one for that, or the mean.
        """
        network, untrained = read_network(name, read_config(name))
        tower = cls(network, read_image_processor(name))
        if untrained or tower._unpooled():
            has_token = any(key.endswith("cls_token") for key in network.state_dict())
            return cls(network, tower.preparation.processor, pooling="cls" if has_token else "mean")
        return tower

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> Self:
        """The tower that `save` wrote, its weights yet to be loaded."""
        network = blank_network(read_config(str(folder)))
        return cls(network, read_image_processor(str(folder)), pooling=config["pooling"])

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the network's config and the image processor's, both JSON."""
        self.network.config.save_pretrained(folder)
        self.preparation.processor.save_pretrained(folder)
        return {"kind": self.kind, "pooling": self.pooling}

    def prepare(self, values: Sequence[Any], cache: Path | None) -> Pictures:
        """Decode, resize and crop pictures, once, in as many threads as the network computes in."""
        preparation, threads = self.preparation, torch.get_num_threads()
        images = ImageCache.open(
            values, preparation.side, cache, None, threads, preparation.pack, preparation.key
        )
        return Pictures(images, preparation)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size) of pictures as `Pictures.batch` gives them."""
        return self.encode(self.inputs(batch))

    def inputs(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the network takes: the pictures, normalised, seen through their windows if they have any."""
        pixels = (batch["pixels"].float() - self.mean) / self.deviation
        if not self.preparation.patched:
            return {"pixel_values": look(pixels, batch["window"]) if "window" in batch else pixels}
        shown = torch.arange(pixels.shape[1], device=pixels.device) < batch["grid"].prod(dim=1, keepdim=True)
        return {
            "pixel_values": torch.where(shown[..., None], pixels, 0.0),
            "pixel_attention_mask": shown.long(),
            "spatial_shapes": batch["grid"],
        }

    def encode(self, inputs: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size) of the network's inputs."""
        output = self.network(**inputs)
        if self.pooling == "pooler":
            pooled: Tensor = output.pooler_output
            return pooled.flatten(1)
        hidden: Tensor = output.last_hidden_state
        if self.pooling == "cls":
            return hidden[:, 0]
        return hidden.mean(dim=1) if hidden.dim() == 3 else hidden.mean(dim=(2, 3))

    @torch.no_grad()
    def _unpooled(self) -> bool:
        """Whether the network returns no pooled output, which only its answer tells."""
        side = self.preparation.side
        blank = np.array(self.preparation.pack(Image.new("RGB", (side, side)), side))
        output = self.network(**self.inputs(self.preparation.unpack(blank[None])))
        return getattr(output, "pooler_output", None) is None


def look(pixels: Tensor, window: Tensor) -> Tensor:
    """Each picture (b, 3, H, W) through its window (b, 3) of side, x and y, enlarged to full size."""
    side, zero = window[:, 0], torch.zeros_like(window[:, 0])
    rows = [torch.stack([side, zero, window[:, 1]], 1), torch.stack([zero, side, window[:, 2]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def output_size(config: Any) -> int:
    """Length of a vision network's vectors; networks in stages widen towards the last."""
    if getattr(config, "hidden_sizes", None):
        return int(config.hidden_sizes[-1])
    return int(config.hidden_size)
