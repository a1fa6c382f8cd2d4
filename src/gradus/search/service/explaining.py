"""`POST /explain`."""

from dataclasses import asdict

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from gradus.search.service.bodies import in_json, read_json_or_form
from gradus.search.service.models import ExplainRequest, ExplainResponse
from gradus.search.service.problems import Problem
from gradus.search.service.searching import as_asked
from gradus.search.service.state import Service


def add_explain(app: FastAPI, service: Service) -> None:
    """Add the route."""

    @app.post(
        "/explain",
        dependencies=service.guard.needs("search"),
        **in_json(ExplainResponse, asked=ExplainRequest, form=True),
    )
    async def explain(request: Request) -> Response:
        """Why a document has its score for what was looked for: what each part adds to it."""
        asked, picture = await read_json_or_form(request, ExplainRequest)
        with service.live.use(asked.version) as version:
            engine = version.engine
            if asked.doc_id not in engine.documents.row_of:
                raise Problem(404, "no-document", "there is no document of this id")
            query = await as_asked(service, version, asked, picture)
            found = await version.run(lambda: engine.explain(query, asked.doc_id))
        return JSONResponse({"doc_id": asked.doc_id, "version": engine.version, **asdict(found)})
