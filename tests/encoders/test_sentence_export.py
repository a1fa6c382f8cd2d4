"""A sentence-transformers folder gives the model's own vectors; what it cannot say is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers", reason="needs the hf extra")

import tiny_models as tiny  # noqa: E402

from gradus.catalog.fields import Field  # noqa: E402
from gradus.catalog.table import Table  # noqa: E402
from gradus.encoders.build import build_encoder  # noqa: E402
from gradus.encoders.encoder import Encoder  # noqa: E402
from gradus.encoders.export.sentence_folder import write_sentence_transformer  # noqa: E402
from gradus.encoders.hf import load_towers  # noqa: E402
from gradus.errors import ModelError  # noqa: E402
from gradus.settings import EncoderSettings  # noqa: E402

ONE = {"query": (Field("query"),), "document": (Field("title"),)}


def encoder_of(kind: str, folder: Path, dimensions: int) -> Encoder:
    if kind == "sentence":
        tiny.save_sentence(folder, prompts={"default": "short "}, default_prompt_name="default")
        folder = folder / "sentence"
    else:
        {"bert": tiny.save_bert, "clip": tiny.save_clip}[kind](folder)
    torch.manual_seed(0)
    return Encoder(ONE, load_towers(str(folder), None), dimensions, True)


# The towers' own sizes are 16, 6 and 8: with and without a projection.
@pytest.mark.parametrize(
    ("kind", "dimensions"),
    [("bert", 16), ("bert", 5), ("sentence", 6), ("sentence", 5), ("clip", 8), ("clip", 5)],
)
def test_it_gives_the_models_vectors(tmp_path: Path, kind: str, dimensions: int) -> None:
    from sentence_transformers import SentenceTransformer

    encoder = encoder_of(kind, tmp_path, dimensions)
    assert write_sentence_transformer(encoder, tmp_path / "out") <= 1e-5
    loaded = SentenceTransformer(str(tmp_path / "out"), device="cpu", trust_remote_code=False)
    table = Table(list("abcde"), ONE["document"], {"title": tiny.TEXTS})
    expected = encoder.embed("document", encoder.prepare("document", table))
    found = loaded.encode(tiny.TEXTS, show_progress_bar=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.shape == (5, dimensions)
    assert not list((tmp_path / "out").rglob("*.py"))


def refused(encoder: Encoder, folder: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        write_sentence_transformer(encoder, folder)
    assert not folder.exists()


def mini(fields: dict[str, Any], **settings: Any) -> Encoder:
    return build_encoder(
        EncoderSettings(dimensions=8, pixels=32, **settings), fields, ["hex bolt", "hex nut"]
    )


def test_mini_is_refused(tmp_path: Path) -> None:
    refused(mini(ONE), tmp_path / "out", "mini text tower's subwords")


def test_more_fields_than_one_text_are_refused(tmp_path: Path) -> None:
    two = {**ONE, "document": (Field("title"), Field("note"))}
    refused(mini(two), tmp_path / "out", "a query has text; a document has text, text")
    refused(mini({**ONE, "document": (Field("picture", "image"),)}), tmp_path / "out", "a document has image")
    refused(mini({**ONE, "document": (Field("pads", "number"),)}), tmp_path / "out", "a document has number")


def test_two_towers_are_refused(tmp_path: Path) -> None:
    refused(mini(ONE, separate=True), tmp_path / "out", r"encoder\.separate")


def test_a_tower_that_attends_to_filling_is_refused(tmp_path: Path) -> None:
    tiny.save_siglip(tmp_path)
    encoder = Encoder(ONE, load_towers(str(tmp_path), None), 16, True)
    refused(encoder, tmp_path / "out", "pad every text to 12 tokens")


def test_vectors_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = encoder_of("bert", tmp_path, 5)
    embed = Encoder.embed
    monkeypatch.setattr(Encoder, "embed", lambda *a, **k: embed(*a, **k) + np.float32(1e-3))
    refused(encoder, tmp_path / "out", "differ from the model's by 0.001")
