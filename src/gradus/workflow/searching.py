"""Search: one query against a catalogue, exactly."""

from collections.abc import Mapping
from pathlib import Path

from gradus.catalog.read import open_catalog
from gradus.encoders.nearest import nearest
from gradus.encoders.saving import load_model
from gradus.progress import Progress, silent
from gradus.search.engine import Hit
from gradus.search.query import as_query, as_table
from gradus.settings import Settings
from gradus.workflow.vectors import document_vectors


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
    query = as_query(encoder, text, image, factors)
    documents = open_catalog(settings)
    vectors = document_vectors(settings, model, encoder, documents, progress)
    asked = encoder.embed("query", encoder.prepare("query", as_table(encoder, [query])), factors=factors)
    order, scores = nearest(asked, vectors, k)
    return [
        Hit(documents.ids[row], float(score), documents.record(int(row)))
        for row, score in zip(order[0], scores[0], strict=True)
    ]
