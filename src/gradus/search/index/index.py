"""What every index is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.field_parts import FieldParts
from gradus.errors import SearchError
from gradus.search.index.filters import Filter, Value

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Schema:
    """What an index holds of each document.

    Attributes:
        dimensions: D, the length of a vector. Vectors are compared by their dot product.
        attributes: Field → its type, of the fields that can be filtered by.
        hybrid: The share of BM25 in the score of a query with words; 0 for vectors alone.
        parts: What the documents' vectors are made of, where each part is kept; `None` where it is not.
        texts: The fields whose texts are kept: for BM25, and for the exact terms of parts.

    Raises:
        SearchError: The share is none, or there are no texts for it.
    """

    dimensions: int
    attributes: Mapping[str, Literal["category", "number"]] = field(default_factory=dict)
    hybrid: float = 0.0
    parts: FieldParts | None = None
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.hybrid < 1:
            raise SearchError(f"the share of BM25 is {self.hybrid}; it must be at least 0 and below 1")
        if self.hybrid and not self.texts:
            raise SearchError("there is no field with a text for BM25; leave index.hybrid at 0")

    @property
    def plain(self) -> bool:
        """Whether vectors and attributes are all that is held."""
        return self.hybrid == 0 and self.parts is None and not self.texts

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        facts: dict[str, Any] = {"dimensions": self.dimensions, "attributes": dict(self.attributes)}
        if not self.plain:
            parts = None if self.parts is None else self.parts.as_dict()
            facts |= {"hybrid": self.hybrid, "parts": parts, "texts": list(self.texts)}
        return facts

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `as_dict` gave."""
        parts = values.get("parts")
        return cls(
            values["dimensions"],
            values["attributes"],
            values.get("hybrid", 0.0),
            None if parts is None else FieldParts.from_dict(parts),
            tuple(values.get("texts", ())),
        )


@dataclass(frozen=True)
class Documents:
    """Documents to be indexed, as parallel columns.

    Attributes:
        ids: Their ids, each once.
        vectors: (n, D).
        attributes: Field → n values, `None` where a document has none. Fields without a column have no values.
        texts: Field → n texts, likewise, of the fields whose texts the index keeps.
        parts: (n, P, D) what the vectors are made of, where the index keeps that.
    """

    ids: Sequence[str]
    vectors: Vectors
    attributes: Mapping[str, Sequence[Value | None]] = field(default_factory=dict)
    texts: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    parts: Vectors | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Found:
    """What a search found for one query: ids, best first, and their scores."""

    ids: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Beside:
    """What goes into the scores of n queries beside their vectors.

    Attributes:
        texts: (n,) their words, for BM25; none for any of them where it is empty.
        factors: Field of the documents → factor on its weight in their vectors, 1 where not named.
    """

    texts: Sequence[str] = ()
    factors: Mapping[str, float] = field(default_factory=dict)


class Index(ABC):
    """Documents that can be searched, changed and kept.

    A change that has returned survives the death of the process. Reads may run beside each other and beside one
    writer, and see each document as it was before or after a change.
    """

    schema: Schema

    @abstractmethod
    def upsert(self, documents: Documents) -> None:
        """Add documents, or replace those with the same ids.

        Raises:
            SearchError: Ids, vectors or attributes do not fit the schema; the index was opened for reading.
        """

    @abstractmethod
    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents; how many of them were there."""

    @abstractmethod
    def search(
        self, queries: Vectors, k: int, where: Filter | None = None, beside: Beside | None = None
    ) -> list[Found]:
        """The k documents of largest score for each of (n, D) queries, among those that the filter admits.

        The score is the dot product; where the index has a share h of BM25 and a query has words, it is

            (1 − h) q · d + h BM25(q, d) / Σ_t idf(t),

        the sum over the terms of the query, so that both parts are at most 1. Fewer documents come back where fewer
        are admitted.

        Raises:
            SearchError: The queries have another length, the filter does not fit the schema, or factors are given and
                the index does not keep the parts of its vectors.
        """

    def words_in_common(self, text: str, doc_id: str) -> float | None:
        """What BM25 adds to the score of a document for a query of these words; `None` where it does not count.

        Raises:
            SearchError: There is no such document.
        """
        return None

    @abstractmethod
    def count(self, where: Filter | None = None) -> int:
        """How many documents there are, or meet a filter."""

    @abstractmethod
    def documents(self) -> Documents:
        """Everything it holds, in memory: what `create_index` makes the same index of, with any backend."""

    @abstractmethod
    def snapshot(self, folder: Path) -> None:
        """Write everything to a new folder.

        `open_index` opens it with the same backend where that is an embedded one, otherwise with `exact`.

        Raises:
            SearchError: The folder is there already.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.count()


def require_new(folder: Path) -> None:
    """Raise a SearchError where something lies that a new index or a snapshot would overwrite."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise SearchError(f"{folder} is there already; name a new folder")
