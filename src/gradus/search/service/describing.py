"""`GET /catalog`: what a page has to know before anything is searched."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from gradus.encoders.encoder import Side
from gradus.errors import GradusError
from gradus.search.engine import Engine
from gradus.search.service.bodies import in_json
from gradus.search.service.models import CatalogModel
from gradus.search.service.searching import shown
from gradus.search.service.state import Service

T = TypeVar("T")

_LOG = logging.getLogger("gradus.service")

_SAMPLE = 24
_EXAMPLES = 40


def add_catalog(app: FastAPI, service: Service) -> None:
    """Add the route."""

    @app.get(
        "/catalog",
        dependencies=service.guard.needs("search"),
        **in_json(CatalogModel),
    )
    async def catalog() -> Response:
        """The fields, the versions, and some documents and queries to begin with."""
        with service.live.use() as version:
            engine = version.engine
            documents, parts = engine.documents, engine.index.schema.parts
            log = service.log
            return JSONResponse(
                {
                    "documents": len(documents),
                    "versions": [
                        {"version": kept.version, "name": kept.name} for kept in service.live.engines
                    ],
                    "query_fields": _fields(engine, "query"),
                    "fields": await version.run(lambda: _fields(engine, "document")),
                    "document_weights": [] if parts is None else list(parts.weights),
                    "sample": [
                        {
                            "doc_id": doc_id,
                            "fields": shown(engine, doc_id, documents.record(documents.row_of[doc_id])),
                        }
                        for doc_id in _spread(documents.ids, _SAMPLE)
                    ],
                    "examples": _spread(await queries_of(service), _EXAMPLES),
                    "scale": list(service.desk.scale),
                    "recording": log is not None and not log.failing,
                }
            )


async def queries_of(service: Service) -> Sequence[str]:
    """The queries that wait to be judged; none where they cannot be read, since nobody asked for them as such."""
    try:
        return await asyncio.to_thread(service.desk.queries)
    except GradusError as error:
        _LOG.warning("no queries to judge: %s", error)
        return ()


def _fields(engine: Engine, side: Side) -> list[dict[str, Any]]:
    """The fields of a side, those of documents that only filter included."""
    fields = engine.documents.fields if side == "document" else engine.encoder.fields["query"]
    weights = engine.encoder.field_weights(side)
    bounds, variety = (engine.bounds, engine.variety) if side == "document" else ({}, {})
    return [
        {"name": field.name, "type": field.type, "weight": round(weights.get(field.name, 0.0), 6)}
        | dict(zip(("low", "high"), bounds.get(field.name, ()), strict=False))
        | ({"values": variety[field.name]} if field.name in variety else {})
        for field in fields
    ]


def _spread(items: Sequence[T], most: int) -> list[T]:
    """Some of the items, evenly spread."""
    count = min(most, len(items))
    return [items[place * len(items) // count] for place in range(count)]
