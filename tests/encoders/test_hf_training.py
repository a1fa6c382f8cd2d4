"""Training pretrained towers, all of them or a little; saving and reading them back."""

import re
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", reason="needs the hf extra")

import tiny_models as tiny  # noqa: E402

from gradus.encoders.hf import load_tower, load_towers  # noqa: E402
from gradus.encoders.lora import merged_state  # noqa: E402
from gradus.encoders.pretrained import layer_stack  # noqa: E402
from gradus.errors import MissingExtraError, ModelError  # noqa: E402

MAKERS = {
    "clip": tiny.save_clip,
    "siglip": tiny.save_siglip,
    "siglip2": tiny.save_siglip2,
    "bert": tiny.save_bert,
    "vit": tiny.save_vit,
    "convnext": tiny.save_convnext,
}
CASES = [
    ("clip", "text"),
    ("clip", "image"),
    ("siglip", "text"),
    ("siglip2", "text"),
    ("siglip2", "image"),
    ("bert", "text"),
    ("vit", "image"),
    ("convnext", "image"),
]
VALUES = {"text": tiny.TEXTS[:4], "image": [tiny.png(image) for image in tiny.PICTURES]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {name: tmp_path_factory.mktemp(name) for name in MAKERS}
    for name, folder in made.items():
        MAKERS[name](folder)
    return made


def tower_of(folders, case, **options):
    name, modality = case
    torch.manual_seed(0)
    arguments = {"text": None, "image": None, modality: str(folders[name])}
    return load_towers(**arguments, **options)[modality]


def answer(tower):
    return tower(tower.prepare(VALUES[tower.modality], None).batch(np.arange(4), None))


def train_a_little(tower):
    optimiser = torch.optim.SGD(tower.parameter_groups(0.1, 1.0))
    for _ in range(2):
        optimiser.zero_grad()
        torch.nn.functional.normalize(answer(tower), dim=1)[:, 0].sum().backward()
        optimiser.step()


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_round_trip(folders, case, tmp_path):
    tower = tower_of(folders, case)
    train_a_little(tower)
    tower.eval()
    config = tower.save(tmp_path)
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".safetensors", ".bin", ".pt")]
    again = load_tower(tmp_path, config)
    again.load_state_dict(merged_state(tower))
    assert (again.modality, again.size) == (tower.modality, tower.size)
    if tower.modality == "image":
        assert again.preparation.key == tower.preparation.key  # or a saved model would decode everything anew
    else:
        assert again.length == tower.length
    with torch.no_grad():
        assert torch.equal(answer(again.eval()), answer(tower))


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_layer_decay(folders, case):
    tower = tower_of(folders, case)
    layers = 4 if case[0] == "convnext" else 3
    assert len(layer_stack(tower.network)) == layers
    groups = tower.parameter_groups(1.0, 0.5)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert len(rate) == sum(len(group["params"]) for group in groups) == len(list(tower.parameters()))
    assert sorted(set(rate.values())) == [0.5**depth for depth in range(layers, -1, -1)]
    for name, parameter in tower.named_parameters():
        if layer := re.search(r"(?:layers?|stages)\.(\d+)\.", name):
            depth = layers - 1 - int(layer[1])
        else:
            depth = layers if "embeddings." in name or "pre_layrnorm." in name else 0
        assert rate[id(parameter)] == 0.5**depth, name


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_frozen_tower_neither_learns_nor_drops_out(folders, case):
    tower = tower_of(folders, case, freeze=True)
    holder = torch.nn.ModuleDict({"tower": tower}).train()
    assert tower.parameter_groups(1.0, 0.5) == []
    assert not any(module.training for module in holder["tower"].modules())
    assert not answer(tower).requires_grad


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_adapters_learn_little_and_merge_away(folders, case, tmp_path):
    pytest.importorskip("peft", reason="needs the lora extra")
    plain, adapted = tower_of(folders, case).eval(), tower_of(folders, case, lora_rank=2)
    with torch.no_grad():
        before = answer(plain)
        torch.testing.assert_close(answer(adapted.eval()), before)  # B is zero at first
    learnt = {name: p.numel() for name, p in adapted.named_parameters() if p.requires_grad}
    assert learnt
    assert all(".lora_" in name for name in learnt)
    if case[0] in ("bert", "clip"):
        # Three layers; A (2 × 16) and B (16 × 2) on query, key, value and, in CLIP, the output.
        projections = 3 if case[0] == "bert" else 4
        assert sum(learnt.values()) == 3 * projections * (2 * 16 + 16 * 2)
    train_a_little(adapted.train())
    with torch.no_grad():
        after = answer(adapted.eval())
        assert (after - before).abs().max() > 1e-3
        config = adapted.save(tmp_path)
        state = merged_state(adapted)
        assert set(state) == set(plain.state_dict())
        again = load_tower(tmp_path, config)
        again.load_state_dict(state)
        torch.testing.assert_close(answer(again.eval()), after, atol=1e-5, rtol=0)
        assert torch.equal(answer(adapted), after)  # merging has left the tower itself alone


def test_tied_weights_can_be_written(tmp_path):
    from safetensors.torch import save_file

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = torch.nn.Linear(3, 3)
            self.two = self.one

    state = merged_state(Tied())
    assert set(state) == {"one.weight", "one.bias", "two.weight", "two.bias"}
    save_file(state, tmp_path / "model.safetensors")


def test_half_precision_checkpoints_are_read_as_float32(folders, tmp_path):
    from transformers import AutoModel

    AutoModel.from_pretrained(folders["bert"], dtype=torch.float16).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    tower = load_towers(str(tmp_path), None)["text"]
    assert {p.dtype for p in tower.parameters()} == {torch.float32}
    again = load_tower(tmp_path, tower.save(tmp_path))
    assert {p.dtype for p in again.parameters()} == {torch.float32}


def test_missing_extras_are_named(folders, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "peft", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'gradus\[lora\]'"):
            load_towers(str(folders["bert"]), None, lora_rank=2)
    monkeypatch.setitem(sys.modules, "transformers", None)
    for names in ((str(folders["bert"]), None), (None, str(folders["vit"]))):
        with pytest.raises(MissingExtraError, match=r"pip install 'gradus\[hf\]'"):
            load_towers(*names)


def test_unusable_checkpoints_are_named(folders, tmp_path):
    with pytest.raises(ModelError, match=f"'{tmp_path}'.*config.json"):
        load_towers(str(tmp_path), None)
    tower = tower_of(folders, ("bert", "text"))
    tower.save(tmp_path)
    torch.save(tower.network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        load_towers(str(tmp_path), None)
    (tmp_path / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ModelError, match=str(tmp_path)):
        load_towers(str(tmp_path), None)


def test_a_checkpoint_that_lacks_weights_is_refused(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    tower_of(folders, ("bert", "text")).save(tmp_path)
    state = load_file(folders["bert"] / "model.safetensors")
    kept = {key: value for key, value in state.items() if "layer.1.attention.self.query" not in key}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks the weights of 'encoder\.layer\.1.* and 1 others"):
        load_towers(str(tmp_path), None)
