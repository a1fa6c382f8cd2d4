"""The engine: an encoder, an index and a catalogue that belong together, and what they answer."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.images import MAX_PIXELS
from gradus.catalog.table import ImageSource, Table
from gradus.catalog.text import normalise
from gradus.encoders.encoder import Encoder, Side
from gradus.errors import SearchError
from gradus.search.explain import Explanation, explain, with_words
from gradus.search.facets import Facets
from gradus.search.index.checks import checked_factors
from gradus.search.index.filters import Between, Filter, OneOf
from gradus.search.index.index import Beside, Index
from gradus.search.query import Query, as_likeness, as_query, as_table, plain
from gradus.search.table import attributes_of


@dataclass(frozen=True)
class Hit:
    """A document that was found.

    Attributes:
        doc_id: Its id.
        score: Its dot product with the query, −1 to 1; mixed with BM25 where the index does so.
        fields: Its fields as far as they are there.
    """

    doc_id: str
    score: float
    fields: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a picture as its path, or as `true` where the catalogue holds its bytes."""
        fields = {name: plain(value) for name, value in self.fields.items()}
        return {"doc_id": self.doc_id, "score": round(self.score, 6), "fields": fields}


@dataclass(frozen=True)
class Wanted:
    """What a query wants of the index.

    Attributes:
        k: How many documents.
        where: Which ones.
        besides: One that is left out: the document that others are to be like.
        words: What BM25 is to look for, where the index has it.
        factors: Field of the documents → factor on its weight in their vectors.
    """

    k: int
    where: Filter
    besides: str | None = None
    words: str = ""
    factors: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, query: Query, k: int, where: Filter | None = None) -> Self:
        """The k best documents for a query, among those that a filter admits."""
        return cls(k, where or {}, query.like, query.words, query.document_factors)


