"""What every objective is: a function from embeddings, a scale and judged pairs to a loss."""

from typing import Protocol

from torch import Tensor

from gradus.objectives.pairs import Pairs


class Objective(Protocol):
    """A loss of the logits Z = s · L Rᵀ.

    An objective gets the embeddings rather than the logits, so that one that can compute its loss without
    holding Z in memory is called like any other.
    """

    def __call__(self, queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs) -> Tensor:
        """The loss, a scalar in float32 (float64 for float64 embeddings).

        Args:
            queries: (n_q, D) L, rows of unit length.
            documents: (n_d, D) R, rows of unit length.
            scale: () s = 1/τ.
            pairs: The judged pairs among them.
        """
        ...


class Dense(Protocol):
    """A loss of logits that are in memory."""

    def __call__(self, logits: Tensor, pairs: Pairs) -> Tensor:
        """The loss of (n_q, n_d) logits."""
        ...


def of_logits(loss: Dense) -> Objective:
    """A loss of logits as a loss of embeddings."""

    def objective(queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs) -> Tensor:
        return loss(queries @ documents.T * scale, pairs)

    return objective
