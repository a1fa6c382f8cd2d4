import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.judgments import Judgments
from gradus.judgments.split import CELLS, PARTS, Split, make_split
from gradus.settings import SplitSettings


def _table(n, prefix, groups=None):
    fields = (Field("text"), Field("family", "category", 0))
    columns = {"text": [f"{prefix}{i}" for i in range(n)], "family": groups or [None] * n}
    return Table([f"{prefix}{i}" for i in range(n)], fields, columns)


def _judgments(queries, documents, pairs=()):
    pairs = list(pairs) or list(itertools.product(range(len(queries)), range(len(documents))))
    query, document = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    ones = np.ones(len(pairs))
    source = np.full(len(pairs), "test", object)
    return Judgments(queries, documents, query, document, ones, ones, ones, source)


def _shares(parts):
    return {part: int((parts == part).sum()) for part in PARTS}


def test_shares_are_met_to_the_row():
    judgments = _judgments(_table(50, "q"), _table(200, "d"), [(0, 0)])
    split = make_split(judgments, SplitSettings(novel_queries=0.2, novel_documents=0.5, validation=0.1))
    assert _shares(split.query_part) == {"novel": 10, "validation": 4, "train": 36}  # 10 % of 40
    assert _shares(split.document_part) == {"novel": 100, "validation": 10, "train": 90}


def test_cells_against_a_loop_over_all_pairs():
    judgments = _judgments(_table(12, "q"), _table(15, "d"))
    split = make_split(judgments, SplitSettings(novel_queries=0.3, novel_documents=0.4, validation=0.2))
    want = {
        "in-domain": ("train", "train"),
        "novel-query": ("novel", "train"),
        "novel-document": ("train", "novel"),
        "zero-shot": ("novel", "novel"),
    }
    counts = split.counts(judgments)
    for name, (query_part, document_part) in want.items():
        queries = [q for q in range(12) if split.query_part[q] == query_part]
        documents = [d for d in range(15) if split.document_part[d] == document_part]
        assert [list(rows) for rows in split.cell(name)] == [queries, documents]
        assert counts[name] == {
            "queries": len(queries), "documents": len(documents), "pairs": len(queries) * len(documents),
        }  # fmt: skip
    held = counts["validation"]
    train_q, train_d = counts["in-domain"]["queries"], counts["in-domain"]["documents"]
    assert held["pairs"] == (train_q + held["queries"]) * (train_d + held["documents"]) - train_q * train_d
    assert set(split.validation_cells()) == set(want)
    for name, (queries, documents) in split.validation_cells().items():
        parts = [part.replace("novel", "validation") for part in want[name]]
        assert [{split.query_part[q] for q in queries}, {split.document_part[d] for d in documents}] == [
            {part} for part in parts
        ]


def test_training_pairs_have_both_sides_in_train():
    judgments = _judgments(_table(12, "q"), _table(15, "d"))
    split = make_split(judgments, SplitSettings())
    naive = [
        split.query_part[q] == "train" and split.document_part[d] == "train"
        for q, d in zip(judgments.query, judgments.document, strict=True)
    ]
    assert list(split.training(judgments)) == naive
    assert 0 < sum(naive) < len(naive)


shares = st.floats(0, 0.9)
group_values = st.lists(st.sampled_from(["a", "b", "c", "d", "e", None]), min_size=1, max_size=40)


@given(group_values, group_values, shares, shares, st.floats(0, 0.5), st.integers(0, 9))
def test_groups_never_straddle_and_parts_cover_everything(
    query_groups, document_groups, novel_queries, novel_documents, validation, seed
):
    judgments = _judgments(
        _table(len(query_groups), "q", query_groups),
        _table(len(document_groups), "d", document_groups),
        [(0, 0)],
    )
    settings = SplitSettings(novel_queries, novel_documents, validation, "family", "family", seed)
    split = make_split(judgments, settings)
    for groups, parts in ((query_groups, split.query_part), (document_groups, split.document_part)):
        assert len(parts) == len(groups)
        assert set(parts) <= set(PARTS)
        assert "train" in parts
        for group in set(groups) - {None}:
            assert len({part for part, own in zip(parts, groups, strict=True) if own == group}) == 1
    cells = [split.cell(name) for name in CELLS]
    seen = {(q, d) for queries, documents in cells for q in queries for d in documents}
    assert len(seen) == sum(len(queries) * len(documents) for queries, documents in cells)  # disjoint


@given(st.permutations(range(20)), st.integers(0, 5), st.booleans())
def test_the_order_of_the_rows_does_not_matter(order, seed, grouped):
    documents = _table(20, "d", [f"g{i % 7}" for i in range(20)])
    settings = SplitSettings(seed=seed, validation=0.2, document_group="family" if grouped else "")
    straight = make_split(_judgments(_table(1, "q"), documents), settings)
    shuffled = make_split(_judgments(_table(1, "q"), documents.take(order)), settings)
    assert list(shuffled.document_part) == [straight.document_part[row] for row in order]


