"""Patch features: pictures described by a dictionary of small patches, learned without labels in seconds.

Coates, Lee, Ng: An Analysis of Single-Layer Networks in Unsupervised Feature Learning, AISTATS 2011, with
spherical k-means. Patches of the training pictures are brought to equal brightness and contrast, whitened
and clustered; a picture is then described, for each cell of a grid over it, by the mean of

    max(0, s_k − mean_k s),   s_k the product of the whitened patch with the unit centroid k,

and by its mean colour. On a few thousand pictures and a few minutes this beats a convolutional net trained
from scratch by far, and a picture is described once, not in every step.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

PATCH, STRIDE = 8, 4  # pixels
CENTROIDS = 512
GRID = 3
WIDTH = GRID * GRID * (CENTROIDS + 3)
"""Length of a picture's description."""

_GREY = 128.0
_CONTRAST = 100.0  # added to a patch's variance (of values 0 to 255), so that flat patches stay flat
_RIDGE = 0.1  # added to the variances in whitening, so that noise is not blown up
_FLAT = 8.0  # a patch whose values all lie this near their mean teaches nothing
_PATCHES_EACH, _ROUNDS, _BATCH = 40, 10, 64


class PatchDictionary(nn.Module):
    """The centroids, with whitening folded in; to be fitted, or loaded."""

    filters: Tensor
    offsets: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", torch.zeros(CENTROIDS, 3, PATCH, PATCH))
        self.register_buffer("offsets", torch.zeros(CENTROIDS))

    def fit(self, pixels: NDArray[np.uint8], rng: np.random.Generator) -> None:
        """Learn the centroids.

        Args:
            pixels: (n, side, side, 3) training pictures; a few thousand are enough.
            rng: Draws patches and first centroids.
        """
        patches = _sample(pixels, rng)
        spread = np.abs(patches - patches.mean(axis=1, keepdims=True)).max(axis=1)
        patches = patches[spread > _FLAT] if (spread > _FLAT).sum() >= CENTROIDS else patches
        patches = patches - patches.mean(axis=1, keepdims=True)
        patches /= np.sqrt(patches.var(axis=1, keepdims=True) + _CONTRAST)
        mean = patches.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((patches - mean).T).astype(np.float64))
        whitening = ((vectors / np.sqrt(values + _RIDGE)) @ vectors.T).astype(np.float32)
        centroids = _spherical_kmeans((patches - mean) @ whitening, rng)
        folded = whitening @ centroids.T
        shape = (CENTROIDS, PATCH, PATCH, 3)
        self.filters.copy_(torch.from_numpy(folded.T.reshape(shape).transpose(0, 3, 1, 2).copy()))
        self.offsets.copy_(torch.from_numpy(mean @ folded))

    @torch.no_grad()
    def describe(self, pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Descriptions (n, WIDTH) of pictures, in half precision; as square roots, to tame the largest.

        Args:
            pixels: (m, side, side, 3) pictures, which may be memory-mapped.
            rows: (n,) which of them.
        """
        described = np.zeros((len(rows), WIDTH), np.float16)
        for start in range(0, len(rows), _BATCH):
            picture = torch.from_numpy(np.ascontiguousarray(pixels[rows[start : start + _BATCH]]))
            described[start : start + _BATCH] = self(picture.to(self.filters.device)).half().cpu().numpy()
        return described

    def forward(self, pixels: Tensor) -> Tensor:
        """Descriptions (b, WIDTH), in single precision, of pictures (b, side, side, 3) of bytes."""
        # Centred, because the square of a mean is taken from a mean of squares, which loses digits.
        picture = pixels.permute(0, 3, 1, 2).float() - _GREY
        colour = functional.avg_pool2d(picture, PATCH, STRIDE)
        mean = colour.mean(dim=1, keepdim=True)
        square = functional.avg_pool2d(picture.square(), PATCH, STRIDE).mean(dim=1, keepdim=True)
        contrast = (square - mean.square()).clamp_min(0).add(_CONTRAST).sqrt()
        total = self.filters.sum(dim=(1, 2, 3))[:, None, None]
        # The patch's mean is taken out after the product: Σ f (x − m) = Σ f x − m Σ f.
        products = (functional.conv2d(picture, self.filters, stride=STRIDE) - mean * total) / contrast
        products = products - self.offsets[:, None, None]
        active = (products - products.mean(dim=1, keepdim=True)).clamp_min(0)
        maps = torch.cat([active, colour / 16], dim=1)
        pooled = functional.adaptive_avg_pool2d(maps, GRID).flatten(1)
        return pooled.sign() * pooled.abs().sqrt()


def _sample(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """(m, PATCH² · 3) patches at random places of the pictures."""
    side = pixels.shape[1]
    count = len(pixels) * _PATCHES_EACH
    which = np.repeat(np.arange(len(pixels)), _PATCHES_EACH)[:, None, None]
    corner = rng.integers(0, side - PATCH + 1, (2, count, 1, 1))
    span = np.arange(PATCH)
    found: NDArray[np.uint8] = pixels[which, corner[0] + span[:, None], corner[1] + span[None, :]]
    return found.reshape(count, PATCH * PATCH * 3).astype(np.float32)


def _spherical_kmeans(points: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """(CENTROIDS, d) unit centroids; each is the direction of the sum of the points nearest to it in angle."""
    centroids = points[rng.choice(len(points), CENTROIDS, replace=len(points) < CENTROIDS)].copy()
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True).clip(1e-6)
    for _ in range(_ROUNDS):
        nearest = (points @ centroids.T).argmax(axis=1)
        order = np.argsort(nearest, kind="stable")
        used, first = np.unique(nearest[order], return_index=True)
        sums = np.add.reduceat(points[order], first, axis=0)
        centroids[used] = sums / np.linalg.norm(sums, axis=1, keepdims=True).clip(1e-6)
    return centroids
