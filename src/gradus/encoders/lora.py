"""Low-rank adapters: train W + (α/r)·B·A instead of W, with A (r × in) and B (out × r) small.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685. B starts at zero, so that
training starts from the model as it was trained.
"""

from typing import Any

import torch
from torch import Tensor, nn

from gradus.errors import MissingExtraError, ModelError

ATTENTION = frozenset(
    ["query", "key", "value", "qkv", "Wqkv", "Wo", "q", "k", "v", "o"]
    + [f"{part}_{end}" for part in ("q", "k", "v", "o", "out", "qkv") for end in ("proj", "lin")]
)
"""Names that architectures give to the projections of their attention."""

SCALE = 2
"""α/r: the factor on the product of the adapters."""


def add_adapters(network: nn.Module, layers: nn.ModuleList, rank: int) -> None:
    """Put adapters on the attention projections in `layers`; only they require gradients.

    A network without attention (ConvNeXt) gets them on all linear maps in its layers.

    Args:
        network: Changed in place.
        layers: Those of the network's modules that are its layers.
        rank: r.

    Raises:
        MissingExtraError: peft is not installed.
        ModelError: There is no linear map to adapt.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise MissingExtraError("training with lora_rank", "lora") from None
    inside = {id(module) for module in layers.modules()}
    linear = [name for name, module in network.named_modules() if id(module) in inside and _is_linear(module)]
    targets = [name for name in linear if name.rpartition(".")[2] in ATTENTION] or linear
    if not targets:
        raise ModelError(
            f"{type(network).__name__} has no linear layers to adapt; set encoder.lora_rank to 0"
        )
    network.requires_grad_(False)
    inject_adapter_in_model(
        LoraConfig(r=rank, lora_alpha=SCALE * rank, target_modules=targets, lora_dropout=0.0), network
    )


@torch.no_grad()
def merged_state(module: nn.Module) -> dict[str, Tensor]:
    """A `state_dict` as if the adapters had been merged into the weights and never been there.

    It loads into the same towers built without adapters, so that a saved model does not need peft. Without
    adapters it is the plain `state_dict`. Tensors that share memory (tied weights) are copied and all made
    contiguous, as safetensors demands. The module is not changed.
    """
    adapted: dict[str, Any] = {
        name: child for name, child in module.named_modules() if hasattr(child, "get_delta_weight")
    }
    state: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, value in module.state_dict().items():
        owner, _, parameter = key.rpartition(".base_layer.")
        if owner in adapted:
            key = f"{owner}.{parameter}"
            if parameter == "weight":
                value = value + adapted[owner].get_delta_weight("default")
        elif ".lora_" in key:
            continue
        value = value.contiguous()
        state[key] = value.clone() if value.untyped_storage().data_ptr() in seen else value
        seen.add(value.untyped_storage().data_ptr())
    return state


def _is_linear(module: nn.Module) -> bool:
    return type(module) is nn.Linear
