"""Fusion: any number of field vectors into one, normalise(Σ_f b_f e_f).

Each field vector has unit length; the field weights b_f are renormalised over the fields that are
present in a row, so that a missing picture neither shortens nor turns the embedding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gradus.catalog.fields import Field


class Fusion(nn.Module):
    """Field weights, fixed or learned, and the weighted sum.

    Args:
        fields: The encoded fields, in order; their weights are where learning starts.
        learned: Whether the weights are parameters (kept positive through their logarithm).
    """

    def __init__(self, fields: Sequence[Field], learned: bool) -> None:
        super().__init__()
        self.names = [field.name for field in fields]
        logits = torch.tensor([field.weight for field in fields]).log()
        self.log_weights = nn.Parameter(logits, requires_grad=learned)

    def forward(self, vectors: Tensor, present: Tensor, factors: Tensor | None = None) -> Tensor:
        """Fuse.

        Args:
            vectors: (n, f, D) one unit vector per row and field; anything where not present.
            present: (n, f) which of them count.
            factors: (f,) factors on the field weights at query time, e.g. more picture, less text.

        Returns:
            (n, D) rows of unit length; a row with no field present is zero.
        """
        weights = self.log_weights.exp() if factors is None else self.log_weights.exp() * factors
        weights = torch.where(present, weights, 0.0)
        weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-12)
        vectors = torch.where(present[..., None], vectors, 0.0)
        return functional.normalize((weights[..., None] * vectors).sum(dim=1), dim=1)
