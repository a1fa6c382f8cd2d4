"""The task: encoder, objective and temperature in one module, so that a step is one call."""

import math
from dataclasses import fields

import torch
from torch import Tensor, nn

from gradus.encoders.augmentation import Augmentation
from gradus.encoders.encoder import Embedding, Encoder, Prepared, Side
from gradus.errors import SettingsError
from gradus.objectives.objective import Objective
from gradus.objectives.pairs import Pairs
from gradus.objectives.registry import OBJECTIVES, Kind
from gradus.settings import ObjectiveSettings
from gradus.training.batches import Batch, Rows
from gradus.training.refresh import FixedDocuments
from gradus.training.views import Views

LOWEST_TEMPERATURE = 0.01  # as in CLIP: logits of unit vectors stay within ±100


def settings_of(kind: Kind) -> set[str]:
    """The settings of `[objective]` that this objective takes and others may not."""
    return {*kind.options, *(() if kind.weights == "presence" else ("confidence",))}


def kind_of(settings: ObjectiveSettings) -> Kind:
    """The objective that the settings name.

    Raises:
        SettingsError: A setting that the objective does not take has another value than its default.
    """
    kind = OBJECTIVES[settings.name]
    special = set().union(*map(settings_of, OBJECTIVES.values()))
    for item in fields(settings):
        value = getattr(settings, item.name)
        if item.name in special - settings_of(kind) and value != item.default:
            takers = [name for name, other in OBJECTIVES.items() if item.name in settings_of(other)]
            raise SettingsError(
                f"objective.{item.name} is {value!r}, which objective.name = {settings.name!r} does not take; "
                f"leave it out, or choose one of {', '.join(takers)}"
            )
    if settings.masked == "nothing" and kind.batches != "pairs":
        raise SettingsError(
            f"objective.masked is 'nothing', but in batches of {settings.name!r} every judged pair is a positive; "
            "choose judged or copies"
        )
    return kind


def objective_of(settings: ObjectiveSettings) -> Objective:
    """The loss that the settings name, with new parameters if it has any.

    Raises:
        SettingsError: As for `kind_of`.
    """
    return kind_of(settings).objective(vars(settings))


class Task(nn.Module):
    """From a batch of rows to a loss: the sum over the `Views`, plus the encoder's penalty.

    The logits are Z = L Rᵀ/τ with τ learned. An objective with parameters of its own is a module of the task, so
    that they are trained, saved and restored with it.

    Args:
        encoder: Embeds both sides.
        settings: The objective and its options.
        queries: The queries, prepared by the encoder.
        documents: The documents, prepared by the encoder.
        fixed: Their embeddings, where training does not move them.

    Raises:
        SettingsError: A setting does not fit the objective or the encoder.
    """

    def __init__(
        self,
        encoder: Encoder,
        settings: ObjectiveSettings,
        queries: Prepared,
        documents: Prepared,
        fixed: FixedDocuments | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.views = Views(settings, encoder)
        self.objective = objective_of(settings)
        temperature = settings.temperature or kind_of(settings).temperature
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.queries, self.documents, self.fixed = queries, documents, fixed

    @property
    def temperature(self) -> float:
        """τ as learned so far."""
        return max(math.exp(-float(self.log_scale.detach())), LOWEST_TEMPERATURE)

    def forward(self, batch: Batch, augmentation: Augmentation | None, precision: torch.dtype) -> Tensor:
        """The loss of a batch, a float32 scalar.

        Args:
            batch: Rows and pairs.
            augmentation: What is left out by chance; `None` for nothing.
            precision: What the towers compute in; the logits and the loss are float32.
        """
        queries = self.embed("query", batch.queries, augmentation, precision)
        documents = self.embed("document", batch.documents, augmentation, precision)
        return self.loss(queries, documents, batch.pairs)

    def embed(
        self, side: Side, rows: Rows, augmentation: Augmentation | None, precision: torch.dtype
    ) -> Embedding:
        """The embeddings of rows of a side's table; arguments as for `forward`."""
        if side == "document" and self.fixed is not None:
            return self.fixed(rows)
        prepared = self.queries if side == "query" else self.documents
        with torch.autocast(self.encoder.device.type, precision, enabled=precision != torch.float32):
            embedding: Embedding = self.encoder(side, prepared, rows, augmentation)
        return embedding

    def loss(self, queries: Embedding, documents: Embedding, pairs: Pairs) -> Tensor:
        """The loss of the embeddings of a batch, a float32 scalar."""
        pairs = pairs.to(self.encoder.device)
        scale = self.log_scale.exp().clamp(max=1 / LOWEST_TEMPERATURE)
        loss = queries.penalty + documents.penalty
        for view in self.views(queries, documents, pairs):
            loss = loss + view.factor * self.objective(view.queries, view.documents, scale, view.pairs)
        return loss
