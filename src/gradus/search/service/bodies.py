"""Bodies of requests: JSON, or a form with a picture, into checked models; and how OpenAPI describes them."""

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

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


def described(model: type[BaseModel], *, form: bool = False, required: bool = True) -> dict[str, Any]:
    """OpenAPI of a body that `read_json`, or `read_form` as well, reads."""
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    content: dict[str, Any] = {JSON: {"schema": reference}}
    if form:
        picture = {"type": "string", "format": "binary", "description": "A picture: JPEG, PNG, WebP, …"}
        parts = {"image": picture, "request": reference}
        content[FORM] = {
            "schema": {
                "type": "object",
                "properties": parts,
                "required": ["image"],
                "additionalProperties": False,
            },
            "encoding": {"request": {"contentType": JSON}},
        }
    return {"requestBody": {"required": required, "content": content}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI of the errors of a route, those of every guarded route included."""
    described_by: Mapping[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemModel"}}}
    all_of = sorted({401, 403, 421, 429, 503, *statuses})
    return {status: {"description": _MEANING[status], "content": dict(described_by)} for status in all_of}


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
