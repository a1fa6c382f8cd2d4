"""AdamW with a learning rate per kind of parameter, and its warm-up and cosine."""

import math
from typing import Any

import torch
from torch import nn

from gradus.encoders.pretrained import PretrainedTower
from gradus.errors import SettingsError
from gradus.settings import EncoderSettings, TrainingSettings
from gradus.training.distributed import local_rank
from gradus.training.task import Task

FIELD_WEIGHT_RATE = 10.0
"""Factor on the learning rate of field weights: few numbers, which Adam moves by no more than the rate a step."""
PRIOR_RATE = 5.0
"""The same of the document prior: a document that is seen once an epoch would not reach its own number in time, and the
towers would learn it by heart instead. At 10, its numbers run ahead of what the queries explain."""


def make_optimizer(task: Task, training: TrainingSettings, encoder: EncoderSettings) -> torch.optim.AdamW:
    """AdamW over everything that trains.

    Pretrained towers learn at their own, lower rate, decayed by layer; everything made from scratch
    (mini towers, projections, temperature) at the main one; field weights and the document prior faster. Weight decay acts on matrices only.

    Args:
        task: Whose parameters are trained.
        training: Rates and decay.
        encoder: The decay by layer.

    Returns:
        The optimiser; each group's `peak` holds the rate that the schedule multiplies.
    """
    groups: list[dict[str, Any]] = []
    taken: set[int] = set()
    for tower in task.encoder.towers.values():
        if isinstance(tower, PretrainedTower):
            groups += tower.parameter_groups(training.pretrained_learning_rate, encoder.layer_decay)
    weights = [p for p in task.encoder.fusion.parameters() if p.requires_grad]
    groups.append({"params": weights, "lr": FIELD_WEIGHT_RATE * training.learning_rate})
    if task.encoder.prior is not None:
        groups.append(
            {"params": list(task.encoder.prior.parameters()), "lr": PRIOR_RATE * training.learning_rate}
        )
    taken.update(id(parameter) for group in groups for parameter in group["params"])
    rest = [p for p in task.parameters() if p.requires_grad and id(p) not in taken]
    groups.append({"params": rest, "lr": training.learning_rate})
    split = [
        {"params": part, "lr": group["lr"], "peak": group["lr"], "weight_decay": decay}
        for group in groups
        for part, decay in (
            ([p for p in group["params"] if p.ndim > 1], training.weight_decay),
            ([p for p in group["params"] if p.ndim <= 1], 0.0),
        )
        if part
    ]
    # Fused: one pass over the memory instead of a dozen, which for a large vocabulary is a tenth of a step.
    return torch.optim.AdamW(split, betas=(0.9, 0.98), fused=True)


def schedule(share: float, warmup: float) -> float:
    """The factor on the learning rate when `share` of the training is behind: linear warm-up, then cosine.

    f = s/w for s < w, else ½(1 + cos(π (s − w)/(1 − w))); never below 1 %.
    """
    if share < warmup:
        return max(0.01, share / warmup)
    # A slow validation can carry the clock past the end, where the cosine would rise again.
    falling = min(1.0, (share - warmup) / max(1e-9, 1 - warmup))
    return max(0.01, 0.5 * (1 + math.cos(math.pi * falling)))


def precision_of(name: str, device: torch.device) -> torch.dtype:
    """What towers compute in: `auto` is bfloat16 where the device multiplies it natively, else float32.

    Raises:
        SettingsError: float16 anywhere but on CUDA, where alone it is fast and its gradients are scaled.
    """
    if name == "float32":
        return torch.float32
    if name == "bfloat16":
        return torch.bfloat16
    if name == "float16":
        if device.type != "cuda":
            raise SettingsError(
                f"training.precision is 'float16', which is for CUDA; take 'bfloat16' on {device.type}"
            )
        return torch.float16
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def device_of(name: str, key: str = "training.device") -> torch.device:
    """The device that a setting names: `auto` takes an accelerator where there is one.

    Of several processes on one machine, each gets a CUDA device of its own.

    Raises:
        SettingsError: PyTorch knows no such device, or this machine has none.
    """
    if name in ("auto", "cuda") and torch.cuda.is_available():
        name = f"cuda:{local_rank()}"
    if name != "auto":
        try:
            torch.device(name)
        except RuntimeError:
            raise SettingsError(f"{key} is {name!r}; choose cpu, cuda, mps or auto") from None
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).partition("\n")[0]
            raise SettingsError(f"{key} is {name!r}, which cannot be used here: {reason}") from None
        return torch.device(name)
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def count_parameters(module: nn.Module) -> tuple[int, int]:
    """Parameters that train, and all of them."""
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    return sum(n for n, trained in sizes if trained), sum(n for n, _ in sizes)
