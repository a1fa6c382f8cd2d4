"""Batches: which queries and documents meet, and which of their pairs are judged.

A batch of pairs encodes a document once for every pair it is in. A many-to-many batch takes each document
once, gathers the queries judged for the documents, and uses every judged pair among them: since encoding
a picture costs thousands of times more than a dot product, that is where the speed comes from.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from gradus.objectives.pairs import Pairs

if TYPE_CHECKING:
    from gradus.training.hard_negatives import HardNegatives

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Rows of the tables to encode, and the judged pairs among them.

    Attributes:
        queries: (n_q,) rows of the queries; repeated in a batch of pairs.
        documents: (n_d,) rows of the documents; likewise.
        pairs: Positions in the two above, with weights.
    """

    queries: Rows
    documents: Rows
    pairs: Pairs


class Batches(ABC):
    """The judged pairs of training, dealt out anew each epoch.

    Args:
        query: (p,) query row of each judged pair.
        document: (p,) document row of each.
        weight: (p,) weight of each; pairs of weight 0 are judged but no positives.
        size: Documents (many-to-many) or pairs (pairwise) in a batch.

    Attributes:
        negatives: What further documents of a batch are drawn from; to be refreshed before each epoch.
    """

    negatives: "HardNegatives | None" = None

    def __init__(self, query: Rows, document: Rows, weight: NDArray[np.float64], size: int) -> None:
        self.query, self.document, self.size = query, document, size
        self.weight = weight.astype(np.float32)

    @property
    @abstractmethod
    def dealt(self) -> Rows:
        """What an epoch deals out once each: documents, or pairs."""

    @abstractmethod
    def batch(self, dealt: Rows) -> Batch:
        """The batch of some of `dealt`."""

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.dealt) // self.size)

    def epoch(self, seed: int, number: int) -> Iterator[Batch]:
        """The batches of one epoch, of nearly equal sizes, the same for the same seed and number."""
        order = np.random.default_rng((seed, number)).permutation(self.dealt)
        for part in np.array_split(order, self.steps):
            yield self.batch(part)


class ManyToManyBatches(Batches):
    """Documents, all queries judged for them, and every judged pair among them."""

    def __init__(self, query: Rows, document: Rows, weight: NDArray[np.float64], size: int) -> None:
        positive = weight > 0
        query, document, weight = query[positive], document[positive], weight[positive]
        order = np.argsort(document, kind="stable")
        super().__init__(query[order], document[order], weight[order], size)
        self._dealt, self._begin, self._count = np.unique(
            self.document, return_index=True, return_counts=True
        )

    @property
    def dealt(self) -> Rows:
        """The documents with a positive pair."""
        return self._dealt

    def batch(self, dealt: Rows) -> Batch:
        """The batch of these documents."""
        place = np.searchsorted(self._dealt, dealt)
        count = self._count[place]
        before = np.cumsum(count) - count  # pairs of the documents before each
        pairs = np.repeat(self._begin[place] - before, count) + np.arange(count.sum())
        queries, query = np.unique(self.query[pairs], return_inverse=True)
        document = np.repeat(np.arange(len(dealt)), count)
        return Batch(
            queries,
            dealt,
            Pairs(torch.from_numpy(query), torch.from_numpy(document), torch.from_numpy(self.weight[pairs])),
        )


class PairBatches(Batches):
    """Sampled pairs; pairs of the batch that are judged elsewhere, and copies, are ignored as negatives."""

    def __init__(self, query: Rows, document: Rows, weight: NDArray[np.float64], size: int) -> None:
        super().__init__(query, document, weight, size)
        self._dealt = np.flatnonzero(weight > 0)
        self._width = int(document.max(initial=0)) + 1
        positive = weight > 0
        self._judged = np.sort(query[positive] * self._width + document[positive])

    @property
    def dealt(self) -> Rows:
        """The positive pairs."""
        return self._dealt

    def batch(self, dealt: Rows) -> Batch:
        """The batch of these pairs."""
        queries, documents = self.query[dealt], self.document[dealt]
        key = queries[:, None] * self._width + documents[None, :]
        place = np.searchsorted(self._judged, key).clip(max=len(self._judged) - 1)
        ignored = self._judged[place] == key
        # A copy of a query or a document is covered: its pair with the other one's partner is itself judged.
        np.fill_diagonal(ignored, False)
        ignored_query, ignored_document = np.nonzero(ignored)
        diagonal = torch.arange(len(dealt))
        return Batch(
            queries,
            documents,
            Pairs(
                diagonal,
                diagonal,
                torch.from_numpy(self.weight[dealt]),
                torch.from_numpy(ignored_query),
                torch.from_numpy(ignored_document),
            ),
        )
