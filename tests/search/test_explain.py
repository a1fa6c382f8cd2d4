"""Explanations: parts that add up to the score, against the formula of each part."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_service import make_shop, png, rows

from gradus.catalog.fields import Field
from gradus.catalog.read import open_catalog
from gradus.catalog.table import Table
from gradus.encoders.build import build_encoder
from gradus.encoders.saving import save_model
from gradus.errors import ModelError, SearchError
from gradus.search.engine import Engine, Wanted
from gradus.search.explain import Part, _cut
from gradus.search.query import Query, as_table
from gradus.settings import EncoderSettings
from gradus.workflow.serving import load_engine

FIELDS = (Field("title"), Field("picture", "image", 0.5), Field("size", "number", 0.25))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A model with everything a vector can be made of: fields, evidence on both sides, a prior, exact terms."""
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    torch.manual_seed(0)
    made = {"query": (Field("query"), Field("shown", "image", 0.7)), "document": FIELDS}
    documents = open_catalog(shop)
    known = documents.take([documents.row_of[name] for name in ("red/bolt 0", "blue/nut 6")])
    encoder = build_encoder(
        EncoderSettings(dimensions=24, pixels=32, exact_terms=32, query_residual=0.1, prior=1.0),
        made,
        [row["title"] for row in rows()],
        evidence=known,
        asked=as_queries("red nut"),
    )
    for residual in (encoder.residual, encoder.query_residual):
        assert residual is not None
        torch.nn.init.normal_(residual.vectors, std=0.2)
    assert encoder.prior is not None
    for effects in (encoder.prior.effects, encoder.prior.own):
        torch.nn.init.normal_(effects, std=0.2)
    save_model(encoder, shop.root / "model", {})
    return load_engine(shop, shop.root / "model")


def as_queries(text: str) -> Table:
    fields = (Field("query"), Field("shown", "image", 0.7))
    return Table(["q"], fields, {"query": [text], "shown": [None]})


def asked(engine: Engine) -> list[Query]:
    return [
        engine.ask("red nut"),  # has evidence
        engine.ask("zinc nut 5 size"),
        engine.ask(None, png("blue")),
        engine.ask("blue bolt", png("blue"), {"shown": 2.0, "query": 0.5}),
        engine.ask("blue bolt", png("blue"), {"shown": 0.0}),
        engine.ask_like("blue/nut 6"),
        engine.ask_like("red/spring 4", {"title": 3.0, "picture": 0.0}),
    ]


def test_the_parts_add_up_to_the_score_that_the_search_gives(engine: Engine) -> None:
    kinds = set()
    for query in asked(engine):
        hits = engine.find(engine.embed([query])[0], 20)
        assert len(hits) == 20
        for hit in hits:
            found = engine.explain(query, hit.doc_id)
            assert sum(c.score for c in found.contributions) == pytest.approx(hit.score, abs=2e-6)
            assert found.score == pytest.approx(hit.score, abs=2e-6)
            scores = [c.score for c in found.contributions]
            assert scores == sorted(scores, reverse=True)
            kinds |= {(c.query.kind, c.document.kind) for c in found.contributions}
    assert kinds == {
        *((a, b) for a in ("field", "evidence") for b in ("field", "evidence")),
        ("prior", "prior"),
        ("exact terms", "exact terms"),
    }


def test_each_part_is_what_its_formula_says(engine: Engine) -> None:
    """The pairs of a query and a document with evidence, from the definition."""
    encoder = engine.encoder
    query, doc_id = engine.ask("red nut"), "red/bolt 0"
    row = engine.documents.row_of[doc_id]
    with torch.no_grad():
        ours = encoder("query", encoder.prepare("query", as_table(encoder, [query])), np.array([0]))
        theirs = encoder("document", encoder.prepare("document", engine.documents), np.array([row]))
    assert encoder.residual is not None
    assert encoder.query_residual is not None
    share = float(encoder.exact.share) if encoder.exact is not None else 0.0

    # One field of the query is there: c = e_text. Its part is c / |c + r|, that of the evidence r / |c + r|.
    text, evidence = ours.fields[0, 0], encoder.query_residual.vectors[0].detach()
    long = torch.linalg.norm(text + evidence)
    # Three fields of the document: c = (Σ b_f e_f) / |Σ b_f e_f|, b = 1, 0.5, 0.25 over their sum.
    weights = torch.tensor([1.0, 0.5, 0.25]) / 1.75
    summed = weights @ theirs.fields[0]
    inner = torch.linalg.norm(summed)
    appeal = encoder.residual.vectors[0].detach()
    outer = torch.linalg.norm(summed / inner + appeal)
    expected = {
        ("query", "title"): (text / long) @ (weights[0] * theirs.fields[0, 0] / inner / outer),
        ("query", "picture"): (text / long) @ (weights[1] * theirs.fields[0, 1] / inner / outer),
        ("query", "size"): (text / long) @ (weights[2] * theirs.fields[0, 2] / inner / outer),
        ("query", None): (text / long) @ (appeal / outer),
        (None, "title"): (evidence / long) @ (weights[0] * theirs.fields[0, 0] / inner / outer),
        (None, None): (evidence / long) @ (appeal / outer),
    }
    found = {
        (c.query.field, c.document.field): c.score
        for c in engine.explain(query, doc_id).contributions
        if c.query.kind in ("field", "evidence")
    }
    # Beside the prior, a dense vector is √(1 − p²) long.
    asked_for, prior = float(ours.prior), float(theirs.prior)
    left = (1 - share) * ((1 - asked_for**2) * (1 - prior**2)) ** 0.5
    for pair, value in expected.items():
        assert found[pair] == pytest.approx(left * float(value), abs=1e-6), pair
    (own,) = [c.score for c in engine.explain(query, doc_id).contributions if c.query.kind == "prior"]
    assert own == pytest.approx((1 - share) * asked_for * prior, abs=1e-6)


