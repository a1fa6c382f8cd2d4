"""The text tower from any Hugging Face encoder: tokens, the network, the mean of its token vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradus.encoders.pretrained import (
    PretrainedTower,
    blank_network,
    read_config,
    read_network,
    read_tokenizer,
)
from gradus.encoders.tower import Modality

CHUNK = 10_000
"""Texts tokenised at a time, which bounds the memory that their Python lists take."""

UNBOUNDED = 512
"""Tokens kept where neither the tokenizer nor the network states a limit (relative positions)."""


@dataclass(frozen=True)
class Padding:
    """How a batch of token sequences becomes a rectangle.

    Attributes:
        token: The id that fills it up.
        left: Whether the filling comes first.
        length: Its width; 0 for the longest sequence of the batch.
        masked: Whether the network is told what is filling.
    """

    token: int
    left: bool = False
    length: int = 0
    masked: bool = True


class Tokens:
    """Token sequences, one after the other in one array.

    Args:
        sequences: (n,) the ids of each row; empty where the row has no text.
        padding: How a batch is filled up.
    """

    def __init__(self, sequences: Sequence[NDArray[np.int32]], padding: Padding) -> None:
        self.lengths = np.array([len(ids) for ids in sequences], dtype=np.int64)
        self.ids = np.concatenate([np.zeros(0, np.int32), *sequences])
        self.starts = np.concatenate([[0], self.lengths.cumsum()])
        self.present = self.lengths > 0
        self.padding = padding

    def batch(self, rows: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """`input_ids` (b, t) and, where the network reads it, `attention_mask` (b, t).

        Args:
            rows: (b,) rows of the table.
            rng: Ignored: a pretrained network has seen enough text, and dropping words, which helps a
                tower trained from nothing, only takes it away from what it was trained on.
        """
        lengths = self.lengths[rows]
        width = self.padding.length or int(lengths.max())
        column = np.arange(width)
        shown = (column >= width - lengths[:, None]) if self.padding.left else (column < lengths[:, None])
        # The i-th shown cell, row by row, takes the i-th id of the rows laid end to end.
        shift = np.repeat(self.starts[rows] - (lengths.cumsum() - lengths), lengths)
        ids = np.full((len(rows), width), self.padding.token, dtype=np.int64)
        ids[shown] = self.ids[np.arange(lengths.sum()) + shift]
        batch = {"input_ids": torch.from_numpy(ids)}
        if self.padding.masked:
            batch["attention_mask"] = torch.from_numpy(shown.astype(np.int64))
        return batch


class TextTower(PretrainedTower):
    """A text-only encoder; the vector is the mean of the last layer's vectors over the text's tokens.

    Args:
        network: The encoder. Its pooler, if any, is dropped: the mean does not need it, and in most
            checkpoints it was never trained.
        tokenizer: The encoder's tokenizer.
        size: Length of the vectors; `None` for the network's hidden size.
        length: Most tokens of a text; `None` for the most that the network reads.
        prompt: Put before every text.
        lowercase: Whether texts are lowercased first.
    """

    modality: Modality = "text"
    kind = "hf-text"

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        size: int | None = None,
        length: int | None = None,
        prompt: str = "",
        lowercase: bool = False,
    ) -> None:
        super().__init__(network, size or network.config.hidden_size)
        if getattr(network, "pooler", None) is not None:
            network.pooler = None
        self.tokenizer = tokenizer
        self.length = length or longest_text(network, tokenizer)
        self.prompt = prompt
        self.lowercase = lowercase

    @classmethod
    def pretrained(cls, name: str) -> Self:
        """The tower of a checkpoint; see `PretrainedTower.pretrained`."""
        network, _ = read_network(name, read_config(name))
        return cls(network, read_tokenizer(name))

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> Self:
        """The tower that `save` wrote, its weights yet to be loaded."""
        return cls(blank_network(read_config(str(folder))), read_tokenizer(str(folder)))

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the network's config and the tokenizer, both JSON."""
        self.network.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        return {"kind": self.kind}

    @property
    def padding(self) -> Padding:
        """How the network's batches are filled up."""
        return Padding(padding_token(self.tokenizer), self.tokenizer.padding_side == "left")

    def prepare(self, values: Sequence[Any], cache: Path | None) -> Tokens:
        """Tokenise texts, each truncated to the most tokens that the network reads."""
        rows = [row for row, value in enumerate(values) if value is not None]
        sequences = [np.zeros(0, np.int32)] * len(values)
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            texts = [self.prompt + (values[row].lower() if self.lowercase else values[row]) for row in chunk]
            encoded = self.tokenizer(
                texts, truncation=True, max_length=self.length, return_attention_mask=False
            )
            for row, ids in zip(chunk, encoded["input_ids"], strict=True):
                sequences[row] = np.array(ids, dtype=np.int32)
        return Tokens(sequences, self.padding)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size): the mean of the last layer over the tokens that are not filling."""
        hidden: Tensor = self.network(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None].to(hidden.dtype)
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1)


def padding_token(tokenizer: Any) -> int:
    """The filling's id; masked out by the networks that have none, so that any will do."""
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)


def longest_text(network: Any, tokenizer: Any) -> int:
    """The most tokens that the network reads: the tokenizer's limit or the network's, the smaller."""
    text_config = getattr(network.config, "text_config", network.config)
    positions = getattr(text_config, "max_position_embeddings", None) or UNBOUNDED
    for name, module in network.named_modules():
        # RoBERTa and its kin count positions from the one after the filling's.
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            positions -= 0 if module.padding_idx is None else module.padding_idx + 1
    return int(min(tokenizer.model_max_length, positions))
