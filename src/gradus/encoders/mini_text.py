"""The text tower of `mini`: a bag of subwords with learned weights, then one residual layer.

    h = Σ_t c_t a_t E_t        c the subword's coefficient, a its learned weight, E its vector
    e = P h + V gelu(U norm(h))

A bag knows no order of words, which is how people type queries; it trains in seconds on a CPU, and a
subword that training never saw still carries its own random direction, so exact part numbers match.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gradus.encoders.subwords import Ragged, Subwords
from gradus.encoders.tower import Modality, Tower

WORD_DROPOUT = 0.1


class TextFeatures:
    """The subwords of a column of texts."""

    def __init__(self, ragged: Ragged) -> None:
        self.ragged = ragged
        self.present: NDArray[np.bool_] = np.diff(ragged.start) > 0
        self.lengths: NDArray[np.int64] = np.zeros(len(self.present), np.int64)  # a bag has no filling

    def batch(self, rows: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Subwords of the rows; where `rng` is given, each word dropped with `WORD_DROPOUT`, but never all."""
        ragged = self.ragged
        begin, count = ragged.start[rows], ragged.start[rows + 1] - ragged.start[rows]
        offsets = np.cumsum(count) - count
        where = np.repeat(begin - offsets, count) + np.arange(count.sum())
        factor = ragged.factor[where]
        if rng is not None:
            # One draw per (row of the batch, word), so that a word goes with all its n-grams.
            word = ragged.word[where].astype(np.int64)
            width = int(word.max(initial=0)) + 1
            kept = rng.random((len(rows), width)) >= WORD_DROPOUT
            owner = np.repeat(np.arange(len(rows)), count)
            alive = np.bincount(owner, kept[owner, word], len(rows)) > 0
            factor = factor * (kept | ~alive[:, None])[owner, word]
        return {
            "row": torch.from_numpy(ragged.row[where]),
            "factor": torch.from_numpy(factor.astype(np.float32)),
            "offset": torch.from_numpy(offsets),
        }


class MiniText(Tower):
    """Bag of subwords.

    Args:
        subwords: The vocabulary.
        size: Length of the vectors.
    """

    modality: Modality = "text"

    def __init__(self, subwords: Subwords, size: int) -> None:
        super().__init__()
        self.size = size
        self.subwords = subwords
        self.vectors = nn.Parameter(torch.randn(subwords.size, size) * size**-0.5)
        # Rare subwords say more: start from an inverse document frequency, scaled to (0, 1].
        share = torch.tensor([*subwords.frequency, *[0.0] * subwords.buckets])
        rarest = 1.0 / max(2.0, 1.0 / min([*subwords.frequency, 0.5]))
        idf = -share.clamp_min(rarest).log() / -torch.tensor(rarest).log()
        self.log_weights = nn.Parameter(idf.clamp_min(0.05).log())
        self.linear = nn.Linear(size, size, bias=False)
        nn.init.eye_(self.linear.weight)
        self.hidden = nn.Sequential(
            nn.LayerNorm(size), nn.Linear(size, size), nn.GELU(), nn.Linear(size, size)
        )

    def prepare(self, values: Sequence[Any], cache: Path | None) -> TextFeatures:
        """Cut the texts into subwords."""
        return TextFeatures(self.subwords.encode(values))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size)."""
        row = batch["row"]
        weight = batch["factor"] * self.log_weights[row].exp()
        bag = functional.embedding_bag(
            row, self.vectors, batch["offset"].to(row.dtype), mode="sum", per_sample_weights=weight
        )
        return self.of_bag(bag)

    def of_bag(self, bag: Tensor) -> Tensor:
        """Vectors (b, size) of sums (b, size) of weighted subwords."""
        bag = functional.normalize(bag, dim=1) * self.size**0.5
        vectors: Tensor = self.linear(bag) + self.hidden(bag)
        return vectors

    def forward_all(self, batches: Sequence[dict[str, Tensor]]) -> list[Tensor]:
        """One call for all: the gradient of the vectors is as large as the vocabulary, however few are used."""
        if not batches:
            return []
        starts = np.cumsum([0, *(len(batch["row"]) for batch in batches)])
        joined = {
            "row": torch.cat([batch["row"] for batch in batches]),
            "factor": torch.cat([batch["factor"] for batch in batches]),
            "offset": torch.cat(
                [batch["offset"] + int(n) for batch, n in zip(batches, starts, strict=False)]
            ),
        }
        return list(self(joined).split([len(batch["offset"]) for batch in batches]))

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the vocabulary."""
        self.subwords.save(folder / "subwords.json")
        return {"kind": "mini-text", "size": self.size}

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> "MiniText":
        """The tower with a saved vocabulary and fresh parameters."""
        return cls(Subwords.load(folder / "subwords.json"), config["size"])
