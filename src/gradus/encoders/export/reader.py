"""What an exported graph reads of one field, and how a value becomes that.

A tower's own batches are made for training: ragged, or prepared by Python. A reader puts the tower behind
rectangular arrays that any program can make, and says in words and files how.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from gradus.encoders.tower import Features

BATCH, TOKENS = "batch", "tokens"
"""Names of the dimensions whose length a graph leaves open."""


@dataclass(frozen=True)
class Input:
    """One input of a graph.

    Attributes:
        name: Its name.
        dtype: As NumPy names it.
        shape: Lengths of its dimensions; a name where the length is open.
        fill: What stands beyond the end of a shorter row, and in a row without the field.
        meaning: What it holds.
    """

    name: str
    dtype: str
    shape: tuple[str | int, ...]
    fill: int
    meaning: str

    def of(self, field: str) -> "Input":
        """The same for one field of several, `FIELD.NAME`."""
        return replace(self, name=f"{field}.{self.name}")

    def empty(self, rows: int) -> NDArray[Any]:
        """The array of rows that all lack the field."""
        shape = [1 if isinstance(length, str) else length for length in self.shape[1:]]
        return np.full((rows, *shape), self.fill, self.dtype)


class Reader(nn.Module, ABC):
    """A tower behind rectangular inputs.

    Attributes:
        tolerance: How far a component of a unit vector may lie from PyTorch's in another program's float32.
    """

    tolerance: float = 1e-5

    @property
    @abstractmethod
    def inputs(self) -> tuple[Input, ...]:
        """What `forward` takes, in order."""

    @abstractmethod
    def prepare(self, values: Sequence[Any], cache: Path | None) -> Features:
        """As `Tower.prepare`; the features serve the tower, and `arrays`."""

    @abstractmethod
    def arrays(self, features: Features, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
        """The inputs of rows (b,) of what `prepare` made, all of them present."""

    @abstractmethod
    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        """Vectors (b, size), not normalised, as the tower gives them."""

    @abstractmethod
    def describe(self, folder: Path) -> dict[str, Any]:
        """How a value becomes the inputs, as JSON; the files it names are written into `folder`."""
