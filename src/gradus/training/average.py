"""An exponential moving average of the parameters, which often generalises better than the last ones."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Average(nn.Module):
    """θ̄ ← d θ̄ + (1 − d) θ after every step, d rising to its full value over the first steps.

    Args:
        module: Whose trained parameters are averaged.
        decay: d in [0, 1); 0 keeps no average, and `in_place_of` leaves the module as it is.
    """

    updates: torch.Tensor

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        kept = _trained(module) if decay else []
        self.means = nn.ParameterList([nn.Parameter(p.detach().clone(), requires_grad=False) for p in kept])
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the parameters as they are."""
        if not self.decay:
            return
        self.updates += 1
        count = int(self.updates)
        decay = min(self.decay, (1 + count) / (10 + count))
        torch._foreach_lerp_(list(self.means), _trained(module), 1 - decay)

    @contextmanager
    def in_place_of(self, module: nn.Module) -> Iterator[None]:
        """Let the module use the averages within the block."""
        if not self.decay:
            yield
            return
        own = [parameter.detach().clone() for parameter in _trained(module)]
        _copy(self.means, module)
        try:
            yield
        finally:
            _copy(own, module)


def _trained(module: nn.Module) -> list[torch.Tensor]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


@torch.no_grad()
def _copy(values: "nn.ParameterList | list[torch.Tensor]", module: nn.Module) -> None:
    for parameter, value in zip(_trained(module), values, strict=True):
        parameter.copy_(value)
