"""BM25 over exact terms: the baseline without a model, and a feature of re-rankers.

    s(q, d) = Σ_t idf(t) · f_td / (f_td + k₁ (1 − b + b |d| / mean |d|)),    idf(t) = ln(1 + (N − n_t + ½) / (n_t + ½))

over the terms t of the query, repeats included, as Lucene computes it (Robertson and Zaragoza, "The
Probabilistic Relevance Framework", 2009; Kamphuis et al., "Which BM25 do you mean?", 2020). Terms are those
of `gradus.encoders.subwords.terms`, so Japanese is searched in pairs of characters.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.encoders.nearest import largest
from gradus.encoders.subwords import terms
from gradus.encoders.words import as_text
from gradus.errors import MissingExtraError

Rows = NDArray[np.int64]


class Bm25:
    """An index of texts.

    Args:
        texts: (n,) texts; `None` holds no terms.
        k1: How fast repeats of a term saturate.
        b: How much long texts are discounted, 0 to 1.

    Raises:
        MissingExtraError: `bm25s` is not installed.
    """

    def __init__(self, texts: Sequence[str | None], k1: float = 1.2, b: float = 0.75) -> None:
        try:
            import bm25s
        except ImportError:
            raise MissingExtraError("BM25", "rerank") from None
        self.size = len(texts)
        corpus = [terms(text) if text else [] for text in texts]
        self.vocabulary = {term for document in corpus for term in document}
        self._index: Any = bm25s.BM25(k1=k1, b=b, method="lucene")
        if self.vocabulary:
            self._index.index(corpus, show_progress=False)

    @property
    def nbytes(self) -> int:
        """Bytes of the postings and of the terms."""
        held = ("data", "indices", "indptr") if self.vocabulary else ()
        postings = sum(int(self._index.scores[name].nbytes) for name in held)
        return postings + sum(len(term.encode()) for term in self.vocabulary)

    def scores(self, query: str | None) -> NDArray[np.float32]:
        """(n,) the score of every text; 0 where it shares no term with the query."""
        known = [term for term in terms(query or "") if term in self.vocabulary]
        if not known:
            return np.zeros(self.size, np.float32)
        scores: NDArray[np.float32] = self._index.get_scores(known)
        return scores


class Bm25Search:
    """BM25 as a system: all fields but pictures of a document as one text, all of a query as another.

    The statistics of terms are those of the whole catalogue, whichever part of it is searched. A list ends where
    documents share no term with the query.

    Args:
        queries: The queries.
        documents: The catalogue.

    Raises:
        MissingExtraError: `bm25s` is not installed.
    """

    def __init__(self, queries: Table, documents: Table) -> None:
        self.queries, self.index = joined_texts(queries), Bm25(joined_texts(documents))

    def __call__(self, query_rows: Rows, document_rows: Rows, depth: int) -> tuple[Rows, NDArray[np.float32]]:
        """The best documents for each query, as `gradus.evaluation.cells.Search` describes."""
        found = [
            largest(self.index.scores(self.queries[row])[document_rows], depth) for row in query_rows.tolist()
        ]
        depth = min(depth, len(document_rows))
        order = np.array([places for places, _ in found], np.int64).reshape(len(query_rows), depth)
        scores = np.array([scores for _, scores in found], np.float32).reshape(order.shape)
        shared = scores > 0
        return np.where(shared, order, -1), np.where(shared, scores, np.float32(-np.inf))


def field_texts(table: Table) -> dict[str, Sequence[str | None]]:
    """Every encoded field but pictures → (n,) its values as text."""
    return {
        field.name: as_text(field, table.columns[field.name])
        for field in table.encoded
        if field.type != "image"
    }


def joined_texts(table: Table) -> list[str]:
    """(n,) all of `field_texts` of each row, one after the other."""
    columns = field_texts(table).values()
    return [" ".join(value for value in values if value) for values in zip(*columns, strict=True)] or [
        ""
    ] * len(table)
