"""Training: from settings to a model folder."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradus.catalog.fields import Field
from gradus.catalog.image_cache import cache_folder
from gradus.catalog.table import Table
from gradus.encoders.build import build_encoder
from gradus.encoders.encoder import Encoder, Prepared, Side
from gradus.encoders.exact_terms import SHARE, SHARES
from gradus.encoders.saving import load_model, save_model
from gradus.encoders.start import start_encoder
from gradus.encoders.words import as_text
from gradus.errors import ModelError, SettingsError
from gradus.evaluation.cells import answerable, rank
from gradus.evaluation.metrics import parse_metric
from gradus.files import remove_leftovers
from gradus.judgments.weights import apply_weights
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.training.batches import Batches, ManyToManyBatches, PairBatches
from gradus.training.distributed import Group, joined
from gradus.training.hard_negatives import HardNegatives, JoinedBatches
from gradus.training.loop import Clock, Run
from gradus.training.masking import masked
from gradus.training.optimizer import device_of
from gradus.training.refresh import FixedDocuments, train_queries_alone
from gradus.training.task import Task, kind_of
from gradus.training.views import Views
from gradus.workflow.data import Data, load_data

VALIDATION_METRIC = "nDCG@10"
VALIDATION_QUERIES, VALIDATION_DOCUMENTS = 500, 2000
"""Most rows of a validation cell. Validating must cost little beside an epoch, but among few documents
every ranking looks good, and the best of them is no longer the best among all."""


@dataclass(frozen=True)
class TrainingSummary:
    """What a training came to.

    Attributes:
        model: The model's folder.
        validation: Best mean nDCG@10 over the validation cells; `None` without validation.
        epochs: Epochs completed.
        steps: Optimiser steps.
        seconds: Training time.
        stopped_early: Whether patience ran out before epochs or minutes.
        images_unusable: Pictures of documents and queries that count as missing because they cannot be read.
        queries_unusable: Ids of the queries that they belong to; `gradus check` lists the documents.
        cells: Queries, documents and pairs of each cell of the split.
    """

    model: Path
    validation: float | None
    epochs: int
    steps: int
    seconds: float
    stopped_early: bool
    images_unusable: int
    queries_unusable: list[str]
    cells: dict[str, dict[str, int]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"model": str(self.model)}


def train(
    settings: Settings,
    out: Path,
    *,
    resume: bool = False,
    progress: Progress = silent,
    data: Data | None = None,
    clock: Clock = time.monotonic,
) -> TrainingSummary:
    """Train a model on the judgments; in every process of a launcher (torchrun) together with the others.

    Args:
        settings: What to train, on what, how.
        out: Gets `model/`, `checkpoint/` and `metrics.jsonl`.
        resume: Go on from the checkpoint in `out`.
        progress: Told about each step.
        data: What `load_data(settings)` gave, when the caller has it already.
        clock: Seconds, from any origin; what `training.minutes` is measured with.

    Raises:
        GradusError: An input cannot be used; the type and the message say which and why.
    """
    if not resume and (out / "model").exists():
        raise ModelError(f"{out} holds a model already; name another folder, or resume its training")
    device = device_of(settings.training.device)
    with joined(device) as group:
        if resume and group.first:
            remove_leftovers(out / "model")
        shown = progress if group.first else silent
        return _train(settings, out, resume, shown, data or load_data(settings), clock, device, group)


def _train(
    settings: Settings,
    out: Path,
    resume: bool,
    progress: Progress,
    data: Data,
    clock: Clock,
    device: torch.device,
    group: Group,
) -> TrainingSummary:
    judgments, split = data.judgments, data.split
    torch.manual_seed(settings.training.seed)
    batches = make_batches(data, settings)
    with group.in_turn():
        encoder, queries, documents = _prepared(data, settings, batches, device, progress)
    asked_with = _unusable_images("query", data.queries, encoder, queries)
    unusable = _unusable_images("document", data.documents, encoder, documents)
    fixed = None
    if settings.training.refresh == "queries":
        train_queries_alone(encoder)
        used = np.unique(batches.document) if batches.negatives is None else batches.negatives.documents
        fixed = FixedDocuments(encoder, documents, used)
    task = Task(encoder, settings.objective, queries, documents, fixed).to(device)
    facts = {
        "documents": len(data.documents),
        "training pairs": len(data.training),
        "objective": settings.objective.name,
        "score-to-weight function": settings.objective.weight,
        "seed": settings.training.seed,
    }
    if settings.training.start:
        facts |= {"trained on from": settings.training.start, "what was trained": settings.training.refresh}

    validation = _Validation(
        data, encoder, queries, documents, settings.split.seed, documents_move=fixed is None
    )

    def save(state: Mapping[str, Tensor]) -> None:
        save_model(encoder, out / "model", facts | {"temperature": round(task.temperature, 4)}, state)

    run = Run(
        task,
        batches,
        settings,
        out,
        validate=validation.measure if validation.cells else None,
        save=save,
        fingerprint=data.fingerprint(settings),
        resume=resume,
        progress=progress,
        clock=clock,
        group=group,
    )
    outcome = run.fit()
    # The share of exact terms is part of documents' vectors.
    if group.first and encoder.exact is not None and validation.cells and fixed is None:
        kept = load_model(out / "model")
        assert kept.exact is not None  # noqa: S101 - narrows the type
        chosen = _Validation(data, kept, queries, documents, settings.split.seed).best_share()
        kept.exact.share.fill_(chosen)
        temperature = {"temperature": round(task.temperature, 4), "share of exact terms": chosen}
        save_model(kept, out / "model", facts | temperature)
    return TrainingSummary(
        out / "model",
        outcome.best,
        outcome.epochs,
        outcome.steps,
        outcome.seconds,
        outcome.stopped_early,
        len(unusable) + len(asked_with),
        asked_with,
        split.counts(judgments),
    )


def _prepared(
    data: Data, settings: Settings, batches: Batches, device: torch.device, progress: Progress
) -> tuple[Encoder, Prepared, Prepared]:
    """The encoder that is to be trained, and the queries and documents that it has made ready."""
    fields: dict[Side, Sequence[Field]] = {
        "query": data.judgments.queries.encoded,
        "document": data.documents.encoded,
    }
    start, only_queries = settings.training.start, settings.training.refresh == "queries"
    if only_queries and not start:
        raise SettingsError(
            "training.refresh is 'queries', which needs a model whose documents stay as they are; "
            "name it in training.start"
        )
    progress("preparing", 0, 3, "" if start else "vocabulary")
    evidence = data.documents.take(np.unique(batches.document))
    asked = data.queries.take(np.unique(batches.query))
    cache = cache_folder(settings)
    if start:
        encoder = start_encoder(
            settings.resolve(start), settings.encoder, fields, evidence, asked, only_queries
        )
    else:
        seen = list(_training_values(data))
        encoder = build_encoder(
            replace(settings.encoder, text=_tower(settings, "text"), image=_tower(settings, "image")),
            fields,
            (value for field, value in seen if field.type != "image"),
            [value for field, value in seen if field.type == "image"],
            evidence,
            asked,
            cache,
        )
    Views(settings.objective, encoder)  # refuses what does not fit before all pictures are decoded
    encoder.to(device)
    progress("preparing", 1, 3, "queries")
    queries = encoder.prepare("query", data.queries, cache)
    progress("preparing", 2, 3, "documents")
    documents = encoder.prepare("document", data.documents, cache)
    progress("preparing", 3, 3, "")
    return encoder, queries, documents


def _tower(settings: Settings, modality: str) -> str:
    """What `encoder.text` or `encoder.image` names: mini, a folder as seen from the working folder, or a hub name."""
    name: str = getattr(settings.encoder, modality)
    folder = settings.resolve(name)
    if name == "mini" or not folder.is_dir():
        # The hub's names have one slash at most.
        if name.startswith((".", "/")) or name.count("/") > 1:
            raise ModelError(f"encoder.{modality} is {name!r}, but there is no folder {folder}")
        return name
    return str(folder)


def make_batches(data: Data, settings: Settings) -> Batches:
    """The batches of the training pairs, made and weighted as the objective asks.

    Raises:
        SettingsError: A setting does not fit the objective, or leaves nothing to train on.
    """
    kind = kind_of(settings.objective)
    joining = settings.training.hard_negatives
    if joining and kind.batches == "pairs":
        raise SettingsError(
            f"training.hard_negatives is {joining}, but objective.name = {settings.objective.name!r} deals out pairs; "
            "set it to 0, or choose an objective whose batches are documents, such as many-to-many"
        )
    judgments = data.training
    weight = apply_weights(settings.objective.weight, judgments.score, judgments.query)
    if not (weight > 0).any():
        raise SettingsError(
            f"objective.weight {settings.objective.weight!r} gives no training pair a weight above 0"
        )
    worth = weight
    if settings.objective.confidence:
        weight = weight * judgments.confidence
        if not (weight > 0).any():
            raise SettingsError(
                "objective.confidence leaves no training pair a weight above 0: every interval goes from 0 to 1"
            )
    make = ManyToManyBatches if kind.batches == "many-to-many" else PairBatches
    batches: Batches = make(judgments.query, judgments.document, weight, settings.training.batch)
    if joining:
        documents = np.flatnonzero(data.split.document_part == "train")
        margin = settings.training.hard_negative_margin
        # A pair that counts little because little is known of it is no negative for that.
        negatives = HardNegatives(judgments.query, judgments.document, worth, documents, margin)
        batches = JoinedBatches(batches, negatives, joining)
    return masked(batches, settings.objective.masked, judgments.queries, data.documents)


def _unusable_images(side: Side, table: Table, encoder: Encoder, prepared: Prepared) -> list[str]:
    """The id of each picture that is named but cannot be read; it counts as missing."""
    return [
        name
        for field in encoder.fields[side]
        if field.type == "image"
        for name, value, present in zip(
            table.ids, table.columns[field.name], prepared[field.name].present, strict=True
        )
        if not present and value is not None
    ]


def _training_values(data: Data) -> Iterator[tuple[Field, Any]]:
    """Every encoded value of the training part of documents and queries, with its field."""
    sides = ((data.documents, data.split.document_part), (data.queries, data.query_part))
    for table, part in sides:
        for field in table.encoded:
            values = as_text(field, table.columns[field.name])
            yield from (
                (field, v) for v, p in zip(values, part, strict=True) if v is not None and p == "train"
            )


class _Validation:
    """The mean of nDCG@10 over the validation cells, each cut to a size that costs little."""

    def __init__(
        self,
        data: Data,
        encoder: Encoder,
        queries: Prepared,
        documents: Prepared,
        seed: int,
        documents_move: bool = True,
    ) -> None:
        self.judgments, self.encoder = data.judgments, encoder
        self.queries, self.documents, self.documents_move = queries, documents, documents_move
        self.found: NDArray[np.float32] | None = None  # the documents' vectors, when they were last needed
        self.metric = parse_metric(VALIDATION_METRIC)
        rng = np.random.default_rng(seed)
        # One order for all cells, so that cells of the same part share rows, which are then encoded once.
        query_order = rng.permutation(len(data.judgments.queries))
        document_order = rng.permutation(len(data.documents))
        cells = [
            (_first(q, query_order, VALIDATION_QUERIES), _first(d, document_order, VALIDATION_DOCUMENTS))
            for q, d in data.split.validation_cells().values()
        ]
        answerables = [(answerable(self.judgments, q, d), d) for q, d in cells]
        self.cells = [(q, d) for q, d in answerables if len(q)]

        none = np.zeros(0, np.int64)
        self.query_rows = np.unique(np.concatenate([none, *(q for q, _ in self.cells)]))
        self.document_rows = np.unique(np.concatenate([none, *(d for _, d in self.cells)]))

    def measure(self) -> float:
        """The metric of the encoder as it is."""
        return self._mean(*self._embedded())

    def best_share(self) -> float:
        """The share of the exact terms, among `SHARES`, that the metric likes best; the least of equals."""
        exact = self.encoder.exact
        assert exact is not None  # noqa: S101 - narrows the type
        # A model that went on from another may have its share, and one of 0 cannot be read as any other.
        exact.share.fill_(SHARE)
        queries, documents = self._embedded()
        values = [
            self._mean(exact.reshared(queries, share), exact.reshared(documents, share)) for share in SHARES
        ]
        return SHARES[int(np.argmax(values))]

    def _embedded(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.found is None or self.documents_move:
            self.found = self.encoder.embed("document", self.documents, self.document_rows)
        return self.encoder.embed("query", self.queries, self.query_rows), self.found

    def _mean(self, queries: NDArray[np.float32], documents: NDArray[np.float32]) -> float:
        values = []
        for q, d in self.cells:
            here = (
                queries[np.searchsorted(self.query_rows, q)],
                documents[np.searchsorted(self.document_rows, d)],
            )
            values.append(np.nanmean(self.metric(rank(*here, self.judgments, q, d, 10)[0])))
        return float(np.mean(values))


def _first(rows: NDArray[np.int64], order: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The `most` rows that come first in an order, sorted."""
    return np.sort(rows[np.argsort(order[rows])[:most]])
