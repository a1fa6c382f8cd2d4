import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import CatalogError, JudgmentsError, SettingsError
from gradus.judgments.hierarchy import judge_hierarchy, read_document_paths, read_query_paths
from gradus.judgments.scores import Scores
from gradus.settings import HierarchySettings, from_mapping

PATHS = {
    "hex": ("fasteners", "bolts", "hex"),
    "eye": ("fasteners", "bolts", "eye"),
    "nut": ("fasteners", "nuts"),
    "saw": ("tools", "saws"),
}


def _scores(pairs):
    """Scores from {(query, document): (score, count)}."""
    queries = list(dict.fromkeys(query for query, _ in pairs))
    documents = list(dict.fromkeys(document for _, document in pairs))
    score, count = np.array(list(pairs.values()), float).reshape(-1, 2).T
    return Scores(
        "log", queries, documents, np.array([queries.index(query) for query, _ in pairs], np.int64),
        np.array([documents.index(document) for _, document in pairs], np.int64), score, score, score, count,
    )  # fmt: skip


def _of(scores):
    rows = zip(scores.query, scores.document, scores.low, scores.score, scores.high, strict=True)
    return {
        (scores.queries[q], scores.documents[d]): (pytest.approx(low), pytest.approx(s), pytest.approx(high))
        for q, d, low, s, high in rows
    }


def _judge(queries, evidence=(), documents=PATHS, **settings):
    return judge_hierarchy(documents, queries, list(evidence), HierarchySettings(**settings))


def test_steps_of_a_known_category():
    found = _of(_judge({"q": ("fasteners", "bolts", "hex")}))
    # Three levels: ⅓, ⅔, 1; an interval from the step below to the step above. The saw shares nothing and is left out.
    assert found == {
        ("q", "hex"): (2 / 3, 1, 1), ("q", "eye"): (1 / 3, 2 / 3, 1), ("q", "nut"): (0, 1 / 3, 2 / 3),
    }  # fmt: skip


def test_levels_are_normalised_by_the_depth_of_the_query():
    levels = ("0.1", "0.4", "0.8")
    deep = _of(_judge({"q": ("fasteners", "bolts", "hex", "M8")}, levels=levels))
    assert deep[("q", "hex")][1] == 0.8 / 0.8
    assert deep[("q", "nut")] == (0, 0.1 / 0.8, 0.4 / 0.8)
    shallow = _of(_judge({"q": ("fasteners", "bolts")}, levels=levels))
    assert shallow == {
        ("q", "hex"): (0.1 / 0.4, 1, 1), ("q", "eye"): (0.1 / 0.4, 1, 1), ("q", "nut"): (0, 0.1 / 0.4, 1),
    }  # fmt: skip


def test_a_category_inferred_from_clicks():
    # Votes: hex 0.5 · 8 = 4, eye 0.2 · 10 = 2, unknown 1. The saw was shown and not clicked.
    log = _scores({("q", "hex"): (0.5, 8), ("q", "eye"): (0.2, 10), ("q", "saw"): (0.0, 30)})
    found = _of(_judge({}, [log]))
    # The nut shares one level of three with both; no path shares nothing and could be anything.
    assert found[("q", "nut")] == (0, 6 / 7 * 1 / 3, 1)
    # A pair's own votes are left out: for hex 2 votes for eye of 3 in all, for eye 4 of 5 for hex.
    assert found[("q", "hex")][1] == 2 / 3 * 2 / 3
    assert found[("q", "eye")][1] == 4 / 5 * 2 / 3
    assert found[("q", "saw")] == (0, 0, 1)


def test_more_evidence_and_less_entropy_narrow_the_interval():
    def width(pairs):
        scores = _judge({}, [_scores(pairs)], per_query=50)
        rows = [scores.documents[d] == "hex" for d in scores.document]
        return float((scores.high - scores.low)[rows][0])

    documents = {("q", "eye"): (1, 1)}
    weak, strong = width(documents), width({("q", "eye"): (1, 200)})
    torn = width({("q", "eye"): (1, 100), ("q", "saw"): (1, 100)})
    # One vote against the unknown says nothing; 200 leave the two steps around ⅔.
    assert weak == pytest.approx(1)
    assert strong == pytest.approx(2 / 3)
    assert torn == pytest.approx(1)


