"""Checkpoints: everything a run needs to go on as if it had not stopped, without pickles.

`state.safetensors` holds parameters, buffers, the optimiser's moments and, in its header, the counters: one
file, replaced by one rename, so a kill at any moment leaves the last complete one.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gradus.errors import ModelError
from gradus.files import atomic_file, remove_leftovers

FILE = "state.safetensors"


@dataclass
class Position:
    """Where a run stands.

    Attributes:
        epoch: Epochs completed.
        step: Steps done within the next one.
        steps: Steps done in all.
        documents: Documents encoded in all.
        loss: Sum of the losses since the last validation.
        measured_step: Steps done in all at the last validation.
        measured_share: Share of the training done at the last validation.
        seconds: Training time spent.
        best: Best validation metric, −∞ before the first.
        since_best: Validations since then.
        lines: Lines written to the metrics.
        scaler: What the gradient scaler of float16 has learned; empty without one.
    """

    epoch: int = 0
    step: int = 0
    steps: int = 0
    documents: int = 0
    loss: float = 0.0
    measured_step: int = 0
    measured_share: float = 0.0
    seconds: float = 0.0
    best: float = float("-inf")
    since_best: int = 0
    lines: int = 0
    scaler: dict[str, float] = field(default_factory=dict)


def save_checkpoint(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, position: Position, fingerprint: str
) -> None:
    """Write a checkpoint.

    Args:
        folder: Where; an older checkpoint there is replaced.
        module: Whose state is kept.
        optimizer: Likewise.
        position: The counters.
        fingerprint: Names the settings and data of the run; a resumed run must have the same.
    """
    tensors = {f"module.{name}": value.detach().contiguous() for name, value in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    header = {"fingerprint": fingerprint, "position": json.dumps(asdict(position))}
    with atomic_file(folder / FILE) as aside:
        # A copy, since safetensors refuses tensors that share memory.
        save_file({name: value.clone() for name, value in tensors.items()}, aside, header)


def load_checkpoint(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, fingerprint: str
) -> Position:
    """Put a checkpoint's state into a module and its optimiser; return the counters.

    Raises:
        ModelError: No checkpoint there, a damaged one, or one of other settings or data.
    """
    remove_leftovers(folder / FILE)
    try:
        with safe_open(folder / FILE, "pt") as file:
            header = file.metadata()
        tensors = load_file(folder / FILE)
        position = Position(**json.loads(header["position"]))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"{folder} holds no checkpoint to resume from: {error}") from None
    if header.get("fingerprint") != fingerprint:
        raise ModelError(
            f"{folder} was trained with other settings or data; resume with the same ones, or train anew"
        )
    try:
        module.load_state_dict(_part(tensors, "module."))
    except RuntimeError:
        raise ModelError(
            f"{folder} was written by a version of gradus with other towers; train anew"
        ) from None
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return position


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
