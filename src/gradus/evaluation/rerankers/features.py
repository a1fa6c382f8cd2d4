"""What a re-ranker looks at: numbers about a query and a document together.

similarity         dot product of the vectors, and how far it lies below the best of the list
similarity:FIELD   dot product of the query with each field of the document alone
bm25:FIELD         BM25 of each field that is text, category or number, and bm25 of all of them together
covered:FIELD      share of the query's distinct terms that the field holds
used:FIELD         share of the field's distinct terms that the query holds
idf                share of the query's terms found in any field, each weighted by its rarity
numbers            share of the query's numbers found in any field; NaN for a query without one
near:FIELD         for a number field, −min |asinh a − asinh b| to a number of the query; NaN without one
terms              number of the query's terms
judged, appeal     how many training queries judged the document, and their mean score (NaN for none),
                   this query left out: a pair's own score must not announce itself
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.bm25 import Bm25, field_texts, joined_texts
from gradus.encoders.subwords import terms
from gradus.judgments.judgments import Judgments

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class FirstStage:
    """The vectors of the system whose lists are re-ranked.

    Attributes:
        queries: (n_q, D) vectors.
        documents: (n_d, D) vectors.
        fields: Field name → (n_d, D) vectors of that field alone, zero where it is not there; where vectors hold
            exact terms as well, those of fields are shorter.
    """

    queries: Vectors
    documents: Vectors
    fields: Mapping[str, Vectors]


class PairFeatures:
    """The features of query-document pairs.

    Term statistics are those of the whole catalogue; of the judgments only the given ones are looked at.

    Args:
        stage: Vectors of all queries and documents; `None` for a re-ranker that reads none.
        judgments: What training may see, with the tables of all queries and documents.
    """

    def __init__(self, stage: FirstStage | None, judgments: Judgments) -> None:
        self.stage = stage
        documents = judgments.documents
        self._queries = joined_texts(judgments.queries)
        texts = field_texts(documents)
        self._fields = {name: _Terms(values) for name, values in texts.items()}
        self._bm25 = {name: Bm25(values) for name, values in texts.items()}
        joined = joined_texts(documents)
        self._all, self._bm25_all = _Terms(joined), Bm25(joined)
        self._numbers = {
            field.name: np.array(documents.columns[field.name], np.float64)
            for field in documents.encoded
            if field.type == "number"
        }
        self._evidence = _Evidence(judgments)
        self.names: tuple[str, ...] = (
            *(("similarity", "below best") if stage else ()),
            *(f"similarity:{name}" for name in (stage.fields if stage else ())),
            *(f"bm25:{name}" for name in self._bm25),
            "bm25",
            *(f"{kind}:{name}" for name in self._fields for kind in ("covered", "used")),
            *("idf", "numbers"),
            *(f"near:{name}" for name in self._numbers),
            *("terms", "judged", "appeal"),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of all that a second stage keeps for these features beside the first stage's own vectors."""
        indexes = [*self._bm25.values(), self._bm25_all]
        terms = [*self._fields.values(), self._all]
        vectors = self.stage.fields.values() if self.stage else ()
        return sum(part.nbytes for part in (*indexes, *terms, *vectors, *self._numbers.values()))

    def of(self, query_rows: Rows, document_rows: Rows) -> NDArray[np.float32]:
        """The features of lists.

        Args:
            query_rows: (n,) queries.
            document_rows: (n, k) the documents listed for each.

        Returns:
            (n, k, f) in the order of `names`.
        """
        features = np.zeros((*document_rows.shape, len(self.names)), np.float32)
        for place, (query, documents) in enumerate(zip(query_rows.tolist(), document_rows, strict=True)):
            features[place] = np.stack(self._columns(query, documents), axis=1)
        return features

    def _columns(self, query: int, documents: Rows) -> list[NDArray[np.floating]]:
        text = self._queries[query]
        asked = list(dict.fromkeys(terms(text)))
        numbers = [term for term in asked if term[0].isdecimal()]
        rarity = [self._all.rarity(term) for term in asked]
        columns = self._similarities(query, documents)
        columns += [index.scores(text)[documents] for index in (*self._bm25.values(), self._bm25_all)]
        for field in self._fields.values():
            shared = field.shared(asked, [1.0] * len(asked))[documents]
            columns += [shared / max(1, len(asked)), shared / np.maximum(1, field.distinct[documents])]
        columns.append(self._all.shared(asked, rarity)[documents] / max(1e-9, sum(rarity)))
        found = self._all.shared(numbers, [1.0] * len(numbers))[documents]
        columns.append(found / (len(numbers) or np.nan))
        sizes = np.arcsinh([float(term) for term in numbers if term.count(".") < 2])
        for values in self._numbers.values():
            apart = np.abs(np.arcsinh(values[documents])[:, None] - sizes)
            columns.append(-apart.min(axis=1) if len(sizes) else np.full(len(documents), np.nan))
        columns.append(np.full(len(documents), float(len(asked))))
        return [*columns, *self._evidence.without(query, documents)]

    def _similarities(self, query: int, documents: Rows) -> list[NDArray[np.floating]]:
        if self.stage is None:
            return []
        vector = self.stage.queries[query]
        similarity = self.stage.documents[documents] @ vector
        # A field has no exact terms, which are the end of a vector.
        alone = [vectors[documents] @ vector[: vectors.shape[1]] for vectors in self.stage.fields.values()]
        return [similarity, similarity - similarity.max(initial=-np.inf), *alone]


