"""`/grades`: what experts say of documents, how far they are, and where they disagree."""

import asyncio
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.responses import JSONResponse, Response

from gradus.catalog.text import normalise
from gradus.search.engine import Engine
from gradus.search.service.bodies import in_json, read_json
from gradus.search.service.describing import queries_of
from gradus.search.service.feedback import FOLDERS, moment
from gradus.search.service.grades import GradeBook, Pair
from gradus.search.service.judging_models import (
    DisputesResponse,
    GradeModel,
    GradesRequest,
    GradesResponse,
    ProgressResponse,
)
from gradus.search.service.models import RecordedResponse
from gradus.search.service.problems import Problem
from gradus.search.service.recording import recorded
from gradus.search.service.searching import shown
from gradus.search.service.state import Grade, Service

RaterName = Annotated[str, Query(min_length=1, max_length=64, description="Who judges.")]

_MOST_QUERIES = 5000
_MOST_DISPUTES = 200


def add_grades(app: FastAPI, service: Service) -> None:
    """Add the routes."""
    guarded = service.guard.needs("judge")
    book = GradeBook(None if service.log is None else service.log.folder / FOLDERS["grade"])

    @app.post(
        "/grades",
        dependencies=guarded,
        **in_json(RecordedResponse, 507, asked=GradesRequest),
    )
    async def grade(request: Request) -> Response:
        """Record grades. A rater's later grade of a pair takes the place of the earlier one."""
        asked = await read_json(request, GradesRequest)
        with service.live.use() as version:
            lines = [_line(asked.rater, given, service, version.engine) for given in asked.grades]
        return await recorded(service, "grade", lines)

    @app.get(
        "/grades",
        dependencies=guarded,
        **in_json(GradesResponse, 422),
    )
    async def grades(
        rater: RaterName, query: Annotated[str, Query(min_length=1, max_length=2000)]
    ) -> Response:
        """A rater's own grades for a query."""
        given = await asyncio.to_thread(book.given, normalise(rater), normalise(query))
        return JSONResponse({"grades": given})

    @app.get(
        "/grades/progress",
        dependencies=guarded,
        **in_json(ProgressResponse, 422),
    )
    async def progress(rater: RaterName) -> Response:
        """The queries to judge, and those that experts came up with."""
        judged = await asyncio.to_thread(book.progress, normalise(rater))
        listed = [normalise(query) for query in (await queries_of(service))[:_MOST_QUERIES]]
        known = dict.fromkeys(listed, (0, 0)) | judged
        rows = [{"query": query, "mine": mine, "raters": raters} for query, (mine, raters) in known.items()]
        return JSONResponse({"queries": rows})

    @app.get(
        "/grades/disputes",
        dependencies=guarded,
        **in_json(DisputesResponse),
    )
    async def disputes() -> Response:
        """Where raters disagree, the most first."""
        shared = await asyncio.to_thread(book.shared)
        with service.live.use() as version:
            rows = await version.run(lambda: _disputes(shared, service, version.engine))
        return JSONResponse({"pairs": len(shared), "disputes": rows})


def _line(rater: str, given: GradeModel, service: Service, engine: Engine) -> dict[str, Any]:
    """A grade as it is recorded.

    Raises:
        Problem: No such document, a grade that is not on the scale, or a query or name of nothing but blanks.
    """
    if given.doc_id not in engine.documents.row_of:
        raise Problem(422, "invalid-request", "a grade names a document that is not in the catalogue")
    if given.grade not in service.desk.scale:
        listed = ", ".join(
            f"{grade:g}" if isinstance(grade, float) else grade for grade in service.desk.scale
        )
        raise Problem(422, "invalid-request", f"a grade is not on the scale, which is {listed}")
    query, name = normalise(given.query), normalise(rater)
    if not query or not name:
        raise Problem(422, "invalid-request", "the query, or the rater's name, is blank")
    return {
        "query": query,
        "doc_id": given.doc_id,
        "grade": given.grade,
        "rater": name,
        "timestamp": moment(),
    }


def _disputes(shared: dict[Pair, dict[str, Grade]], service: Service, engine: Engine) -> list[dict[str, Any]]:
    """Pairs with different grades and a document that is still there, the widest apart first."""
    place = {grade: number for number, grade in enumerate(service.desk.scale)}

    def apart(raters: dict[str, Grade]) -> int:
        places = [place.get(grade, 0) for grade in raters.values()]
        return max(places) - min(places)

    rows = engine.documents.row_of
    wide = [(pair, raters) for pair, raters in shared.items() if apart(raters) and pair[1] in rows]
    wide.sort(key=lambda item: -apart(item[1]))
    return [
        {
            "query": query,
            "doc_id": doc_id,
            "grades": raters,
            "fields": shown(engine, doc_id, engine.documents.record(rows[doc_id])),
        }
        for (query, doc_id), raters in wide[:_MOST_DISPUTES]
    ]