def test_exact_terms_add_the_share_of_the_words_in_common(engine: Engine) -> None:
    # Signs of different words meet by chance, so that none in common add a little, too, of either sign.
    def exact(text: str, doc_id: str) -> float:
        parts = engine.explain(engine.ask(text), doc_id).contributions
        return next(c.score for c in parts if c.query == Part("exact terms"))

    assert (
        exact("red nut", "red/nut 1") > exact("red washer", "red/nut 1") > exact("green spring", "red/nut 1")
    )


def test_a_missing_field_adds_nothing(engine: Engine) -> None:
    found = engine.explain(engine.ask("black nut"), "black/nut 16")  # black parts have no size
    assert {c.document.field for c in found.contributions if c.document.kind == "field"} == {
        "title",
        "picture",
    }


def test_words_of_the_query_are_marked_where_they_stand(engine: Engine) -> None:
    found = engine.explain(engine.ask("RED nuts, a nut of size 2.5"), "red/nut 1")
    assert found.marked == {
        "title": [("red", True), (" ", False), ("nut", True)],
        "kind": [("nut", True)],
        "size": [("2.5", True)],
    }
    # A word that does not count is not marked.
    ignored = engine.explain(engine.ask("red nut", png("red"), {"query": 0.0}), "red/nut 1")
    assert ignored.marked == {}


@pytest.mark.parametrize(
    ("text", "terms", "marked"),
    [
        ("Bolt bolts BOLT", {"<bolt>"}, ["Bolt", "BOLT"]),
        ("M8×65, 18 8.5 8", {"8"}, ["8", "8"]),
        ("M8 and M10", {"<m>", "8", "=m8"}, ["M8"]),
        ("Ø8,5 x 8.50", {"8.5"}, ["8,5"]),
        ("S-45C s45c", {"=s45c"}, ["s45c"]),
        ("六角ボルト", {"六角", "角ボ"}, ["六角ボ"]),
        ("none of it", {"<bolt>"}, []),
    ],
)
def test_words_are_cut_out_whole(text: str, terms: set[str], marked: list[str]) -> None:
    cut = _cut(text, terms)
    assert "".join(piece for piece, _ in cut) == text
    assert [piece for piece, hit in cut if hit] == marked


@given(
    st.text("aA8.,×六角 -", max_size=20), st.sets(st.sampled_from(["<a>", "<aa>", "8", "8.8", "六角", "=a8"]))
)
def test_cutting_loses_nothing(text: str, terms: set[str]) -> None:
    cut = _cut(text, terms)
    assert "".join(piece for piece, _ in cut) == text
    assert all(piece for piece, _ in cut)
    assert all(one[1] != other[1] for one, other in pairwise(cut))


def test_others_like_a_document_are_those_of_the_nearest_vectors(engine: Engine) -> None:
    vectors = engine.encoder.embed("document", engine.encoder.prepare("document", engine.documents))
    row = engine.documents.row_of["blue/nut 6"]
    order = [r for r in np.argsort(-(vectors @ vectors[row]), kind="stable") if r != row]
    query = engine.ask_like("blue/nut 6")
    hits = engine.find_all(engine.embed([query]), [Wanted(5, {}, besides="blue/nut 6")])[0]
    assert [hit.doc_id for hit in hits] == [engine.documents.ids[r] for r in order[:5]]
    # Queries of both kinds, in one batch.
    together = engine.embed([engine.ask("red nut"), query, engine.ask_like("blue/nut 6", {"title": 0.0})])
    np.testing.assert_allclose(together[1], vectors[row], atol=1e-6)
    assert not np.allclose(together[2], together[1], atol=1e-3)
    assert len({q.digest() for q in asked(engine)}) == len(asked(engine))


def test_what_cannot_be_liked_or_explained(engine: Engine) -> None:
    with pytest.raises(SearchError, match="no document of this id"):
        engine.ask_like("nothing")
    with pytest.raises(ModelError, match="a document has no field 'kind'"):
        engine.ask_like("red/nut 1", {"kind": 1.0})
    with pytest.raises(ModelError, match="factor 0"):
        engine.ask_like("black/nut 16", {"title": 0.0, "picture": 0.0})
    with pytest.raises(SearchError, match="no document of this id"):
        engine.explain(engine.ask("nut"), "nothing")
    nothing = engine.explain(engine.ask("…"), "red/nut 1")
    assert nothing.score == pytest.approx(0, abs=1e-6)
