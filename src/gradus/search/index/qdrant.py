"""Qdrant: a server or a cluster, through qdrant-client.

A point's id is made of the document's, which Qdrant would not take; its payload holds the document's id and its
attributes by their place in the schema, since Qdrant reads dots and brackets in a name as a path. The schema is
metadata of the collection.
"""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from gradus.errors import SearchError
from gradus.search.index.checks import (
    admits_none,
    checked_documents,
    checked_filter,
    checked_ids,
    checked_queries,
)
from gradus.search.index.filters import Filter, OneOf
from gradus.search.index.index import Documents, Found, Schema, Vectors
from gradus.search.index.joined import joined
from gradus.search.index.served import ServedIndex, batches, url_and_name

_AT_ONCE = 1000
"""Points in a request: a few megabytes."""

_NAMESPACE = uuid.UUID("6e0b4d0c-5a39-5b0e-9f3c-0f2a54b4c6f1")
T = TypeVar("T")


class QdrantIndex(ServedIndex):
    """A collection."""

    def __init__(self, client: QdrantClient, name: str, schema: Schema, read_only: bool) -> None:
        super().__init__(name, read_only)
        self.schema = schema
        self._client = client
        self._keys = {field: f"f{place}" for place, field in enumerate(schema.attributes)}

    @classmethod
    def create(cls, location: str, schema: Schema, documents: Documents) -> Self:
        """A new collection at `URL#NAME`; a folder in place of the URL is qdrant-client's local mode."""
        documents = checked_documents(schema, documents)
        client, name = _connect(location)
        if _asked(client.collection_exists, name):
            client.close()
            raise SearchError(f"Qdrant has a collection {name!r} already; choose another name")
        size = models.VectorParams(size=schema.dimensions, distance=models.Distance.DOT)
        _asked(client.create_collection, name, vectors_config=size, metadata={"gradus": schema.as_dict()})
        index = cls(client, name, schema, read_only=False)
        # The local mode looks at every point, and warns that it needs no such index.
        for field, kind in schema.attributes.items() if "://" in location else ():
            type_ = "keyword" if kind == "category" else "float"
            _asked(client.create_payload_index, name, index._keys[field], models.PayloadSchemaType(type_))
        index._put(documents)
        return index

    @classmethod
    def open(cls, location: str, read_only: bool = False) -> Self:
        """A collection that `create` made."""
        client, name = _connect(location)
        if not _asked(client.collection_exists, name):
            client.close()
            raise SearchError(f"Qdrant has no collection {name!r}; build the index anew")
        metadata = _asked(client.get_collection, name).config.metadata or {}
        if "gradus" not in metadata:
            client.close()
            raise SearchError(
                f"the collection {name!r} was not made by Gradus; build an index of another name"
            )
        return cls(client, name, Schema.from_dict(metadata["gradus"]), read_only)

    @classmethod
    def drop(cls, location: str) -> None:
        """Remove a collection, if it is there."""
        client, name = _connect(location)
        _asked(client.delete_collection, name)
        client.close()

    def upsert(self, documents: Documents) -> None:
        """See `Index`; a batch of up to 1,000 documents is put at once."""
        self._require_writable()
        self._put(checked_documents(self.schema, documents))

    def delete(self, ids: Sequence[str]) -> int:
        """See `Index`."""
        self._require_writable()
        count = 0
        for part in batches([_point_id(doc_id) for doc_id in checked_ids(ids)], _AT_ONCE):
            there = _asked(self._client.retrieve, self.name, part, with_payload=False)
            if there:
                gone: Any = [point.id for point in there]
                _asked(self._client.delete, self.name, models.PointIdsList(points=gone), wait=True)
            count += len(there)
        return count

    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        """See `Index`; approximate where Qdrant has built a graph."""
        queries = checked_queries(self.schema, queries, k)
        condition = checked_filter(self.schema, where)
        if admits_none(condition) or len(queries) == 0:
            return [Found((), ()) for _ in queries]
        asked = self._condition(condition)
        requests = [
            models.QueryRequest(query=query.tolist(), limit=k, filter=asked, with_payload=["id"])
            for query in queries
        ]
        answers = _asked(self._client.query_batch_points, self.name, requests)
        return [
            Found(
                tuple((point.payload or {})["id"] for point in answer.points),
                tuple(float(point.score) for point in answer.points),
            )
            for answer in answers
        ]

    def count(self, where: Filter | None = None) -> int:
        """See `Index`."""
        condition = checked_filter(self.schema, where)
        if admits_none(condition):
            return 0
        asked = self._condition(condition)
        return int(_asked(self._client.count, self.name, count_filter=asked, exact=True).count)

    def documents(self) -> Documents:
        """See `Index`."""
        parts, place = [], None
        while True:
            points, place = _asked(
                self._client.scroll, self.name, limit=_AT_ONCE, offset=place, with_vectors=True
            )
            payloads = [point.payload or {} for point in points]
            vectors = np.array([point.vector for point in points], np.float32)
            parts.append(
                Documents(
                    [payload["id"] for payload in payloads],
                    vectors.reshape(len(points), self.schema.dimensions),
                    {field: [payload.get(key) for payload in payloads] for field, key in self._keys.items()},
                )
            )
            if place is None:
                return joined(parts, self.schema)

    def close(self) -> None:
        """See `Index`."""
        self._client.close()

    def _put(self, documents: Documents) -> None:
        for part in batches(range(len(documents)), _AT_ONCE):
            points = [
                models.PointStruct(
                    id=_point_id(documents.ids[row]),
                    vector=documents.vectors[row].tolist(),
                    payload={"id": documents.ids[row]}
                    | {
                        key: documents.attributes[field][row]
                        for field, key in self._keys.items()
                        if documents.attributes[field][row] is not None
                    },
                )
                for row in part
            ]
            _asked(self._client.upsert, self.name, points, wait=True)

    def _condition(self, where: Filter) -> models.Filter | None:
        conditions: list[Any] = []
        for field, condition in where.items():
            key = self._keys[field]
            if isinstance(condition, OneOf):
                match = models.MatchAny(any=sorted(condition.values))
                conditions.append(models.FieldCondition(key=key, match=match))
            else:
                # JSON has no infinity; a float's own bounds admit every finite number.
                most = float(np.finfo(np.float64).max)
                bounds = models.Range(gte=max(condition.low, -most), lte=min(condition.high, most))
                conditions.append(models.FieldCondition(key=key, range=bounds))
        return models.Filter(must=conditions) if conditions else None


def _connect(location: str) -> tuple[QdrantClient, str]:
    url, name = url_and_name(location, "http://localhost:6333")
    if "://" in url:
        return QdrantClient(url=url), name
    return QdrantClient(path=url), name


def _point_id(doc_id: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, doc_id))


def _asked(call: Callable[..., T], *given: Any, **named: Any) -> T:
    """What the server answers, or a SearchError with what it complains of."""
    try:
        return call(*given, **named)
    except (ApiException, ConnectionError) as error:
        raise SearchError(f"Qdrant does not answer as it should: {str(error)[:300]}") from None
