"""What every index is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gradus.search.index.filters import Filter, Value

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Schema:
    """What an index holds of each document.

    Attributes:
        dimensions: D, the length of a vector. Vectors are compared by their dot product.
        attributes: Field → its type, of the fields that can be filtered by.
    """

    dimensions: int
    attributes: Mapping[str, Literal["category", "number"]] = field(default_factory=dict)


@dataclass(frozen=True)
class Documents:
    """Documents to be indexed, as parallel columns.

    Attributes:
        ids: Their ids, each once.
        vectors: (n, D).
        attributes: Field → n values, `None` where a document has none.
    """

    ids: Sequence[str]
    vectors: Vectors
    attributes: Mapping[str, Sequence[Value | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What a search found for one query: ids, best first, and their dot products."""

    ids: tuple[str, ...]
    scores: tuple[float, ...]


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
            SearchError: Vectors or attributes do not fit the schema.
        """

    @abstractmethod
    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents; how many of them were there."""

    @abstractmethod
    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        """The k documents of largest dot product for each of (n, D) queries, among those that the filter admits."""

    @abstractmethod
    def count(self, where: Filter | None = None) -> int:
        """How many documents there are, or meet a filter."""

    @abstractmethod
    def snapshot(self, folder: Path) -> None:
        """Write everything to a new folder, from which `open_index` makes the same index."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""
