"""Every backend against the same oracle: a sort of all dot products of a dict of documents."""

import importlib.util
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gradus.errors import MissingExtraError, SearchError
from gradus.search.index import backends, ivf
from gradus.search.index.backends import create_index, open_index
from gradus.search.index.exact import ExactIndex
from gradus.search.index.filters import Between, Filter, OneOf, admits
from gradus.search.index.index import Documents, Index, Schema

D = 16
SCHEMA = Schema(D, {"colour": "category", "price.net": "number"})
NEEDS = {
    "exact": (),
    "ivf": (),
    "qdrant": ("qdrant_client",),
    "pgvector": ("psycopg", "pgserver"),
    "milvus": ("pymilvus", "milvus_lite"),
}
TORTURE = [
    "'; DROP TABLE x; --",
    '"quoted"',
    "back\\slash",
    "%s {0} $1",
    "日本 語",
    "e\u0301",
    "a\nb",
    "🧪",
    "null",
]

Attributes = Mapping[str, Any]
Held = dict[str, tuple[NDArray[np.float32], Attributes]]


@dataclass
class Backend:
    """A backend, and where a test may put its indexes."""

    name: str
    place: Callable[[str], str]

    def create(self, documents: Documents, name: str = "parts", schema: Schema = SCHEMA) -> Index:
        return create_index(self.name, self.place(name), schema, documents)

    def open(self, name: str = "parts", read_only: bool = False) -> Index:
        return open_index(self.name, self.place(name), read_only)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server with pgvector, started for these tests."""
    pgserver = pytest.importorskip("pgserver", reason="needs a PostgreSQL server: pip install pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=backends.BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    name = request.param
    for module in NEEDS[name]:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    if name == "ivf":  # with cells, and without a look at all of them, in an index as small as a test's
        monkeypatch.setattr(ivf.IvfIndex, "layout", ivf.Layout(ivf.arrange, 100))
        monkeypatch.setattr(ivf, "_PROBES", 16)
    if name == "pgvector":
        url = request.getfixturevalue("postgres")
        prefix = "".join(c for c in tmp_path.name if c.isalnum())[-30:]
        return Backend(name, lambda place: f"{url}#{prefix}-{place}")
    if name == "qdrant":
        return Backend(name, lambda place: f"{tmp_path / 'qdrant'}#{place}")
    if name == "milvus":
        return Backend(name, lambda place: f"{tmp_path / 'milvus.db'}#{place}")
    return Backend(name, lambda place: str(tmp_path / place))


def made(count: int, seed: int = 0) -> Documents:
    """Documents, some without values."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, D)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    colours = [None if row % 7 == 0 else ("red", "blue", "緑")[row % 3] for row in range(count)]
    prices = [None if row % 5 == 0 else float(row) for row in range(count)]
    return Documents([f"d{row}" for row in range(count)], vectors, {"colour": colours, "price.net": prices})


def held(documents: Documents) -> Held:
    return {
        doc_id: (
            documents.vectors[row],
            {field: values[row] for field, values in documents.attributes.items()},
        )
        for row, doc_id in enumerate(documents.ids)
    }


def expected(documents: Held, query: NDArray[np.float32], k: int, where: Filter) -> list[tuple[str, float]]:
    scored = [(i, float(v @ query)) for i, (v, attributes) in documents.items() if admits(where, attributes)]
    return sorted(scored, key=lambda each: -each[1])[:k]


def assert_same(index: Index, documents: Held, k: int = 10, where: Filter | None = None) -> None:
    """The oracle's documents in its order; of an approximate index most of them, and none that is wrong."""
    where = where or {}
    queries = np.random.default_rng(5).normal(size=(3, D)).astype(np.float32)
    found, hits, wanted = index.search(queries, k, where), 0, 0
    assert len(found) == len(queries)
    for query, one in zip(queries, found, strict=True):
        right = expected(documents, query, k, where)
        assert len(one.ids) == len(set(one.ids)) == len(right)
        assert all(admits(where, documents[doc_id][1]) for doc_id in one.ids)
        assert one.scores == pytest.approx([float(documents[i][0] @ query) for i in one.ids], abs=1e-5)
        assert list(one.scores) == sorted(one.scores, reverse=True)
        if type(index) is ExactIndex:
            assert list(one.ids) == [doc_id for doc_id, _ in right]
        hits += len(set(one.ids) & {doc_id for doc_id, _ in right})
        wanted += len(right)
    assert hits + 1 >= 0.9 * wanted
    assert index.count(where) == sum(admits(where, attributes) for _, attributes in documents.values())


