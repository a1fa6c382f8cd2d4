"""BM25 beside vectors, against a loop over the formula; and what changes, files and other backends make of it."""

from math import log
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gradus.encoders.subwords import terms
from gradus.errors import SearchError
from gradus.search.index import ivf
from gradus.search.index.backends import create_index, open_index
from gradus.search.index.exact import ExactIndex
from gradus.search.index.filters import Filter, OneOf, admits
from gradus.search.index.index import Beside, Documents, Schema

D, SHARE = 8, 0.3
SCHEMA = Schema(D, {"kind": "category"}, SHARE, texts=("title", "note"))
WORDS = ("red", "blue", "M8", "bolt", "nut", "10", "mm", "靴", "zinc")
QUERIES = ["red bolt M8", "zinc unknown", "", "靴 nut nut"]


def made(count: int, seed: int = 0, first: int = 0) -> Documents:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, D)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    titles = [" ".join(random.choice(WORDS, random.integers(1, 6))) for _ in range(count)]
    notes = [None if row % 3 else str(random.choice(WORDS)) for row in range(count)]
    kinds = ["ab"[row % 2] for row in range(count)]
    ids = [f"d{first + row}" for row in range(count)]
    return Documents(ids, vectors, {"kind": kinds}, {"title": titles, "note": notes})


def asked(seed: int = 9) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(len(QUERIES), D)).astype(np.float32)


def joined(documents: Documents, row: int) -> str:
    return f"{documents.texts['title'][row]} {documents.texts['note'][row] or ''}"


def expected(base: list[str], text: str, query: str, dot: float) -> float:
    """The score by the formulas, with the statistics of the base."""
    corpus = [terms(one) for one in base]
    mean, own = sum(map(len, corpus)) / len(corpus), terms(text)

    def idf(term: str) -> float:
        holders = sum(term in one for one in corpus)
        return log(1 + (len(corpus) - holders + 0.5) / (holders + 0.5))

    most = sum(idf(term) for term in terms(query))
    if not most:
        return dot
    bm25 = 0.0
    for term in terms(query):
        count = own.count(term)
        bm25 += idf(term) * count / (count + 1.2 * (1 - 0.75 + 0.75 * len(own) / mean))
    return (1 - SHARE) * dot + SHARE * bm25 / most


def assert_as_formula(
    index: ExactIndex,
    documents: dict[str, tuple[NDArray[np.float32], str, str]],
    base: list[str],
    where: Filter,
) -> None:
    queries = asked()
    found = index.search(queries, 1000, where, Beside(QUERIES))
    for query, text, one in zip(queries, QUERIES, found, strict=True):
        right = {
            doc_id: expected(base, own, text, float(vector @ query))
            for doc_id, (vector, own, kind) in documents.items()
            if admits(where, {"kind": kind})
        }
        assert dict(zip(one.ids, one.scores, strict=True)) == pytest.approx(right, abs=1e-5)
        assert list(one.scores) == sorted(one.scores, reverse=True)


def held(documents: Documents) -> dict[str, tuple[NDArray[np.float32], str, str]]:
    kinds = documents.attributes["kind"]
    return {
        doc_id: (documents.vectors[row], joined(documents, row), str(kinds[row]))
        for row, doc_id in enumerate(documents.ids)
    }


@pytest.mark.parametrize("where", [{}, {"kind": OneOf(frozenset("a"))}, {"kind": OneOf(frozenset("x"))}])
def test_scores_follow_the_formula_through_changes_and_reopening(tmp_path: Path, where: Filter) -> None:
    first, later = made(60), made(20, seed=1, first=50)  # ten are replaced, ten are new
    base = [joined(first, row) for row in range(len(first))]
    documents = held(first)
    index = create_index("exact", str(tmp_path / "a"), SCHEMA, first)
    assert isinstance(index, ExactIndex)
    assert_as_formula(index, documents, base, where)
    index.upsert(later)
    index.delete(["d3", "d55"])
    documents |= held(later)
    del documents["d3"], documents["d55"]
    # Statistics stay those of the base, from opening to opening, and in a snapshot …
    assert_as_formula(index, documents, base, where)
    index.snapshot(tmp_path / "copy")
    index.close()
    for name in ("a", "copy"):
        with open_index("exact", str(tmp_path / name), read_only=True) as again:
            assert isinstance(again, ExactIndex)
            assert_as_formula(again, documents, base, where)
    # … until it is written anew, or moved.
    with open_index("exact", str(tmp_path / "a")) as opened:
        assert isinstance(opened, ExactIndex)
        opened.compact()
        base = [own for _, own, _ in documents.values()]
        assert_as_formula(opened, documents, base, where)
        with create_index("exact", str(tmp_path / "moved"), opened.schema, opened.documents()) as moved:
            assert isinstance(moved, ExactIndex)
            assert_as_formula(moved, documents, base, where)


