"""What every tower is: a network from the values of one field to one vector per row.

A tower works in two steps, so that slow work happens once. `prepare` turns a column of values into
`Features` (tokens, decoded pixels) before training; `forward` turns a batch of them into vectors.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Modality = Literal["text", "image"]
"""What a tower reads. Category and number fields are read as text."""


class Features(Protocol):
    """One field's values for all rows of a table, ready for a tower.

    Attributes:
        present: (n,) whether the row has a usable value.
        lengths: (n,) what makes a batch of rows as slow as its longest one: tokens; 0 where all are alike.
    """

    present: NDArray[np.bool_]
    lengths: NDArray[np.int64]

    def batch(self, rows: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """The inputs of `Tower.forward` for the given rows, all of them present.

        Args:
            rows: (b,) rows of the table.
            rng: Source of augmentation (dropped words, shifted pictures); `None` for none.
        """
        ...


class Tower(nn.Module, ABC):
    """A network for one modality.

    Attributes:
        modality: `text` or `image`.
        size: Length of the vectors that `forward` returns.
    """

    modality: Modality
    size: int

    @property
    def at_once(self) -> int:
        """Values to embed in one call where no gradient is needed."""
        return 256

    @abstractmethod
    def prepare(self, values: Sequence[Any], cache: Path | None) -> Features:
        """Make a column of values ready.

        Args:
            values: (n,) one `str` (text) or `ImageSource` (image) per row, or `None`.
            cache: Folder for decoded images; `None` keeps them in memory.
        """

    @abstractmethod
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size), not normalised, of a batch that `Features.batch` made."""

    def forward_all(self, batches: Sequence[dict[str, Tensor]]) -> list[Tensor]:
        """`forward` of several batches; a tower whose every call costs much can join them into one."""
        return [self(batch) for batch in batches]

    @abstractmethod
    def save(self, folder: Path) -> dict[str, Any]:
        """Write what is not in `state_dict` into `folder`; return the JSON config that rebuilds the tower."""
