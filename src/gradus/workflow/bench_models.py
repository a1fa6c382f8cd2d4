"""The models of a bench: trained where they are missing, and what their training and their vectors take."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.image_cache import cache_folder
from gradus.encoders.encoder import Encoder
from gradus.encoders.nearest import nearest
from gradus.encoders.saving import load_model, model_folder
from gradus.errors import ModelError
from gradus.evaluation.rerankers.features import FirstStage
from gradus.files import atomic_file
from gradus.insight.bench import Costs
from gradus.insight.latency import Stopwatch
from gradus.progress import Progress
from gradus.settings import Settings, to_mapping
from gradus.workflow.data import Data, with_distilled
from gradus.workflow.training import train
from gradus.workflow.vectors import document_vectors

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]
Made = TypeVar("Made")

RECORD = "bench.json"
"""In the folder of a model that was trained here: on what, and how long it took."""

LESSON = "distilled.parquet"
"""Beside it: what the model was taught beside the judgments."""

SAMPLE = 256
"""Documents that are embedded to learn what embedding takes."""


@dataclass(frozen=True)
class Record:
    """What is known of a training.

    Attributes:
        fingerprint: Names settings and data.
        finished: Whether it came to its end.
        seconds: By the clock.
        cpu_seconds: Processor time; `None` where it was interrupted on the way.
    """

    fingerprint: str
    finished: bool = False
    seconds: float | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class Lesson:
    """What a model is taught beside the judgments.

    Attributes:
        content: Names the teacher and what it is asked: equal contents, equal lessons.
        write: Writes what the teacher says, as `judgments.distilled` names it.
    """

    content: str
    write: Callable[[Path], object]


def train_missing(
    folder: Path, settings: Settings, data: Data, progress: Progress, lesson: Lesson | None = None
) -> Record | None:
    """Train a model unless it is there; a training that was stopped goes on.

    Args:
        folder: The training run's folder.
        settings: What to train.
        data: What `load_data(settings)` gave.
        progress: Told about each step.
        lesson: What the model is taught beside the judgments, which takes part of its training's time.

    Returns:
        What its training took; `None` for a model that was not trained here.

    Raises:
        ModelError: The model was trained here with other settings or on other data.
        GradusError: It cannot be trained; the message says why.
    """
    # The other sections change nothing in a model, and must not be in the way of going on.
    read = ("catalog", "query", "judgments", "split", "encoder", "objective", "training")
    settings = Settings(**{name: getattr(settings, name) for name in read}, root=settings.root)
    fingerprint = _fingerprint(settings, data, lesson)
    record = _read_record(folder / RECORD)
    if record is None and (model_folder(folder) / "config.json").exists():
        return None
    if record is not None and record.fingerprint != fingerprint:
        raise ModelError(
            f"{folder} was trained with other settings or on other data; remove it to train it anew, or name another "
            "folder"
        )
    if record is not None and record.finished:
        return record
    resume = (folder / "checkpoint").exists()
    if not resume:
        # What is there is of a training that was stopped before its checkpoint.
        shutil.rmtree(folder / "model", ignore_errors=True)
    _write_record(Record(fingerprint), folder / RECORD)
    with Stopwatch() as teaching:
        if lesson is not None:
            if not (resume and (folder / LESSON).exists()):
                lesson.write(folder / LESSON)
            settings = settings.with_values({"judgments.distilled": str((folder / LESSON).resolve())})
            data = with_distilled(settings, data)
    with Stopwatch() as watch:
        summary = train(settings, folder, resume=resume, progress=progress, data=data)
    cpu_seconds = None if resume else teaching.cpu_seconds + watch.cpu_seconds
    record = Record(fingerprint, True, teaching.seconds + summary.seconds, cpu_seconds)
    _write_record(record, folder / RECORD)
    return record


class BenchModel:
    """A model as a first stage; what is needed of it is made when it is asked for.

    Args:
        folder: Its folder.
        record: What is known of its training.
        settings: The search.
        data: What is searched.
        progress: Told about the documents, where they have to be embedded.
    """

    def __init__(
        self, folder: Path, record: Record | None, settings: Settings, data: Data, progress: Progress
    ) -> None:
        self.folder, self.record = folder, record
        self._settings, self._data, self._progress = settings, data, progress
        self._everything = np.arange(len(data.documents))

    def search(self, query_rows: Rows, document_rows: Rows, depth: int) -> tuple[Rows, Vectors]:
        """Lists by vectors that were made beforehand, as `gradus.evaluation.cells.Search` describes."""
        return nearest(self.queries[query_rows], self._corpus(document_rows), depth)

    def live(self, query_rows: Rows, document_rows: Rows, depth: int) -> tuple[Rows, Vectors]:
        """The same, the queries encoded now, from their texts and picture files."""
        return nearest(self.encode(query_rows), self._corpus(document_rows), depth)

    def encode(self, query_rows: Rows) -> Vectors:
        """The vectors of queries, made now."""
        table = self._data.judgments.queries.take(query_rows)
        return self.encoder.embed("query", self.encoder.prepare("query", table))

    @cached_property
    def encoder(self) -> Encoder:
        """The model."""
        return load_model(self.folder)

    @cached_property
    def queries(self) -> Vectors:
        """(n_q, length) the vectors of all queries."""
        prepared = self.encoder.prepare("query", self._data.judgments.queries, cache_folder(self._settings))
        return self.encoder.embed("query", prepared)

    @cached_property
    def documents(self) -> Vectors:
        """(n_d, length) the vectors of all documents."""
        return document_vectors(
            self._settings, self.folder, self.encoder, self._data.documents, self._progress
        )

    @cached_property
    def vectors(self) -> FirstStage:
        """All vectors, those of single fields too, which have to be made for this alone."""
        prepared = self.encoder.prepare("document", self._data.documents, cache_folder(self._settings))
        return FirstStage(self.queries, self.documents, self.encoder.embed_fields("document", prepared))

    @cached_property
    def costs(self) -> Costs:
        """What the model takes; its embedding time from a sample of documents, pictures decoded anew."""
        documents, folder = self._data.documents, model_folder(self.folder)

        def embed(rows: Rows) -> Vectors:
            return self.encoder.embed("document", self.encoder.prepare("document", documents.take(rows)))

        _, embedding = embedded_sample(len(documents), embed)
        return replace(
            embedding,
            index_bytes=self.documents.nbytes,
            model_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
            training_seconds=self.record.seconds if self.record else None,
            training_cpu_seconds=self.record.cpu_seconds if self.record else None,
        )

    def _corpus(self, rows: Rows) -> Vectors:
        """The vectors of the documents that are searched; all of them without a copy."""
        return self.documents if np.array_equal(rows, self._everything) else self.documents[rows]


def embedded_sample(count: int, embed: Callable[[Rows], Made]) -> tuple[Made, Costs]:
    """Embed some documents to learn what all would take.

    Args:
        count: Documents of the catalogue.
        embed: Embeds the documents of some rows anew.

    Returns:
        What it made of the sample, and the costs of embedding the catalogue.
    """
    rows = np.random.default_rng(0).permutation(count)[:SAMPLE]
    embed(rows[:8])
    with Stopwatch() as watch:
        made = embed(rows)
    share = len(rows) / count
    return made, Costs(
        embedding_seconds=watch.seconds / share, embedding_cpu_seconds=watch.cpu_seconds / share
    )


def _fingerprint(settings: Settings, data: Data, lesson: Lesson | None) -> str:
    """Names the data and the settings that are not the defaults, so that a setting more changes nothing."""
    defaults = to_mapping(Settings())
    changed = {
        section: {key: value for key, value in values.items() if value != defaults[section][key]}
        for section, values in to_mapping(settings).items()
    }
    text = json.dumps({section: values for section, values in changed.items() if values}, sort_keys=True)
    text += data.content() + (lesson.content if lesson else "")
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _read_record(path: Path) -> Record | None:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Record(**values)
    except (OSError, ValueError, TypeError):
        return None


def _write_record(record: Record, path: Path) -> None:
    with atomic_file(path) as aside:
        aside.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
