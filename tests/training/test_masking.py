"""What is masked, against a loop over all cells."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.training.batches import Batch, ManyToManyBatches, PairBatches
from gradus.training.masking import content_groups, masked

MADE = {"many-to-many": ManyToManyBatches, "pairs": PairBatches}
every_kind = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


def table(texts: list[str | None]) -> Table:
    return Table([str(n) for n in range(len(texts))], (Field("title"),), {"title": texts})


def cells(batch: Batch) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Positive and ignored positions."""
    pairs = batch.pairs
    return (
        set(zip(pairs.query.tolist(), pairs.document.tolist(), strict=True)),
        set(zip(pairs.ignored_query.tolist(), pairs.ignored_document.tolist(), strict=True)),
    )


def naive(
    batch: Batch, judged: set[tuple[str, str]], queries: Table, documents: Table
) -> Iterator[tuple[int, int]]:
    """The cells that are no positive but whose texts are those of a positive pair of training."""
    positive, _ = cells(batch)
    for i, q in enumerate(batch.queries):
        for j, d in enumerate(batch.documents):
            texts = queries.columns["title"][q], documents.columns["title"][d]
            if (i, j) not in positive and texts in judged:
                yield i, j


@every_kind
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_copies_of_a_judged_pair_are_ignored(make: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries = table([f"q{n}" for n in rng.integers(0, 4, 6)])
    documents = table([f"d{n}" for n in rng.integers(0, 5, 8)])
    key = np.flatnonzero(rng.random(48) < 0.3)
    key = key if len(key) else np.array([7])
    query, document = np.divmod(key, 8)
    weight = rng.choice([0.0, 0.5, 1.0], len(key))
    weight[0] = 1.0
    judged = {
        (queries.columns["title"][q], documents.columns["title"][d])
        for q, d, w in zip(query, document, weight, strict=True)
        if w
    }
    plain = make(query, document, weight, 5)
    for before, after in zip(
        plain.epoch(3, 0), masked(plain, "copies", queries, documents).epoch(3, 0), strict=True
    ):
        positive, ignored = cells(after)
        assert after.queries.tolist() == before.queries.tolist()
        assert after.documents.tolist() == before.documents.tolist()
        assert torch.equal(after.pairs.weight, before.pairs.weight)
        assert positive == cells(before)[0]
        assert ignored == set(naive(after, judged, queries, documents))
        assert len(after.pairs.ignored_query) == len(ignored)
        assert ignored >= cells(before)[1]


@every_kind
def test_without_copies_the_batches_stay_as_they_are(make: type) -> None:
    query, document = np.divmod(np.array([0, 1, 5, 7]), 4)
    batches = make(query, document, np.ones(4), 4)
    queries, documents = table(["a", "b"]), table(["a", "b", "c", "d"])
    assert masked(batches, "copies", queries, documents) is batches
    assert masked(batches, "judged", queries, table(["a", "a", "c", "d"])) is batches


def test_nothing_masked_makes_every_judged_pair_of_another_row_a_negative() -> None:
    query, document = np.array([0, 0, 1]), np.array([0, 1, 1])
    batches = PairBatches(query, document, np.ones(3), 3)
    (plain,) = batches.epoch(0, 0)
    (batch,) = masked(batches, "nothing", table(["a", "a"]), table(["b", "c"])).epoch(0, 0)
    assert len(cells(plain)[1]) > 0
    assert cells(batch) == (cells(plain)[0], set())
    assert batch.queries.tolist() == plain.queries.tolist()


def test_masked_batches_deal_out_what_the_others_do() -> None:
    query, document = np.divmod(np.array([0, 1, 5, 7]), 4)
    batches = PairBatches(query, document, np.array([1.0, 0.5, 0.0, 1.0]), 2)
    changed = masked(batches, "copies", table(["a", "a"]), table(["b", "c", "d", "e"]))
    assert changed is not batches
    assert changed.steps == batches.steps == 2
    assert changed.dealt.tolist() == batches.dealt.tolist()
    assert changed.document.tolist() == batches.document.tolist()


def test_content_is_all_that_is_encoded() -> None:
    fields = (Field("title"), Field("pads", "number"), Field("kind", "category", weight=0.0))
    columns = {
        "title": ["nut", "nut", "nut", None, "nut", None, None],
        "pads": [12.0, 12.0, 8.0, 12.0, None, None, None],
        "kind": ["a", "b", "a", "a", "a", "a", "a"],
    }
    groups = content_groups(Table([str(n) for n in range(7)], fields, columns)).tolist()
    # Kinds are not encoded, so 0 and 1 are copies; rows 5 and 6 have nothing, and are not.
    assert groups[0] == groups[1]
    assert len(set(groups)) == 6
