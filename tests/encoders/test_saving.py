"""A saved model: read back whole, refused when it is not, and never half-written."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import picture, png

import gradus.encoders.saving
from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.build import build_encoder
from gradus.encoders.encoder import Encoder
from gradus.encoders.saving import load_model, save_model
from gradus.errors import ModelError
from gradus.settings import EncoderSettings

FIELDS = {
    "query": (Field("query"), Field("shown", "image", 0.5)),
    "document": (Field("title", weight=3.0), Field("picture", "image"), Field("kind", "category")),
}
DOCUMENTS = Table(
    ["a", "b", "c"],
    FIELDS["document"],
    {
        "title": ["hex bolt", "六角ナット", None],
        "picture": [png(picture(30, 20, 0)), None, png(picture(20, 30, 1))],
        "kind": [None, "nut", "washer"],
    },
)


def made(seed: int = 0, **settings: Any) -> Encoder:
    torch.manual_seed(seed)
    chosen = EncoderSettings(dimensions=16, pixels=32, **settings)
    return build_encoder(chosen, FIELDS, ["hex bolt", "hex nut", "六角ナット", "六角ボルト"])


def vectors(encoder: Encoder) -> np.ndarray:
    return encoder.embed("document", encoder.prepare("document", DOCUMENTS))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("settings", [{}, {"separate": True}, {"learn_field_weights": False}])
def test_a_loaded_model_is_the_saved_one(tmp_path: Path, settings: dict[str, Any]) -> None:
    encoder = made(**settings)
    save_model(encoder, tmp_path / "model", {})
    again = load_model(tmp_path / "model")
    assert again.fields == encoder.fields
    assert not again.training
    np.testing.assert_array_equal(vectors(again), vectors(encoder))


def test_it_is_a_folder_of_plain_files(tmp_path: Path) -> None:
    save_model(made(), tmp_path / "model", {"objective": "pairwise"})
    files = contents(tmp_path / "model")
    assert set(files) == {"README.md", "config.json", "model.safetensors", "towers/text/subwords.json"}
    card = files["README.md"].decode()
    assert "- objective: pairwise" in card
    assert "| title | text | 0.600 |" in card  # 3 / (3 + 1 + 1)
    assert json.loads(files["config.json"])["dimensions"] == 16


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        save_model(made(), tmp_path / name, {"seed": 0})
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_training_folder_stands_for_the_model_in_it(tmp_path: Path) -> None:
    encoder = made()
    save_model(encoder, tmp_path / "run" / "model", {})
    np.testing.assert_array_equal(vectors(load_model(tmp_path / "run")), vectors(encoder))


def test_another_state_can_be_saved_and_the_encoder_stays_as_it_is(tmp_path: Path) -> None:
    encoder, other = made(0), made(1)
    before = vectors(encoder)
    save_model(encoder, tmp_path / "model", {}, other.state_dict())
    np.testing.assert_array_equal(vectors(encoder), before)
    np.testing.assert_array_equal(vectors(load_model(tmp_path / "model")), vectors(other))


@pytest.mark.parametrize("given_state", [False, True])
@pytest.mark.parametrize("where", ["save_file", "fsync"])
def test_a_full_disk_leaves_the_older_model_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, given_state: bool
) -> None:
    encoder, other = made(0), made(1)
    save_model(encoder, tmp_path / "model", {})
    before, own = contents(tmp_path), vectors(encoder)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(gradus.encoders.saving, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_model(
            encoder if given_state else other,
            tmp_path / "model",
            {},
            other.state_dict() if given_state else None,
        )
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    np.testing.assert_array_equal(vectors(encoder), own)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "towers/text/subwords.json"])
def test_an_incomplete_model_is_named(tmp_path: Path, name: str) -> None:
    save_model(made(), tmp_path / "model", {})
    (tmp_path / "model" / name).unlink()
    with pytest.raises(ModelError, match=Path(name).name.replace(".", r"\.")):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "towers/text/subwords.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", None], ids=["empty", "braces", "bytes", "half"])
def test_a_damaged_model_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    save_model(made(), tmp_path / "model", {})
    file = tmp_path / "model" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if content is None else content)
    with pytest.raises(ModelError, match=str(tmp_path / "model")):
        load_model(tmp_path / "model")


def test_a_model_of_a_later_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    save_model(made(), tmp_path / "model", {})
    file = tmp_path / "model" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 99, "gradus": "9.9"}))
    with pytest.raises(ModelError, match=r"written by gradus 9\.9; upgrade"):
        load_model(tmp_path / "model")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no complete model"):
        load_model(tmp_path / "nothing")
