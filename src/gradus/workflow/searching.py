"""Search: one query against a catalogue, exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradus.catalog.images import decode_image
from gradus.catalog.read import open_catalog
from gradus.catalog.table import Table
from gradus.catalog.text import normalise
from gradus.encoders.encoder import Encoder
from gradus.encoders.nearest import nearest
from gradus.encoders.saving import load_model
from gradus.errors import ModelError
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.workflow.vectors import document_vectors


@dataclass(frozen=True)
class Hit:
    """A document that was found.

    Attributes:
        doc_id: Its id.
        score: Its dot product with the query, −1 to 1.
        fields: Its fields as far as they are there.
    """

    doc_id: str
    score: float
    fields: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a picture as its path, or as `true` where the catalogue holds its bytes."""
        plain = {
            name: str(value) if isinstance(value, Path) else True if isinstance(value, bytes) else value
            for name, value in self.fields.items()
        }
        return {"doc_id": self.doc_id, "score": round(self.score, 6), "fields": plain}


def search(
    settings: Settings,
    model: Path,
    text: str | None = None,
    image: Path | None = None,
    k: int = 10,
    factors: Mapping[str, float] | None = None,
    *,
    progress: Progress = silent,
) -> list[Hit]:
    """The k best documents of the catalogue for a text, a picture, or both.

    Args:
        settings: Names the catalogue.
        model: A model's folder, or a training run's.
        text: What to look for; goes to the query's text fields.
        image: A picture; goes to the query's image fields.
        k: How many documents.
        factors: Field name → factor on the weight of that field of the query.
        progress: Told about the documents, where they have to be embedded first.

    Raises:
        ModelError: Neither text nor picture, or the model's queries have no field for it.
        CatalogError: The catalogue or the picture cannot be read.
    """
    encoder = load_model(model)
    query = as_query(encoder, text, image)
    unknown = set(factors or {}) - {field.name for field in query.fields}
    if unknown:
        raise ModelError(f"the query has no field {sorted(unknown)[0]!r}: {_names(encoder)}")
    documents = open_catalog(settings)
    vectors = document_vectors(settings, model, encoder, documents, progress)
    asked = encoder.embed("query", encoder.prepare("query", query), factors=factors)
    order, scores = nearest(asked, vectors, k)
    return [
        Hit(documents.ids[row], float(score), documents.record(int(row)))
        for row, score in zip(order[0], scores[0], strict=True)
    ]


def as_query(encoder: Encoder, text: str | None, image: Path | None) -> Table:
    """A table of one query with the given text and picture in the fields of their types."""
    text = normalise(text) if text else None
    if not text and image is None:
        raise ModelError("search for a text, a picture (--image), or both")
    fields = encoder.fields["query"]
    if text and not any(field.type == "text" for field in fields):
        raise ModelError(f"this model's queries take no text: {_names(encoder)}")
    if image is not None:
        if not any(field.type == "image" for field in fields):
            raise ModelError(f"this model's queries take no picture: {_names(encoder)}")
        decode_image(image)  # an unreadable picture is an error here, not a missing field
    columns: dict[str, Sequence[Any]] = {}
    for field in fields:
        by_type = {"text": text, "category": None, "number": None, "image": image}
        columns[field.name] = [by_type[field.type]]
    return Table(["query"], fields, columns)


def _names(encoder: Encoder) -> str:
    return "its fields are " + ", ".join(f"{f.name} ({f.type})" for f in encoder.fields["query"])