FILTERS: list[Filter] = [
    {},
    {"colour": OneOf(frozenset({"red"}))},
    {"colour": OneOf(frozenset({"red", "緑"}))},
    {"price.net": Between(10, 20)},
    {"price.net": Between(low=200)},
    {"price.net": Between(high=1)},
    {"price.net": Between()},
    {"colour": OneOf(frozenset({"blue"})), "price.net": Between(0, 300)},
    {"colour": OneOf(frozenset({"blue"})), "price.net": Between(4, 4)},
    {"colour": OneOf(frozenset({"nobody's"}))},
    {"colour": OneOf(frozenset())},
    {"colour": OneOf(frozenset({"", "a\0b", "\ud800", "x" * 2000}))},
    {"price.net": Between(20, 10)},
]


def test_searches_and_counts_are_the_oracles(backend: Backend) -> None:
    documents = made(250)
    with backend.create(documents) as index:
        for where in FILTERS:
            assert_same(index, held(documents), 10, where)
        assert_same(index, held(documents), 1)
        assert_same(index, held(documents), 700)
        assert_same(index, held(documents), 700, FILTERS[1])
        assert index.search(np.zeros((0, D), np.float32), 3) == []


def test_changes_are_seen_at_once_and_after_reopening(backend: Backend) -> None:
    documents, others = made(150), made(40, seed=1)
    truth = held(documents)
    index = backend.create(documents)
    ids = [f"d{row}" for row in range(140, 180)]  # ten replaced, thirty added
    changed = Documents(ids, others.vectors, {"colour": ["red", None] * 20})
    index.upsert(changed)
    for row, doc_id in enumerate(ids):
        truth[doc_id] = (others.vectors[row], {"colour": ["red", None][row % 2]})
    for where in FILTERS[:8]:
        assert_same(index, truth, 10, where)
    assert index.delete(["d1", "d150", "nobody", "d1", "", "a\0b"]) == 2
    assert index.delete(["d1"]) == 0
    del truth["d1"], truth["d150"]
    index.upsert(Documents(["d1"], others.vectors[:1] * 2))
    truth["d1"] = (others.vectors[0] * 2, {})
    index.upsert(Documents([], np.zeros((0, D), np.float32)))
    for where in FILTERS[:8]:
        assert_same(index, truth, 10, where)
    index.close()
    with backend.open() as again:
        assert again.schema == SCHEMA
        for where in FILTERS[:8]:
            assert_same(again, truth, 400, where)


def test_an_empty_index_finds_nothing_and_grows(backend: Backend) -> None:
    none = Documents([], np.zeros((0, D), np.float32))
    with backend.create(none) as index:
        assert_same(index, {}, 5)
        assert index.delete(["a"]) == 0
        documents = made(3)
        index.upsert(documents)
        assert_same(index, held(documents), 5)
        index.delete(documents.ids)
        assert_same(index, {}, 5, FILTERS[1])


def test_a_snapshot_is_the_same_index_and_later_changes_are_not_in_it(
    backend: Backend, tmp_path: Path
) -> None:
    documents = made(120)
    with backend.create(documents) as index:
        index.upsert(Documents(["new"], documents.vectors[:1] * 3, {"price.net": [7.5]}))
        index.delete(["d5"])
        truth = held(documents) | {"new": (documents.vectors[0] * 3, {"price.net": 7.5})}
        del truth["d5"]
        index.snapshot(tmp_path / "kept")
        index.delete(["d6"])
        with pytest.raises(SearchError, match="is there already"):
            index.snapshot(tmp_path / "kept")
    kept = backend.name if backend.name in backends.EMBEDDED else "exact"
    with open_index(kept, str(tmp_path / "kept")) as copy:
        for where in FILTERS[:8]:
            assert_same(copy, truth, 10, where)
        with backend.create(copy.documents(), "moved") as moved:
            assert_same(moved, truth, 10, FILTERS[1])


def test_texts_of_every_kind_are_only_texts(backend: Backend) -> None:
    vectors = made(len(TORTURE)).vectors
    documents = Documents(TORTURE, vectors, {"colour": TORTURE})
    truth = held(documents)
    with backend.create(documents) as index:
        assert_same(index, truth, 20)
        for text in TORTURE:
            assert_same(index, truth, 20, {"colour": OneOf(frozenset({text}))})
        assert_same(index, truth, 20, {"colour": OneOf(frozenset({"' OR 1=1", "%", "*", "null", "\\"}))})
        assert index.delete(["x' OR '1'='1", "%"]) == 0
        assert index.delete([TORTURE[0]]) == 1
        assert index.count() == len(TORTURE) - 1


