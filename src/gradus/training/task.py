"""The task: encoder, objective and temperature in one module, so that a step is one call."""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from gradus.encoders.encoder import Embedding, Encoder, Prepared, Side
from gradus.objectives.info_nce import info_nce
from gradus.objectives.many_to_many import many_to_many
from gradus.objectives.objective import Objective, of_logits
from gradus.objectives.pairs import Pairs
from gradus.objectives.pairwise import pairwise
from gradus.settings import ObjectiveSettings
from gradus.training.batches import Batch, Rows

LOWEST_TEMPERATURE = 0.01  # as in CLIP: logits of unit vectors stay within ±100


def objective_of(settings: ObjectiveSettings) -> Objective:
    """The loss that the settings name."""
    if settings.name == "info-nce":
        return of_logits(info_nce)
    if settings.name == "pairwise":
        return of_logits(pairwise)
    return of_logits(partial(many_to_many, denominator=settings.denominator))  # type: ignore[arg-type]


class Task(nn.Module):
    """From a batch of rows to a loss: L = L_merged + λ Σ_f L_f + penalty, logits Z = L Rᵀ/τ with τ learned.

    Args:
        encoder: Embeds both sides.
        settings: The objective, where τ starts, and λ.
        queries: The queries, prepared by the encoder.
        documents: The documents, prepared by the encoder.
    """

    def __init__(
        self, encoder: Encoder, settings: ObjectiveSettings, queries: Prepared, documents: Prepared
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.log_scale = nn.Parameter(torch.tensor(-math.log(settings.temperature)))
        self.objective = objective_of(settings)
        self.field_terms = settings.field_terms
        self.queries, self.documents = queries, documents

    @property
    def temperature(self) -> float:
        """τ as learned so far."""
        return max(math.exp(-float(self.log_scale.detach())), LOWEST_TEMPERATURE)

    def forward(self, batch: Batch, rng: np.random.Generator | None, precision: torch.dtype) -> Tensor:
        """The loss of a batch, a float32 scalar.

        Args:
            batch: Rows and pairs.
            rng: Source of augmentation; `None` for none.
            precision: What the towers compute in; the logits and the loss are float32.
        """
        queries = self.embed("query", batch.queries, rng, precision)
        documents = self.embed("document", batch.documents, rng, precision)
        return self.loss(queries, documents, batch.pairs)

    def embed(
        self, side: Side, rows: Rows, rng: np.random.Generator | None, precision: torch.dtype
    ) -> Embedding:
        """The embeddings of rows of a side's table; arguments as for `forward`."""
        prepared = self.queries if side == "query" else self.documents
        with torch.autocast(self.encoder.device.type, precision, enabled=precision != torch.float32):
            embedding: Embedding = self.encoder(side, prepared, rows, rng)
        return embedding

    def loss(self, queries: Embedding, documents: Embedding, pairs: Pairs) -> Tensor:
        """The loss of the embeddings of a batch, a float32 scalar."""
        pairs = pairs.to(self.encoder.device)
        scale = self.log_scale.exp().clamp(max=1 / LOWEST_TEMPERATURE)
        loss = self.objective(queries.merged, documents.merged, scale, pairs) + documents.penalty
        if self.field_terms:
            for field in range(documents.fields.shape[1]):
                here = documents.present[:, field]
                fields = documents.fields[here, field]
                term = self.objective(queries.merged, fields, scale, pairs.among_documents(here))
                loss = loss + self.field_terms * term
        return loss
