"""An encoder from settings."""

import pytest
import torch

from gradus.catalog.fields import Field
from gradus.encoders.build import build_encoder
from gradus.encoders.encoder import Encoder
from gradus.encoders.mini_image import MiniImage
from gradus.encoders.mini_text import MiniText
from gradus.errors import ModelError, SettingsError
from gradus.settings import EncoderSettings

TEXTS = ["hex bolt", "hex nut", "hex bolt M8"]
TITLE, PICTURE = Field("title"), Field("picture", "image")
BOTH = {"query": [Field("query")], "document": [TITLE, PICTURE]}


def build(fields: dict[str, list[Field]], **settings: object) -> Encoder:
    return build_encoder(EncoderSettings(**{"dimensions": 16, "pixels": 32} | settings), fields, TEXTS)


def test_only_the_towers_that_fields_need_are_made() -> None:
    assert set(build(BOTH).towers) == {"text", "image"}
    assert set(build({"query": [Field("query")], "document": [TITLE]}).towers) == {"text"}
    assert set(build({"query": [PICTURE], "document": [PICTURE]}).towers) == {"image"}


def test_fields_of_weight_zero_are_left_out() -> None:
    encoder = build({"query": [Field("query")], "document": [TITLE, Field("picture", "image", 0.0)]})
    assert [field.name for field in encoder.fields["document"]] == ["title"]
    assert set(encoder.towers) == {"text"}
    with pytest.raises(ModelError, match="document side"):
        build({"query": [Field("query")], "document": [Field("title", weight=0.0)]})


def test_settings_reach_the_towers() -> None:
    encoder = build(BOTH, vocabulary=256, learn_field_weights=False)
    text, image = encoder.towers["text"], encoder.towers["image"]
    assert isinstance(text, MiniText)
    assert isinstance(image, MiniImage)
    assert "<hex>" in text.subwords.vocabulary
    assert (image.side, encoder.dimensions) == (32, 16)
    assert not encoder.fusion["document"].log_weights.requires_grad
    assert build(BOTH, dimensions=0).dimensions > 16


def test_separate_towers_share_nothing_but_the_vocabulary() -> None:
    encoder = build(BOTH, separate=True)
    assert set(encoder.towers) == {"query_text", "document_text", "document_image"}
    one, other = encoder.towers["query_text"], encoder.towers["document_text"]
    assert one.subwords == other.subwords
    assert not {id(p) for p in one.parameters()} & {id(p) for p in other.parameters()}


def test_it_is_the_same_for_the_same_seed() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build(BOTH).state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_a_mini_tower_cannot_be_frozen() -> None:
    with pytest.raises(SettingsError, match=r"encoder\.freeze"):
        build(BOTH, freeze=True)
