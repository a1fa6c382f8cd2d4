"""Milvus: a server or a cluster, or a file with Milvus Lite, through pymilvus.

Filters reach Milvus as expressions in text, which not all of its versions can quote safely. So expressions never hold
what came from outside: an entity's key and the values of categories are digests, with the texts themselves beside
them for reading. The schema is a property of the collection, since Milvus Lite drops its description.
"""

import hashlib
import json
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from gradus.search.index.checks import LONGEST
from gradus.search.index.filters import Filter, OneOf
from gradus.search.index.index import Documents, Found, Schema, Vectors
from gradus.search.index.joined import joined
from gradus.search.index.served import AT_ONCE, ServedIndex, batches

_MOST = 16_384
"""What Milvus returns at most."""

_INDEX = {"index_type": "HNSW", "metric_type": "IP", "params": {"M": 16, "efConstruction": 128}}
_WIDTH_OF_SEARCHING = 128
_LARGEST = float(np.finfo(np.float64).max)


class MilvusIndex(ServedIndex[MilvusClient]):
    """A collection; its search is approximate, and finds at most 16,384. A change is put 1,000 documents at a time.

    A file ending in .db in place of the URL is Milvus Lite's.
    """

    server = "Milvus"
    example = "http://localhost:19530"
    failures = (MilvusException,)

    @classmethod
    def _connect(cls, url: str) -> MilvusClient:
        return MilvusClient(url)

    @classmethod
    def _named(cls, name: str) -> str:
        # Milvus takes letters, digits and underscores.
        return name.replace("-", "_")

    def _exists(self) -> bool:
        return bool(self._client.has_collection(self.name))

    def _make(self, documents: Documents) -> None:
        made = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        made.add_field("key", DataType.VARCHAR, is_primary=True, max_length=32)
        made.add_field("id", DataType.VARCHAR, max_length=LONGEST)
        made.add_field("vector", DataType.FLOAT_VECTOR, dim=self.schema.dimensions)
        for field, column in self._columns.items():
            if self.schema.attributes[field] == "category":
                made.add_field(column, DataType.VARCHAR, max_length=32, nullable=True)
                made.add_field(f"{column}_text", DataType.VARCHAR, max_length=LONGEST, nullable=True)
            else:
                made.add_field(column, DataType.DOUBLE, nullable=True)
        graph = self._client.prepare_index_params()
        graph.add_index("vector", **_INDEX)
        self._client.create_collection(
            self.name,
            schema=made,
            index_params=graph,
            properties={"gradus": json.dumps(self.schema.as_dict(), ensure_ascii=False)},
            consistency_level="Strong",  # a change is seen by the search after it
        )
        self._put(documents)

    def _made_with(self) -> Schema:
        about = self._client.describe_collection(self.name)["properties"]
        schema = Schema.from_dict(json.loads(about["gradus"]))
        self._client.load_collection(self.name)  # what was not made by Gradus stays as it is
        return schema

    def _drop(self) -> None:
        self._client.drop_collection(self.name)

    def _put(self, documents: Documents) -> None:
        for part in batches(range(len(documents))):
            self._client.upsert(self.name, [self._entity(documents, row) for row in part])

    def _remove(self, ids: list[str]) -> int:
        count = 0
        for part in batches([_digest(doc_id) for doc_id in ids]):
            there = [row["key"] for row in self._client.get(self.name, part, output_fields=["key"])]
            if there:
                self._client.delete(self.name, ids=there)
            count += len(there)
        return count

    def _nearest(self, queries: Vectors, k: int, where: Filter) -> list[Found]:
        k = min(k, _MOST)
        answers = self._client.search(
            self.name,
            data=[query.tolist() for query in queries],
            limit=k,
            filter=self._expression(where),
            output_fields=["id"],
            search_params={"metric_type": "IP", "params": {"ef": max(k, _WIDTH_OF_SEARCHING)}},
        )
        return [
            Found(
                tuple(hit["entity"]["id"] for hit in answer), tuple(float(hit["distance"]) for hit in answer)
            )
            for answer in answers
        ]

    def _count(self, where: Filter) -> int:
        asked = self._expression(where)
        return int(self._client.query(self.name, filter=asked, output_fields=["count(*)"])[0]["count(*)"])

    def _all(self) -> Documents:
        names = {
            field: f"{column}_text" if self.schema.attributes[field] == "category" else column
            for field, column in self._columns.items()
        }
        columns = ["id", "vector", *names.values()]
        rows = self._client.query_iterator(self.name, batch_size=AT_ONCE, output_fields=columns)
        parts = []
        while part := rows.next():
            vectors = np.array([row["vector"] for row in part], np.float32)
            attributes = {field: [row.get(name) for row in part] for field, name in names.items()}
            parts.append(Documents([row["id"] for row in part], vectors, attributes))
        rows.close()
        return joined(parts, self.schema)

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


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