def test_no_evidence_no_scores():
    log = _scores({("q", "hex"): (0.0, 50), ("r", "gone"): (1.0, 50)})
    assert len(_judge({}, [log])) == 0
    assert len(_judge({})) == 0
    assert len(_judge({"q": ("elsewhere",)})) == 0


def test_few_of_many_documents_chosen_by_step():
    documents = {f"bolt-{i}": ("fasteners", "bolts") for i in range(100)}
    documents |= {f"nut-{i}": ("fasteners", "nuts") for i in range(100)} | {"saw": ("tools",)}
    queries = {"q": ("fasteners", "bolts"), "r": ("fasteners", "bolts")}
    found = _judge(queries, documents=documents, per_query=10)
    of_q = [found.documents[d] for q, d in zip(found.query, found.document, strict=True) if q == 0]
    of_r = [found.documents[d] for q, d in zip(found.query, found.document, strict=True) if q == 1]
    assert len(found) == 20
    assert sum(name.startswith("bolt") for name in of_q) == 5
    # Drawn by a seed of the query: the same whatever the order, and others for another query.
    assert set(of_q) != set(of_r)
    again = _judge(dict(reversed(queries.items())), documents=dict(reversed(documents.items())), per_query=10)
    assert _of(again) == _of(found)
    # Pairs that have evidence come on top, and are not taken twice.
    log = _scores({("q", of_q[0]): (0.5, 1), ("q", "bolt-99"): (0.5, 1)})
    more = _judge(queries, [log], documents=documents, per_query=10)
    assert len(more) == 22
    assert len(_judge(queries, [log], documents=documents, per_query=0)) == 2


def test_judged_documents_do_not_take_the_place_of_others():
    documents = {f"bolt-{i}": ("fasteners", "bolts") for i in range(12)}
    log = _scores({("q", f"bolt-{i}"): (0.5, 1) for i in range(6)})
    assert len(_judge({"q": ("fasteners", "bolts")}, [log], documents=documents, per_query=6)) == 12


paths = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(tuple)


@given(
    documents=st.lists(paths, min_size=1, max_size=6),
    weights=st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_inferred_scores_against_a_sum_over_paths(documents, weights):
    documents = {f"d{i}": path for i, path in enumerate(documents)}
    log = _scores({("q", name): (1, weight) for name, weight in zip(documents, weights, strict=False)})
    found = _judge({}, [log])
    votes = dict(zip(documents, weights, strict=False))
    for q, d, score in zip(found.query, found.document, found.score, strict=True):
        assert q == 0
        name = found.documents[d]
        total, expected = 1.0, 0.0
        for other, weight in votes.items():
            if other == name:
                continue
            shared = 0
            while documents[name][: shared + 1] == documents[other][: shared + 1] and shared < min(
                len(documents[name]), len(documents[other])
            ):
                shared += 1
            total += weight
            expected += weight * shared / len(documents[other])
        assert score == pytest.approx(expected / total)


@pytest.mark.parametrize("levels", [("0.5", "0.4"), ("0", "1"), ("0.5", "1.5"), ("half",), ("nan",)])
def test_levels_that_do_not_do(levels):
    with pytest.raises(SettingsError, match=r"hierarchy\.levels must be numbers above 0"):
        _judge({"q": ("fasteners",)}, levels=levels)


def test_paths_from_files(tmp_path):
    (tmp_path / "catalog.csv").write_text("doc_id,path\na,Tools >  Ｓaws\nb,\nc,Tools > \n", encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text('{"query_id": 7, "path": ["Tools", "Saws"]}\n', encoding="utf-8")
    sections = {"query": {"path": "queries.jsonl"}, "hierarchy": {"document": "path", "query": "path"}}
    settings = from_mapping(sections, tmp_path)
    assert read_document_paths(settings) == {"a": ("Tools", "Saws"), "c": ("Tools",)}
    assert read_query_paths(settings) == {"7": ("Tools", "Saws")}
    assert read_query_paths(settings.with_values({"hierarchy.query": ""})) == {}
    with pytest.raises(SettingsError, match=r"query\.path"):
        read_query_paths(settings.with_values({"query.path": ""}))
    with pytest.raises(CatalogError, match=r"no column 'pth' \(hierarchy\.document.*did you mean 'path'"):
        read_document_paths(settings.with_values({"hierarchy.document": "pth"}))
    (tmp_path / "catalog.csv").write_text("doc_id,path\na,\n", encoding="utf-8")
    with pytest.raises(JudgmentsError, match="holds no category path"):
        read_document_paths(settings)
