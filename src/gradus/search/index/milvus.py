"""Milvus: a server or a cluster, or a file with Milvus Lite, through pymilvus.

Filters reach Milvus as expressions in text, which not all of its versions can quote safely. So expressions never hold
what came from outside: an entity's key and the values of categories are digests, with the texts themselves beside
them for reading. The schema is a property of the collection, since Milvus Lite drops its description.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from gradus.errors import SearchError
from gradus.search.index.checks import (
    LONGEST,
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
_MOST = 16_384
"""What Milvus returns at most."""

_INDEX = {"index_type": "HNSW", "metric_type": "IP", "params": {"M": 16, "efConstruction": 128}}
_WIDTH_OF_SEARCHING = 128
_LARGEST = float(np.finfo(np.float64).max)
T = TypeVar("T")


class MilvusIndex(ServedIndex):
    """A collection."""

    def __init__(self, client: MilvusClient, name: str, schema: Schema, read_only: bool) -> None:
        super().__init__(name, read_only)
        self.schema = schema
        self._client = client
        self._columns = {field: f"f{place}" for place, field in enumerate(schema.attributes)}

    @classmethod
    def create(cls, location: str, schema: Schema, documents: Documents) -> Self:
        """A new collection at `URL#NAME`; the URL is a server's, or a file ending in .db for Milvus Lite."""
        documents = checked_documents(schema, documents)
        client, name = _connect(location)
        if _asked(client.has_collection, name):
            client.close()
            raise SearchError(f"Milvus has a collection {name!r} already; choose another name")
        about = {"gradus": json.dumps(schema.as_dict(), ensure_ascii=False)}
        made = client.create_schema(auto_id=False, enable_dynamic_field=False)
        made.add_field("key", DataType.VARCHAR, is_primary=True, max_length=32)
        made.add_field("id", DataType.VARCHAR, max_length=LONGEST)
        made.add_field("vector", DataType.FLOAT_VECTOR, dim=schema.dimensions)
        index = cls(client, name, schema, read_only=False)
        for field, column in index._columns.items():
            if schema.attributes[field] == "category":
                made.add_field(column, DataType.VARCHAR, max_length=32, nullable=True)
                made.add_field(f"{column}_text", DataType.VARCHAR, max_length=LONGEST, nullable=True)
            else:
                made.add_field(column, DataType.DOUBLE, nullable=True)
        graph = client.prepare_index_params()
        graph.add_index("vector", **_INDEX)
        _asked(
            client.create_collection,
            name,
            schema=made,
            index_params=graph,
            properties=about,
            consistency_level="Strong",  # a change is seen by the search after it
        )
        index._put(documents)
        return index

    @classmethod
    def open(cls, location: str, read_only: bool = False) -> Self:
        """A collection that `create` made."""
        client, name = _connect(location)
        if not _asked(client.has_collection, name):
            client.close()
            raise SearchError(f"Milvus has no collection {name!r}; build the index anew")
        try:
            about = _asked(client.describe_collection, name)["properties"]
            schema = Schema.from_dict(json.loads(about["gradus"]))
        except (ValueError, KeyError, TypeError):
            client.close()
            raise SearchError(
                f"the collection {name!r} was not made by Gradus; build an index of another name"
            ) from None
        _asked(client.load_collection, name)
        return cls(client, name, schema, read_only)

    @classmethod
    def drop(cls, location: str) -> None:
        """Remove a collection, if it is there."""
        client, name = _connect(location)
        _asked(client.drop_collection, name)
        client.close()

    def upsert(self, documents: Documents) -> None:
        """See `Index`; a batch of up to 1,000 documents is put at once."""
        self._require_writable()
        self._put(checked_documents(self.schema, documents))

    def delete(self, ids: Sequence[str]) -> int:
        """See `Index`."""
        self._require_writable()
        count = 0
        for part in batches([_digest(doc_id) for doc_id in checked_ids(ids)], _AT_ONCE):
            there = [row["key"] for row in _asked(self._client.get, self.name, part, output_fields=["key"])]
            if there:
                _asked(self._client.delete, self.name, ids=there)
            count += len(there)
        return count

    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        """See `Index`; approximate, and of at most 16,384 documents."""
        queries = checked_queries(self.schema, queries, k)
        condition = checked_filter(self.schema, where)
        if admits_none(condition) or len(queries) == 0:
            return [Found((), ()) for _ in queries]
        k = min(k, _MOST)
        width = {"ef": max(k, _WIDTH_OF_SEARCHING)}
        answers = _asked(
            self._client.search,
            self.name,
            data=[query.tolist() for query in queries],
            limit=k,
            filter=self._expression(condition),
            output_fields=["id"],
            search_params={"metric_type": "IP", "params": width},
        )
        return [
            Found(
                tuple(hit["entity"]["id"] for hit in answer), tuple(float(hit["distance"]) for hit in answer)
            )
            for answer in answers
        ]

    def count(self, where: Filter | None = None) -> int:
        """See `Index`."""
        condition = checked_filter(self.schema, where)
        if admits_none(condition):
            return 0
        asked = self._expression(condition)
        rows = _asked(self._client.query, self.name, filter=asked, output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    def documents(self) -> Documents:
        """See `Index`."""
        names = {
            field: f"{column}_text" if self.schema.attributes[field] == "category" else column
            for field, column in self._columns.items()
        }
        columns = ["id", "vector", *names.values()]
        rows = _asked(self._client.query_iterator, self.name, batch_size=_AT_ONCE, output_fields=columns)
        parts = []
        while part := rows.next():
            vectors = np.array([row["vector"] for row in part], np.float32)
            attributes = {field: [row.get(name) for row in part] for field, name in names.items()}
            parts.append(Documents([row["id"] for row in part], vectors, attributes))
        rows.close()
        return joined(parts, self.schema)

    def close(self) -> None:
        """See `Index`."""
        self._client.close()

    def _put(self, documents: Documents) -> None:
        for part in batches(range(len(documents)), _AT_ONCE):
            _asked(self._client.upsert, self.name, [self._entity(documents, row) for row in part])

    def _entity(self, documents: Documents, row: int) -> dict[str, Any]:
        doc_id = documents.ids[row]
        entity = {"key": _digest(doc_id), "id": doc_id, "vector": documents.vectors[row].tolist()}
        for field, column in self._columns.items():
            value: Any = documents.attributes[field][row]
            if self.schema.attributes[field] == "category":
                entity |= {column: None if value is None else _digest(value), f"{column}_text": value}
            else:
                entity[column] = value
        return entity

    def _expression(self, where: Filter) -> str:
        parts = []
        for field, condition in where.items():
            column = self._columns[field]
            if isinstance(condition, OneOf):
                parts.append(f"{column} in {json.dumps(sorted(map(_digest, condition.values)))}")
            else:
                low, high = max(condition.low, -_LARGEST), min(condition.high, _LARGEST)
                parts.append(f"({column} >= {float(low)!r} and {column} <= {float(high)!r})")
        return " and ".join(parts)


def _connect(location: str) -> tuple[MilvusClient, str]:
    url, name = url_and_name(location, "http://localhost:19530")
    # Milvus takes letters, digits and underscores.
    return _asked(MilvusClient, url), name.replace("-", "_")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _asked(call: Callable[..., T], *given: Any, **named: Any) -> T:
    """What the server answers, or a SearchError with what it complains of."""
    try:
        return call(*given, **named)
    except MilvusException as error:
        raise SearchError(f"Milvus does not answer as it should: {str(error)[:300]}") from None
