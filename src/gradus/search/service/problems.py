"""Errors as `application/problem+json` (RFC 9457): a type to branch on, a sentence to read, and nothing else.

What a message says about a request is safe to send back; what an unforeseen error says is not, and goes to the
service's own log.
"""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gradus.errors import CatalogError, GradusError

MEDIA_TYPE = "application/problem+json"

PREFIX = "urn:gradus:problem:"

_LOG = logging.getLogger("gradus.service")

_MOST_ERRORS = 20
"""Faults of one request that are listed."""


class Problem(Exception):  # noqa: N818 - what RFC 9457 calls it
    """A request that is answered with an error.

    Args:
        status: HTTP status.
        name: What comes after `urn:gradus:problem:` in the type.
        detail: A sentence for the caller.
        headers: Further headers of the response.
        more: Further members of the body.
    """

    def __init__(
        self, status: int, name: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> Response:
        """The response that tells it."""
        body = {
            "type": PREFIX + self.name,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        return Response(data, self.status, self.headers, MEDIA_TYPE)


def invalid(error: ValidationError | RequestValidationError) -> Problem:
    """The problem of a body or parameter of the wrong shape: where, and what was expected; never its value."""
    faults = [
        {"at": ".".join(str(part) for part in fault["loc"]), "expected": fault["msg"]}
        for fault in error.errors()[:_MOST_ERRORS]
    ]
    return Problem(
        422, "invalid-request", "the request does not have the form that is asked for", errors=faults
    )


def refused(error: GradusError) -> Problem:
    """The problem of a request that was understood and cannot be served as given."""
    name = "unreadable-picture" if isinstance(error, CatalogError) else "invalid-request"
    return Problem(422, name, str(error))


def handle_problems(app: FastAPI) -> None:
    """Make every error of an application a problem."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        return invalid(error).response()

    @app.exception_handler(GradusError)
    async def _refused(_: Request, error: GradusError) -> Response:
        return refused(error).response()

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        name = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "bad-request")
        return Problem(error.status_code, name, str(error.detail), error.headers).response()


def unforeseen(error: Exception) -> Problem:
    """The problem of a defect: logged here with its traceback, told to the caller without."""
    _LOG.error("a request failed", exc_info=error)
    return Problem(500, "internal", "something went wrong here; the service's log says what")
