"""The application: one engine behind HTTP."""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import JSONResponse, Response

import gradus
from gradus.errors import GradusError
from gradus.search.engine import Engine
from gradus.search.service.bodies import described, problems, read_json
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
    Health,
    ProblemModel,
    SearchRequest,
    SwapRequest,
    SwapResponse,
)
from gradus.search.service.pages import add_pages
from gradus.search.service.problems import Problem, handle_problems
from gradus.search.service.recording import add_feedback
from gradus.search.service.searching import add_search
from gradus.search.service.security import Guard, RateLimit
from gradus.search.service.state import Desk, Service
from gradus.search.service.voting import add_votes
from gradus.settings import ServiceSettings

_LOG = logging.getLogger("gradus.service")

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
    """
    metrics = Metrics()
    guard = Guard(keys or Keys(), RateLimit(settings.rate, settings.burst))
    live = Live(engine, load, settings, metrics, beside)
    service = Service(settings, live, guard, metrics, log, desk or Desk())
    app = FastAPI(
        title="Gradus",
        version=gradus.__version__,
        description="Search a catalogue by text and by picture, and say what people did with what was found.",
        docs_url=None,  # would load its page's code from elsewhere
        redoc_url=None,
        lifespan=_lifespan(service),
    )
    handle_problems(app)
    _add_operations(app, service)
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
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()

        def swap() -> None:
            task = loop.create_task(_swap_quietly(service))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        # Signals reach the main thread alone; an application in another one is swapped through its route.
        heard = threading.current_thread() is threading.main_thread()
        if heard:
            loop.add_signal_handler(signal.SIGHUP, swap)
        yield
        if heard:
            loop.remove_signal_handler(signal.SIGHUP)
        service.live.close()
        if service.log is not None:
            await asyncio.to_thread(service.log.close)

    return lifespan


async def _swap_quietly(service: Service) -> None:
    """Swap because of a signal: nobody waits for an answer, so the log gets it."""
    try:
        before = await service.live.swap()
    except GradusError as error:
        _LOG.error("not swapped: %s", error)
    else:
        _LOG.warning("swapped %s for %s", before, service.live.current.engine.version)


def _add_operations(app: FastAPI, service: Service) -> None:
    """Add what keeps the service running: health, metrics, swap."""
    admin = service.guard.needs("admin")

    @app.get("/health/live", responses={200: {"model": Health}}, response_class=JSONResponse)
    async def live() -> Response:
        """Whether the process answers at all."""
        return JSONResponse({"status": "live"})

    @app.get("/health/ready", responses={200: {"model": Health}}, response_class=JSONResponse)
    async def ready() -> Response:
        """Whether searches are answered; `degraded` where they are, but cannot be recorded."""
        engine, log = service.live.current.engine, service.log
        failing = log is not None and log.failing
        return JSONResponse(
            {
                "status": "degraded" if failing else "ready",
                "version": engine.version,
                "documents": len(engine.documents),
                "recording": log is not None and not failing,
            }
        )

    @app.get(
        "/metrics",
        dependencies=admin,
        responses={200: {"content": {"text/plain": {}}}, **problems()},
        response_class=Response,
    )
    async def metrics() -> Response:
        """Counts and durations, as Prometheus reads them."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.post(
        "/admin/swap",
        dependencies=admin,
        responses={200: {"model": SwapResponse}, **problems(400, 404, 409, 413, 415, 422)},
        openapi_extra=described(SwapRequest),
        response_class=JSONResponse,
    )
    async def swap(request: Request) -> Response:
        """Serve what lies on the disk now, or a version that is kept. No request under way is lost."""
        asked = await read_json(request, SwapRequest)
        try:
            before = await service.live.swap(asked.version)
        except GradusError as error:
            _LOG.error("not swapped: %s", error)
            raise Problem(409, "not-swapped", "what lies on the disk cannot be served; see the log") from None
        names = service.live.names
        return JSONResponse({"version": names[-1], "before": before, "kept": names})


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
