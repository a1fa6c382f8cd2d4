"""Checkpoints of open_clip, such as the released GCL models, as Hugging Face CLIP folders.

Both libraries hold the same network (Radford et al., arXiv 2103.00020) under other names. open_clip keeps
the projections of queries, keys and values in one matrix, `attn.in_proj_weight`, and its output projections
transposed. Sizes follow from the shapes of the weights; two things do not and are asked for: the activation,
and the number of heads where a head is not 64 wide.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradus.encoders.export.target import require_replaceable
from gradus.encoders.pretrained import hugging_face, read_tokenizer
from gradus.errors import ModelError
from gradus.files import atomic_folder

ACTIVATIONS = ("gelu", "quick_gelu")
HEAD = 64
"""Width of a head in every text tower, and in image towers up to ViT-L."""

_WIDEST = 1024
"""Width of ViT-L; above it the published models differ in the width of a head."""

_NOT_WEIGHTS = frozenset({"input_resolution", "context_length", "vocab_size", "attn_mask"})
"""Numbers that OpenAI's checkpoints hold beside the weights, and a mask that follows from the length."""

_MEAN, _DEVIATION = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]

_OUTSIDE = {
    "logit_scale": "logit_scale",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "visual.proj": "visual_projection.weight",
}
"""open_clip's name → Hugging Face's, outside the layers."""

_IN_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
"""The same within a layer, each with a weight and a bias."""

_TRANSPOSED = frozenset({"text_projection", "visual.proj"})
_TOWERS = {"transformer.resblocks": "text_model", "visual.transformer.resblocks": "vision_model"}


def convert_open_clip(
    checkpoint: Path,
    out: Path,
    tokenizer: Path | None = None,
    activation: str = "gelu",
    vision_heads: int = 0,
) -> None:
    """Write a CLIP folder that `encoder.text` and `encoder.image` take; an earlier one is replaced whole.

    Args:
        checkpoint: A state dict with a vision transformer: `.pt` or `.bin`, read as plain tensors and never run,
            or `.safetensors`.
        out: The folder.
        tokenizer: Hugging Face folder of the tokenizer; `None` for the checkpoint's own folder.
        activation: `gelu`, which open_clip's own models were trained with, or `quick_gelu`, OpenAI's.
        vision_heads: Heads of the image tower; 0 for one per 64 of its width.

    Raises:
        MissingExtraError: transformers is not installed.
        ModelError: The checkpoint, or the tokenizer, is missing or of another make, or `out` holds something
            else.
    """
    transformers = hugging_face()
    if activation not in ACTIVATIONS:
        raise ModelError(f"--activation is {activation!r}; it is one of {', '.join(ACTIVATIONS)}")
    require_replaceable(out, "preprocessor_config.json")
    state = read_state(checkpoint)
    layers = {prefix: _layers(state, prefix) for prefix in _TOWERS}
    _check_names(checkpoint, state, layers)
    sizes = _sizes(checkpoint, state, layers, vision_heads)
    words = _tokenizer(checkpoint, tokenizer, sizes["text_config"])
    shared = {"hidden_act": activation}
    config = transformers.CLIPConfig(
        text_config={
            **sizes["text_config"],
            **shared,
            "bos_token_id": words.bos_token_id,
            "eos_token_id": words.eos_token_id,
            "pad_token_id": words.pad_token_id,
        },
        vision_config={**sizes["vision_config"], **shared},
        projection_dim=sizes["projection_dim"],
    )
    model = transformers.CLIPModel(config)
    try:
        model.load_state_dict(dict(_renamed(state, layers)))
    except RuntimeError as error:
        raise ModelError(f"{checkpoint} is no CLIP with a vision transformer: {error}") from None
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    side = sizes["vision_config"]["image_size"]
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_mean=_MEAN,
        image_std=_DEVIATION,
    )
    with atomic_folder(out) as aside:
        for part in (model, words, processor):
            part.save_pretrained(aside)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint in float32, without the prefix of data-parallel training.

    Raises:
        ModelError: No such file, or not plain tensors under names.
    """
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            # Without code: anything but tensors and plain containers is refused.
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"no checkpoint {path}") from None
    except Exception as error:  # a damaged file makes the readers raise almost anything
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"{path} is no checkpoint of plain tensors: {reason}") from None
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise ModelError(f"{path} holds no state dict")
    return {
        str(name).removeprefix("module."): value.float()
        for name, value in content.items()
        if isinstance(value, Tensor) and str(name).removeprefix("module.") not in _NOT_WEIGHTS
    }


def _layers(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many layers a transformer has, by the highest number among its weights."""
    numbers = [
        int(number)
        for name in state
        if name.startswith(f"{prefix}.") and (number := name[len(prefix) + 1 :].partition(".")[0]).isdigit()
    ]
    return max(numbers, default=-1) + 1


