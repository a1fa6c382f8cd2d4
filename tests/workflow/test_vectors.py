import os
from pathlib import Path

import numpy as np
import pytest

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.encoder import Encoder
from gradus.encoders.mini_text import MiniText
from gradus.encoders.saving import load_model, save_model
from gradus.encoders.subwords import Subwords
from gradus.errors import SettingsError
from gradus.settings import Settings
from gradus.workflow import vectors
from gradus.workflow.vectors import document_vectors

FIELDS = (Field("title"), Field("note", weight=0.0))


def table(*titles: str, note: str = "") -> Table:
    return Table(
        [str(n) for n in range(len(titles))], FIELDS, {"title": titles, "note": [note] * len(titles)}
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    subwords = Subwords.train(["red bolt", "red nut"], 256, 64)
    encoder = Encoder({"query": FIELDS[:1], "document": FIELDS[:1]}, {"text": MiniText(subwords, 8)}, 8, True)
    save_model(encoder, tmp_path / "run" / "model", {})
    return tmp_path / "run"


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many documents each embedding took."""
    counts: list[int] = []
    embed = Encoder.embed

    def counted(self: Encoder, side: str, prepared: object, rows: np.ndarray) -> np.ndarray:
        counts.append(len(rows))
        return embed(self, side, prepared, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(Encoder, "embed", counted)
    return counts


def test_vectors_are_embedded_once_and_read_after_that(tmp_path, model, embedded):
    settings, encoder = Settings(root=tmp_path), load_model(model)
    first = document_vectors(settings, model, encoder, table("red bolt", "red nut"))
    again = document_vectors(settings, model, encoder, table("red bolt", "red nut", note="not encoded"))
    assert embedded == [2]
    assert np.array_equal(first, again)
    assert np.array_equal(
        first,
        encoder.embed("document", encoder.prepare("document", table("red bolt", "red nut")), np.arange(2)),
    )


def test_another_document_or_another_model_is_embedded_anew(tmp_path, model, embedded):
    settings, encoder = Settings(root=tmp_path), load_model(model)
    document_vectors(settings, model, encoder, table("red bolt"))
    document_vectors(settings, model, encoder, table("red nut"))
    encoder.fusion["document"].log_weights.data += 1
    save_model(encoder, model / "model", {})
    document_vectors(settings, model, encoder, table("red bolt"))
    assert embedded == [1, 1, 1]


def test_half_precision_is_near_and_kept_apart(tmp_path, model, embedded):
    encoder, documents = load_model(model), table("red bolt", "red nut")
    exact = document_vectors(Settings(root=tmp_path), model, encoder, documents)
    settings = Settings(root=tmp_path).with_values({"index.precision": "bfloat16", "index.device": "cpu"})
    near = document_vectors(settings, model, encoder, documents)
    assert embedded == [2, 2]
    assert near.dtype == np.float32
    assert not np.array_equal(near, exact)
    # Eight bits of a mantissa: a component is off by at most 1 part in 256.
    assert np.abs(near - exact).max() < 1 / 128
    assert np.array_equal(document_vectors(Settings(root=tmp_path), model, encoder, documents), exact)
    assert embedded == [2, 2]


def test_a_device_that_is_not_there_is_named(tmp_path, model):
    settings = Settings(root=tmp_path).with_values({"index.device": "quantum"})
    with pytest.raises(SettingsError, match=r"index\.device is 'quantum'"):
        document_vectors(settings, model, load_model(model), table("red bolt"))


def test_a_changed_picture_counts_as_a_change(tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"1")
    os.utime(picture, (1, 1))
    before = vectors._bytes(picture)
    os.utime(picture, (2, 2))
    assert vectors._bytes(picture) != before


def test_only_the_latest_files_stay(tmp_path, model, embedded):
    settings, encoder = Settings(root=tmp_path), load_model(model)
    for number in range(vectors.KEPT + 2):
        document_vectors(settings, model, encoder, table(f"bolt {number}"))
    kept = list((tmp_path / ".gradus" / "vectors").iterdir())
    assert len(kept) == vectors.KEPT
