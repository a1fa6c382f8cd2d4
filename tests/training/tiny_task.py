"""A training small enough to be run whole many times: coloured parts, queried in Japanese."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.encoder import Encoder
from gradus.encoders.mini_text import MiniText
from gradus.encoders.prior import extended
from gradus.encoders.residual import Residual
from gradus.encoders.subwords import Subwords
from gradus.progress import silent
from gradus.settings import ObjectiveSettings, Settings, TrainingSettings
from gradus.training.batches import Batches, ManyToManyBatches
from gradus.training.distributed import ALONE, Group
from gradus.training.hard_negatives import HardNegatives, JoinedBatches
from gradus.training.loop import Run
from gradus.training.task import Task

COLOURS = {"red": "赤", "blue": "青", "green": "緑"}
KINDS = {"bolt": "ボルト", "nut": "ナット", "gear": "歯車", "washer": "座金"}
DOCUMENTS = Table(
    [f"{colour}-{kind}" for colour in COLOURS for kind in KINDS],
    (Field("title"), Field("note", weight=0.5)),
    {
        "title": [f"{colour} {kind}" for colour in COLOURS for kind in KINDS],
        "note": [None if kind == "nut" else f"a {kind}" for _ in COLOURS for kind in KINDS],
    },
)
QUERIES = Table(
    [f"{c}{k}" for c in COLOURS.values() for k in KINDS.values()],
    (Field("query"),),
    {"query": [f"{c}い{k}" for c in COLOURS.values() for k in KINDS.values()]},
)


def judged() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs: weight 1 for the very part, ½ for the kind in another colour, 0 for the rest."""
    query, document = np.divmod(np.arange(144), 12)
    weight = np.where(query == document, 1.0, np.where(query % 4 == document % 4, 0.5, 0.0))
    return query, document, weight


def tiny_task(seed: int = 0, residual: float = 0.0, **objective: Any) -> Task:
    torch.manual_seed(seed)
    fields = {"query": QUERIES.encoded, "document": DOCUMENTS.encoded}
    texts = [*DOCUMENTS.columns["title"], *QUERIES.columns["query"]]
    tower = MiniText(Subwords.train(texts, 256, 64), 16)
    known = Residual(DOCUMENTS.ids[:8], 16, residual) if residual else None
    prior = extended(None, DOCUMENTS.take(range(8)), residual)
    encoder = Encoder(fields, {"text": tower}, 16, True, known, prior=prior)
    queries, documents = encoder.prepare("query", QUERIES), encoder.prepare("document", DOCUMENTS)
    return Task(encoder, ObjectiveSettings(**objective), queries, documents)


def tiny_batches(size: int = 4) -> Batches:
    return ManyToManyBatches(*judged(), size)


def joined(size: int = 4, most: int = 3) -> Batches:
    """The same with hard negatives, half of the worthless pairs unjudged."""
    query, document, weight = judged()
    known = (weight > 0) | ((query + document) % 2 == 0)
    given = query[known], document[known], weight[known]
    return JoinedBatches(ManyToManyBatches(*given, size), HardNegatives(*given, np.arange(12), 0.0), most)


def hits(task: Task) -> float:
    """Share of the queries whose best document is the right one."""
    queries = task.encoder.embed("query", task.queries)
    documents = task.encoder.embed("document", task.documents)
    return float(((queries @ documents.T).argmax(axis=1) == np.arange(12)).mean())


def tiny_run(
    folder: Path,
    task: Task | None = None,
    *,
    validate: Callable[[], float] | None = None,
    save: Callable[[dict[str, Tensor]], None] = lambda state: None,
    resume: bool = False,
    clock: Callable[[], float] = lambda: 0.0,
    batches: Batches | None = None,
    group: Group = ALONE,
    **training: Any,
) -> Run:
    """A run of three steps an epoch, checkpointed after each unless told otherwise."""
    chosen = TrainingSettings(**{"epochs": 4, "batch": 4, "checkpoint_minutes": 0.0} | training)
    return Run(
        task or tiny_task(), batches or tiny_batches(), Settings(training=chosen), folder, validate=validate,
        save=save, fingerprint="this", resume=resume, progress=silent, clock=clock,
        group=group,
    )  # fmt: skip


def smooth(run: Run) -> Run:
    """The run with Adam's ε far above rounding: Adam otherwise makes whole steps of gradients that are all rounding."""
    for group in run.optimizer.param_groups:
        group["eps"] = 0.01
    return run


def near(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Hold two states to be the same but for rounding."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two states are bitwise the same."""
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