def test_few_admitted_documents_are_scored_alike(tmp_path: Path) -> None:
    """A narrow filter gathers vectors; a wide one does not."""
    many = made(300)
    rare = [*("a" * 295), *("b" * 5)]
    documents = Documents(many.ids, many.vectors, {"kind": rare}, many.texts)
    with create_index("exact", str(tmp_path / "a"), SCHEMA, documents) as index:
        every = index.search(asked(), 300, None, Beside(QUERIES))
        for letter in "ab":
            found = index.search(asked(), 300, {"kind": OneOf(frozenset(letter))}, Beside(QUERIES))
            for some, whole in zip(found, every, strict=True):
                scores = dict(zip(whole.ids, whole.scores, strict=True))
                assert len(some.ids) == rare.count(letter)
                assert some.scores == pytest.approx([scores[doc_id] for doc_id in some.ids], abs=1e-6)


def test_without_words_it_is_the_dot_product(tmp_path: Path) -> None:
    with create_index("exact", str(tmp_path / "a"), SCHEMA, made(30)) as index:
        dots = index.search(asked(), 30)
        assert index.search(asked(), 30, None, Beside(["", "-", "?!", ""])) == dots
        assert index.search(asked(), 30, None, Beside(QUERIES))[0] != dots[0]
        assert index.search(asked(), 30, None, Beside(QUERIES))[2] == dots[2]  # the one without words
        with pytest.raises(SearchError, match="1 texts for 4 queries"):
            index.search(asked(), 3, None, Beside(["red"]))


def test_cells_find_documents_that_only_words_are_near_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivf.IvfIndex, "layout", ivf.Layout(ivf.arrange, 100))
    monkeypatch.setattr(ivf, "_PROBES", 1)
    documents = made(2000)
    titles = list(documents.texts["title"])
    query = asked()[:1] / np.linalg.norm(asked()[0])
    farthest = int(np.argmin(documents.vectors @ query[0]))
    titles[farthest] = "wormgear DIN3975"
    documents = Documents(documents.ids, documents.vectors, documents.attributes, {"title": titles})
    schema = Schema(D, {"kind": "category"}, 0.9, texts=("title",))
    found = {}
    for backend in ("exact", "ivf"):
        with create_index(backend, str(tmp_path / backend), schema, documents) as index:
            found[backend] = index.search(query, 5, None, Beside(["wormgear DIN3975"]))[0]
            kind = str(documents.attributes["kind"][farthest])
            other = {"kind": OneOf(frozenset("ab") - {kind})}
            without = index.search(query, 5, other, Beside(["wormgear DIN3975"]))[0]
            assert f"d{farthest}" not in without.ids
    assert found["ivf"].ids[0] == found["exact"].ids[0] == f"d{farthest}"
    assert found["ivf"].scores[0] == pytest.approx(found["exact"].scores[0], abs=1e-6)


def test_damaged_statistics_are_told(tmp_path: Path) -> None:
    create_index("exact", str(tmp_path / "a"), SCHEMA, made(10)).close()
    path = tmp_path / "a" / "bm25-1.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(SearchError, match=r"bm25-1.npz is damaged"):
        open_index("exact", str(tmp_path / "a"))


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="no field with a text for BM25"):
        Schema(D, {}, 0.3)
    with pytest.raises(SearchError, match="share of BM25 is 1"):
        Schema(D, {}, 1.0, texts=("title",))
    plain = Schema(D, {"kind": "category"})
    with pytest.raises(SearchError, match=r"keeps no texts of 'title'.*: none"):
        create_index("exact", str(tmp_path / "a"), plain, made(3))
    pytest.importorskip("qdrant_client")
    with pytest.raises(SearchError, match=r"Qdrant takes vectors and attributes alone: index.hybrid needs"):
        create_index("qdrant", f"{tmp_path / 'q'}#x", SCHEMA, made(3))


def test_documents_without_texts_share_no_word(tmp_path: Path) -> None:
    documents = made(5)
    bare = Documents(documents.ids, documents.vectors, documents.attributes)
    with create_index("exact", str(tmp_path / "a"), SCHEMA, bare) as index:
        found = index.search(asked(), 5, None, Beside(QUERIES))
        dots = index.search(asked(), 5)
    assert found[0].scores == pytest.approx([(1 - SHARE) * score for score in dots[0].scores], abs=1e-6)
