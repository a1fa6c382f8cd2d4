"""The judged pairs of a batch: what every objective reads beside the logits."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


def _none() -> Tensor:
    return torch.zeros(0, dtype=torch.long)


@dataclass(frozen=True)
class Pairs:
    """Sparse weights W over a batch of n_q queries × n_d documents.

    Attributes:
        query: (p,) row of the logits of each positive pair.
        document: (p,) column of each.
        weight: (p,) W_ij ≥ 0. A weight of 0 makes the pair a negative like any unjudged one.
        ignored_query: (m,) rows of pairs that are neither positive nor negative (another judged
            document of the same query, another copy of the same document).
        ignored_document: (m,) their columns.
    """

    query: Tensor
    document: Tensor
    weight: Tensor
    ignored_query: Tensor = field(default_factory=_none)
    ignored_document: Tensor = field(default_factory=_none)

    def to(self, device: torch.device) -> "Pairs":
        """The same pairs on a device."""
        return Pairs(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def positives(self) -> "Pairs":
        """The pairs without those of weight 0."""
        kept = self.weight > 0
        return Pairs(
            self.query[kept],
            self.document[kept],
            self.weight[kept],
            self.ignored_query,
            self.ignored_document,
        )

    def flipped(self) -> "Pairs":
        """The pairs of the transposed logits: documents ask, queries answer."""
        return Pairs(self.document, self.query, self.weight, self.ignored_document, self.ignored_query)

    def among_documents(self, kept: Tensor) -> "Pairs":
        """The pairs whose document is kept, for logits that hold only the kept columns.

        Args:
            kept: (n_d,) mask of the columns.
        """
        column = kept.cumsum(0) - 1
        pair, ignored = kept[self.document], kept[self.ignored_document]
        return Pairs(
            self.query[pair],
            column[self.document[pair]],
            self.weight[pair],
            self.ignored_query[ignored],
            column[self.ignored_document[ignored]],
        )
