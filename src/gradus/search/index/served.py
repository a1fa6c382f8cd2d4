"""Indexes on servers: what their adapters share."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from gradus.errors import SearchError
from gradus.search.index.exact import ExactIndex
from gradus.search.index.index import Index

T = TypeVar("T")


def url_and_name(location: str, example: str) -> tuple[str, str]:
    """`URL#NAME` in two."""
    url, mark, name = location.rpartition("#")
    if not mark or not url or not name:
        raise SearchError(f"{location!r} names no index on a server; write it as {example}#NAME")
    return url, name


def batches(rows: Sequence[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of at most `size`."""
    left = iter(rows)
    while part := list(islice(left, size)):
        yield part


class ServedIndex(Index):
    """An index on a server."""

    def __init__(self, name: str, read_only: bool) -> None:
        self.name = name
        self._read_only = read_only

    def snapshot(self, folder: Path) -> None:
        """See `Index`: an exact index with the same documents."""
        ExactIndex.create(str(folder), self.schema, self.documents()).close()

    def _require_writable(self) -> None:
        if self._read_only:
            raise SearchError(f"the index {self.name!r} was opened for reading; open it for writing")
