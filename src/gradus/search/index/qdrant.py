"""Qdrant: a server or a cluster, through qdrant-client.

A point's id is made of the document's, which Qdrant would not take; its payload holds the document's id and its
attributes by their place in the schema, since Qdrant reads dots and brackets in a name as a path. The schema is
metadata of the collection.
"""

import uuid
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from gradus.search.index.filters import Filter, OneOf
from gradus.search.index.index import Documents, Found, Schema, Vectors
from gradus.search.index.joined import joined
from gradus.search.index.served import AT_ONCE, ServedIndex, batches

_NAMESPACE = uuid.UUID("6e0b4d0c-5a39-5b0e-9f3c-0f2a54b4c6f1")


class QdrantIndex(ServedIndex[QdrantClient]):
    """A collection; its search is approximate where Qdrant has built a graph. A change is put 1,000 documents at a time.

    A folder in place of the URL is qdrant-client's local mode.
    """

    server = "Qdrant"
    example = "http://localhost:6333"
    failures = (ApiException, ConnectionError)

    @classmethod
    def _connect(cls, url: str) -> QdrantClient:
        if "://" in url:
            return QdrantClient(url=url)
        try:
            return QdrantClient(path=url)
        except RuntimeError as error:  # somebody else has the folder open
            raise ConnectionError(str(error)) from None

    def _exists(self) -> bool:
        return bool(self._client.collection_exists(self.name))

    def _make(self, documents: Documents) -> None:
        size = models.VectorParams(size=self.schema.dimensions, distance=models.Distance.DOT)
        metadata = {"gradus": self.schema.as_dict()}
        self._client.create_collection(self.name, vectors_config=size, metadata=metadata)
        local = self._client.init_options["url"] is None
        # The local mode looks at every point, and warns that it needs no such index.
        for field, kind in self.schema.attributes.items() if not local else ():
            type_ = models.PayloadSchemaType("keyword" if kind == "category" else "float")
            self._client.create_payload_index(self.name, self._columns[field], type_)
        self._put(documents)

    def _made_with(self) -> Schema:
        return Schema.from_dict(self._client.get_collection(self.name).config.metadata["gradus"])

    def _drop(self) -> None:
        self._client.delete_collection(self.name)

    def _put(self, documents: Documents) -> None:
        for part in batches(range(len(documents))):
            points = [
                models.PointStruct(
                    id=_point_id(documents.ids[row]),
                    vector=documents.vectors[row].tolist(),
                    payload={"id": documents.ids[row]}
                    | {
                        key: documents.attributes[field][row]
                        for field, key in self._columns.items()
                        if documents.attributes[field][row] is not None
                    },
                )
                for row in part
            ]
            self._client.upsert(self.name, points, wait=True)

    def _remove(self, ids: list[str]) -> int:
        count = 0
        for part in batches([_point_id(doc_id) for doc_id in ids]):
            there = [point.id for point in self._client.retrieve(self.name, part, with_payload=False)]
            if there:
                self._client.delete(self.name, models.PointIdsList(points=there), wait=True)
            count += len(there)
        return count

    def _nearest(self, queries: Vectors, k: int, where: Filter) -> list[Found]:
        asked = self._condition(where)
        requests = [
            models.QueryRequest(query=query.tolist(), limit=k, filter=asked, with_payload=["id"])
            for query in queries
        ]
        return [
            Found(
                tuple(point.payload["id"] for point in answer.points),
                tuple(float(point.score) for point in answer.points),
            )
            for answer in self._client.query_batch_points(self.name, requests)
        ]

    def _count(self, where: Filter) -> int:
        return int(self._client.count(self.name, count_filter=self._condition(where), exact=True).count)

    def _all(self) -> Documents:
        parts, place = [], None
        while True:
            points, place = self._client.scroll(self.name, limit=AT_ONCE, offset=place, with_vectors=True)
            payloads = [point.payload for point in points]
            vectors = np.array([point.vector for point in points], np.float32)
            parts.append(
                Documents(
                    [payload["id"] for payload in payloads],
                    vectors.reshape(len(points), self.schema.dimensions),
                    {
                        field: [payload.get(key) for payload in payloads]
                        for field, key in self._columns.items()
                    },
                )
            )
            if place is None:
                return joined(parts, self.schema)

    def _condition(self, where: Filter) -> models.Filter | None:
        conditions: list[Any] = []
        for field, condition in where.items():
            key = self._columns[field]
            if isinstance(condition, OneOf):
                match = models.MatchAny(any=sorted(condition.values))
                conditions.append(models.FieldCondition(key=key, match=match))
            else:
                # JSON has no infinity; a float's own bounds admit every finite number.
                most = float(np.finfo(np.float64).max)
                bounds = models.Range(gte=max(condition.low, -most), lte=min(condition.high, most))
                conditions.append(models.FieldCondition(key=key, range=bounds))
        return models.Filter(must=conditions) if conditions else None


def _point_id(doc_id: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, doc_id))
