"""open_clip state dicts become CLIP folders that answer as open_clip's own forward pass would."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", reason="needs the hf extra")

import tiny_models as tiny  # noqa: E402
from torch import nn  # noqa: E402

from gradus.encoders.hf import load_towers  # noqa: E402
from gradus.encoders.open_clip import convert_open_clip  # noqa: E402
from gradus.errors import ModelError  # noqa: E402

ACTIVATIONS = {"gelu": nn.GELU(), "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x)}


class Block(nn.Module):
    """A residual block as the CLIP papers' code writes it."""

    def __init__(self, width: int, heads: int, activation: Any) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        parts = [("c_fc", nn.Linear(width, 4 * width)), ("c_proj", nn.Linear(4 * width, width))]
        self.mlp = nn.ModuleDict(OrderedDict(parts))
        self.activation = activation

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp["c_proj"](self.activation(self.mlp["c_fc"](self.ln_2(x))))


def stack(width: int, heads: int, layers: int, activation: Any) -> nn.Module:
    blocks = nn.Module()
    blocks.resblocks = nn.ModuleList([Block(width, heads, activation) for _ in range(layers)])
    return blocks


class OpenClip(nn.Module):
    """CLIP with a vision transformer, its parameters under open_clip's names."""

    def __init__(
        self, words: int, length: int, text: int, vision: int, layers: int, out: int, side: int, patch: int,
        activation: str = "gelu", vision_heads: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        act = ACTIVATIONS[activation]
        self.visual = nn.Module()
        self.visual.conv1 = nn.Conv2d(3, vision, patch, patch, bias=False)
        self.visual.class_embedding = nn.Parameter(torch.randn(vision))
        self.visual.positional_embedding = nn.Parameter(torch.randn((side // patch) ** 2 + 1, vision))
        self.visual.ln_pre, self.visual.ln_post = nn.LayerNorm(vision), nn.LayerNorm(vision)
        self.visual.transformer = stack(vision, vision_heads or vision // 64, layers, act)
        self.visual.proj = nn.Parameter(torch.randn(vision, out) * vision**-0.5)
        self.token_embedding = nn.Embedding(words, text)
        self.positional_embedding = nn.Parameter(torch.randn(length, text))
        self.transformer = stack(text, text // 64, layers, act)
        self.ln_final = nn.LayerNorm(text)
        self.text_projection = nn.Parameter(torch.randn(text, out) * text**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter += 0.05 * torch.randn_like(parameter)

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        v = self.visual
        x = v.conv1(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([v.class_embedding.expand(len(x), 1, -1), x], dim=1) + v.positional_embedding
        x = v.ln_pre(x)
        for block in v.transformer.resblocks:
            x = block(x, None)
        return v.ln_post(x[:, 0]) @ v.proj

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        count = tokens.shape[1]
        mask = torch.full((count, count), float("-inf")).triu(1)
        x = self.token_embedding(tokens) + self.positional_embedding[:count]
        for block in self.transformer.resblocks:
            x = block(x, mask)
        # A text ends with the highest id there is; the filling, 0, comes after it.
        return self.ln_final(x)[torch.arange(len(x)), tokens.argmax(dim=1)] @ self.text_projection


def tokenizer(folder: Path, words: int = 20) -> Path:
    """A tokenizer whose end of a text has the highest id, as CLIP's has."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    others = [*tiny.WORDS, *(f"word{n}" for n in range(words))][: words - 4]
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", *others, "[CLS]", "[SEP]"])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", words - 2), ("[SEP]", words - 1)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=made, **special).save_pretrained(folder)
    return folder


def small(**options: Any) -> OpenClip:
    torch.manual_seed(0)
    return OpenClip(20, 12, 64, 128, 2, 8, 32, 8, **options).eval()


def hold_to(model: OpenClip, folder: Path) -> None:
    """The towers of a folder against open_clip's forward pass, on what the towers' own preparation makes."""
    towers = load_towers(str(folder), str(folder))
    text, image = towers["text"].eval(), towers["image"].eval()
    rows = np.arange(4)
    words = text.prepare(tiny.TEXTS, None).batch(rows, None)
    pictures = image.prepare([tiny.png(picture) for picture in tiny.PICTURES], None).batch(rows, None)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    with torch.no_grad():
        expected = (
            model.encode_text(words["input_ids"]),
            model.encode_image((pictures["pixels"] / 255 - mean) / deviation),
        )
        found = text(words), image(pictures)
    for own, other in zip(found, expected, strict=True):
        own, other = (nn.functional.normalize(vectors, dim=1) for vectors in (own, other))
        torch.testing.assert_close(own, other, atol=1e-5, rtol=0)
        assert torch.cdist(other, other)[~torch.eye(4, dtype=bool)].min() > 1e-3


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_it_answers_as_open_clip_does(tmp_path: Path, activation: str) -> None:
    model = small(activation=activation)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    convert_open_clip(tmp_path / "model.pt", tmp_path / "hf", tokenizer(tmp_path / "words"), activation)
    hold_to(model, tmp_path / "hf")


def test_the_number_of_heads_matters_and_can_be_given(tmp_path: Path) -> None:
    model = small(vision_heads=4)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    words = tokenizer(tmp_path / "words")
    convert_open_clip(tmp_path / "model.pt", tmp_path / "hf", words, vision_heads=4)
    hold_to(model, tmp_path / "hf")
    convert_open_clip(tmp_path / "model.pt", tmp_path / "hf", words)
    with pytest.raises(AssertionError):
        hold_to(model, tmp_path / "hf")


@pytest.mark.slow
def test_the_shapes_of_vit_b_32(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = OpenClip(49408, 77, 512, 768, 12, 512, 224, 32).eval()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    convert_open_clip(tmp_path / "model.pt", tmp_path / "hf", tokenizer(tmp_path / "words", 49408))
    hold_to(model, tmp_path / "hf")


@pytest.mark.parametrize("form", ["safetensors", "wrapped", "half", "beside"])
def test_forms_of_checkpoints(tmp_path: Path, form: str) -> None:
    from safetensors.torch import save_file

    model = small()
    state: dict[str, Any] = dict(model.state_dict())
    words, path = tokenizer(tmp_path / "words"), tmp_path / "model.pt"
    if form == "safetensors":
        path = tmp_path / "model.safetensors"
        save_file(state, path)
    elif form == "wrapped":
        # What open_clip's training writes, on several devices.
        named = {f"module.{name}": value for name, value in state.items()}
        torch.save({"epoch": 3, "name": "run", "state_dict": named, "optimizer": {"state": {}}}, path)
    elif form == "half":
        model = model.half().float()
        # OpenAI's checkpoints hold these numbers as well.
        torch.save(
            {name: value.half() for name, value in state.items()} | {"context_length": torch.tensor(12)}, path
        )
    else:
        torch.save(state, path)
        words = tokenizer(tmp_path)
    convert_open_clip(path, tmp_path / "hf", None if form == "beside" else words)
    hold_to(model, tmp_path / "hf")


def refused(tmp_path: Path, state: Any, match: str, **options: Any) -> None:
    torch.save(state, tmp_path / "model.pt")
    if "tokenizer" not in options:
        options["tokenizer"] = tokenizer(tmp_path / "words")
    with pytest.raises(ModelError, match=match):
        convert_open_clip(tmp_path / "model.pt", tmp_path / "hf", **options)
    assert not (tmp_path / "hf").exists()


def test_missing_and_unknown_names_are_named(tmp_path: Path) -> None:
    state = small().state_dict()
    lacking = {name: value for name, value in state.items() if name != "visual.proj"}
    refused(tmp_path, lacking, r"it lacks visual\.proj$")
    refused(tmp_path, {**state, "logit_bias": torch.zeros(1)}, "unknown logit_bias$")
    bare = {name: value for name, value in state.items() if "resblocks.1.attn.in_proj" not in name}
    refused(tmp_path, bare, r"it lacks transformer\.resblocks\.1\.attn\.in_proj_bias and 3 more")


def test_wrong_shapes_are_named(tmp_path: Path) -> None:
    state = small().state_dict()
    refused(tmp_path, {**state, "ln_final.bias": torch.zeros(3)}, "text_model.final_layer_norm.bias")
    refused(tmp_path, {**state, "visual.positional_embedding": torch.zeros(4, 128)}, "square of patches")


def test_wide_towers_must_say_their_heads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = OpenClip(20, 12, 64, 1280, 1, 8, 32, 16).state_dict()
    refused(tmp_path, state, "--vision-heads")


def test_a_tokenizer_must_be_there_and_be_the_models(tmp_path: Path) -> None:
    state = small().state_dict()
    refused(tmp_path, state, "--tokenizer", tokenizer=None)
    refused(tmp_path, state, "trained with another", tokenizer=tokenizer(tmp_path / "other", 30))


def test_only_plain_tensors_are_read(tmp_path: Path) -> None:
    refused(tmp_path, {"state_dict": Path("x")}, "no checkpoint of plain tensors")
    refused(tmp_path, [1, 2], "no state dict")
    with pytest.raises(ModelError, match=r"no checkpoint .*nowhere"):
        convert_open_clip(tmp_path / "nowhere.pt", tmp_path / "hf")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10")
    with pytest.raises(ModelError, match="no checkpoint of plain tensors"):
        convert_open_clip(tmp_path / "cut.safetensors", tmp_path / "hf")
    with pytest.raises(ModelError, match="--activation is 'relu'"):
        convert_open_clip(tmp_path / "cut.safetensors", tmp_path / "hf", activation="relu")
