"""Evaluation: a model on the four cells of the split."""

from pathlib import Path

from gradus.encoders.saving import load_model
from gradus.evaluation.cells import evaluate_cells
from gradus.evaluation.results import Evaluation
from gradus.judgments.split import CELLS
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.workflow.data import Data, load_data
from gradus.workflow.vectors import document_vectors, query_vectors


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
    queries = query_vectors(settings, encoder, data.judgments.queries)
    documents = document_vectors(settings, model, encoder, data.documents, progress)
    return evaluate_cells(
        _name(model),
        queries,
        documents,
        data.judgments,
        {name: data.split.cell(name) for name in CELLS},
        settings.evaluation.metrics,
        settings.evaluation.depth,
    )


def _name(model: Path) -> str:
    """A system is named after its run's folder, also where `model/` within it was given."""
    model = model.resolve()
    return model.parent.name if model.name == "model" and (model / "config.json").exists() else model.name
