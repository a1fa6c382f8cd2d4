"""The residual: what evidence says about a document, or a query, that its content does not.

Two parts that look and read alike do not sell alike. A document with evidence gets a vector r_j of its own
beside what its content says, e_j = normalise(c_j + r_j), and keeps its place in any index: it is one vector
as before. The penalty λ‖r_j‖² in the objective shrinks r_j the more the less evidence there is for it, since
every judged pair pulls against the same λ (a random effect, estimated as in ridge regression).

In training r_j is left out half of the time, so that the content learns to stand alone: that is all a new
document has.

Queries get the same. What the people who type "m8 bolt" mean beyond these words is learned for that query
alone, and not forced into the words' vectors, where it would mislead new queries. A document is known by its
id; a query by what was asked (`query_keys`), so that it is recognised when it is typed again.
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

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.catalog.text import normalise
from gradus.errors import ModelError

DROPOUT = 0.5
FILE, QUERY_FILE = "residual.json", "query_residual.json"


class Residual(nn.Module):
    """Vectors of the documents, or the queries, that training has evidence for.

    Args:
        ids: The ids of the documents, or the keys of the queries.
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
        """(n,) the row of each document or query; -1 where there is no evidence for it."""
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

    def save(self, path: Path) -> None:
        """Write the ids; the vectors are in the model's `state_dict`."""
        content = {"shrinkage": self.shrinkage, "ids": self.ids}
        path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path, dimensions: int) -> "Residual":
        """The residual whose ids are in a file, with vectors yet to be loaded.

        Raises:
            ModelError: The file of ids is missing or damaged.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(content["ids"], dimensions, content["shrinkage"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} does not list what a model's residual is for: {error!r}") from None


def query_keys(queries: Table, fields: Sequence[Field]) -> list[str]:
    """(n,) what was asked: the texts of the encoded fields, in one case and one normal form.

    The key is empty for a query with a picture, which nobody sends twice, and for an empty one.
    """
    keys = []
    for row in range(len(queries)):
        values = [queries.columns[field.name][row] for field in fields]
        pictured = any(
            value is not None for field, value in zip(fields, values, strict=True) if field.type == "image"
        )
        texts = ["" if value is None else normalise(str(value)).casefold() for value in values]
        keys.append(json.dumps(texts, ensure_ascii=False) if any(texts) and not pictured else "")
    return keys
