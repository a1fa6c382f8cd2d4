"""Queries: what was asked, put into the fields that a model's queries have; or a document whose like is asked for."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradus.catalog.fields import Field
from gradus.catalog.images import MAX_PIXELS, decode_image
from gradus.catalog.table import ImageSource, Table
from gradus.catalog.text import normalise
from gradus.encoders.encoder import Encoder
from gradus.errors import CatalogError, ModelError, SearchError


@dataclass(frozen=True)
class Query:
    """One query, in the fields of a model.

    Attributes:
        values: Field name → the value, `None` where nothing was given.
        factors: Field name → factor on the weight of that field, 1 where not named.
        like: The document whose own vector is the query, by its id; `values` are then its fields.
        words: What BM25 is to look for; none for a picture alone, and for a document's like.
        document_factors: Field of the documents → factor on its weight in their vectors, 1 where not named.
    """

    values: Mapping[str, Any]
    factors: Mapping[str, float] = field(default_factory=dict)
    like: str | None = None
    words: str = ""
    document_factors: Mapping[str, float] = field(default_factory=dict)

    def digest(self) -> str:
        """Queries of equal vectors have equal digests."""
        digest = hashlib.blake2b(digest_size=16)
        asked = [("", self.like)] if self.like is not None else sorted(self.values.items())
        for part in (*asked, *sorted(self.factors.items())):
            for item in part:
                data = item if isinstance(item, bytes) else repr(item).encode()
                digest.update(len(data).to_bytes(8))
                digest.update(data)
        return digest.hexdigest()


def as_query(
    encoder: Encoder,
    text: str | None,
    image: ImageSource | None,
    factors: Mapping[str, float] | None = None,
    pixels: int = MAX_PIXELS,
) -> Query:
    """The query of a text and a picture, in the fields of their types.

    Args:
        encoder: Says which fields a query has.
        text: Goes to the text fields.
        image: Goes to the image fields.
        factors: Field name → factor on the weight of that field.
        pixels: A picture with more pixels is refused before it is decoded.

    Raises:
        ModelError: Neither text nor picture, the model's queries have no field for it, or `factors` names none
            of them or leaves nothing of what was asked.
        CatalogError: The picture cannot be read.
    """
    text = normalise(text) if text else None
    if not text and image is None:
        raise ModelError("search for a text, a picture, or both")
    fields = encoder.fields["query"]
    if text and not any(field.type == "text" for field in fields):
        raise ModelError(f"this model's queries take no text: {_names(encoder)}")
    if image is not None:
        if not any(field.type == "image" for field in fields):
            raise ModelError(f"this model's queries take no picture: {_names(encoder)}")
        _check_picture(image, pixels)
    by_type = {"text": text, "category": None, "number": None, "image": image}
    values = {field.name: by_type[field.type] for field in fields}
    return Query(values, _checked(factors, fields, values, "the query"), words=text or "")


def _check_picture(image: ImageSource, pixels: int) -> None:
    """An unreadable picture is an error of a search, not a missing field; a file is named."""
    try:
        decode_image(image, pixels=pixels)
    except CatalogError as error:
        if isinstance(image, bytes) or str(image) in str(error):
            raise
        raise CatalogError(f"{image}: {error}") from None


def as_likeness(
    encoder: Encoder, documents: Table, doc_id: str, factors: Mapping[str, float] | None = None
) -> Query:
    """The query for documents like a given one, by its own vector.

    Args:
        encoder: Says which fields a document's vector is made of.
        documents: The catalogue.
        doc_id: The document.
        factors: Field name → factor on the weight of that field of the document.

    Raises:
        SearchError: There is no such document.
        ModelError: `factors` names a field that the vector is not made of, or leaves nothing of the document.
    """
    if doc_id not in documents.row_of:
        raise SearchError("there is no document of this id to find others like it")
    values = documents.record(documents.row_of[doc_id])
    fields = encoder.fields["document"]
    read = {field.name: values.get(field.name) for field in fields}
    return Query(values, _checked(factors, fields, read, "a document"), doc_id)


def as_table(encoder: Encoder, queries: Sequence[Query]) -> Table:
    """A table with a row for each query."""
    fields = encoder.fields["query"]
    columns = {field.name: [query.values[field.name] for query in queries] for field in fields}
    return Table([str(row) for row in range(len(queries))], fields, columns)


def plain(value: Any) -> Any:
    """A document's value for JSON: a picture as its path, or as `true` where the catalogue holds its bytes."""
    if isinstance(value, Path):
        return str(value)
    return True if isinstance(value, bytes) else value


def _checked(
    factors: Mapping[str, float] | None, fields: Sequence[Field], values: Mapping[str, Any], owner: str
) -> dict[str, float]:
    """The factors, if they are on fields that there are and leave something of what was given."""
    given = dict(factors or {})
    unknown = set(given) - {field.name for field in fields}
    if unknown:
        raise ModelError(f"{owner} has no field {min(unknown)!r}: {_listed(fields)}")
    if not any(given.get(name, 1.0) for name, value in values.items() if value is not None):
        raise ModelError(f"every field of {owner} that was given has the factor 0; give one of them more")
    return given


def _names(encoder: Encoder) -> str:
    return _listed(encoder.fields["query"])


def _listed(fields: Sequence[Field]) -> str:
    return "its fields are " + ", ".join(f"{field.name} ({field.type})" for field in fields)
