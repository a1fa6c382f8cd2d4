"""The backends by their names, each imported when it is asked for."""

import importlib
from typing import Protocol, cast

from gradus.errors import MissingExtraError, SearchError
from gradus.search.index.index import Documents, Index, Schema

_MODULES = {
    "exact": ("exact", "ExactIndex", ""),
    "ivf": ("ivf", "IvfIndex", ""),
    "qdrant": ("qdrant", "QdrantIndex", "qdrant"),
    "pgvector": ("pgvector", "PgvectorIndex", "pgvector"),
    "milvus": ("milvus", "MilvusIndex", "milvus"),
}
"""Name → module, class, and the extra that it needs."""

BACKENDS = tuple(_MODULES)
EMBEDDED = ("exact", "ivf")
"""Backends that keep documents in a folder and need no server."""


class _Backend(Protocol):
    def create(self, location: str, schema: Schema, documents: Documents) -> Index: ...

    def open(self, location: str, read_only: bool) -> Index: ...

    def drop(self, location: str) -> None: ...


def create_index(backend: str, location: str, schema: Schema, documents: Documents) -> Index:
    """Build a new index, opened for writing.

    Args:
        backend: One of `BACKENDS`.
        location: A new folder; for a server its URL and, after `#`, a name that it does not have yet.
        schema: What it is to hold.
        documents: What it is to start with.

    Raises:
        SearchError: Something is there already, the documents do not fit the schema, the server cannot be reached.
        MissingExtraError: The backend's library is not installed.
    """
    return _backend(backend).create(location, schema, documents)


def open_index(backend: str, location: str, read_only: bool = False) -> Index:
    """Open an index.

    Args:
        backend: One of `BACKENDS`.
        location: As for `create_index`; or, for an embedded backend, the folder of a snapshot.
        read_only: Refuse changes. Of an embedded index, one process may hold it for writing and any number for
            reading, which see it as it was when they opened it and share its memory.

    Raises:
        SearchError: There is no index, it is damaged, another process writes to it, the server cannot be reached.
        MissingExtraError: The backend's library is not installed.
    """
    return _backend(backend).open(location, read_only)


def drop_index(backend: str, location: str) -> None:
    """Remove an index with all of its documents, if it is there.

    Raises:
        SearchError: The server cannot be reached.
        MissingExtraError: The backend's library is not installed.
    """
    _backend(backend).drop(location)


def _backend(name: str) -> _Backend:
    if name not in _MODULES:
        raise SearchError(f"there is no index backend {name!r}; they are {', '.join(BACKENDS)}")
    module, kind, extra = _MODULES[name]
    try:
        loaded = importlib.import_module(f"gradus.search.index.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("gradus"):
            raise
        raise MissingExtraError(f"the index backend {name!r}", extra) from None
    return cast(_Backend, getattr(loaded, kind))
