"""`POST /feedback`, and what is recorded on request at all."""

import asyncio
import errno
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from gradus.search.service.bodies import in_json, read_json
from gradus.search.service.feedback import Kind, Record, moment
from gradus.search.service.models import Event, FeedbackRequest, RecordedResponse
from gradus.search.service.problems import Problem
from gradus.search.service.searching import APPLICATION
from gradus.search.service.state import Service

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def add_feedback(app: FastAPI, service: Service) -> None:
    """Add the route."""

    @app.post(
        "/feedback",
        dependencies=service.guard.needs("feedback"),
        **in_json(RecordedResponse, 507, asked=FeedbackRequest),
    )
    async def feedback(request: Request) -> Response:
        """Record what people did. The answer means that all events are on the disk; an error, that none is."""
        asked = await read_json(request, FeedbackRequest)
        return await recorded(service, "event", [_recorded(event) for event in asked.events])


async def recorded(service: Service, kind: Kind, records: Sequence[Record]) -> Response:
    """Have records on the disk, and say so.

    Raises:
        Problem: There is no log, or it cannot be written; none of them was recorded.
    """
    written = service.record(kind, records)
    if written is None:
        raise Problem(404, "no-log", "this service records nothing")
    try:
        return JSONResponse({"recorded": await asyncio.wrap_future(written)})
    except OSError as error:
        raise _unwritten(error) from None


def _unwritten(error: OSError) -> Problem:
    if error.errno in _NO_ROOM:
        return Problem(507, "disk-full", "the disk is full; nothing was recorded, send it again later")
    return Problem(
        503, "not-recorded", "the log cannot be written; nothing was recorded, send it again later"
    )


def _recorded(event: Event) -> dict[str, Any]:
    """An event as UBI records it."""
    return {
        "application": APPLICATION,
        "action_name": event.action_name,
        "query_id": event.query_id,
        "client_id": event.client_id,
        "session_id": event.session_id,
        "timestamp": moment(event.timestamp),
        "event_attributes": event.event_attributes.model_dump(),
    }
