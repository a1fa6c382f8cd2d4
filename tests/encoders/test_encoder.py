"""The encoder: fields of both sides through towers and fusion into unit vectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_models import picture, png
from torch import Tensor, nn

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.encoder import Encoder
from gradus.encoders.mini_image import MiniImage
from gradus.encoders.mini_text import MiniText, TextFeatures
from gradus.encoders.subwords import Subwords
from gradus.encoders.tower import Tower
from gradus.errors import ModelError

TITLE, PICTURE, SIZE = (
    Field("title", "text", 2.0),
    Field("picture", "image", 1.0),
    Field("pad_count", "number", 0.5),
)
QUERY = Field("query", "text")
DOCUMENTS = Table(
    ["a", "b", "c", "d"],
    (TITLE, PICTURE, SIZE),
    {
        "title": ["hex bolt", None, "hex nut", None],
        "picture": [png(picture(20, 20, 0)), png(picture(20, 20, 1)), None, None],
        "pad_count": [8.0, None, 8.0, None],
    },
)
QUERIES = Table(["q"], (QUERY,), {"query": ["hex bolt"]})


def towers(text: int = 16, image: int = 16) -> dict[str, Tower]:
    torch.manual_seed(0)
    return {
        "text": MiniText(Subwords.train(["hex bolt", "hex nut"], 100, 64), text),
        "image": MiniImage(32, image),
    }


@pytest.fixture
def encoder() -> Encoder:
    fields = {"query": [QUERY], "document": [TITLE, PICTURE, SIZE]}
    return Encoder(fields, towers(), 16, learn_field_weights=True).eval()


def test_vectors_have_unit_length_whatever_is_missing_and_none_is_zero(encoder: Encoder) -> None:
    vectors = encoder.embed("document", encoder.prepare("document", DOCUMENTS))
    assert (vectors.shape, vectors.dtype) == ((4, 16), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], atol=1e-6)


def test_a_vector_is_the_weighted_sum_of_its_fields_vectors(encoder: Encoder) -> None:
    prepared = encoder.prepare("document", DOCUMENTS)
    with torch.no_grad():
        embedding = encoder("document", prepared, np.arange(4))
    assert embedding.present.tolist() == [[1, 1, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]]
    title, image, size = embedding.fields.numpy()[0]
    fused = 2.0 * title + 1.0 * image + 0.5 * size
    np.testing.assert_allclose(embedding.merged[0], fused / np.linalg.norm(fused), atol=1e-6)
    np.testing.assert_allclose(embedding.merged[1], embedding.fields[1, 1], atol=1e-6)
    assert not embedding.fields[~embedding.present].any()


def test_fields_of_one_type_share_a_tower_and_so_do_the_sides(encoder: Encoder) -> None:
    query = encoder.embed("query", encoder.prepare("query", QUERIES))[0]
    with torch.no_grad():
        embedding = encoder("document", encoder.prepare("document", DOCUMENTS), np.array([0]))
    np.testing.assert_allclose(embedding.fields[0, 0], query, atol=1e-6)


def test_the_size_of_a_batch_does_not_change_the_vectors(encoder: Encoder) -> None:
    prepared = encoder.prepare("document", DOCUMENTS)
    whole = encoder.embed("document", prepared)
    np.testing.assert_allclose(encoder.embed("document", prepared, batch=1), whole, atol=1e-5)
    rows = np.array([2, 0])
    np.testing.assert_allclose(encoder.embed("document", prepared, rows), whole[rows], atol=1e-5)
    assert encoder.embed("document", prepared, rows[:0]).shape == (0, 16)


def test_embedding_augments_nothing_and_leaves_the_mode_as_it_was(encoder: Encoder) -> None:
    prepared = encoder.prepare("document", DOCUMENTS)
    expected = encoder.eval().embed("document", prepared)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    np.testing.assert_array_equal(encoder.train().embed("document", prepared), expected)
    assert encoder.training
    assert encoder.towers["image"].training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_factors_turn_a_vector_towards_a_field(encoder: Encoder) -> None:
    prepared = encoder.prepare("document", DOCUMENTS)
    with torch.no_grad():
        embedding = encoder("document", prepared, np.array([0]))
    only = encoder.embed("document", prepared, np.array([0]), factors={"title": 0.0, "pad_count": 0.0})
    np.testing.assert_allclose(only[0], embedding.fields[0, 1], atol=1e-6)
    same = encoder.embed("document", prepared, np.array([0]), factors={"title": 1.0})
    np.testing.assert_allclose(same, embedding.merged, atol=1e-6)


def test_towers_of_another_size_are_joined_by_projections() -> None:
    encoder = Encoder({"query": [QUERY], "document": [TITLE, PICTURE]}, towers(16, 10), 12, False)
    assert {key: type(module) for key, module in encoder.projections.items()} == {
        "text": nn.Linear, "image": nn.Linear,
    }  # fmt: skip
    assert encoder.embed("document", encoder.prepare("document", DOCUMENTS)).shape == (4, 12)
    same = Encoder({"query": [QUERY], "document": [TITLE, PICTURE]}, towers(16, 10), 16, False)
    assert isinstance(same.projections["text"], nn.Identity)


def test_sides_can_have_towers_of_their_own() -> None:
    own = {"query.text": towers()["text"], "document.text": MiniText(Subwords.train([], 10, 64), 16)}
    encoder = Encoder({"query": [QUERY], "document": [TITLE]}, own, 16, True)
    assert encoder.tower("query", QUERY) is not encoder.tower("document", TITLE)
    query = encoder.embed("query", encoder.prepare("query", QUERIES))
    document = encoder.embed("document", encoder.prepare("document", DOCUMENTS))
    assert float((query @ document.T)[0, 0]) < 0.9


def test_field_weights_are_shown_as_shares(encoder: Encoder) -> None:
    assert encoder.field_weights("document") == pytest.approx(
        {"title": 2 / 3.5, "picture": 1 / 3.5, "pad_count": 0.5 / 3.5}
    )


def test_pictures_can_be_queries() -> None:
    shown = Field("picture", "image")
    encoder = Encoder({"query": [shown], "document": [shown]}, {"image": towers()["image"]}, 16, True)
    queries = Table(["q"], (shown,), {"picture": [png(picture(20, 20, 1))]})
    scores = (
        encoder.embed("query", encoder.prepare("query", queries))
        @ encoder.embed("document", encoder.prepare("document", DOCUMENTS)).T
    )
    assert scores[0, 1] == pytest.approx(1, abs=1e-5)


def test_every_parameter_of_a_missing_field_gets_no_gradient(encoder: Encoder) -> None:
    embedding = encoder.train()("document", encoder.prepare("document", DOCUMENTS), np.array([2]))
    embedding.merged.sum().backward()
    assert all(p.grad is None for p in encoder.towers["image"].parameters())
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


def test_a_side_without_fields_is_named() -> None:
    with pytest.raises(ModelError, match="the query side has no field with a weight above 0"):
        Encoder({"query": [], "document": [TITLE]}, towers(), 16, True)


def test_a_field_without_a_tower_is_named() -> None:
    with pytest.raises(ModelError, match="no image tower for the document field 'picture'"):
        Encoder({"query": [QUERY], "document": [PICTURE]}, {"text": towers()["text"]}, 16, True)


def test_a_table_without_a_field_of_the_model_is_named(encoder: Encoder, tmp_path: Path) -> None:
    other = Table(["a"], (TITLE,), {"title": ["bolt"]})
    with pytest.raises(ModelError, match=r"document fields \['picture', 'pad_count'\]"):
        encoder.prepare("document", other, tmp_path)


class Counted(MiniText):
    """Notes what it is given to read, in batches."""

    def __init__(self) -> None:
        super().__init__(Subwords.train(["hex bolt", "hex nut"], 100, 64), 16)
        self.read: list[list[str]] = []

    def prepare(self, values: Sequence[Any], cache: Path | None) -> TextFeatures:
        features = super().prepare(values, cache)
        features.lengths = np.array([len(value) for value in values])
        batch = features.batch

        def counted(rows: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
            self.read.append([values[row] for row in rows])
            return batch(rows, rng)

        features.batch = counted  # type: ignore[method-assign]
        return features


def test_each_value_is_embedded_once_beside_others_of_its_length() -> None:
    tower = Counted()
    encoder = Encoder({"query": [QUERY], "document": [TITLE]}, {"text": tower}, 16, False).eval()
    titles = ["hex bolt", "nut", "hex nut", "nut", "a", "nut", "bolt", "hex bolt"]
    prepared = encoder.prepare("document", Table(list("abcdefgh"), (TITLE,), {"title": titles}))
    found = encoder.embed("document", prepared, batch=2)
    assert tower.read == [["a", "nut"], ["bolt", "hex nut"], ["hex bolt"]]
    with torch.no_grad():
        expected = encoder("document", prepared, np.arange(8)).merged
    np.testing.assert_allclose(found, expected, atol=1e-6)
