"""Numbers that objectives compute with."""

import torch


def wide(dtype: torch.dtype) -> torch.dtype:
    """The type that sums of such numbers are kept in: float32, or float64 where they are float64."""
    return torch.promote_types(dtype, torch.float32)


def nothing(dtype: torch.dtype) -> float:
    """A finite stand-in for −∞: it vanishes in every sum of exponentials and leaves no NaN in a backward pass."""
    return torch.finfo(dtype).min / 4