@dataclass(frozen=True)
class Engine:
    """Answers queries. May be used by several threads at once.

    Attributes:
        encoder: Embeds queries.
        index: Holds the documents' vectors.
        documents: The catalogue: what is shown, and what filters and facets go by.
        version: Names this model with these documents; equal contents have equal versions.
        release: Called in place of the index's own `close` when the engine is closed, where more was opened.
        name: What people call the model.

    Raises:
        SearchError: The index holds vectors of another length than the encoder's.
    """

    encoder: Encoder
    index: Index
    documents: Table
    version: str
    release: Callable[[], None] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.index.schema.dimensions != self.encoder.length:
            raise SearchError(
                f"the index holds vectors of {self.index.schema.dimensions} numbers, the model makes "
                f"{self.encoder.length}; index the catalogue again with this model"
            )

    def ask(
        self,
        text: str | None = None,
        image: ImageSource | None = None,
        factors: Mapping[str, float] | None = None,
        pixels: int = MAX_PIXELS,
        document_weights: Mapping[str, float] | None = None,
    ) -> Query:
        """The query of a text, a picture or both, as `as_query` makes it.

        Args:
            text: Words to look for.
            image: A picture.
            factors: Field of the query → factor on its weight.
            pixels: A picture with more pixels is refused before it is decoded.
            document_weights: Field of the documents → factor on its weight in their vectors, for an index that keeps
                the vectors of single fields.

        Raises:
            GradusError: As for `as_query`.
            SearchError: The index does not keep them, or has no such field; or no field is left.
        """
        query = as_query(self.encoder, text, image, factors, pixels)
        return self._weighted(query, document_weights)

    def ask_like(
        self,
        doc_id: str,
        factors: Mapping[str, float] | None = None,
        document_weights: Mapping[str, float] | None = None,
    ) -> Query:
        """The query for documents like a given one; arguments and errors as for `as_likeness` and `ask`."""
        return self._weighted(as_likeness(self.encoder, self.documents, doc_id, factors), document_weights)

    def _weighted(self, query: Query, factors: Mapping[str, float] | None) -> Query:
        # Here and not in the search, which may be one for many callers.
        return replace(query, document_factors=checked_factors(self.index.schema, factors or {}))

    def embed(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """The vectors (n, D) of queries; zero for one in which the encoder finds nothing to read."""
        vectors = np.zeros((len(queries), self.encoder.length), np.float32)
        alike: dict[tuple[bool, tuple[tuple[str, float], ...]], list[int]] = defaultdict(list)
        for row, query in enumerate(queries):
            alike[query.like is not None, tuple(sorted(query.factors.items()))].append(row)
        for (_, factors), rows in alike.items():
            side, table = self._table([queries[row] for row in rows])
            prepared = self.encoder.prepare(side, table)
            vectors[rows] = self.encoder.embed(side, prepared, factors=dict(factors))
        return vectors

    def explain(self, query: Query, doc_id: str) -> Explanation:
        """What makes up the score of a document for a query; an empty sum for a query of nothing to read.

        Raises:
            SearchError: There is no such document.
        """
        if doc_id not in self.documents.row_of:
            raise SearchError("there is no document of this id to explain")
        side, asked = self._table([query])
        document = self.documents.take([self.documents.row_of[doc_id]])
        found = explain(self.encoder, side, asked, query.factors, document, query.document_factors)
        words = self.index.words_in_common(query.words, doc_id)
        return found if words is None else with_words(found, self.index.schema.hybrid, words)

    def _table(self, queries: Sequence[Query]) -> tuple[Side, Table]:
        """Queries, all of them for documents like another or none, as rows of the side that embeds them."""
        alike = [query.like for query in queries if query.like is not None]
        if alike:
            return "document", self.documents.take([self.documents.row_of[name] for name in alike])
        return "query", as_table(self.encoder, queries)

    def find(self, vector: NDArray[np.float32], k: int, where: Filter | None = None) -> list[Hit]:
        """The k best documents for a query's vector (D,), among those that a filter admits.

        A zero vector finds nothing: every document would be as good as any other. Documents that the index has
        and the catalogue does not are left out.
        """
        return self.find_all(vector[None], [Wanted(k, where or {})])[0]

    def find_all(self, vectors: NDArray[np.float32], wanted: Sequence[Wanted]) -> list[list[Hit]]:
        """The same for n queries (n, D) at once."""
        return [self.hits(found) for found in self.rank(vectors, wanted)]

    def rank(self, vectors: NDArray[np.float32], wanted: Sequence[Wanted]) -> list[list[tuple[str, float]]]:
        """Ids and scores for n queries (n, D); those of one filter and factors share a pass over the index."""
        alike: dict[tuple[frozenset[tuple[str, Any]], ...], list[int]] = defaultdict(list)
        for row, want in enumerate(wanted):
            if vectors[row].any():
                alike[frozenset(want.where.items()), frozenset(want.factors.items())].append(row)
        ranked: list[list[tuple[str, float]]] = [[] for _ in wanted]
        for rows in alike.values():
            most = max(wanted[row].k + (wanted[row].besides is not None) for row in rows)
            first = wanted[rows[0]]
            beside = Beside([wanted[row].words for row in rows], first.factors)
            found = self.index.search(vectors[rows], most, first.where or None, beside)
            for row, one in zip(rows, found, strict=True):
                pairs = zip(one.ids, one.scores, strict=True)
                ranked[row] = [pair for pair in pairs if pair[0] != wanted[row].besides][: wanted[row].k]
        return ranked

    def hits(self, ranked: Sequence[tuple[str, float]]) -> list[Hit]:
        """Ids and scores as the documents that they are, as far as the catalogue has them."""
        rows = self.documents.row_of
        return [
            Hit(doc_id, score, self.documents.record(rows[doc_id]))
            for doc_id, score in ranked
            if doc_id in rows
        ]

    def where(self, conditions: Mapping[str, Sequence[str] | tuple[float, float]]) -> Filter:
        """A filter of plain values: a category's admitted values, or a number's bounds.

        Raises:
            SearchError: No field of that name that can be filtered by, or a condition of the other type.
        """
        types = attributes_of(self.documents)
        made: dict[str, OneOf | Between] = {}
        for name, condition in conditions.items():
            if name not in types:
                known = ", ".join(types) or "none"
                raise SearchError(f"no field {name!r} to filter by; there are: {known}")
            if isinstance(condition, tuple) != (types[name] == "number"):
                wanted = "bounds" if types[name] == "number" else "a list of values"
                raise SearchError(f"the {types[name]} field {name!r} is filtered by {wanted}")
            if isinstance(condition, tuple):
                low, high = condition
                if not low <= high:
                    raise SearchError(f"the bounds of {name!r} are {low} and {high}: nothing lies between")
                made[name] = Between(low, high)
            else:
                made[name] = OneOf(frozenset(normalise(value) for value in condition))
        return made

    @cached_property
    def facets(self) -> Facets:
        """Counts of categories' values."""
        return Facets(self.documents)

    @cached_property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Number field → its least and its greatest value, where it has any."""
        numbers = {
            f.name: [value for value in self.documents.columns[f.name] if value is not None]
            for f in self.documents.fields
            if f.type == "number"
        }
        return {name: (min(values), max(values)) for name, values in numbers.items() if values}

    @cached_property
    def variety(self) -> dict[str, int]:
        """Category field → how many different values it has."""
        return {
            f.name: len(set(self.documents.columns[f.name]) - {None})
            for f in self.documents.fields
            if f.type == "category"
        }

    @cached_property
    def image_fields(self) -> frozenset[str]:
        """The catalogue's fields that hold pictures."""
        return frozenset(f.name for f in self.documents.fields if f.type == "image")

    def close(self) -> None:
        """Let go of the index."""
        (self.release or self.index.close)()
