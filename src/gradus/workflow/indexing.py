"""Indexing: a catalogue and a model become a new version of the index, which goes live when it is complete."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gradus.catalog.read import open_catalog
from gradus.catalog.table import Table
from gradus.encoders.encoder import Encoder
from gradus.encoders.field_parts import FieldParts
from gradus.encoders.saving import document_side, fingerprint, load_model
from gradus.encoders.words import as_text
from gradus.errors import SearchError, SettingsError
from gradus.progress import Progress, silent
from gradus.search.index.backends import EMBEDDED
from gradus.search.index.index import Documents, Schema
from gradus.search.index.versions import Opened, Version, Versions
from gradus.search.table import as_documents
from gradus.settings import IndexSettings, Settings
from gradus.workflow.vectors import document_parts, document_vectors


@dataclass(frozen=True)
class IndexSummary:
    """What an indexing run made.

    Attributes:
        version: The new version.
        documents: How many documents are in it.
        fields: The fields it can be filtered by.
        removed: Versions that gave way to it.
    """

    version: Version
    documents: int
    fields: list[str]
    removed: list[int]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def build_index(
    settings: Settings, model: Path, live: bool = True, *, progress: Progress = silent
) -> IndexSummary:
    """Index the catalogue as a new version beside the one in use.

    Args:
        settings: Name the catalogue, and under `[index]` the backend and where versions lie.
        model: A model's folder, or a training run's.
        live: Put the version into use, and remove versions beyond `index.keep`.
        progress: Told about each stage.

    Raises:
        GradusError: An input cannot be used, or the backend; the type and the message say which and why.
    """
    _require_able(settings.index)
    encoder = load_model(model)
    documents = open_catalog(settings)
    schema, columns = indexable(settings, model, encoder, documents, progress)
    about = {
        "documents": len(documents),
        "model": str(model),
        "fingerprint": fingerprint(model),
        "document_side": document_side(model),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    progress("indexing", 0, len(documents), settings.index.backend)
    versions = versions_of(settings)
    version = versions.build(settings.index.backend, schema, columns, about)
    progress("indexing", len(documents), len(documents), settings.index.backend)
    removed: list[int] = []
    if live:
        versions.go_live(version.number)
        removed = versions.prune(settings.index.keep)
    return IndexSummary(replace(version, live=live), len(documents), list(schema.attributes), removed)


def indexable(
    settings: Settings, model: Path, encoder: Encoder, documents: Table, progress: Progress = silent
) -> tuple[Schema, Documents]:
    """A catalogue as an index takes it, with what `[index]` asks for beside vectors; embedded where they are not kept.

    Raises:
        GradusError: As for `document_vectors` and `as_documents`.
    """
    index = settings.index
    if not index.per_field:
        vectors = document_vectors(settings, model, encoder, documents, progress)
        return as_documents(documents, vectors, index.hybrid)
    made_of = FieldParts.of(encoder)
    parts = document_parts(settings, model, encoder, documents, progress)
    read = {
        f.name: as_text(f, documents.columns[f.name]) for f in documents.fields if f.name in made_of.texts
    }
    return as_documents(documents, made_of.whole(parts, read), index.hybrid, made_of, parts)


def _require_able(index: IndexSettings) -> None:
    """Raise a SettingsError where the backend cannot do what is asked for: before anything is embedded."""
    if index.hybrid and index.backend not in EMBEDDED:
        raise SettingsError(
            f"index.hybrid needs a backend in this process ({', '.join(EMBEDDED)}), not {index.backend}; set it to 0"
        )
    if index.per_field and index.backend != "exact":
        raise SettingsError(f"index.per_field needs the backend exact, not {index.backend}; set it to false")


def open_live(settings: Settings, model: Path) -> Opened:
    """The version in use, for reading.

    Raises:
        SearchError: There is none, it is damaged, or it was built with a model that embeds documents differently.
    """
    opened = versions_of(settings).open()
    if opened.version.about.get("document_side") != document_side(model):
        number, made_with = opened.version.number, opened.version.about.get("model")
        opened.close()
        raise SearchError(
            f"version {number} of the index was built with {made_with}, not with {model} as it is now; "
            f"build one with: gradus index build {model}"
        )
    return opened


def versions_of(settings: Settings) -> Versions:
    """The versions that the settings describe."""
    return Versions(settings.resolve(settings.index.path), settings.index.url, settings.index.prefix)
