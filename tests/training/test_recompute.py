"""Gradient checkpointing: the same gradients, each layer computed twice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="needs the hf extra")

import tiny_models as tiny
from tiny_task import tiny_run, tiny_task

from gradus.catalog.fields import Field
from gradus.encoders.encoder import Encoder
from gradus.encoders.hf import load_towers
from gradus.encoders.pretrained import layer_stack
from gradus.errors import SettingsError
from gradus.training.recompute import recompute_layers

MAKERS = {
    "clip": tiny.save_clip,
    "bert": tiny.save_bert,
    "vit": tiny.save_vit,
    "convnext": tiny.save_convnext,
}
CASES = [("clip", "text"), ("clip", "image"), ("bert", "text"), ("vit", "image"), ("convnext", "image")]
VALUES: dict[str, list[Any]] = {"text": tiny.TEXTS[:4], "image": [tiny.png(image) for image in tiny.PICTURES]}


def encoder_of(folder: Path, modality: str, **options: Any) -> Encoder:
    torch.manual_seed(0)
    towers = load_towers(**{"text": None, "image": None, modality: str(folder)}, **options)
    fields = {side: [Field("field", modality)] for side in ("query", "document")}
    return Encoder(fields, towers, 8, True).train()  # type: ignore[arg-type]


def gradients(encoder: Encoder, modality: str) -> dict[str, torch.Tensor]:
    tower: Any = encoder.towers[modality]
    batch = tower.prepare(VALUES[modality], None).batch(np.arange(4), None)
    torch.manual_seed(0)  # dropout
    tower(batch)[:, 0].sum().backward()
    return {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("lora_rank", [0, 2])
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_gradients_are_the_same(case: tuple[str, str], lora_rank: int, tmp_path: Path) -> None:
    if lora_rank:
        pytest.importorskip("peft", reason="needs the lora extra")
    name, modality = case
    MAKERS[name](tmp_path)
    plain = encoder_of(tmp_path, modality, lora_rank=lora_rank)
    expected = gradients(plain, modality)
    encoder = encoder_of(tmp_path, modality, lora_rank=lora_rank)
    recompute_layers(encoder)
    calls: list[int] = []
    last = layer_stack(encoder.towers[modality].network)[-1]  # type: ignore[arg-type]
    linear = next(module for module in last.modules() if isinstance(module, torch.nn.Linear))
    linear.register_forward_hook(lambda *_: calls.append(1))
    found = gradients(encoder, modality)
    assert len(calls) == 2
    assert found.keys() == expected.keys()
    assert len(found) > 2
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, msg=lambda m, k=key: f"{k}: {m}")


def test_mini_has_nothing_to_compute_again(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"training\.gradient_checkpointing is for pretrained towers"):
        tiny_run(tmp_path, tiny_task(), gradient_checkpointing=True)