class _Terms:
    """Which documents hold which terms."""

    def __init__(self, texts: Sequence[str | None]) -> None:
        rows: dict[str, list[int]] = {}
        self.size = len(texts)
        self.distinct = np.zeros(len(texts))
        for row, text in enumerate(texts):
            held = set(terms(text)) if text else set()
            self.distinct[row] = len(held)
            for term in held:
                rows.setdefault(term, []).append(row)
        self.rows = {term: np.array(places, np.int64) for term, places in rows.items()}

    @property
    def nbytes(self) -> int:
        """Bytes of the postings and of the terms."""
        return self.distinct.nbytes + sum(
            rows.nbytes + len(term.encode()) for term, rows in self.rows.items()
        )

    def rarity(self, term: str) -> float:
        """Inverse document frequency ln(1 + N / (1 + n_t))."""
        return float(np.log1p(self.size / (1 + len(self.rows.get(term, ())))))

    def shared(self, asked: Sequence[str], weights: Sequence[float]) -> NDArray[np.float64]:
        """(n_d,) summed weights of the asked terms that each document holds."""
        total = np.zeros(self.size)
        for term, weight in zip(asked, weights, strict=True):
            if term in self.rows:
                total[self.rows[term]] += weight
        return total


class _Evidence:
    """Count and mean score of each document in the judgments."""

    def __init__(self, judgments: Judgments) -> None:
        size = len(judgments.documents)
        self.count = np.bincount(judgments.document, minlength=size)
        self.total = np.bincount(judgments.document, judgments.score, size).astype(np.float64)
        order = np.argsort(judgments.query, kind="stable")
        bounds = np.searchsorted(judgments.query[order], np.arange(len(judgments.queries) + 1))
        self._of_query = [order[begin:end] for begin, end in pairwise(bounds)]
        self._document, self._score = judgments.document, judgments.score

    def without(self, query: int, documents: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Count and mean for documents, the query's own judgments left out."""
        count, total = self.count.astype(np.float64), self.total.copy()
        own = self._of_query[query]
        count[self._document[own]] -= 1
        total[self._document[own]] -= self._score[own]
        count, total = count[documents], total[documents]
        return count, np.divide(total, count, out=np.full(len(documents), np.nan), where=count > 0)
