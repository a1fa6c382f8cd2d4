"""Bodies of requests: JSON, or a form with a picture, into checked models; and how OpenAPI describes routes."""

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse

from gradus.search.service.problems import MEDIA_TYPE, Problem, invalid

Model = TypeVar("Model", bound=BaseModel)

JSON = "application/json"
FORM = "multipart/form-data"


async def read_json(request: Request, model: type[Model]) -> Model:
    """The model that a request's body holds as JSON.

    Raises:
        Problem: 415 for another media type, 422 for what the model does not take.
    """
    if media_type(request) != JSON:
        raise Problem(415, "media-type", f"send {JSON}")
    return parse(model, await request.body())


async def read_json_or_form(request: Request, model: type[Model]) -> tuple[Model, bytes | None]:
    """The model that a request's body holds as JSON, or in a form beside a picture; and the picture.

    Raises:
        Problem: As for `read_json` and `read_form`.
    """
    if media_type(request) == FORM:
        return await read_form(request, model)
    return await read_json(request, model), None


async def read_form(request: Request, model: type[Model]) -> tuple[Model, bytes]:
    """A query with a picture: a form of the parts `image` and, optionally, `request` with JSON.

    Raises:
        Problem: Other parts, or an `image` that is no file.
    """
    async with request.form(max_files=1, max_fields=1) as form:
        other = set(form) - {"image", "request"}
        image, asked = form.get("image"), form.get("request", "{}")
        if other or not isinstance(image, UploadFile) or not isinstance(asked, str):
            raise Problem(422, "invalid-request", "the form has the parts image (a file) and request (JSON)")
        return parse(model, asked.encode("utf-8", "replace")), await image.read()


def media_type(request: Request) -> str:
    """What the request says its body is."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse(model: type[Model], data: bytes) -> Model:
    """A model of JSON, types as written: a text is no number.

    Raises:
        Problem: The JSON is none, or not what the model takes.
    """
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise invalid(error) from None


def in_json(
    answer: type[BaseModel], *statuses: int, asked: type[BaseModel] | None = None, form: bool = False
) -> dict[str, Any]:
    """What FastAPI is told of a guarded route that answers in JSON and reads its body, if any, by hand.

    Args:
        answer: What it answers.
        statuses: Errors beside those that any guarded route, and any route with a body, may answer with.
        asked: What `read_json` reads of its body.
        form: Whether `read_form` reads it as well.
    """
    told: dict[str, Any] = {"response_class": JSONResponse}
    if asked is not None:
        statuses = (*_OF_BODIES, *statuses)
        told["openapi_extra"] = {"requestBody": _body(asked, form)}
    return told | {"responses": {200: {"model": answer}, **problems(*statuses)}}


def _body(model: type[BaseModel], form: bool) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    content: dict[str, Any] = {JSON: {"schema": reference}}
    if form:
        picture = {"type": "string", "format": "binary", "description": "A picture: JPEG, PNG, WebP, …"}
        content[FORM] = {
            "schema": {
                "type": "object",
                "properties": {"image": picture, "request": reference},
                "required": ["image"],
                "additionalProperties": False,
            },
            "encoding": {"request": {"contentType": JSON}},
        }
    return {"required": True, "content": content}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI of the errors of a route, those of every guarded route included."""
    described_by: Mapping[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemModel"}}}
    all_of = sorted({401, 403, 421, 429, 503, *statuses})
    return {status: {"description": _MEANING[status], "content": dict(described_by)} for status in all_of}


_OF_BODIES = (400, 404, 413, 415, 422)

_MEANING = {
    400: "The request cannot be read.",
    401: "No key, or an unknown one.",
    403: "The key is not good for this, or the request comes from a foreign web page.",
    404: "There is no such thing.",
    409: "What lies on the disk cannot be served; what was served still is.",
    413: "The request is too large.",
    415: "The body is of another media type.",
    421: "Without keys, the service answers to localhost alone.",
    422: "The request has not the form that is asked for, or cannot be served as given.",
    429: "Too many requests.",
    503: "Too busy, too slow, or out of order; try again.",
    507: "The disk is full; nothing was recorded.",
}
