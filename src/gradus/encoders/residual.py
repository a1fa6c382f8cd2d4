"""The residual: what evidence says about a document that its content does not.

Two parts that look and read alike do not sell alike. A document with evidence gets a vector r_j of its own
beside what its content says, e_j = normalise(c_j + r_j), and keeps its place in any index: it is one vector
as before. The penalty λ‖r_j‖² in the objective shrinks r_j the more the less evidence there is for it, since
every judged pair pulls against the same λ (a random effect, estimated as in ridge regression).

In training r_j is left out half of the time, so that the content learns to stand alone: that is all a new
document has.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gradus.errors import ModelError

DROPOUT = 0.5
FILE = "residual.json"


class Residual(nn.Module):
    """Vectors of the documents that training has evidence for.

    Args:
        ids: Their ids.
        dimensions: D, the length of an embedding.
        shrinkage: λ.
    """

    def __init__(self, ids: Sequence[str], dimensions: int, shrinkage: float) -> None:
        super().__init__()
        self.ids = list(ids)
        self.shrinkage = shrinkage
        self.vectors = nn.Parameter(torch.zeros(len(self.ids), dimensions))

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """(n,) the row of each document; -1 where there is no evidence for it."""
        return np.array([self._row_of.get(name, -1) for name in ids], np.int64)

    def forward(
        self, content: Tensor, rows: NDArray[np.int64], rng: np.random.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Add the residuals.

        Args:
            content: (n, D) unit vectors c_j.
            rows: (n,) as `rows` gives them.
            rng: Source of dropout; `None` for none.

        Returns:
            (n, D) unit vectors e_j, and the penalty: λ times the mean of ‖r_j‖² over the n documents.
        """
        known = rows >= 0
        at = torch.from_numpy(np.where(known, rows, 0)).to(content.device)
        vectors = self.vectors[at] * torch.from_numpy(known).to(content.device)[:, None]
        penalty = self.shrinkage * vectors.square().sum(dim=1).mean()
        if rng is not None:
            kept = torch.from_numpy(rng.random(len(rows)) >= DROPOUT).to(content.device)
            vectors = vectors * kept[:, None]
        return functional.normalize(content + vectors, dim=1), penalty

    def save(self, folder: Path) -> None:
        """Write the ids; the vectors are in the model's `state_dict`."""
        content = {"shrinkage": self.shrinkage, "documents": self.ids}
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, dimensions: int) -> "Residual":
        """The residual whose ids are in a folder, with vectors yet to be loaded.

        Raises:
            ModelError: The file of ids is missing or damaged.
        """
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(content["documents"], dimensions, content["shrinkage"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder / FILE} does not list a model's documents: {error!r}") from None
