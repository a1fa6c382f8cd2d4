"""What a search asks for, and the scores of a block's documents: of their vectors, or of others; and of their words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.bm25 import Bm25
from gradus.encoders.field_parts import FieldParts
from gradus.search.index.block import Block
from gradus.search.index.index import Beside, Schema, Vectors

_AT_ONCE = 1 << 12  # documents that are put together from their parts at a time
_KEPT = 4
"""Choices of fields whose exact terms are kept for a block: 4 K bytes for each of its documents."""


class Asked:
    """Queries against an index.

    Args:
        schema: The index's.
        queries: (n, D).
        beside: What else their scores are made of, checked.
        words: Statistics of words, where the index has them.

    Attributes:
        queries: As above.
        shares: (n,) the share of BM25 in the score of each: 0 for a query without words.
    """

    def __init__(self, schema: Schema, queries: Vectors, beside: Beside, words: Bm25 | None) -> None:
        self.queries = queries
        self._parts, self._beside = schema.parts, beside
        texts: Sequence[str] = beside.texts if words is not None and beside.texts else [""] * len(queries)
        self._most = [0.0 if words is None else words.most(text) for text in texts]
        self.shares = [schema.hybrid if most else 0.0 for most in self._most]

    def products(self, block: Block, some: slice, rows: NDArray[np.int64] | None) -> Vectors:
        """(m, d) dot products of some queries with the documents in these rows of a block, or in all."""
        queries = self.queries[some]
        if self._parts is None or not self._beside.factors:
            return np.asarray(queries @ (block.vectors if rows is None else block.vectors[rows]).T)
        count = len(block.alive) if rows is None else len(rows)
        products = np.empty((len(queries), count), np.float32)
        for start in range(0, count, _AT_ONCE):
            here = slice(start, start + _AT_ONCE)
            # A slice, where it will do, copies nothing.
            some_rows = here if rows is None else rows[here]
            products[:, here] = queries @ self._weighted(self._parts, block, some_rows).T
        return products

    def gains(self, block: Block, place: int) -> Vectors:
        """(d,) what words add to the score of each document of a block for one query that has some."""
        assert block.gains is not None  # noqa: S101 - an index with statistics has it in every block
        factor = np.float32(self.shares[place] / self._most[place])
        return np.asarray(block.gains(self._beside.texts[place]) * factor)

    def mixed(self, products: Vectors, gains: Vectors, place: int) -> Vectors:
        """Scores of documents for a query that has words, of their dot products and gains."""
        return np.asarray(np.float32(1 - self.shares[place]) * products + gains)

    def _weighted(self, parts: FieldParts, block: Block, rows: NDArray[np.int64] | slice) -> Vectors:
        """(d, D) the vectors of documents with the factors on their fields."""
        assert block.parts is not None  # noqa: S101 - an index with such a schema has them in every block
        dense = parts.dense(block.parts[rows], self._beside.factors)
        if not parts.exact:
            return dense
        read = parts.read(self._beside.factors)
        if read == parts.texts:
            # The vectors as they were made hold them already.
            exact = block.vectors[rows, -parts.exact :]
            return np.concatenate([np.float32((1 - parts.share) ** 0.5) * dense, exact], axis=1)
        return parts.beside(dense, _exact_terms(parts, block, read)[rows])


def _exact_terms(parts: FieldParts, block: Block, read: tuple[str, ...]) -> Vectors:
    """(d, K) the vectors of the exact terms of some fields, of all documents of a block; kept for the next search."""
    exact = block.exact.get(read)
    if exact is None:
        columns = [block.texts[name] for name in read]
        texts = [[column[row] for column in columns] for row in range(len(block.alive))]
        exact = parts.exact_terms(texts)
        # Other searches may do the same meanwhile.
        for oldest in list(block.exact)[: 1 - _KEPT]:
            block.exact.pop(oldest, None)
        block.exact[read] = exact
    return exact