def _check_names(checkpoint: Path, state: Mapping[str, Tensor], layers: Mapping[str, int]) -> None:
    """Raise a ModelError that names what is missing, or what the network has no place for."""
    expected = set(_OUTSIDE)
    for prefix, count in layers.items():
        for number in range(max(count, 1)):
            layer = f"{prefix}.{number}"
            expected |= {f"{layer}.{part}.{end}" for part in _IN_LAYER for end in ("weight", "bias")}
            expected |= {f"{layer}.attn.in_proj_{end}" for end in ("weight", "bias")}
    for what, names in (("lacks", expected - set(state)), ("holds the unknown", set(state) - expected)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ModelError(
                f"{checkpoint} is no open_clip CLIP with a vision transformer: it {what} {min(names)}{more}"
            )


def _sizes(
    checkpoint: Path, state: Mapping[str, Tensor], layers: Mapping[str, int], vision_heads: int
) -> dict[str, Any]:
    """What the shapes say of the two networks, as Hugging Face names it."""
    vocabulary, text_width = state["token_embedding.weight"].shape
    conv = state["visual.conv1.weight"]
    width, patch = conv.shape[0], conv.shape[-1]
    side = round((len(state["visual.positional_embedding"]) - 1) ** 0.5)
    if side * side + 1 != len(state["visual.positional_embedding"]):
        raise ModelError(f"{checkpoint}: visual.positional_embedding is not that of a square of patches")
    if not vision_heads and (width > _WIDEST or width % HEAD):
        raise ModelError(
            f"{checkpoint}: an image tower of width {width} does not say how many heads it has; give "
            "--vision-heads, which open_clip's config of the model has as width / head_width"
        )
    if text_width % HEAD or (vision_heads and width % vision_heads):
        raise ModelError(
            f"{checkpoint}: widths {text_width} (text) and {width} (image) cannot be divided into heads of {HEAD} "
            f"and into {vision_heads or width // HEAD} heads"
        )
    return {
        "projection_dim": state["text_projection"].shape[1],
        "text_config": {
            "vocab_size": vocabulary,
            "hidden_size": text_width,
            "intermediate_size": len(state["transformer.resblocks.0.mlp.c_fc.weight"]),
            "num_hidden_layers": layers["transformer.resblocks"],
            "num_attention_heads": text_width // HEAD,
            "max_position_embeddings": len(state["positional_embedding"]),
        },
        "vision_config": {
            "hidden_size": width,
            "intermediate_size": len(state["visual.transformer.resblocks.0.mlp.c_fc.weight"]),
            "num_hidden_layers": layers["visual.transformer.resblocks"],
            "num_attention_heads": vision_heads or width // HEAD,
            "image_size": side * patch,
            "patch_size": patch,
        },
    }


def _tokenizer(checkpoint: Path, folder: Path | None, text: Mapping[str, Any]) -> Any:
    """The tokenizer, which the state dict does not hold."""
    if folder is None:
        folder = checkpoint.parent
        if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
            raise ModelError(
                f"{checkpoint} holds no tokenizer and none lies beside it; give --tokenizer a folder with "
                "tokenizer.json, such as that of openai/clip-vit-base-patch32, whose tokenizer open_clip uses"
            )
    words = read_tokenizer(str(folder))
    # open_clip reads the text's vector at the highest id, which ends every text; Hugging Face at the end's id.
    if len(words) != text["vocab_size"] or words.eos_token_id != text["vocab_size"] - 1:
        raise ModelError(
            f"the tokenizer in {folder} has {len(words)} tokens and ends texts with {words.eos_token_id}; the model "
            f"has {text['vocab_size']} and reads a text at {text['vocab_size'] - 1}: it was trained with another"
        )
    words.model_max_length = text["max_position_embeddings"]
    return words


def _renamed(state: Mapping[str, Tensor], layers: Mapping[str, int]) -> Iterator[tuple[str, Tensor]]:
    """The weights under Hugging Face's names."""
    for name, target in _OUTSIDE.items():
        yield target, state[name].T.contiguous() if name in _TRANSPOSED else state[name]
    for prefix, model in _TOWERS.items():
        for number in range(layers[prefix]):
            source, target = f"{prefix}.{number}", f"{model}.encoder.layers.{number}"
            for end in ("weight", "bias"):
                for part, name in _IN_LAYER.items():
                    yield f"{target}.{name}.{end}", state[f"{source}.{part}.{end}"]
                joined = state[f"{source}.attn.in_proj_{end}"].chunk(3)
                for part, value in zip(("q_proj", "k_proj", "v_proj"), joined, strict=True):
                    yield f"{target}.self_attn.{part}.{end}", value.contiguous()
