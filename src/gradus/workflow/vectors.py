"""The documents' vectors, kept beside the settings, so that a second search does not embed the catalogue anew."""

import hashlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gradus.catalog.image_cache import cache_folder
from gradus.catalog.table import Table
from gradus.encoders.encoder import Encoder
from gradus.encoders.field_parts import FieldParts, part_vectors
from gradus.encoders.saving import document_side
from gradus.files import atomic_file
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.training.optimizer import device_of, precision_of
from gradus.workflow.spark import embed_on_spark

KEPT = 4
"""Files of vectors that stay: one per model and state of the catalogue, the latest ones."""

_BLOCK = 1024


def document_vectors(
    settings: Settings, model: Path, encoder: Encoder, documents: Table, progress: Progress = silent
) -> NDArray[np.float32]:
    """The vectors (n, D) of a catalogue's documents.

    They are kept in `.gradus/vectors/` under a name made of the content of the documents and of the model's side of
    them, and read from there as long as neither changes.

    Args:
        settings: Say where the catalogue is, and under `[index]` where it is embedded.
        model: The model's folder.
        encoder: What `load_model(model)` gave.
        documents: The catalogue.
        progress: Told about each block of documents.

    Raises:
        ModelError: The catalogue lacks a field that the model reads; or Spark could not embed it.
        MissingExtraError: `index.embed` asks for Spark, and it is not installed.
    """
    return _kept(settings, model, encoder, documents, progress, of_parts=False)


def document_parts(
    settings: Settings, model: Path, encoder: Encoder, documents: Table, progress: Progress = silent
) -> NDArray[np.float32]:
    """What these vectors are made of (n, P, D), as `FieldParts.of` the model describes it; kept likewise."""
    return _kept(settings, model, encoder, documents, progress, of_parts=True)


def _kept(
    settings: Settings, model: Path, encoder: Encoder, documents: Table, progress: Progress, of_parts: bool
) -> NDArray[np.float32]:
    encoder.require("document", documents)
    folder = settings.resolve(".gradus/vectors")
    on_spark = settings.index.embed == "spark"
    device = torch.device("cpu") if on_spark else device_of(settings.index.device, "index.device")
    precision = precision_of(settings.index.precision, device)
    name = _content(model, encoder, documents, precision)
    path = folder / f"{name}{'-parts' if of_parts else ''}.npy"
    if path.exists():
        path.touch()  # it is of use: others go first
        kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return kept
    length = (FieldParts.of(encoder).count, encoder.dimensions) if of_parts else (encoder.length,)
    vectors = np.zeros((len(documents), *length), np.float32)
    if on_spark:
        embed_on_spark(
            settings.index.spark, model, encoder, documents, vectors, of_parts, precision, progress
        )
    else:
        if device.type != "cpu":
            encoder = deepcopy(encoder).to(device)  # the one that was given stays where it is
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            _embed_here(settings, encoder, documents, vectors, of_parts, progress)
    with atomic_file(path) as aside, aside.open("wb") as file:
        np.save(file, vectors, allow_pickle=False)
    for old in sorted(folder.glob("*.npy"), key=lambda file: -file.stat().st_mtime_ns)[KEPT:]:
        old.unlink(missing_ok=True)
    return vectors


def _embed_here(
    settings: Settings,
    encoder: Encoder,
    documents: Table,
    out: NDArray[np.float32],
    of_parts: bool,
    progress: Progress,
) -> None:
    count = len(documents)
    progress("embedding", 0, count, "decoding pictures" if _has_images(encoder) else "")
    prepared = encoder.prepare("document", documents, cache_folder(settings))
    for start in range(0, count, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, count))
        if of_parts:
            out[rows] = part_vectors(encoder, prepared, rows)
        else:
            out[rows] = encoder.embed("document", prepared, rows)
        progress("embedding", int(rows[-1]) + 1, count, "")


def query_vectors(settings: Settings, encoder: Encoder, queries: Table) -> NDArray[np.float32]:
    """The vectors (n, D) of queries, their pictures decoded once for all commands.

    Args:
        settings: Say where decoded pictures are kept.
        encoder: A model.
        queries: The judgments' queries.

    Raises:
        ModelError: The queries lack a field that the model reads.
    """
    return encoder.embed("query", encoder.prepare("query", queries, cache_folder(settings)))


def _content(model: Path, encoder: Encoder, documents: Table, precision: torch.dtype) -> str:
    """A name for this model on these documents: equal contents, equal names."""
    digest = hashlib.blake2b(document_side(model).encode(), digest_size=16)
    if precision != torch.float32:
        digest.update(str(precision).encode())
    digest.update("\0".join(documents.ids).encode())
    for field in encoder.fields["document"]:
        for value in documents.columns[field.name]:
            digest.update(_bytes(value))
            digest.update(b"\0")
    return digest.hexdigest()


def _bytes(value: Any) -> bytes:
    """A value of a field as bytes; a picture's file by its size and time of change."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Path) and value.exists():
        facts = value.stat()
        return f"{value}:{facts.st_size}:{facts.st_mtime_ns}".encode()
    return repr(value).encode()


def _has_images(encoder: Encoder) -> bool:
    return any(field.type == "image" for field in encoder.fields["document"])