def test_what_does_not_fit_is_refused_and_changes_nothing(backend: Backend) -> None:
    documents = made(20)
    one = documents.vectors[:1]
    with backend.create(documents) as index:
        for wrong, message in [
            (Documents(["a"], one[:, :3]), r"shape \(1, 3\); the index takes \(n, 16\)"),
            (Documents(["a"], one * np.nan), "NaN or infinity at row 0"),
            (Documents(["a", "a"], documents.vectors[:2]), "'a' is there twice"),
            (Documents(["a", "b"], one), "1 vectors for 2 documents"),
            (Documents([""], one), "1 to 1000 bytes"),
            (Documents(["a\0b"], one), "without NUL"),
            (Documents(["x" * 1001], one), "1 to 1000 bytes"),
            (
                Documents(["a"], one, {"size": [1]}),
                r"cannot filter by 'size'.*colour \(category\), price.net",
            ),
            (Documents(["a"], one, {"colour": [3]}), "field 'colour' of document 'a'"),
            (Documents(["a"], one, {"price.net": ["dear"]}), "must be a finite number"),
            (Documents(["a"], one, {"price.net": [float("nan")]}), "must be a finite number"),
            (Documents(["a"], one, {"price.net": []}), "0 values for 1 documents"),
        ]:
            with pytest.raises(SearchError, match=message):
                index.upsert(wrong)
        with pytest.raises(SearchError, match="cannot filter by 'size'; its fields are: colour"):
            index.search(one, 1, {"size": Between(1, 2)})
        with pytest.raises(SearchError, match="cannot filter by 'size'"):
            index.count({"size": Between(1, 2)})
        with pytest.raises(SearchError, match="'colour' is a category: filter it by OneOf"):
            index.search(one, 1, {"colour": Between(1, 2)})
        with pytest.raises(SearchError, match="not a number"):
            index.search(one, 1, {"price.net": Between(float("nan"), 2)})
        with pytest.raises(SearchError, match=r"shape \(1, 3\)"):
            index.search(one[:, :3], 1)
        with pytest.raises(SearchError, match="at least 1 document"):
            index.search(one, 0)
        assert_same(index, held(documents), 30)


def test_one_name_one_index_and_no_index_where_none_was_made(backend: Backend) -> None:
    backend.create(made(3)).close()
    with pytest.raises(SearchError, match="already"):
        backend.create(made(3))
    with pytest.raises(SearchError, match=r"no (index|collection|table)"):
        backend.open("elsewhere")


def test_an_index_that_was_opened_for_reading_takes_no_changes(backend: Backend) -> None:
    documents = made(30)
    backend.create(documents).close()
    with backend.open(read_only=True) as index:
        for change in (lambda: index.upsert(documents), lambda: index.delete(["d1"])):
            with pytest.raises(SearchError, match="opened for reading"):
                change()
        assert_same(index, held(documents))


def test_readers_beside_a_writer_see_each_document_before_or_after_a_change(backend: Backend) -> None:
    """One document moves between two places; whoever looks finds it at one of them, and all others in theirs."""
    if backend.name == "qdrant":
        pytest.skip("qdrant-client's local mode is for one thread")
    documents = made(150)
    here, there = np.zeros((1, D), np.float32), np.zeros((1, D), np.float32)
    here[0, 0], there[0, 1] = 50, 60
    failures: list[BaseException] = []
    done = threading.Event()
    with backend.create(documents) as index:
        index.upsert(Documents(["mover"], here, {"colour": ["red"]}))
        asked = np.stack([here[0] / 50, there[0] / 60])

        def read() -> None:
            try:
                while not done.is_set():
                    for query in asked:  # one query sees one state
                        found = index.search(query[None], 200)[0]
                        assert sorted(found.ids) == sorted([*documents.ids, "mover"])
                        score = found.scores[found.ids.index("mover")]
                        assert min(abs(score - one) for one in (0, 50, 60)) < 1e-3
                    assert index.count({"colour": OneOf(frozenset({"red"}))}) >= 1
            except BaseException as error:
                failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for turn in range(30):
            index.upsert(Documents(["mover"], there if turn % 2 == 0 else here, {"colour": ["red"]}))
        done.set()
        for reader in readers:
            reader.join()
    assert not failures, failures[0]


def test_an_unknown_backend_and_a_missing_library_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SearchError, match="no index backend 'faiss'; they are exact, ivf"):
        open_index("faiss", str(tmp_path))

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name="qdrant_client")

    monkeypatch.setattr(backends.importlib, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"gradus\[qdrant\]"):
        open_index("qdrant", "http://localhost:6333#parts")
