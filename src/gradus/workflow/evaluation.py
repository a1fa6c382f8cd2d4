"""Evaluation: a model on the four cells of the split."""

import time
from pathlib import Path

from gradus.catalog.image_cache import cache_folder
from gradus.encoders.saving import load_model
from gradus.evaluation.cells import evaluate_cells
from gradus.evaluation.results import Evaluation
from gradus.judgments.split import CELLS
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.workflow.data import Data, load_data


def evaluate(
    settings: Settings, model: Path, *, progress: Progress = silent, data: Data | None = None
) -> Evaluation:
    """Measure a model on every cell of the split that has a query with something to find.

    Args:
        settings: Names catalogue, judgments, split and metrics.
        model: A model's folder, or a training run's.
        progress: Told about each stage.
        data: What `load_data(settings)` gave, when the caller has it already.

    Raises:
        GradusError: An input cannot be used; the type and the message say which and why.
    """
    data = data or load_data(settings)
    encoder = load_model(model)
    cache = cache_folder(settings)
    judgments = data.judgments
    started = time.monotonic()
    progress("embedding", 0, 2, "queries")
    queries = encoder.embed("query", encoder.prepare("query", judgments.queries, cache))
    progress("embedding", 1, 2, "documents")
    documents = encoder.embed("document", encoder.prepare("document", data.documents, cache))
    progress("embedding", 2, 2, f"{time.monotonic() - started:.1f} s")
    return evaluate_cells(
        model.name,
        queries,
        documents,
        judgments,
        {name: data.split.cell(name) for name in CELLS},
        settings.evaluation.metrics,
        settings.evaluation.depth,
    )
