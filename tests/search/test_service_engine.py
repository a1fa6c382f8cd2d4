"""The engine: what it finds, filters and counts, against loops over the catalogue."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_service import KINDS, make_app, make_model, make_shop, png, served

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import CatalogError, ModelError, SearchError
from gradus.search.engine import Engine, Wanted
from gradus.search.facets import Facets
from gradus.search.index.filters import Between, Filter, OneOf, admits
from gradus.workflow.indexing import build_index, versions_of
from gradus.workflow.serving import load_engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    return load_engine(shop, shop.root / "model")


def test_it_finds_what_a_full_sort_of_the_admitted_finds(engine: Engine) -> None:
    vectors = engine.encoder.embed("document", engine.encoder.prepare("document", engine.documents))
    asked = engine.embed([engine.ask("blue nut")])[0]
    where = engine.where({"kind": ["nut", "bolt", "washer"], "size": (2.5, 100.0)})
    scores = dict(zip(engine.documents.ids, (vectors @ asked).tolist(), strict=True))
    admitted = [
        doc_id
        for row, doc_id in enumerate(engine.documents.ids)
        if admits(where, {name: engine.documents.columns[name][row] for name in ("kind", "size")})
    ]
    best = sorted(admitted, key=lambda doc_id: -scores[doc_id])[:4]
    hits = engine.find(asked, 4, where)
    assert [hit.doc_id for hit in hits] == best
    assert [hit.score for hit in hits] == pytest.approx([scores[doc_id] for doc_id in best], abs=1e-6)
    assert 4 < len(admitted) < len(engine.documents)


def test_queries_of_a_batch_get_the_vectors_that_they_get_alone(engine: Engine) -> None:
    queries = [
        engine.ask("red bolt"),
        engine.ask("red bolt", png("red"), {"shown": 0.5}),
        engine.ask(None, png("red")),
        engine.ask("red bolt", png("red"), {"shown": 0.0}),
        engine.ask("青い washer", png("blue"), {"shown": 0.5}),
    ]
    together = engine.embed(queries)
    for query, vector in zip(queries, together, strict=True):
        np.testing.assert_allclose(vector, engine.embed([query])[0], atol=1e-6)
    # A factor of 0 leaves the text alone; any other moves the vector.
    np.testing.assert_allclose(together[3], together[0], atol=1e-6)
    assert not np.allclose(together[1], together[0], atol=1e-3)
    assert len({query.digest() for query in queries}) == len(queries)
    assert engine.ask(" red  bolt ").digest() == queries[0].digest()


def test_a_zero_vector_finds_nothing(engine: Engine) -> None:
    assert engine.find(np.zeros(32, np.float32), 5) == []


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"colour": ["red"]}, "no field 'colour' to filter by; there are: kind, size"),
        ({"title": ["red"]}, "no field 'title'"),
        ({"kind": (1.0, 2.0)}, "the category field 'kind' is filtered by a list of values"),
        ({"size": ["1"]}, "the number field 'size' is filtered by bounds"),
        ({"size": (3.0, 2.0)}, "nothing lies between"),
    ],
)
def test_filters_that_make_no_sense_are_refused(engine: Engine, conditions: dict, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        engine.where(conditions)


def test_a_filter_is_written_as_the_catalogue_is(engine: Engine) -> None:
    assert engine.where({"kind": [" ｎｕｔ "]}) == {"kind": OneOf(frozenset({"nut"}))}


def test_queries_that_make_no_sense_are_refused(engine: Engine) -> None:
    with pytest.raises(ModelError, match="has no field 'title'"):
        engine.ask("nut", factors={"title": 1.0})
    with pytest.raises(ModelError, match="factor 0"):
        engine.ask("nut", factors={"query": 0.0})
    with pytest.raises(CatalogError, match="at most 1,199 allowed"):
        engine.ask(None, png("red"), pixels=40 * 30 - 1)
    assert engine.ask(None, png("red"), pixels=40 * 30).values["query"] is None


def test_an_index_of_another_model_is_refused(engine: Engine) -> None:
    class Narrow:
        schema = type("S", (), {"dimensions": 7})

    with pytest.raises(SearchError, match="7 numbers, the model makes 32"):
        Engine(engine.encoder, Narrow(), engine.documents, "v")  # type: ignore[arg-type]


CATEGORY = st.sampled_from([None, "a", "b", "c"])
NUMBER = st.sampled_from([None, 0.0, 1.0, 2.0])


@given(
    st.lists(st.tuples(CATEGORY, CATEGORY, NUMBER), min_size=1, max_size=12),
    st.dictionaries(
        st.sampled_from(["x", "y"]), st.frozensets(st.sampled_from("abcd"), min_size=1).map(OneOf)
    ),
    st.none() | st.sampled_from([Between(0.5, 2.0), Between(high=0.0)]),
)
def test_facets_count_what_a_loop_counts(
    documents: list[tuple[str | None, str | None, float | None]],
    chosen: dict[str, OneOf],
    bounds: Between | None,
) -> None:
    names = ("x", "y", "n")
    fields = (Field("x", "category"), Field("y", "category"), Field("n", "number"))
    columns = {name: [document[place] for document in documents] for place, name in enumerate(names)}
    facets = Facets(Table([str(row) for row in range(len(documents))], fields, columns))
    where: Filter = {**chosen, **({"n": bounds} if bounds else {})}
    for field in ("x", "y"):
        others = {name: condition for name, condition in where.items() if name != field}
        expected = Counter(
            row[names.index(field)]
            for row in documents
            if admits(others, dict(zip(names, row, strict=True))) and row[names.index(field)] is not None
        )
        assert facets.count(field, where) == expected


def test_facets_of_the_shop(engine: Engine) -> None:
    counts = engine.facets.count("kind", {"size": Between(high=10.0)})
    # Sizes are 0, 2.5 … 10 for the five red parts; springs have no kind.
    assert counts == {"bolt": 1, "flange": 1, "nut": 1, "washer": 1}
    assert set(engine.facets.count("kind", {"kind": OneOf(frozenset({"nut"}))})) == set(KINDS) - {"spring"}
    with pytest.raises(SearchError, match="'size' is no category field to count; there are: kind"):
        engine.facets.count("size", {})


def test_versions_are_of_the_content(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "a")
    same, other = make_shop(tmp_path / "b"), make_shop(tmp_path / "c", seed=1)
    version, again, another = (load_engine(s, s.root / "model").version for s in (shop, same, other))
    assert version == again != another
    catalogue = tmp_path / "a" / "catalog.csv"
    catalogue.write_text(catalogue.read_text().replace(",bolt,", ",screw,"))
    assert load_engine(shop, tmp_path / "a" / "model").version != version


def test_queries_that_share_a_pass_over_the_index_get_their_own(engine: Engine) -> None:
    texts = ("red nut", "blue bolt", "green nut", "red flange", "black washer")
    vectors = engine.embed([engine.ask(text) for text in texts])
    nuts, small = engine.where({"kind": ["nut"]}), engine.where({"size": (0.0, 9.0)})
    wanted = [Wanted(3, nuts), Wanted(1, small), Wanted(2, nuts), Wanted(5, {}), Wanted(4, small)]
    together = engine.find_all(vectors, wanted)
    assert [len(hits) for hits in together] == [3, 1, 2, 5, 4]
    for vector, want, hits in zip(vectors, wanted, together, strict=True):
        assert [hit.doc_id for hit in hits] == [hit.doc_id for hit in engine.find(vector, want.k, want.where)]


def test_a_damaged_copy_of_the_index_is_made_anew(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    first = load_engine(shop, tmp_path / "model")
    first.close()
    (tmp_path / ".gradus" / "served" / first.version / "index.json").write_text("{")
    again = load_engine(shop, tmp_path / "model")
    assert again.version == first.version
    assert len(again.find(again.embed([again.ask("nut")])[0], 5)) == 5


def test_a_live_index_is_served_and_goes_when_nobody_holds_it(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    exact = load_engine(shop, tmp_path / "model")
    assert build_index(shop, tmp_path / "model").version.number == 1
    engine = load_engine(shop, tmp_path / "model")
    assert engine.version.endswith(".1")
    asked = engine.embed([engine.ask("red nut")])[0]
    assert engine.find(asked, 5) == exact.find(asked, 5)
    build_index(shop, tmp_path / "model")
    assert versions_of(shop).prune(1) == []  # the first one is open
    engine.close()
    assert versions_of(shop).prune(1) == [1]
    make_model(tmp_path / "model", seed=1)
    with pytest.raises(SearchError, match="gradus index build"):
        load_engine(shop, tmp_path / "model")


def test_a_damaged_live_index_is_refused_and_names_the_way_back(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    for number in (1, 2):
        assert build_index(shop, tmp_path / "model").version.number == number
    app, engine = make_app(shop)
    damaged = versions_of(shop).folder / "000002" / "data" / "vectors-1.npy"
    before = damaged.read_bytes()
    damaged.unlink()  # what is served has it mapped
    damaged.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(SearchError, match=r"vectors-1\.npy is damaged.*gradus index rollback"):
        load_engine(shop, tmp_path / "model")
    with served(app) as raw:
        assert raw.post("/admin/swap", json={}).status_code == 409
        assert raw.post("/search", json={"text": "nut"}).json()["version"] == engine.version
        versions_of(shop).roll_back()
        assert raw.post("/admin/swap", json={}).json()["version"] == engine.version[:-1] + "1"
        assert len(raw.post("/search", json={"text": "nut"}).json()["hits"]) == 10
    (versions_of(shop).folder / "000001" / "data" / "index.json").write_text("{")
    with pytest.raises(SearchError, match=r"index\.json is damaged") as caught:
        load_engine(shop, tmp_path / "model")
    assert "rollback" not in str(caught.value)  # there is nothing left to go back to
