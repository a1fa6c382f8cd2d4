"""`GET /documents/{id}` and its picture."""

import io
from typing import Annotated

from fastapi import FastAPI, Path, Query
from starlette.responses import JSONResponse, Response

from gradus.catalog.images import decode_image
from gradus.catalog.table import ImageSource
from gradus.errors import CatalogError
from gradus.search.engine import Engine
from gradus.search.service.bodies import in_json, problems
from gradus.search.service.models import DocumentModel
from gradus.search.service.problems import Problem
from gradus.search.service.searching import shown
from gradus.search.service.state import Service

DocId = Annotated[str, Path(max_length=512, description="A document's id.")]

_QUALITY = 85


def add_documents(app: FastAPI, service: Service) -> None:
    """Add the routes. An id is looked up among the catalogue's, and nowhere else."""
    guarded = service.guard.needs("search")

    # First, because ids may hold slashes.
    @app.get(
        "/documents/{doc_id:path}/image",
        dependencies=guarded,
        responses={200: {"content": {"image/webp": {}}}, **problems(404, 422)},
        response_class=Response,
    )
    async def image(
        doc_id: DocId,
        field: Annotated[str | None, Query(max_length=128, description="Which picture; the first.")] = None,
        side: Annotated[int, Query(ge=16, le=2048, description="The longer side, in pixels, at most.")] = 320,
    ) -> Response:
        """A document's picture, decoded and encoded anew, so that nothing but pixels is passed on."""
        with service.live.use() as version:
            source = _source(version.engine, doc_id, field)
            try:
                data = await version.run(lambda: thumbnail(source, side))
            except CatalogError:
                # What it says may hold a path.
                raise Problem(404, "no-picture", "the document's picture cannot be read") from None
        return Response(data, media_type="image/webp", headers={"cache-control": "private, max-age=3600"})

    @app.get(
        "/documents/{doc_id:path}",
        dependencies=guarded,
        **in_json(DocumentModel, 404, 422),
    )
    async def document(doc_id: DocId) -> Response:
        """A document's fields."""
        with service.live.use() as version:
            engine = version.engine
            fields = shown(engine, doc_id, engine.documents.record(_row(engine, doc_id)))
            return JSONResponse({"doc_id": doc_id, "fields": fields})


def thumbnail(source: ImageSource, side: int) -> bytes:
    """A picture as WebP that fits into a square; small ones are not enlarged.

    Raises:
        CatalogError: It cannot be read.
    """
    picture = decode_image(source, side)
    picture.thumbnail((side, side))
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY)
    return out.getvalue()


def _row(engine: Engine, doc_id: str) -> int:
    row = engine.documents.row_of.get(doc_id)
    if row is None:
        raise Problem(404, "no-document", "there is no document of this id")
    return row


def _source(engine: Engine, doc_id: str, name: str | None) -> ImageSource:
    row = _row(engine, doc_id)
    names = [f.name for f in engine.documents.fields if f.type == "image" and name in (None, f.name)]
    if not names:
        raise Problem(404, "no-picture", "the documents have no such picture")
    source: ImageSource | None = engine.documents.columns[names[0]][row]
    if source is None:
        raise Problem(404, "no-picture", "the document has no picture")
    return source
