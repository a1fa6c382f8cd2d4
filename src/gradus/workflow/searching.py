"""Search: one query against a catalogue."""

from collections.abc import Mapping
from pathlib import Path

from gradus.encoders.saving import document_side
from gradus.progress import Progress, silent
from gradus.search.engine import Hit, Wanted
from gradus.settings import Settings
from gradus.workflow.indexing import versions_of
from gradus.workflow.serving import load_engine


def search(
    settings: Settings,
    model: Path,
    text: str | None = None,
    image: Path | None = None,
    k: int = 10,
    factors: Mapping[str, float] | None = None,
    document_weights: Mapping[str, float] | None = None,
    *,
    progress: Progress = silent,
) -> list[Hit]:
    """The k best documents of the catalogue for a text, a picture, or both.

    The index is the live version where that was built with the model, otherwise an exact one of the catalogue as it is
    now, which is kept for the next search.

    Args:
        settings: Names the catalogue and the index.
        model: A model's folder, or a training run's.
        text: What to look for; goes to the query's text fields.
        image: A picture; goes to the query's image fields.
        k: How many documents.
        factors: Field name → factor on the weight of that field of the query.
        document_weights: Field name → factor on the weight of that field of the documents; with `index.per_field`.
        progress: Told about the documents, where they have to be embedded first.

    Raises:
        ModelError: Neither text nor picture, or the model's queries have no field for it.
        CatalogError: The catalogue or the picture cannot be read.
        SearchError: The index is damaged, or does not keep documents' fields apart.
    """
    live = versions_of(settings).live()
    fits = live is not None and live.about.get("document_side") == document_side(model)
    engine = load_engine(settings, model, progress, rival=not fits)
    try:
        query = engine.ask(text, image, factors, document_weights=document_weights)
        return engine.find_all(engine.embed([query]), [Wanted.of(query, k)])[0]
    finally:
        engine.close()
