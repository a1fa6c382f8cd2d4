"""Batches against naive look-ups in the table of judged pairs."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.training.batches import Batch, Batches, ManyToManyBatches, PairBatches

Judged = dict[tuple[int, int], float]


@st.composite
def judgments(draw: st.DrawFn) -> Judged:
    """(query, document) → weight, with at least one above 0."""
    cell = st.tuples(st.integers(0, 6), st.integers(0, 8))
    found = draw(st.dictionaries(cell, st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40))
    return found | {draw(cell): 1.0}


def batches(kind: type[Batches], judged: Judged, size: int) -> Batches:
    query, document = np.array(list(judged), np.int64).T
    return kind(query, document, np.array(list(judged.values())), size)


def positives(batch: Batch) -> Judged:
    """The batch's pairs in rows of the tables; each must be there once."""
    query, document = batch.queries[batch.pairs.query.numpy()], batch.documents[batch.pairs.document.numpy()]
    cells = list(zip(query.tolist(), document.tolist(), strict=True))
    return dict(zip(cells, batch.pairs.weight.tolist(), strict=True))


@given(judgments(), st.integers(1, 6), st.integers(0, 99))
def test_a_many_to_many_batch_holds_every_judged_pair_of_its_documents(
    judged: Judged, size: int, seed: int
) -> None:
    positive = {cell: w for cell, w in judged.items() if w > 0}
    dealt = []
    for batch in batches(ManyToManyBatches, judged, size).epoch(seed, 0):
        documents, queries = batch.documents.tolist(), batch.queries.tolist()
        assert 0 < len(documents) <= size
        assert len(set(documents)) == len(documents)
        assert queries == sorted({q for q, d in positive if d in documents})
        assert positives(batch) == {(q, d): w for (q, d), w in positive.items() if d in documents}
        assert len(batch.pairs.weight) == len(positives(batch))
        assert not len(batch.pairs.ignored_query)
        dealt += documents
    assert sorted(dealt) == sorted({d for _, d in positive})


@given(judgments(), st.integers(1, 6), st.integers(0, 99))
def test_a_batch_of_pairs_ignores_what_is_judged_and_copies(judged: Judged, size: int, seed: int) -> None:
    positive = {cell: w for cell, w in judged.items() if w > 0}
    dealt = []
    for batch in batches(PairBatches, judged, size).epoch(seed, 0):
        count = len(batch.queries)
        assert count == len(batch.documents) <= size
        assert batch.pairs.query.tolist() == batch.pairs.document.tolist() == list(range(count))
        cells = list(zip(batch.queries.tolist(), batch.documents.tolist(), strict=True))
        assert batch.pairs.weight.tolist() == [positive[cell] for cell in cells]
        expected = {
            (i, j)
            for i, (q, d) in enumerate(cells)
            for j, (other_q, other_d) in enumerate(cells)
            if i != j and ((q, other_d) in positive or q == other_q or d == other_d)
        }
        ignored = list(
            zip(batch.pairs.ignored_query.tolist(), batch.pairs.ignored_document.tolist(), strict=True)
        )
        assert set(ignored) == expected
        assert len(ignored) == len(expected)
        dealt += cells
    assert sorted(dealt) == sorted(positive)


@pytest.fixture(params=[ManyToManyBatches, PairBatches])
def make(request: pytest.FixtureRequest) -> Callable[[int], Batches]:
    judged = {(q, d): 1.0 for q in range(20) for d in range(30) if (q * d) % 7 == 1}
    return lambda size: batches(request.param, judged, size)


def order(batches: Batches, seed: int, number: int) -> list[list[int]]:
    return [batch.documents.tolist() for batch in batches.epoch(seed, number)]


def test_an_epoch_is_the_same_for_the_same_seed_and_number(make: Callable[[int], Batches]) -> None:
    assert order(make(8), 0, 3) == order(make(8), 0, 3)
    assert order(make(8), 0, 3) != order(make(8), 0, 4)
    assert order(make(8), 0, 3) != order(make(8), 1, 3)


def test_batches_of_an_epoch_are_of_nearly_equal_sizes(make: Callable[[int], Batches]) -> None:
    for size in (3, 8, 1000):
        made = make(size)
        sizes = [len(batch.documents) for batch in made.epoch(0, 0)]
        assert len(sizes) == made.steps
        assert sum(sizes) == len(made.dealt)
        assert max(sizes) <= size
        assert max(sizes) - min(sizes) <= 1


def test_weights_reach_the_objective_as_float32(make: Callable[[int], Batches]) -> None:
    batch = next(make(8).epoch(0, 0))
    assert str(batch.pairs.weight.dtype) == "torch.float32"
    assert batch.queries.dtype == batch.documents.dtype == np.int64
