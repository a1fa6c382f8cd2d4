"""Masking: which cells of a batch are neither positive nor negative.

A judged pair is a positive whatever its copies are. But the same query with a copy of the document, or a copy of
the query with the same document, must not be pushed apart: nobody could tell them from the judged pair.
"""

from abc import abstractmethod
from dataclasses import replace

import numpy as np
import torch

from gradus.catalog.table import Table
from gradus.encoders.words import as_text
from gradus.training.batches import Batch, Batches, Rows


def masked(batches: Batches, what: str, queries: Table, documents: Table) -> Batches:
    """Batches in which some pairs are ignored as negatives.

    Args:
        batches: As they are made: pairs that are judged are ignored where they are no positives of the batch.
        what: `judged` pairs and all that have the same content (`copies`), `judged` pairs alone, or `nothing`.
        queries: The queries whose rows the batches hold.
        documents: The documents.
    """
    if what == "nothing":
        return _NothingMasked(batches)
    if what == "judged":
        return batches
    query, document = content_groups(queries), content_groups(documents)
    if len(np.unique(query)) == len(query) and len(np.unique(document)) == len(document):
        return batches
    return _CopiesMasked(batches, query, document)


def content_groups(table: Table) -> Rows:
    """(n,) a number per row, the same for rows whose encoded fields hold the same.

    Pictures are the same when they are the same file. Rows with nothing in any field are copies of nothing.
    """
    contents = zip(*(as_text(field, table.columns[field.name]) for field in table.encoded), strict=True)
    known: dict[object, int] = {}
    keys = (key if any(value is not None for value in key) else row for row, key in enumerate(contents))
    return np.array([known.setdefault(key, len(known)) for key in keys], np.int64)


class _Remasked(Batches):
    """Batches with other ignored cells."""

    def __init__(self, batches: Batches) -> None:
        super().__init__(batches.query, batches.document, batches.weight.astype(np.float64), batches.size)
        self._batches, self.negatives = batches, batches.negatives

    @property
    def dealt(self) -> Rows:
        """What the batches within deal out."""
        return self._batches.dealt

    def batch(self, dealt: Rows) -> Batch:
        """The batch of some of `dealt`."""
        batch = self._batches.batch(dealt)
        query, document = map(torch.from_numpy, self._ignored(batch))
        return replace(batch, pairs=replace(batch.pairs, ignored_query=query, ignored_document=document))

    @abstractmethod
    def _ignored(self, batch: Batch) -> tuple[Rows, Rows]:
        """Rows and columns of the ignored cells."""


class _NothingMasked(_Remasked):
    def _ignored(self, batch: Batch) -> tuple[Rows, Rows]:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)


class _CopiesMasked(_Remasked):
    def __init__(self, batches: Batches, query_group: Rows, document_group: Rows) -> None:
        super().__init__(batches)
        self._query_group, self._document_group = query_group, document_group
        # For each content of documents, the contents of queries that a copy of it is a positive of.
        positive = batches.weight > 0
        of_document, of_query = (
            document_group[batches.document[positive]],
            query_group[batches.query[positive]],
        )
        judged = np.unique(np.stack([of_document, of_query]), axis=1)
        self._asked = judged[1]
        self._bounds = np.searchsorted(judged[0], np.arange(document_group.max(initial=-1) + 2))

    def _ignored(self, batch: Batch) -> tuple[Rows, Rows]:
        # Document by document, the query contents that it is a positive of ...
        contents = self._document_group[batch.documents]
        document, place = _spread(self._bounds[contents], self._bounds[contents + 1])
        asked = self._asked[place]
        # ... and the batch's queries of each of these contents.
        groups = self._query_group[batch.queries]
        order = np.argsort(groups, kind="stable")
        start, stop = (np.searchsorted(groups[order], asked, side) for side in ("left", "right"))
        cell, place = _spread(start, stop)
        query, document = order[place], document[cell]
        width = len(batch.documents)
        positive = batch.pairs.query.numpy() * width + batch.pairs.document.numpy()
        kept = ~np.isin(query * width + document, positive)
        return query[kept], document[kept]


def _spread(start: Rows, stop: Rows) -> tuple[Rows, Rows]:
    """The numbers of all ranges [start, stop), each with the number of the range that it is in."""
    count = stop - start
    number = np.repeat(np.arange(len(count)), count)
    return number, np.arange(count.sum()) - np.repeat(count.cumsum() - count - start, count)