def test_another_seed_gives_another_split():
    judgments = _judgments(_table(40, "q"), _table(40, "d"), [(0, 0)])
    splits = [make_split(judgments, SplitSettings(seed=seed)) for seed in (0, 0, 1)]
    assert list(splits[0].document_part) == list(splits[1].document_part)
    assert list(splits[0].document_part) != list(splits[2].document_part)


def test_queries_and_documents_of_the_same_ids_are_drawn_apart():
    judgments = _judgments(_table(40, "x"), _table(40, "x"), [(0, 0)])
    split = make_split(judgments, SplitSettings(novel_queries=0.5, novel_documents=0.5))
    assert list(split.query_part) != list(split.document_part)


def test_a_giant_group_does_not_eat_the_train_part():
    groups = ["giant"] * 60 + [f"small{i}" for i in range(40)]
    judgments = _judgments(_table(1, "q"), _table(100, "d", groups), [(0, 0)])
    for seed in range(8):
        settings = SplitSettings(novel_documents=0.2, validation=0, document_group="family", seed=seed)
        split = make_split(judgments, settings)
        assert _shares(split.document_part) == {"novel": 20, "validation": 0, "train": 80}


def test_shares_of_zero_leave_cells_empty():
    judgments = _judgments(_table(10, "q"), _table(10, "d"))
    split = make_split(judgments, SplitSettings(novel_queries=0, novel_documents=0, validation=0))
    assert [len(rows) for rows in split.cell("zero-shot")] == [0, 0]
    assert split.counts(judgments)["in-domain"] == {"queries": 10, "documents": 10, "pairs": 100}
    assert split.validation_cells() == {}


def test_one_query_stays_in_train():
    judgments = _judgments(_table(1, "q"), _table(10, "d"))
    split = make_split(judgments, SplitSettings(novel_queries=0.9, validation=0.5))
    assert list(split.query_part) == ["train"]
    assert set(split.validation_cells()) == {"in-domain", "novel-document"}


def test_labels_are_honoured_and_validation_comes_out_of_train():
    judgments = _judgments(_table(10, "q"), _table(20, "d"))
    labels = ["train"] * 12 + ["novel"] * 5 + [None] * 3
    split = make_split(judgments, SplitSettings(validation=0.2), None, labels)
    assert set(split.document_part[12:17]) == {"novel"}
    assert _shares(split.document_part) == {"novel": 5, "validation": 3, "train": 12}  # 20 % of 15
    assert "novel" in split.query_part  # drawn: the queries have no labels


def test_labelled_validation_is_left_alone():
    labels = ["train"] * 8 + ["validation"] + ["novel"]
    judgments = _judgments(_table(10, "q"), _table(10, "d"))
    split = make_split(judgments, SplitSettings(validation=0.5), labels, labels)
    assert list(split.query_part) == labels
    assert list(split.document_part) == labels


def test_an_unlabelled_document_follows_its_group():
    documents = _table(6, "d", ["a", "a", "b", "b", None, "c"])
    labels = ["novel", None, "train", None, None, None]
    split = make_split(
        _judgments(_table(2, "q"), documents),
        SplitSettings(validation=0, document_group="family"),
        None,
        labels,
    )
    assert list(split.document_part) == ["novel", "novel", "train", "train", "train", "train"]


@given(st.lists(st.sampled_from(["train", "novel", None]), min_size=2, max_size=30), st.floats(0, 0.5))
def test_labels_survive_but_for_the_validation_share(labels, validation):
    judgments = _judgments(_table(2, "q"), _table(len(labels), "d"), [(0, 0)])
    parts = make_split(judgments, SplitSettings(validation=validation), None, labels).document_part
    for label, part in zip(labels, parts, strict=True):
        assert part == "novel" if label == "novel" else part in {"train", "validation"}


def test_faults():
    judgments = _judgments(_table(3, "q"), _table(3, "d", ["a", "a", "b"]))
    with pytest.raises(JudgmentsError, match=r"document_group is 'famly'.*text, family.*weight 0"):
        make_split(judgments, SplitSettings(document_group="famly"))
    with pytest.raises(JudgmentsError, match=r"'a' into both train and novel \(at document 'd1'\)"):
        make_split(judgments, SplitSettings(document_group="family"), None, ["train", "novel", "train"])
    with pytest.raises(JudgmentsError, match=r"2 query labels are given for 3 rows"):
        make_split(judgments, SplitSettings(), ["train", "novel"])
    with pytest.raises(JudgmentsError, match=r"'q1' is labelled 'dev'"):
        make_split(judgments, SplitSettings(), ["train", "dev", "novel"])
    with pytest.raises(JudgmentsError, match="'nowhere' is no part"):
        Split(np.array(["nowhere"], object), np.array(["train"], object))
    with pytest.raises(JudgmentsError, match="in-domain, novel-query"):
        make_split(judgments, SplitSettings()).cell("in_domain")
