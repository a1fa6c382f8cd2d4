"""What every index is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from gradus.errors import SearchError
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

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"dimensions": self.dimensions, "attributes": dict(self.attributes)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `as_dict` gave."""
        return cls(values["dimensions"], values["attributes"])


@dataclass(frozen=True)
class Documents:
    """Documents to be indexed, as parallel columns.

    Attributes:
        ids: Their ids, each once.
        vectors: (n, D).
        attributes: Field → n values, `None` where a document has none. Fields without a column have no values.
    """

    ids: Sequence[str]
    vectors: Vectors
    attributes: Mapping[str, Sequence[Value | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


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
            SearchError: Ids, vectors or attributes do not fit the schema; the index was opened for reading.
        """

    @abstractmethod
    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents; how many of them were there."""

    @abstractmethod
    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        """The k documents of largest dot product for each of (n, D) queries, among those that the filter admits.

        Fewer come back where fewer are admitted.

        Raises:
            SearchError: The queries have another length, or the filter does not fit the schema.
        """

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
