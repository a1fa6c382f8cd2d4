"""Hard negatives: documents that the model, as it is, takes for answers although nobody says that they are.

Before each epoch the current model ranks the training documents for every query, and the first `MINED` that are no
positives of it are kept (Xiong et al., ANCE, arXiv 2007.00808). Some of these would be good documents that nobody
has judged. So one that was not judged is kept only where its similarity is below that of the query's best positive by
a margin (TopK-MarginPos of NV-Retriever, de Souza Moreira et al., arXiv 2407.15831); one that was judged to be
worth nothing needs no such guard.

A batch is then joined by further documents, drawn in proportion to how many of its queries they were mined for. They
are documents as all others: their judged pairs with the batch's queries are positives, all others negatives.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradus.encoders.encoder import Side
from gradus.encoders.nearest import BLOCK, largest
from gradus.objectives.pairs import Pairs
from gradus.training.batches import Batch, Batches, Rows
from gradus.training.distributed import ALONE, Group
from gradus.training.task import Task

Vectors = NDArray[np.float32]

MINED = 16
"""Documents kept for a query: enough that batches of an epoch draw different ones."""


class HardNegatives(nn.Module):
    """The documents mined for each query, part of a run's state: a resumed epoch goes on with those it began with.

    Args:
        query: (p,) query row of each judged pair of training.
        document: (p,) document row of each.
        weight: (p,) weight of each; a pair of weight 0 is known to be a negative.
        documents: (m,) document rows that may be mined, rising, those of the judged pairs among them.
        margin: How far an unjudged document's similarity must lie below the best positive's.
    """

    table: Tensor

    def __init__(
        self, query: Rows, document: Rows, weight: NDArray[np.float64], documents: Rows, margin: float
    ) -> None:
        super().__init__()
        self.documents, self.margin = documents, margin
        self.queries = np.unique(query[weight > 0])
        asked = np.isin(query, self.queries)
        order = np.argsort(query[asked], kind="stable")
        self._query = np.searchsorted(self.queries, query[asked][order])
        self._document = np.searchsorted(documents, document[asked][order])
        self._weight = weight[asked][order]
        heaviest = np.zeros(len(self.queries))
        np.maximum.at(heaviest, self._query, self._weight)
        self._is_best = self._weight == heaviest[self._query]
        self.register_buffer("table", torch.full((len(self.queries), MINED), -1))

    def refresh(self, task: Task, group: Group = ALONE) -> None:
        """Mine anew with the task's encoder as it is; all processes of the group together."""
        queries = _vectors(task, "query", self.queries, group)
        documents = _vectors(task, "document", self.documents, group)
        self.table.copy_(torch.from_numpy(self.mined(queries, documents)))
        group.align(self)  # products may differ in the last digit, where processors do

    def mined(self, queries: Vectors, documents: Vectors) -> Rows:
        """The documents to keep for each query, the most similar first.

        Args:
            queries: (n, D) vectors of `self.queries`.
            documents: (m, D) vectors of `self.documents`.

        Returns:
            (n, MINED) document rows, −1 after the last.
        """
        found = np.full((len(queries), MINED), -1)
        step = max(1, BLOCK // len(documents))
        for start in range(0, len(queries), step):
            products = queries[start : start + step] @ documents.T
            pairs = slice(*np.searchsorted(self._query, [start, start + step]))
            row, column, weight = self._query[pairs] - start, self._document[pairs], self._weight[pairs]
            best = self._is_best[pairs]
            limit = np.full(len(products), np.inf, np.float32)
            np.minimum.at(limit, row[best], products[row[best], column[best]])
            allowed = products <= limit[:, None] - np.float32(self.margin)
            allowed[row, column] = weight == 0
            products[~allowed] = -np.inf
            for place, similarities in enumerate(products, start):
                columns, values = largest(similarities, MINED)
                columns = columns[np.isfinite(values)]
                found[place, : len(columns)] = self.documents[columns]
        return found

    def draw(self, queries: Rows, most: int, besides: Rows, rng: np.random.Generator) -> Rows:
        """Up to `most` documents for a batch, rising.

        Args:
            queries: (n,) query rows of the batch.
            most: How many documents are wanted.
            besides: Documents that the batch has already.
            rng: What they are drawn with.
        """
        mined = self.table.numpy(force=True)[np.searchsorted(self.queries, queries)]
        documents, count = np.unique(mined[mined >= 0], return_counts=True)
        new = ~np.isin(documents, besides)
        documents, count = documents[new], count[new]
        if len(documents) <= most:
            return documents
        return np.sort(rng.choice(documents, most, replace=False, p=count / count.sum()))


class JoinedBatches(Batches):
    """Many-to-many batches with hard negatives among their documents.

    What joins a batch depends on what was dealt and on the table of the epoch, and on nothing else.

    Args:
        batches: Documents, and all queries judged for them.
        negatives: What may join.
        most: Documents that join a batch.
    """

    def __init__(self, batches: Batches, negatives: HardNegatives, most: int) -> None:
        super().__init__(batches.query, batches.document, batches.weight.astype(np.float64), batches.size)
        self._batches, self._most = batches, most
        self.negatives: HardNegatives = negatives

    @property
    def dealt(self) -> Rows:
        """What the batches within deal out."""
        return self._batches.dealt

    def batch(self, dealt: Rows) -> Batch:
        """The batch of some of `dealt`, and what joins it."""
        batch = self._batches.batch(dealt)
        rng = np.random.default_rng(dealt)
        joining = self.negatives.draw(batch.queries, self._most, batch.documents, rng)
        pairs = np.flatnonzero(np.isin(self.document, joining) & np.isin(self.query, batch.queries))
        query = np.searchsorted(batch.queries, self.query[pairs])
        document = len(batch.documents) + np.searchsorted(joining, self.document[pairs])
        return Batch(batch.queries, np.concatenate([batch.documents, joining]), Pairs(
            torch.cat([batch.pairs.query, torch.from_numpy(query)]),
            torch.cat([batch.pairs.document, torch.from_numpy(document)]),
            torch.cat([batch.pairs.weight, torch.from_numpy(self.weight[pairs])]),
        ))  # fmt: skip


def _vectors(task: Task, side: Side, rows: Rows, group: Group) -> Vectors:
    """(n, ·) unit vectors, as training compares them; each process embeds a share."""
    if side == "document" and task.fixed is not None:
        vectors: Vectors = task.fixed(rows).whole.numpy(force=True)
        return vectors
    # Exact terms are no part of what is trained.
    prepared = replace(task.queries if side == "query" else task.documents, texts=None)
    shares = np.array_split(rows, group.size)
    own = torch.from_numpy(task.encoder.embed(side, prepared, shares[group.rank]))
    gathered: Vectors = group.gather(own, [len(share) for share in shares]).numpy()
    return gathered
