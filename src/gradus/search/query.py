"""Queries: what was asked, put into the fields that a model's queries have."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradus.catalog.images import MAX_PIXELS, decode_image
from gradus.catalog.table import ImageSource, Table
from gradus.catalog.text import normalise
from gradus.encoders.encoder import Encoder
from gradus.errors import ModelError


@dataclass(frozen=True)
class Query:
    """One query, in the fields of a model.

    Attributes:
        values: Field name → the value, `None` where nothing was given.
        factors: Field name → factor on the weight of that field, 1 where not named.
    """

    values: Mapping[str, Any]
    factors: Mapping[str, float] = field(default_factory=dict)

    def digest(self) -> str:
        """Equal queries, equal digests."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (*sorted(self.values.items()), *sorted(self.factors.items())):
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
        decode_image(image, pixels=pixels)  # an unreadable picture is an error here, not a missing field
    unknown = set(factors or {}) - {field.name for field in fields}
    if unknown:
        raise ModelError(f"the query has no field {min(unknown)!r}: {_names(encoder)}")
    by_type = {"text": text, "category": None, "number": None, "image": image}
    values = {field.name: by_type[field.type] for field in fields}
    if not any((factors or {}).get(name, 1.0) for name, value in values.items() if value is not None):
        raise ModelError("every field of the query that was given has the factor 0; give one of them more")
    return Query(values, dict(factors or {}))


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


def _names(encoder: Encoder) -> str:
    return "its fields are " + ", ".join(f"{f.name} ({f.type})" for f in encoder.fields["query"])
