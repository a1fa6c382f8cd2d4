"""An objective with a learned bias, as a module: it is trained, saved and restored with the task that holds it."""

from typing import Protocol

import torch
from torch import Tensor, nn

from gradus.objectives.pairs import Pairs


class Biased(Protocol):
    """A loss of logits and a bias that is added to them."""

    def __call__(self, logits: Tensor, pairs: Pairs, bias: Tensor) -> Tensor:
        """The loss of (n_q, n_d) logits and a () bias."""
        ...


class WithBias(nn.Module):
    """The loss of Z = s · L Rᵀ and a bias of its own.

    Args:
        loss: A pure function of logits, pairs and bias.
        bias: Where the bias starts, in logits.
    """

    def __init__(self, loss: Biased, bias: float) -> None:
        super().__init__()
        self.loss = loss
        self.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs) -> Tensor:
        """The loss; arguments as for every objective."""
        return self.loss(queries @ documents.T * scale, pairs, self.bias)
