"""Documents' fields weighted by a search: what the encoder makes of a catalogue with the same factors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_service import HOME, Through, lines, make_app, make_shop, png, rows, served

from gradus.catalog.fields import Field
from gradus.catalog.read import open_catalog
from gradus.catalog.table import Table
from gradus.encoders.build import build_encoder
from gradus.encoders.encoder import Encoder
from gradus.encoders.field_parts import FieldParts
from gradus.encoders.saving import save_model
from gradus.errors import SearchError
from gradus.search.client import Client
from gradus.search.engine import Wanted
from gradus.search.index.asked import _KEPT, _exact_terms
from gradus.search.index.backends import create_index, open_index
from gradus.search.index.filters import Between, OneOf
from gradus.search.index.index import Beside, Documents, Found, Schema
from gradus.settings import EncoderSettings, Settings
from gradus.workflow.indexing import build_index, indexable
from gradus.workflow.serving import load_engine

FIELDS = (
    Field("title"),
    Field("picture", "image", 0.5),
    Field("kind", "category", 0.7),
    Field("size", "number", 0.25),
)
WEIGHTINGS = [
    {"title": 1.0},
    {"picture": 3.0, "title": 0.2},
    {"size": 0.0},  # fields are missing here and there, so other rows lose other shares
    {"title": 0.0, "kind": 0.0},
    {"title": 0.0, "kind": 0.0, "size": 0.0},  # nothing is left to read exact terms from
    {"picture": 0.0, "size": 100.0},
]


def make(folder: Path, exact: int, evidence: bool) -> tuple[Settings, Encoder]:
    shop = make_shop(folder)
    file = folder / "gradus.toml"
    text = file.read_text().replace('"category", weight = 0.0', '"category", weight = 0.7')
    file.write_text(text.replace('"number", weight = 0.0', '"number", weight = 0.25'))
    documents = open_catalog(shop)
    torch.manual_seed(0)
    encoder = build_encoder(
        EncoderSettings(dimensions=24, pixels=32, exact_terms=exact, prior=float(evidence)),
        {"query": (Field("query"), Field("shown", "image", 0.7)), "document": FIELDS},
        [row["title"] for row in rows()],
        evidence=documents.take([documents.row_of[name] for name in ("red/bolt 0", "blue/nut 6")])
        if evidence
        else None,
    )
    if encoder.residual is not None:
        torch.nn.init.normal_(encoder.residual.vectors, std=0.2)
    if encoder.prior is not None:
        torch.nn.init.normal_(encoder.prior.effects, std=0.2)
        torch.nn.init.normal_(encoder.prior.own, std=0.2)
    save_model(encoder, shop.root / "model", {})
    return shop.with_values({"index.per_field": True}), encoder


@pytest.fixture(scope="module", params=[(32, True), (0, False)], ids=["all parts", "fields alone"])
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, Encoder]:
    return make(tmp_path_factory.mktemp("shop"), *request.param)


@pytest.fixture(scope="module")
def indexed(shop: tuple[Settings, Encoder]) -> tuple[Schema, Documents, Table]:
    settings, encoder = shop
    documents = open_catalog(settings)
    return *indexable(settings, settings.root / "model", encoder, documents), documents


def anew(encoder: Encoder, documents: Table, factors: dict[str, float]) -> NDArray[np.float32]:
    """The documents' vectors, embedded with these factors."""
    return encoder.embed("document", encoder.prepare("document", documents), factors=factors)


def asked(count: int, length: int) -> NDArray[np.float32]:
    queries = np.random.default_rng(2).normal(size=(count, length)).astype(np.float32)
    return queries / np.linalg.norm(queries, axis=1, keepdims=True)


