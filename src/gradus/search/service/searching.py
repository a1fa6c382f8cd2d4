"""`POST /search`."""

import hashlib
import uuid
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from gradus.search.engine import Engine, Hit, Wanted
from gradus.search.index.checks import checked_filter
from gradus.search.query import Query
from gradus.search.service.bodies import in_json, read_json_or_form
from gradus.search.service.feedback import moment
from gradus.search.service.live import Asked, Version
from gradus.search.service.models import Bounds, QueryModel, SearchRequest, SearchResponse
from gradus.search.service.problems import Problem
from gradus.search.service.state import Service

APPLICATION = "gradus"
"""What the log calls the application that was searched."""


def add_search(app: FastAPI, service: Service) -> None:
    """Add the route."""

    @app.post(
        "/search",
        dependencies=service.guard.needs("search"),
        **in_json(SearchResponse, asked=SearchRequest, form=True),
    )
    async def search(request: Request) -> Response:
        """Find the best documents for a text, a picture, or both; or those most like a document."""
        asked, picture = await read_json_or_form(request, SearchRequest)
        return JSONResponse(await _answer(service, asked, picture))


async def _answer(service: Service, asked: SearchRequest, picture: bytes | None) -> dict[str, Any]:
    """Search, and record what was shown."""
    with service.live.use(asked.version) as version:
        engine = version.engine
        where = engine.where({name: _condition(given) for name, given in asked.filters.items()})
        # Here and not in the search, which may be one for many callers.
        where = checked_filter(engine.index.schema, where)
        for name in asked.facets:
            engine.facets.require(name)
        query = await as_asked(service, version, asked, picture)
        found = await version.search(Asked(query, Wanted.of(query, asked.k, where), asked.facets))
    query_id = uuid.uuid4().hex
    if asked.record:
        service.record("query", [_recorded(asked, picture, query_id, engine.version, found.hits)])
    return {
        "query_id": query_id,
        "version": engine.version,
        "hits": [
            {
                "doc_id": hit.doc_id,
                "position": position,
                "score": round(hit.score, 6),
                "fields": shown(engine, hit.doc_id, hit.fields),
            }
            for position, hit in enumerate(found.hits, 1)
        ],
        "facets": found.facets,
    }


async def as_asked(service: Service, version: Version, asked: QueryModel, picture: bytes | None) -> Query:
    """The query that a request describes.

    Raises:
        Problem: It names a document beside words or a picture.
        GradusError: It names what is not there, or nothing at all; or the picture cannot be read.
    """
    engine = version.engine
    if asked.like is not None:
        if asked.text or picture is not None:
            raise Problem(422, "invalid-request", "like stands in place of text and picture, not beside them")
        return engine.ask_like(asked.like, asked.weights, asked.document_weights)

    def ask() -> Query:
        pixels = int(service.settings.megapixels * 1e6)
        return engine.ask(asked.text, picture, asked.weights, pixels, asked.document_weights)

    # Decoding a picture takes long, and must not hold the others up.
    return ask() if picture is None else await version.run(ask)


def shown(engine: Engine, doc_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A document's fields as callers see them: a picture as the address that shows it, never as a path."""
    pictures = engine.image_fields
    return {
        name: image_address(doc_id, name) if name in pictures else value for name, value in fields.items()
    }


def image_address(doc_id: str, field: str) -> str:
    """Where a document's picture is shown."""
    return f"/documents/{quote(doc_id, safe='')}/image?field={quote(field, safe='')}"


def _condition(given: list[str] | Bounds) -> list[str] | tuple[float, float]:
    if isinstance(given, list):
        return given
    low = float("-inf") if given.low is None else given.low
    high = float("inf") if given.high is None else given.high
    return low, high


def _recorded(
    asked: SearchRequest, picture: bytes | None, query_id: str, version: str, hits: list[Hit]
) -> dict[str, Any]:
    """A search as UBI records it. A picture is known by its digest alone."""
    attributes: dict[str, Any] = {"version": version, "k": asked.k}
    if picture is not None:
        attributes["image"] = hashlib.blake2b(picture, digest_size=16).hexdigest()
    if asked.like is not None:
        attributes["like"] = asked.like
    if asked.weights:
        attributes["weights"] = asked.weights
    if asked.document_weights:
        attributes["document_weights"] = asked.document_weights
    if asked.filters:
        attributes["filters"] = {
            name: given if isinstance(given, list) else given.model_dump(exclude_none=True)
            for name, given in asked.filters.items()
        }
    return {
        "application": APPLICATION,
        "query_id": query_id,
        "client_id": asked.client_id,
        "session_id": asked.session_id,
        "user_query": asked.text or "",
        "object_id_field": "doc_id",
        "query_response_id": query_id,
        "query_response_hit_ids": [hit.doc_id for hit in hits],
        "query_attributes": attributes,
        "timestamp": moment(),
    }
