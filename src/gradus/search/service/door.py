"""The door: what holds for every request, whichever route answers it."""

import asyncio
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gradus.search.service.metrics import Metrics
from gradus.search.service.problems import Problem, unforeseen
from gradus.settings import ServiceSettings

HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""On every response, unless its route has set them."""

_LIMIT = "gradus.limit"
"""Where a request's scope holds its time limit."""


def without_time_limit(request: Request) -> None:
    """Let a request take as long as it takes, now that its sender may ask for it and its body is there."""
    request.scope[_LIMIT].reschedule(None)


class Door:
    """Bounds a request's size and time, puts headers on its response, counts it, and turns defects into problems.

    Args:
        app: The application behind it.
        settings: The bounds.
        metrics: What counts.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics) -> None:
        self._app = app
        self._bytes = int(settings.megabytes * 1e6)
        self._seconds = settings.seconds
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        exchange = _Exchange(receive, send, self._bytes)
        problem = await self._serve(scope, exchange)
        if exchange.too_large:
            problem = Problem(413, "too-large", f"a request may have {self._bytes:,} bytes")
        if problem is not None and exchange.status is None:
            exchange.too_large = False
            await problem.response()(scope, receive, exchange.send)
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(route, exchange.status or 499).inc()
        self._metrics.seconds.labels(route).observe(time.perf_counter() - start)

    async def _serve(self, scope: Scope, exchange: "_Exchange") -> Problem | None:
        """Let the application answer; what is to be answered in its place, if anything."""
        try:
            async with asyncio.timeout(self._seconds) as limit:
                scope[_LIMIT] = limit
                if exchange.declared(scope):
                    await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            return None
        except Problem as problem:
            return problem
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                return Problem(503, "time-limit", f"a request may take {self._seconds:g} seconds")
            return unforeseen(error)
        return None


class _Exchange:
    """One request and its response, as the application sees them."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._most = receive, send, most
        self._received = 0
        self.too_large = False
        self.status: int | None = None

    def declared(self, scope: Scope) -> bool:
        """Whether the request, as far as it says so itself, is not too large."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        self.too_large = length.isdigit() and int(length[:18]) > self._most
        return not self.too_large

    async def receive(self) -> Message:
        """The next part of the request; one that is too large breaks off."""
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            self.too_large = True
            raise ClientDisconnect
        return message

    async def send(self, message: Message) -> None:
        """A part of the response; what is said of a request that was too large is said by the door alone."""
        if self.too_large and self.status is None:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)
