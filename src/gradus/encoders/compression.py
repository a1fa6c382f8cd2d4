"""Shorter vectors: their first numbers only, and fewer bits for each.

Training with Matryoshka dimensions (Kusupati et al., Matryoshka Representation Learning, NeurIPS 2022) puts
what matters most first; a prefix is then brought back to unit length. A number x of a prefix is stored as a
code c with x ≈ offset + scale · c, one offset and scale per dimension:

    int8     c = round((x − offset) / scale) ∈ [−127, 127]   offset the middle and 254 scales the width of the range
    binary   c = +1 where x > offset, else −1                offset the mean, scale the mean of |x − offset|

Queries stay as they are. Since q · x ≈ Σ q offset + Σ (q scale) c and the first sum is the same for every
document, an index of codes searched with q scale ranks as the stored vectors do, with nothing decoded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gradus.errors import ModelError

Precision = Literal["float32", "int8", "binary"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_STEPS = 127


@dataclass(frozen=True)
class Codes:
    """Vectors (n, d) as codes.

    Attributes:
        precision: What they are stored in.
        values: (n, d) float32 or int8; for binary (n, d / 8) uint8, bits from the highest down, set for +1.
        scale: (d,) float32.
        offset: (d,) float32.
    """

    precision: Precision
    values: NDArray[np.float32] | NDArray[np.int8] | NDArray[np.uint8]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]

    @property
    def bytes(self) -> int:
        """Bytes of one vector."""
        return int(self.values.itemsize * self.values.shape[1])

    def codes(self) -> NDArray[np.float32]:
        """(n, d) the codes c as numbers; the vectors themselves in float32."""
        if self.precision == "binary":
            bits = np.unpackbits(self.values.view(np.uint8), axis=1, count=len(self.scale))
            return bits.astype(np.float32) * 2 - 1
        return self.values.astype(np.float32)

    def decode(self) -> NDArray[np.float32]:
        """(n, d) what the codes stand for."""
        decoded: NDArray[np.float32] = self.offset + self.scale * self.codes()
        return decoded


def prefix(vectors: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """The first numbers of unit vectors (n, D), brought back to unit length: (n, dimensions).

    Raises:
        ModelError: The vectors are shorter.
    """
    if not 1 <= dimensions <= vectors.shape[1]:
        raise ModelError(
            f"--dimensions is {dimensions}, but the model's vectors have {vectors.shape[1]} numbers"
        )
    if dimensions == vectors.shape[1]:
        return vectors
    cut = vectors[:, :dimensions]
    length = np.linalg.norm(cut, axis=1, keepdims=True)
    unit: NDArray[np.float32] = cut / np.maximum(length, np.float32(1e-12))
    return unit


def encode(vectors: NDArray[np.float32], precision: Precision) -> Codes:
    """Store vectors (n, d), n > 0, in fewer bits.

    Raises:
        ModelError: binary, and d is no multiple of 8.
    """
    size = vectors.shape[1]
    if precision == "float32":
        return Codes(precision, vectors, np.ones(size, np.float32), np.zeros(size, np.float32))
    if precision == "int8":
        low, high = vectors.min(axis=0), vectors.max(axis=0)
        offset = (low + high) / 2
        scale = np.maximum((high - low) / (2 * _STEPS), np.float32(1e-12))
        codes = np.rint((vectors - offset) / scale).clip(-_STEPS, _STEPS).astype(np.int8)
        return Codes(precision, codes, scale, offset)
    if size % 8:
        raise ModelError(f"binary vectors are stored eight numbers to a byte; {size} is no multiple of 8")
    offset = vectors.mean(axis=0)
    scale = np.abs(vectors - offset).mean(axis=0)
    return Codes(precision, np.packbits(vectors > offset, axis=1), scale, offset)


def halvings(dimensions: int, smallest: int = 32) -> Sequence[int]:
    """D, D/2, D/4 … down to `smallest`, rounded down to multiples of 8 below D."""
    found = [dimensions]
    while found[-1] // 2 >= smallest:
        found.append(found[-1] // 2 // 8 * 8)
    return found