def assert_close(ones: list[Found], others: list[Found]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert dict(zip(one.ids, one.scores, strict=True)) == pytest.approx(
            dict(zip(other.ids, other.scores, strict=True)), abs=1e-5
        )


def test_parts_make_the_vectors_of_the_model(
    shop: tuple[Settings, Encoder], indexed: tuple[Schema, Documents, Table]
) -> None:
    _, encoder = shop
    schema, held, documents = indexed
    np.testing.assert_allclose(held.vectors, anew(encoder, documents, {}), atol=1e-6)
    assert schema == Schema.from_dict(schema.as_dict())
    assert schema.parts == FieldParts.of(encoder)


@pytest.mark.parametrize("factors", WEIGHTINGS, ids=str)
def test_weighting_is_embedding_with_these_weights(
    shop: tuple[Settings, Encoder],
    indexed: tuple[Schema, Documents, Table],
    factors: dict[str, float],
    tmp_path: Path,
) -> None:
    _, encoder = shop
    schema, held, documents = indexed
    queries = asked(3, encoder.length)
    right = dict(zip(documents.ids, (queries @ anew(encoder, documents, factors).T).T, strict=True))
    half = len(held) // 2

    def some(keep: slice) -> Documents:
        assert held.parts is not None
        return Documents(
            held.ids[keep],
            held.vectors[keep],
            {name: values[keep] for name, values in held.attributes.items()},
            {name: values[keep] for name, values in held.texts.items()},
            held.parts[keep],
        )

    beside = Beside(factors=factors)
    # Half of the documents are in the base, half come later; then all are read again.
    index = create_index("exact", str(tmp_path / "a"), schema, some(slice(half)))
    index.upsert(some(slice(half, None)))
    for where in ({}, {"size": Between(2, 9)}, {"kind": OneOf(frozenset({"nut"}))}):
        for again in (index, None):
            opened = again or open_index("exact", str(tmp_path / "a"), read_only=True)
            for place, found in enumerate(opened.search(queries, 100, where, beside)):
                assert len(found.ids) == opened.count(where)
                assert found.scores == pytest.approx([right[name][place] for name in found.ids], abs=1e-5)
                assert list(found.scores) == sorted(found.scores, reverse=True)
    with create_index("exact", str(tmp_path / "b"), schema, index.documents()) as moved:
        assert_close(moved.search(queries, 100, None, beside), index.search(queries, 100, None, beside))
    index.close()


def test_weights_as_trained_give_the_scores_of_the_fused_index(
    shop: tuple[Settings, Encoder], indexed: tuple[Schema, Documents, Table], tmp_path: Path
) -> None:
    schema, held, _ = indexed
    queries = asked(3, schema.dimensions)
    ones = dict.fromkeys(("title", "picture"), 1.0)
    # A factor for all fields is none, but goes the long way.
    all_twice = dict.fromkeys((field.name for field in FIELDS), 2.0)
    with create_index("exact", str(tmp_path / "a"), schema, held) as index:
        plain = index.search(queries, 100)
        assert index.search(queries, 100, None, Beside(factors=ones)) == plain
        assert_close(index.search(queries, 100, None, Beside(factors=all_twice)), plain)


def test_few_choices_of_exact_terms_are_kept(shop: tuple[Settings, Encoder], indexed, tmp_path: Path) -> None:
    schema, held, _ = indexed
    if not schema.texts:
        pytest.skip("a model without exact terms")
    with create_index("exact", str(tmp_path / "a"), schema, held) as index:
        for zeros in (
            ("title",),
            ("kind",),
            ("size",),
            ("title", "kind"),
            ("kind", "size"),
            ("title", "size"),
        ):
            index.search(asked(1, schema.dimensions), 3, None, Beside(factors=dict.fromkeys(zeros, 0.0)))
        assert len(index._store.state.base.exact) == _KEPT  # type: ignore[attr-defined]


def test_exact_terms_that_another_search_pushed_out_are_still_used(
    shop: tuple[Settings, Encoder], indexed: tuple[Schema, Documents, Table], tmp_path: Path
) -> None:
    class Forgetful(dict[tuple[str, ...], NDArray[np.float32]]):
        def __setitem__(self, *_: object) -> None:
            """Gone at once."""

    schema, held, _ = indexed
    if schema.parts is None or not schema.texts:
        pytest.skip("a model without exact terms")
    with create_index("exact", str(tmp_path / "a"), schema, held) as index:
        block = index._store.state.base  # type: ignore[attr-defined]
        kept = _exact_terms(schema.parts, block, ("title",))
        assert np.abs(kept).max() > 0
        pushed_out = _exact_terms(schema.parts, replace(block, exact=Forgetful()), ("title",))
        np.testing.assert_array_equal(pushed_out, kept)


def test_what_cannot_be_is_refused(indexed: tuple[Schema, Documents, Table], tmp_path: Path) -> None:
    schema, held, _ = indexed
    queries = asked(1, schema.dimensions)
    with pytest.raises(SearchError, match=r"index\.per_field needs the backend exact"):
        create_index("ivf", str(tmp_path / "ivf"), schema, held)
    plain = Schema(schema.dimensions, schema.attributes)
    with create_index("exact", str(tmp_path / "p"), plain, Documents(held.ids, held.vectors)) as index:
        with pytest.raises(SearchError, match=r"build it with index\.per_field = true"):
            index.search(queries, 3, None, Beside(factors={"title": 2.0}))
        with pytest.raises(SearchError, match="does not keep the parts"):
            index.upsert(Documents(held.ids, held.vectors, parts=held.parts))
    with create_index("exact", str(tmp_path / "a"), schema, held) as index:
        for factors, message in (
            ({"colour": 1.0}, "no field 'colour'; theirs are: title, picture, kind, size"),
            ({"title": -1.0}, "'title' is -1.0; it must be at least 0"),
            ({"title": float("nan")}, "'title' is nan"),
            (
                dict.fromkeys((field.name for field in FIELDS), 0.0),
                "every field of the documents has the factor 0",
            ),
        ):
            with pytest.raises(SearchError, match=message):
                index.search(queries, 3, None, Beside(factors=factors))
        with pytest.raises(SearchError, match=r"give them as finite numbers of shape \(20, "):
            index.upsert(Documents(held.ids, held.vectors))


def test_an_engine_weighs_mixes_and_explains(tmp_path: Path) -> None:
    """All of it together: fields, evidence, exact terms and BM25, of a query and of a document's like."""
    settings, _ = make(tmp_path, 32, evidence=True)
    settings = settings.with_values({"index.hybrid": 0.25})
    build_index(settings, settings.root / "model")
    engine = load_engine(settings, settings.root / "model")
    factors = {"picture": 3.0, "title": 0.5, "size": 0.0}
    queries = [
        engine.ask("red nut", document_weights=factors),
        engine.ask("red nut"),
        engine.ask(None, png("red"), document_weights=factors),
        engine.ask_like("blue/nut 6", document_weights=factors),
    ]
    vectors = engine.embed(queries)
    together = engine.find_all(vectors, [Wanted.of(query, 20) for query in queries])
    kinds = []
    for query, vector, hits in zip(queries, vectors, together, strict=True):
        alone = engine.find_all(vector[None], [Wanted.of(query, 20)])[0]
        assert [hit.doc_id for hit in hits] == [hit.doc_id for hit in alone]
        kinds.append(set())
        for hit in hits:
            found = engine.explain(query, hit.doc_id)
            assert found.score == pytest.approx(hit.score, abs=1e-5)
            assert sum(c.score for c in found.contributions) == pytest.approx(hit.score, abs=1e-5)
            kinds[-1] |= {c.query.kind for c in found.contributions}
            assert (
                not any(c.document.field == "size" for c in found.contributions) or not query.document_factors
            )
    assert ["BM25" in kind for kind in kinds] == [True, True, False, False]
    # The words are in common with all that is red, and with all nuts; most with the red nut.
    words = {
        hit.doc_id: sum(
            c.score for c in engine.explain(queries[0], hit.doc_id).contributions if c.query.kind == "BM25"
        )
        for hit in together[0]
    }
    assert max(words, key=lambda name: words[name]) == "red/nut 1"
    assert words["blue/bolt 5"] == 0
    engine.close()


def test_over_http(tmp_path: Path) -> None:
    settings, _ = make(tmp_path, 0, evidence=False)
    asked = {"text": "red nut", "k": 20, "document_weights": {"title": 0.0, "kind": 0.0}}
    app, engine = make_app(settings, log=tmp_path / "log")
    query = engine.ask("red nut", document_weights={"title": 0.0, "kind": 0.0})
    right = engine.find_all(engine.embed([query]), [Wanted.of(query, 20)])[0]
    with served(app) as raw, Client(HOME, transport=Through(raw)) as client:
        assert {"title", "kind"} <= set(raw.get("/catalog").json()["document_weights"])
        found = raw.post("/search", json=asked).json()
        assert [(hit["doc_id"], hit["score"]) for hit in found["hits"]] == [
            (hit.doc_id, pytest.approx(hit.score, abs=1e-5)) for hit in right
        ]
        plain = client.search("red nut", k=20)
        assert [hit.doc_id for hit in plain.hits] != [hit.doc_id for hit in right]
        told = client.explain(right[0].doc_id, "red nut", document_weights={"title": 0.0, "kind": 0.0})
        assert told.score == pytest.approx(right[0].score, abs=1e-5)
        # One that cannot be answered does not take others of its batch with it.
        refused = raw.post("/search", json=asked | {"document_weights": {"colour": 1.0}})
        assert refused.status_code == 422
        assert "no field 'colour'" in refused.json()["detail"]
    assert lines(tmp_path / "log" / "queries")[0]["query_attributes"]["document_weights"] == {
        "title": 0.0,
        "kind": 0.0,
    }
