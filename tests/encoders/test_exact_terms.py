"""Exact terms beside the dense vector: what the dot product becomes, what training and saving do with them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.build import build_encoder
from gradus.encoders.encoder import Encoder
from gradus.encoders.exact_terms import ExactTerms
from gradus.encoders.saving import load_model, save_model
from gradus.settings import EncoderSettings

FIELDS = (Field("title"), Field("image", "image"), Field("pads", "number"))
DOCUMENTS = Table(
    ["a", "b", "c"],
    FIELDS,
    {"title": ["connector XJ-4417", "connector", None], "image": [None] * 3, "pads": [8.0, None, None]},
)
QUERIES = Table(["q", "r"], (Field("query"),), {"query": ["xj-4417", "8 pads"]})

words = st.sets(st.sampled_from([f"word{letter}" for letter in "abcdefghijkl"]), min_size=1)


def encoder(dimensions: int) -> Encoder:
    torch.manual_seed(0)
    settings = EncoderSettings(dimensions=16, exact_terms=dimensions)
    texts = ["connector", "xj", "pads", "8"]
    return build_encoder(settings, {"query": QUERIES.fields, "document": FIELDS[::2]}, texts)


@given(words, words)
def test_the_dot_product_is_the_cosine_of_the_sets_of_terms(one: set[str], other: set[str]) -> None:
    dimensions = 1 << 15
    x, y = ExactTerms(dimensions).vectors([[" ".join(one)], [" ".join(other)]])
    cosine = len(one & other) / (len(one) * len(other)) ** 0.5
    # Signs of different terms agree by chance: an error of standard deviation near 1/√K.
    assert abs(float(x @ y) - cosine) < 6 / dimensions**0.5


def test_terms_are_exact_and_count_once() -> None:
    exact = ExactTerms(100)
    assert exact.vectors([]).shape == (0, 100)
    x = exact.vectors([["M8x30 bolt"], ["bolt", "m8x30 BOLT"], ["bolts m8x31"], [None, "–"]])
    np.testing.assert_array_equal(x[0], x[1])
    assert float(x[0] @ x[2]) < 0.9
    assert not x[3].any()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.4])
def test_both_parts_are_one_unit_vector(share: float) -> None:
    rng = np.random.default_rng(0)
    exact = ExactTerms(64)
    exact.share.fill_(share)
    v = [rng.normal(size=(3, 8)).astype(np.float32) for _ in range(2)]
    v = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in v]
    x = [exact.vectors([["red shoe"], ["shoe"], [None]]), exact.vectors([["blue shoe"], ["hat"], [None]])]
    queries, documents = exact.beside(v[0], x[0], True), exact.beside(v[1], x[1], False)
    for side in (queries, documents):
        np.testing.assert_allclose(np.linalg.norm(side, axis=1), 1, rtol=1e-6)
    products = queries @ documents.T
    expected = (1 - share) * v[0] @ v[1].T + share * x[0] @ x[1].T
    np.testing.assert_allclose(products[:2, :2], expected[:2, :2], atol=1e-6)
    # A query without terms orders documents by their dense part alone, a document without terms among them.
    np.testing.assert_allclose(products[2], (1 - share) ** 0.5 * v[0][2] @ v[1].T, atol=1e-6)
    # A document without terms gains nothing but the chance agreement of signs.
    np.testing.assert_allclose(products[:2, 2], expected[:2, 2], atol=share * 6 / 64**0.5 + 1e-6)


def test_another_share_needs_no_new_embedding() -> None:
    exact = ExactTerms(32)
    exact.share.fill_(0.2)
    v = np.eye(2, 4, dtype=np.float32)
    x = exact.vectors([["red"], [None]])
    made = exact.reshared(exact.beside(v, x, False), 0.3)
    exact.share.fill_(0.3)
    np.testing.assert_allclose(made, exact.beside(v, x, False), atol=1e-6)


def test_an_untrained_encoder_finds_a_part_number() -> None:
    model = encoder(256)
    queries = model.embed("query", model.prepare("query", QUERIES))
    documents = model.embed("document", model.prepare("document", DOCUMENTS))
    assert queries.shape == (2, model.length)
    assert model.length == 16 + 256
    exact = queries[:, 16:] @ documents[:, 16:].T
    # xj-4417 is the terms =xj-4417, xj, 4417; document a has them and connector, 8, pads.
    np.testing.assert_allclose(exact[0, 0], 0.2 * 3 / (3 * 6) ** 0.5, atol=0.05)
    np.testing.assert_allclose(exact[1, 0], 0.2 * 2 / (2 * 6) ** 0.5, atol=0.05)
    np.testing.assert_allclose(exact[:, 1:], 0, atol=0.05)
    # The dense part is that of an encoder without exact terms.
    plain = encoder(0)
    dense = plain.embed("document", plain.prepare("document", DOCUMENTS))
    np.testing.assert_allclose(documents[:, :16], 0.8**0.5 * dense, atol=1e-6)


def test_a_field_with_factor_0_gives_no_terms() -> None:
    model = encoder(256)
    prepared = model.prepare("document", DOCUMENTS)
    without = model.embed("document", prepared, np.array([0]), factors={"pads": 0.0})[:, 16:]
    assert model.exact is not None
    np.testing.assert_allclose(without, 0.2**0.5 * model.exact.vectors([["connector xj-4417"]]), atol=1e-6)


def test_saving_keeps_the_share(tmp_path: Path) -> None:
    model = encoder(64)
    assert model.exact is not None
    model.exact.share.fill_(0.35)
    save_model(model, tmp_path / "model", {})
    loaded = load_model(tmp_path / "model")
    prepared = [m.embed("document", m.prepare("document", DOCUMENTS)) for m in (model, loaded)]
    np.testing.assert_array_equal(*prepared)
    assert f"unit vectors of {16 + 64} numbers" in (tmp_path / "model" / "README.md").read_text()
