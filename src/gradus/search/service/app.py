"""The application: one engine behind HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import gradus
from gradus.search.engine import Engine
from gradus.search.service.describing import add_catalog
from gradus.search.service.documents import add_documents
from gradus.search.service.door import Door
from gradus.search.service.explaining import add_explain
from gradus.search.service.feedback import UbiLog
from gradus.search.service.judging import add_grades
from gradus.search.service.judging_models import GradesRequest, VoteRequest
from gradus.search.service.keys import Keys
from gradus.search.service.live import Live
from gradus.search.service.metrics import Metrics
from gradus.search.service.models import (
    ExplainRequest,
    FeedbackRequest,
    ProblemModel,
    SearchRequest,
    SwapRequest,
)
from gradus.search.service.operations import add_operations, orders
from gradus.search.service.pages import add_pages
from gradus.search.service.peers import Peers
from gradus.search.service.problems import handle_problems
from gradus.search.service.recording import add_feedback
from gradus.search.service.searching import add_search
from gradus.search.service.security import Guard, RateLimit
from gradus.search.service.state import Desk, Service
from gradus.search.service.voting import add_votes
from gradus.settings import ServiceSettings

_READ_BY_HAND: Sequence[type[BaseModel]] = (
    *(SearchRequest, ExplainRequest, FeedbackRequest, GradesRequest, VoteRequest, SwapRequest),
    ProblemModel,
)
"""Models that routes read or write without FastAPI, which therefore does not describe them."""


def create_app(
    engine: Engine,
    load: Callable[[], Engine],
    settings: ServiceSettings,
    keys: Keys | None = None,
    log: UbiLog | None = None,
    beside: Sequence[Engine] = (),
    desk: Desk | None = None,
    peers: Peers | None = None,
) -> FastAPI:
    """An application that serves an engine.

    Args:
        engine: What answers at first.
        load: Makes an engine of what lies on the disk, whenever the service is told to swap.
        settings: Bounds; `host`, `port`, `keys` and `log` are for whoever runs the application.
        keys: Who may ask; `None` for everybody on this machine.
        log: Where searches and feedback are recorded; closed with the application.
        beside: Engines to compare with; closed with the application.
        desk: What experts judge; `None` for nothing but what they come up with.
        peers: The other workers; `None` where the application is one process.
    """
    metrics = Metrics()
    guard = Guard(keys or Keys(), RateLimit(settings.rate, settings.burst))
    live = Live(engine, load, settings, metrics, beside)
    service = Service(settings, live, guard, metrics, log, desk or Desk(), peers)
    app = FastAPI(
        title="Gradus",
        version=gradus.__version__,
        description="Search a catalogue by text and by picture, and say what people did with what was found.",
        docs_url=None,  # would load its page's code from elsewhere
        redoc_url=None,
        lifespan=_lifespan(service),
    )
    handle_problems(app)
    add_operations(app, service)
    add_search(app, service)
    add_feedback(app, service)
    add_explain(app, service)
    add_documents(app, service)
    add_catalog(app, service)
    add_grades(app, service)
    add_votes(app, service)
    add_pages(app, service)
    app.add_middleware(Door, settings=settings, metrics=metrics)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _lifespan(service: Service) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with orders(service):
            yield
        service.live.close()
        if service.log is not None:
            await asyncio.to_thread(service.log.close)

    return lifespan


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description, models that are read by hand included."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        _, schema = models_json_schema(
            [(model, "validation") for model in _READ_BY_HAND], ref_template="#/components/schemas/{model}"
        )
        made["components"].setdefault("schemas", {}).update(schema["$defs"])
        app.openapi_schema = made
    return app.openapi_schema
