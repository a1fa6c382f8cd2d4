"""`POST /votes`: which of two versions a person prefers, without knowing which is which."""

from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from gradus.catalog.text import normalise
from gradus.search.service.bodies import in_json, read_json
from gradus.search.service.feedback import moment
from gradus.search.service.judging_models import ListModel, VoteRequest
from gradus.search.service.models import RecordedResponse
from gradus.search.service.problems import Problem
from gradus.search.service.recording import recorded
from gradus.search.service.state import Service


def add_votes(app: FastAPI, service: Service) -> None:
    """Add the route."""

    @app.post(
        "/votes",
        dependencies=service.guard.needs("judge"),
        **in_json(RecordedResponse, 507, asked=VoteRequest),
    )
    async def vote(request: Request) -> Response:
        """Record a vote. A rater's later vote on a query and two versions takes the place of the earlier one."""
        asked = await read_json(request, VoteRequest)
        query, rater = normalise(asked.query), normalise(asked.rater)
        if not query or not rater:
            raise Problem(422, "invalid-request", "the query, or the rater's name, is blank")
        if asked.left.version == asked.right.version:
            raise Problem(422, "invalid-request", "both lists are of the same version")
        line = {
            "query": query,
            "rater": rater,
            "left": _side(service, asked.left),
            "right": _side(service, asked.right),
            "choice": asked.choice,
            "timestamp": moment(),
        }
        return await recorded(service, "vote", [line])


def _side(service: Service, given: ListModel) -> dict[str, Any]:
    """A list as it is recorded, with the name of its model.

    Raises:
        Problem: No such version is kept.
    """
    with service.live.use(given.version) as version:
        return {"version": given.version, "name": version.engine.name, "doc_ids": given.doc_ids}
