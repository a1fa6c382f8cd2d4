from pathlib import Path

import numpy as np
import pytest
import torch

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.build import build_encoder
from gradus.encoders.encoder import Encoder
from gradus.encoders.prior import FILE, SHARE, DocumentPrior, extended, valued
from gradus.encoders.saving import document_side, load_model, save_model
from gradus.errors import ModelError
from gradus.settings import EncoderSettings

FIELDS = (
    Field("title"),
    Field("brand", "category"),
    Field("pads", "number"),
    Field("stock", "number", weight=0.0),
)
DOCUMENTS = Table(
    ["a", "b", "c", "d"],
    FIELDS,
    {
        "title": ["hex bolt", "hex nut", "gear", "pin"],
        "brand": ["north", "south", None, "west"],
        "pads": [4.0, None, 8.0, 4.0],
        "stock": [1.0, 2.0, 3.0, 4.0],
    },
)
QUERIES = Table(["1", "2"], (Field("query"),), {"query": ["hex bolt", "gear"]})


def prior(shrinkage: float = 0.5) -> DocumentPrior:
    """North +0.3, south −0.1, 4 pads +0.2, 8 pads −0.4; evidence: a +0.1, b −0.2."""
    made = extended(None, DOCUMENTS.take([0, 1, 2]), shrinkage)
    assert made is not None
    with torch.no_grad():
        made.effects.copy_(torch.tensor([0.3, -0.1, 0.2, -0.4]))
        made.own.copy_(torch.tensor([0.1, -0.2, 0.0]))
    return made


def encoder(**settings: object) -> Encoder:
    torch.manual_seed(0)
    chosen = EncoderSettings(**{"dimensions": 8, "prior": 2.0, "exact_terms": 32} | settings)
    fields = {"query": QUERIES.fields, "document": FIELDS}
    made = build_encoder(chosen, fields, ["hex bolt", "hex nut"], evidence=DOCUMENTS.take([0, 1, 2]))
    if made.prior is not None:
        torch.nn.init.normal_(made.prior.effects, std=0.3)
        torch.nn.init.normal_(made.prior.own, std=0.3)
    return made.eval()


def test_values_of_encoded_categories_and_numbers_have_effects():
    assert valued(DOCUMENTS) == {"brand": ["north", "south", "west"], "pads": ["4 pads", "8 pads"]}


def test_a_prior_is_the_sum_of_its_effects_and_a_new_document_has_those_of_its_values():
    made = prior()
    rows = made.rows(DOCUMENTS)
    # brand, pads, own; west was not there when the effects were learned, and d has no evidence.
    assert rows.tolist() == [[0, 2, 0], [1, -1, 1], [-1, 3, 2], [-1, 2, -1]]
    found, penalty = made(rows)
    sums = torch.tensor([[0.3 + 0.2 + 0.1], [-0.1 - 0.2], [-0.4 + 0.0], [0.2]])
    assert torch.allclose(found, torch.tanh(sums))
    # λ (Σ u² / documents with evidence + mean r² of the four rows)
    effects = 0.3**2 + 0.1**2 + 0.2**2 + 0.4**2
    assert penalty.item() == pytest.approx(0.5 * (effects / 3 + (0.1**2 + 0.2**2) / 4))


def test_a_score_is_that_of_the_content_and_the_prior():
    made = encoder(exact_terms=0)
    bare = encoder(exact_terms=0, prior=0.0)
    documents, queries = (
        made.embed(s, made.prepare(s, t)) for s, t in (("document", DOCUMENTS), ("query", QUERIES))
    )
    d, q = (bare.embed(s, bare.prepare(s, t)) for s, t in (("document", DOCUMENTS), ("query", QUERIES)))
    b = made.prepare("document", DOCUMENTS)
    assert made.prior is not None
    assert b.prior is not None
    p = made.prior(b.prior)[0][:, 0].detach().numpy()
    expected = SHARE**0.5 * p + np.sqrt((1 - SHARE) * (1 - p**2)) * (q @ d.T)
    np.testing.assert_allclose(queries @ documents.T, expected, atol=1e-6)
    for vectors in (documents, queries):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("exact", [0, 32])
def test_vectors_are_as_long_as_the_encoder_says(exact):
    made = encoder(exact_terms=exact)
    assert made.length == 1 + 8 + exact
    assert made.embed("document", made.prepare("document", DOCUMENTS)).shape == (4, made.length)
    assert made.embed("query", made.prepare("query", QUERIES), np.zeros(0, np.int64)).shape == (
        0,
        made.length,
    )


def test_before_training_nothing_is_preferred():
    torch.manual_seed(0)
    fields = {"query": QUERIES.fields, "document": FIELDS}
    settings = EncoderSettings(dimensions=8, prior=2.0)
    made = build_encoder(settings, fields, ["hex bolt"], evidence=DOCUMENTS).eval()
    assert (made.embed("document", made.prepare("document", DOCUMENTS))[:, 0] == 0).all()


def test_a_saved_prior_comes_back(tmp_path: Path):
    made = encoder()
    save_model(made, tmp_path / "model", {})
    back = load_model(tmp_path / "model")
    for side, table in (("document", DOCUMENTS), ("query", QUERIES)):
        one, other = (each.embed(side, each.prepare(side, table)) for each in (made, back))
        np.testing.assert_array_equal(one, other)
    before = document_side(tmp_path / "model")
    assert back.prior is not None
    with torch.no_grad():
        back.prior.own[0] += 0.5
    save_model(back, tmp_path / "model", {})
    assert document_side(tmp_path / "model") != before


@pytest.mark.parametrize("content", ["", "{}", '{"values": [], "ids": ["a"], "shrinkage": 1}'])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(ModelError, match=r"prior\.json does not list what a model's prior is for"):
        DocumentPrior.load(tmp_path / FILE)


def test_what_is_known_keeps_its_effects_when_more_is_known():
    known = prior()
    more = Table(
        ["e", "a"],
        FIELDS,
        {"title": ["cap", "cap"], "brand": ["east", "south"], "pads": [16.0, 4.0], "stock": [0.0, 0.0]},
    )
    made = extended(known, more, 0.5)
    assert made is not None
    assert made.ids == ["a", "b", "c", "e"]
    assert made.values == {"brand": ["north", "south", "east"], "pads": ["4 pads", "8 pads", "16 pads"]}
    assert made.effects.tolist() == pytest.approx([0.3, -0.1, 0.0, 0.2, -0.4, 0.0])
    assert made.own.tolist() == pytest.approx([0.1, -0.2, 0.0, 0.0])
    assert torch.equal(made(made.rows(DOCUMENTS))[0], known(known.rows(DOCUMENTS))[0])
    assert extended(known, more, 0.0) is None


def test_texts_alone_leave_a_prior_of_evidence():
    documents = Table(["a", "b"], (Field("title"),), {"title": ["hex bolt", "gear"]})
    made = extended(None, documents.take([0]), 1.0)
    assert made is not None
    with torch.no_grad():
        made.own[0] = 0.25
    found, penalty = made(made.rows(documents))
    assert found[:, 0].tolist() == pytest.approx([np.tanh(0.25), 0.0])
    assert penalty.item() == pytest.approx(0.25**2 / 2)
