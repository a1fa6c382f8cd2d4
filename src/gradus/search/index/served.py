"""Indexes on servers: what is checked before a server is asked, and what becomes of its complaints."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import ClassVar, Generic, Protocol, Self, TypeVar

from gradus.errors import SearchError
from gradus.search.index.checks import (
    admits_none,
    checked_beside,
    checked_documents,
    checked_filter,
    checked_ids,
    checked_queries,
)
from gradus.search.index.exact import ExactIndex
from gradus.search.index.filters import Filter
from gradus.search.index.index import Beside, Documents, Found, Index, Schema, Vectors

AT_ONCE = 1000
"""Documents in a request: a few megabytes."""


class Client(Protocol):
    """What speaks to a server."""

    def close(self) -> None:
        """Let go of connections."""


T = TypeVar("T")
C = TypeVar("C", bound=Client)


def batches(rows: Sequence[T]) -> Iterator[list[T]]:
    """The rows in lists of at most `AT_ONCE`."""
    left = iter(rows)
    while part := list(islice(left, AT_ONCE)):
        yield part


class ServedIndex(Index, Generic[C]):
    """An index on a server, at `URL#NAME`.

    An adapter says how its server does what the methods with an underscore name. They are given only what was
    checked, and may raise whatever their library raises.

    Attributes:
        server: What the server is called.
        noun: What it calls that which holds an index.
        example: A URL.
        failures: What its library raises where the server cannot be reached, or refuses.
        name: Of what holds this index.
    """

    server: ClassVar[str]
    noun: ClassVar[str] = "collection"
    example: ClassVar[str]
    failures: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, client: C, name: str, schema: Schema, read_only: bool) -> None:
        self.name = name
        self.schema = schema
        self._client = client
        self._read_only = read_only
        # Named by their places: no server takes every name that a catalogue's field may have.
        self._columns = {field: f"f{place}" for place, field in enumerate(schema.attributes)}

    @classmethod
    def create(cls, location: str, schema: Schema, documents: Documents) -> Self:
        """See `gradus.search.index.backends.create_index`."""
        if not schema.plain:
            raise SearchError(
                f"{cls.server} takes vectors and attributes alone: index.hybrid needs the backend exact or ivf, "
                "index.per_field needs exact"
            )
        documents = checked_documents(schema, documents)
        with cls._at(location, schema) as index:
            if index._exists():
                raise SearchError(
                    f"{cls.server} has a {cls.noun} {index.name!r} already; choose another name"
                )
            index._make(documents)
            return index

    @classmethod
    def open(cls, location: str, read_only: bool = False) -> Self:
        """See `gradus.search.index.backends.open_index`."""
        with cls._at(location, Schema(0)) as index:
            if not index._exists():
                raise SearchError(f"{cls.server} has no {cls.noun} {index.name!r}; build the index anew")
            try:
                schema = index._made_with()
            except (ValueError, KeyError, TypeError):
                raise SearchError(
                    f"the {cls.noun} {index.name!r} was not made by Gradus; build an index of another name"
                ) from None
            return cls(index._client, index.name, schema, read_only)

    @classmethod
    def drop(cls, location: str) -> None:
        """See `gradus.search.index.backends.drop_index`."""
        with cls._at(location, Schema(0)) as index:
            index._drop()
            index.close()

    def upsert(self, documents: Documents) -> None:
        """See `Index`."""
        self._require_writable()
        documents = checked_documents(self.schema, documents)
        with self._asking():
            self._put(documents)

    def delete(self, ids: Sequence[str]) -> int:
        """See `Index`."""
        self._require_writable()
        with self._asking():
            return self._remove(checked_ids(ids))

    def search(
        self, queries: Vectors, k: int, where: Filter | None = None, beside: Beside | None = None
    ) -> list[Found]:
        """See `Index`."""
        queries = checked_queries(self.schema, queries, k)
        checked_beside(self.schema, queries, beside)
        condition = checked_filter(self.schema, where)
        if admits_none(condition) or len(queries) == 0:
            return [Found((), ()) for _ in queries]
        with self._asking():
            return self._nearest(queries, k, condition)

    def count(self, where: Filter | None = None) -> int:
        """See `Index`."""
        condition = checked_filter(self.schema, where)
        if admits_none(condition):
            return 0
        with self._asking():
            return self._count(condition)

    def documents(self) -> Documents:
        """See `Index`."""
        with self._asking():
            return self._all()

    def snapshot(self, folder: Path) -> None:
        """See `Index`: an exact index with the same documents."""
        ExactIndex.create(str(folder), self.schema, self.documents()).close()

    def close(self) -> None:
        """See `Index`."""
        self._client.close()

    @classmethod
    @abstractmethod
    def _connect(cls, url: str) -> C:
        """A client of the server at a URL."""

    @classmethod
    def _named(cls, name: str) -> str:
        """A name as the server takes it."""
        return name

    @abstractmethod
    def _exists(self) -> bool:
        """Whether the name is taken, by whatever it may be."""

    @abstractmethod
    def _make(self, documents: Documents) -> None:
        """Make what holds the index, leave the schema with it, and put its first documents."""

    @abstractmethod
    def _made_with(self) -> Schema:
        """The schema that `_make` left; ValueError, KeyError or TypeError where it left none."""

    @abstractmethod
    def _drop(self) -> None:
        """Remove what holds the index, if it is there."""

    @abstractmethod
    def _put(self, documents: Documents) -> None: ...

    @abstractmethod
    def _remove(self, ids: list[str]) -> int: ...

    @abstractmethod
    def _nearest(self, queries: Vectors, k: int, where: Filter) -> list[Found]: ...

    @abstractmethod
    def _count(self, where: Filter) -> int: ...

    @abstractmethod
    def _all(self) -> Documents: ...

    @classmethod
    @contextmanager
    def _at(cls, location: str, schema: Schema) -> Iterator[Self]:
        """Whatever is or will be at a location; its client is closed if the block fails."""
        url, mark, name = location.rpartition("#")
        if not mark or not url or not name:
            raise SearchError(f"{location!r} names no index on a server; write it as {cls.example}#NAME")
        name = cls._named(name)
        with cls._asking():
            index = cls(cls._connect(url), name, schema, read_only=False)
            try:
                yield index
            except BaseException:
                index.close()
                raise

    @classmethod
    @contextmanager
    def _asking(cls) -> Iterator[None]:
        """Makes the library's errors a SearchError with what the server complains of."""
        try:
            yield
        except cls.failures as error:
            complaint = str(error).strip()[:300]
            raise SearchError(f"{cls.server} does not answer as it should: {complaint}") from None

    def _require_writable(self) -> None:
        if self._read_only:
            raise SearchError(f"the index {self.name!r} was opened for reading; open it for writing")
