"""What keeps a service running: health, metrics, swaps, and what its workers ask each other."""

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from gradus.errors import GradusError
from gradus.search.service.bodies import in_json, problems, read_json
from gradus.search.service.door import without_time_limit
from gradus.search.service.metrics import joined
from gradus.search.service.models import Health, SwapRequest, SwapResponse
from gradus.search.service.problems import Problem
from gradus.search.service.state import Service

_LOG = logging.getLogger("gradus.service")

_METRICS_SECONDS = 2.0
"""How long the metrics of other workers are waited for; a scraper has little patience."""


def add_operations(app: FastAPI, service: Service) -> None:
    """Add the routes."""
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
        text = service.metrics.text()
        if service.peers is not None:
            families = await service.peers.ask("metrics", seconds=_METRICS_SECONDS)
            text = joined({service.peers.slot: service.metrics.families(), **families})
        return Response(text, media_type="text/plain; version=0.0.4")

    @app.post(
        "/admin/swap",
        dependencies=admin,
        **in_json(SwapResponse, 409, asked=SwapRequest),
    )
    async def swap(request: Request) -> Response:
        """Serve what lies on the disk now, or a version that is kept. No request under way is lost."""
        asked = await read_json(request, SwapRequest)
        without_time_limit(request)  # many documents take minutes to load
        try:
            before, behind = await _swap(service, asked.version)
        except (GradusError, OSError) as error:
            _LOG.error("not swapped: %s", error)
            raise Problem(409, "not-swapped", "what lies on the disk cannot be served; see the log") from None
        names = service.live.names
        return JSONResponse({"version": names[-1], "before": before, "kept": names, "behind": behind})


@contextmanager
def orders(service: Service) -> Iterator[None]:
    """Heed SIGHUP, or the supervisor and the other workers in its place, while the block runs in the event loop."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def lead() -> None:
        task = loop.create_task(_swap_quietly(service))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # Signals reach the main thread alone; an application in another one is swapped through its route.
    heard = threading.current_thread() is threading.main_thread()
    if service.peers is not None:
        service.peers.join(_handlers(service), gone=lambda: signal.raise_signal(signal.SIGTERM))
    elif heard:
        loop.add_signal_handler(signal.SIGHUP, lead)
    yield
    if service.peers is None and heard:
        loop.remove_signal_handler(signal.SIGHUP)


def _handlers(service: Service) -> dict[str, Any]:
    """What the supervisor and other workers may ask of this one."""

    async def lead(_: object) -> None:
        await _swap_quietly(service)

    async def follow(name: str | None) -> str:
        try:
            await service.live.swap(name)
        except (GradusError, OSError, Problem) as error:
            _LOG.error("not swapped, as another worker did: %s", error)
        return service.live.current.engine.version

    async def metrics(_: object) -> Any:
        return service.metrics.families()

    async def there(_: object) -> None:
        """That this is run says it all."""

    return {"lead": lead, "swap": follow, "metrics": metrics, "there": there}


async def _swap(service: Service, name: str | None) -> tuple[str, int]:
    """Swap here and, if that succeeds, in the other workers: what was served before, and how many did not follow.

    One after the other, since the first may have to embed the catalogue and build an index, which the others open.
    """
    before = await service.live.swap(name)
    if service.peers is None:
        return before, 0
    followed = await service.peers.ask("swap", name)
    return before, sum(version != service.live.current.engine.version for version in followed.values())


async def _swap_quietly(service: Service) -> None:
    """Swap because of a signal: nobody waits for an answer, so the log gets it."""
    try:
        before, behind = await _swap(service, None)
    except (GradusError, OSError) as error:
        _LOG.error("not swapped: %s", error)
    else:
        _LOG.warning("swapped %s for %s", before, service.live.current.engine.version)
        if behind:
            _LOG.error("%d other workers did not follow", behind)
