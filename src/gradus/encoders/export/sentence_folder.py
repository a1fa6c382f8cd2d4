"""A model of one text field as a sentence-transformers folder.

The library runs a transformer, a pooling and linear maps, which is what a pretrained text tower with its
projection is. It fuses no fields, and knows mini's subwords only with code beside the model, which nobody
should have to trust.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gradus.catalog.fields import Field
from gradus.encoders.encoder import SIDES, Encoder
from gradus.encoders.export.probe import probe
from gradus.encoders.export.target import require_dense, require_replaceable
from gradus.encoders.hf_clip import DualTextTower
from gradus.encoders.hf_text import TextTower
from gradus.encoders.sentence import SentenceTower, sentence_library
from gradus.errors import ModelError
from gradus.files import atomic_folder

TOLERANCE = 1e-5
"""Largest difference of a component of a unit vector between the model and the folder."""


def write_sentence_transformer(encoder: Encoder, folder: Path) -> float:
    """Write the folder; an earlier one is replaced whole.

    Args:
        encoder: The model, on the CPU.
        folder: Where.

    Returns:
        The largest difference of a vector's component on made-up texts.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        ModelError: The model has more fields than one text, or a tower that the library does not know; the
            folder holds something else; or what the library makes of it differs by more than `TOLERANCE`.
    """
    key, tower = _only_tower(encoder)
    library = sentence_library()
    require_dense(encoder)
    require_replaceable(folder, "modules.json")
    projection = encoder.projections[key]
    encoder.eval()
    with atomic_folder(folder) as aside:
        with tempfile.TemporaryDirectory() as scratch:
            modules = _modules(tower, projection, Path(scratch))
        prompts = (
            {"prompts": {"default": tower.prompt}, "default_prompt_name": "default"} if tower.prompt else {}
        )
        made = library.SentenceTransformer(modules=modules, device="cpu", **prompts)
        made.save(str(aside), create_model_card=False)
        return _check(encoder, library.SentenceTransformer(str(aside), device="cpu"))


def _only_tower(encoder: Encoder) -> tuple[str, TextTower]:
    """The key and the tower that alone make an encoder."""
    kinds = {side: [field.type for field in encoder.fields[side]] for side in SIDES}
    if any(types not in (["text"], ["category"]) for types in kinds.values()):
        described = "; ".join(f"a {side} has {', '.join(types)}" for side, types in kinds.items())
        raise ModelError(
            f"a sentence-transformers folder holds one text field on each side, but {described}; "
            "export it with --format onnx"
        )
    keys = {encoder.tower_key(side, encoder.fields[side][0]) for side in SIDES}
    if len(keys) > 1:
        raise ModelError(
            "a sentence-transformers folder holds one tower, but queries and documents have towers of their own "
            "(encoder.separate); export it with --format onnx"
        )
    key = keys.pop()
    tower = encoder.towers[key]
    if not isinstance(tower, TextTower):
        raise ModelError(
            "the mini text tower's subwords cannot be told to sentence-transformers without code that would have to "
            "be trusted; export it with --format onnx, or train with encoder.text naming a pretrained model"
        )
    if not tower.padding.masked:
        raise ModelError(
            f"sentence-transformers cannot pad every text to {tower.padding.length} tokens and attend to the "
            "filling, as this tower was trained to; export it with --format onnx"
        )
    return key, tower


def _modules(tower: TextTower, projection: nn.Module, scratch: Path) -> list[Any]:
    """The library's modules for a tower and its projection."""
    from sentence_transformers.sentence_transformer import modules

    network, linear = tower.network, []
    if isinstance(tower, SentenceTower):
        after = list(tower.following)
    elif isinstance(tower, DualTextTower):
        # CLIP reads a text at the token that ends it, then projects without a bias.
        if not hasattr(network, "text_projection"):
            raise ModelError(
                f"the text half of a {network.config.model_type} model cannot be a sentence-transformers folder; "
                "export it with --format onnx"
            )
        after = [modules.Pooling(network.config.text_config.hidden_size, pooling_mode="lasttoken")]
        linear.append(network.text_projection)
        network = network.text_model
    else:
        after = [modules.Pooling(network.config.hidden_size, pooling_mode="mean")]
    network.save_pretrained(scratch)
    tower.tokenizer.save_pretrained(scratch)
    first = modules.Transformer(str(scratch), max_seq_length=tower.length, do_lower_case=tower.lowercase)
    if isinstance(projection, nn.Linear):
        linear.append(projection)
    return [first, *after, *(_dense(layer) for layer in linear), modules.Normalize()]


def _dense(layer: nn.Linear) -> Any:
    """A linear map as the library's module."""
    from sentence_transformers.sentence_transformer import modules

    return modules.Dense(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        activation_function=nn.Identity(),
        init_weight=layer.weight.detach(),
        init_bias=None if layer.bias is None else layer.bias.detach(),
    )


def _check(encoder: Encoder, loaded: Any) -> float:
    """The largest difference of the folder's vectors from the encoder's content vectors, on made-up texts."""
    field: Field = encoder.fields["query"][0]
    table = probe([field])
    texts = [text for text in table.columns[field.name] if text is not None]
    with torch.no_grad():
        own = encoder.embed("query", encoder.prepare("query", table), np.arange(len(texts)))
    worst = float(np.abs(loaded.encode(texts, show_progress_bar=False) - own).max())
    if not worst <= TOLERANCE:  # also NaN
        raise ModelError(
            f"sentence-transformers gives vectors that differ from the model's by {worst:.2g}, more than "
            f"{TOLERANCE:g}; nothing was written"
        )
    return worst
