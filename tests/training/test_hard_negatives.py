"""Hard negatives against naive loops, and as a part of a run that is cached, shared out, killed and resumed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from processes import finish, launch, mining
from safetensors.torch import load_file
from test_cached import assert_same, gradients, no_draws
from tiny_task import hits, joined, judged, near, same, tiny_run, tiny_task
from torch import Tensor

import gradus.training.loop
from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.training.batches import Batches, ManyToManyBatches
from gradus.training.cached import cached_backward
from gradus.training.distributed import ALONE
from gradus.training.hard_negatives import MINED, HardNegatives, JoinedBatches
from gradus.training.masking import masked

MARGIN = 0.125
Judged = dict[tuple[int, int], float]


@st.composite
def judgments(draw: st.DrawFn) -> Judged:
    """(query, document) → weight, with a positive at least; documents 5, 12 and 19 are of no judgment."""
    cell = st.tuples(st.integers(0, 4), st.integers(0, 20).filter(lambda d: d % 7 != 5))
    found = draw(st.dictionaries(cell, st.sampled_from([0.0, 0.5, 1.0]), max_size=40))
    return found | {draw(cell): 1.0}


def arrays(judged: Judged) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    query, document = np.array(list(judged), np.int64).T
    return query, document, np.array(list(judged.values()))


def naive(judged: Judged, query: int, similarity: dict[int, float]) -> list[int]:
    """The documents to keep, the most similar first, ties by row."""
    own = {d: w for (q, d), w in judged.items() if q == query}
    top = max(own.values())
    best = min(similarity[d] for d, w in own.items() if w == top)
    kept = [
        document
        for document in similarity
        if own.get(document) == 0 or (document not in own and similarity[document] <= best - MARGIN)
    ]
    return sorted(kept, key=lambda document: (-similarity[document], document))[:MINED]


@given(judgments(), st.integers(0, 1000))
def test_what_is_mined_is_what_a_loop_finds(judged: Judged, seed: int) -> None:
    documents = np.array([d for d in range(21) if d != 12])  # one that may not be mined
    judged = {(q, d): w for (q, d), w in judged.items() if d != 12}
    negatives = HardNegatives(*arrays(judged), documents, MARGIN)
    assert negatives.queries.tolist() == sorted({q for (q, _), w in judged.items() if w > 0})
    # Small multiples of ¼: products are exact, and ties are many.
    rng = np.random.default_rng(seed)
    q = (rng.integers(-2, 3, (len(negatives.queries), 3)) / 4).astype(np.float32)
    d = (rng.integers(-2, 3, (len(documents), 3)) / 4).astype(np.float32)
    found = negatives.mined(q, d)
    assert found.shape == (len(q), MINED)
    for row, query in enumerate(negatives.queries.tolist()):
        similarity = dict(zip(documents.tolist(), (d @ q[row]).tolist(), strict=True))
        expected = naive(judged, query, similarity)
        assert found[row].tolist() == expected + [-1] * (MINED - len(expected))


def test_mining_in_blocks_is_mining_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    query, document = np.nonzero(rng.random((9, 30)) < 0.2)
    negatives = HardNegatives(query, document, rng.random(len(query)), np.arange(30), MARGIN)
    q, d = (rng.normal(size=(n, 4)).astype(np.float32) for n in (len(negatives.queries), 30))
    whole = negatives.mined(q, d)
    assert (whole >= 0).any()
    monkeypatch.setattr("gradus.training.hard_negatives.BLOCK", 60)
    assert np.array_equal(negatives.mined(q, d), whole)


def unjudged(judged: Judged, query: int) -> list[int]:
    return [d for d in range(21) if judged.get((query, d), 0) == 0][:MINED]


def filled(judged: Judged, most: int, size: int) -> JoinedBatches:
    """Batches with a table of all that may join."""
    negatives = HardNegatives(*arrays(judged), np.arange(21), 0.0)
    for row, query in enumerate(negatives.queries.tolist()):
        others = unjudged(judged, query)
        negatives.table[row, : len(others)] = torch.tensor(others)
    return JoinedBatches(ManyToManyBatches(*arrays(judged), size), negatives, most)


@given(judgments(), st.integers(1, 6), st.integers(1, 25), st.integers(0, 5))
def test_a_joined_batch_holds_every_judged_pair_among_its_rows(
    judged: Judged, size: int, most: int, seed: int
) -> None:
    batches = filled(judged, most, size)
    plain = ManyToManyBatches(*arrays(judged), size)
    for batch, before in zip(batches.epoch(seed, 0), plain.epoch(seed, 0), strict=True):
        dealt, joining = np.split(batch.documents, [len(before.documents)])
        assert dealt.tolist() == before.documents.tolist()
        assert batch.queries.tolist() == before.queries.tolist()
        mined = {d for q in batch.queries.tolist() for d in unjudged(judged, q)}
        allowed = mined - set(dealt.tolist())
        assert set(joining.tolist()) <= allowed
        assert len(set(joining.tolist())) == len(joining) == min(most, len(allowed))
        cells = zip(
            batch.queries[batch.pairs.query.numpy()].tolist(),
            batch.documents[batch.pairs.document.numpy()].tolist(),
            batch.pairs.weight.tolist(),
            strict=True,
        )
        expected = {
            (q, d, judged[q, d])
            for q in batch.queries.tolist()
            for d in batch.documents.tolist()
            if judged.get((q, d), 0) > 0
        }
        assert sorted(cells) == sorted(expected)


def test_what_is_mined_for_more_queries_joins_more_often() -> None:
    # Document 0 is everybody's answer; of ten queries eight have 1 in their table, and two have 2.
    judged = {(query, 0): 1.0 for query in range(10)}
    negatives = HardNegatives(*arrays(judged), np.arange(3), 0.0)
    negatives.table[:8, 0], negatives.table[8:, 0] = 1, 2
    rng = np.random.default_rng(0)
    drawn = [int(negatives.draw(np.arange(10), 1, np.array([0]), rng)[0]) for _ in range(1000)]
    assert 760 < drawn.count(1) < 840  # 0.8 ± 3 standard deviations of √(0.8 · 0.2 / 1000) = 0.0126


def test_the_same_batch_draws_the_same_and_another_one_another() -> None:
    judged = {(query, document): 1.0 for query in range(5) for document in (query, query + 5)}
    batches = filled(judged, 3, 5)
    first, again = (batches.batch(np.array([0, 1])) for _ in range(2))
    assert first.documents.tolist() == again.documents.tolist()
    draws = {tuple(batches.batch(np.array([a, b])).documents[2:]) for a in range(5) for b in range(5, 10)}
    assert len(draws) > 5


def test_copies_of_positives_are_no_negatives_when_they_join() -> None:
    # Queries 0 and 1 are one query in content: what 1 wants is no negative of 0.
    words = (Field("words"),)
    queries = Table(["a", "b", "c"], words, {"words": ["bolt", "bolt", "nut"]})
    documents = Table([str(n) for n in range(21)], words, {"words": [str(n) for n in range(21)]})
    judged = {(0, 0): 1.0, (1, 1): 1.0, (2, 2): 1.0}
    batches = filled(judged, 20, 1)
    wrapped = masked(batches, "copies", queries, documents)
    assert wrapped.negatives is batches.negatives
    batch = wrapped.batch(np.array([0]))
    ignored = [batch.documents[column] for column in batch.pairs.ignored_document]
    assert ignored == [1]


def test_cached_gradients_of_a_joined_batch_are_those_of_the_plain_step() -> None:
    task = tiny_task(residual=0.1, temperature=0.2)
    batches = joined(size=4, most=5)
    assert batches.negatives is not None
    batches.negatives.refresh(task)
    batch = next(batches.epoch(0, 0))
    assert len(batch.documents) == 9
    loss = task(batch, None, torch.float32)
    loss.backward()
    expected = gradients(task)
    task.zero_grad()
    cached = cached_backward(task, batch, no_draws, torch.float32, 2)
    torch.testing.assert_close(cached, loss.detach(), rtol=0, atol=1e-6)
    assert_same(task, expected)


def test_they_are_mined_from_the_model_as_it_is_before_every_epoch(tmp_path: Path) -> None:
    batches, tables = joined(), []
    task = tiny_task()
    run = tiny_run(tmp_path, task, batches=batches, epochs=3)
    negatives = batches.negatives
    assert negatives is not None
    refresh = negatives.refresh

    def seen(*given: object) -> None:
        refresh(*given)  # type: ignore[arg-type]
        q, d = task.encoder.embed("query", task.queries), task.encoder.embed("document", task.documents)
        assert np.array_equal(negatives.table.numpy(), negatives.mined(q, d))
        tables.append((run.at.steps, negatives.table.clone()))

    negatives.refresh = seen  # type: ignore[method-assign, assignment]
    run.fit()
    assert [steps for steps, _ in tables] == [0, 3, 6]
    assert not torch.equal(tables[0][1], tables[2][1])


class Killed(BaseException):
    pass


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 11])
def test_killed_at_any_step_and_resumed_it_is_the_run_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    saved: dict[str, list[dict[str, Tensor]]] = {"whole": [], "parts": []}

    def run(name: str, batches: Batches, resume: bool = False) -> None:
        task = tiny_task()
        kept = saved[name]
        tiny_run(
            tmp_path / name, task, batches=batches, validate=lambda: hits(task), save=kept.append,
            resume=resume,
        ).fit()  # fmt: skip

    run("whole", joined())
    plain = tiny_task()
    tiny_run(tmp_path / "plain", plain, validate=lambda: hits(plain)).fit()
    assert not same(plain.encoder.state_dict(), saved["whole"][-1])
    done, count = gradus.training.loop.save_checkpoint, 0

    def killed(*given: object) -> None:
        nonlocal count
        if count == steps:
            raise Killed
        done(*given)  # type: ignore[arg-type]
        count += 1

    with monkeypatch.context() as patch:
        patch.setattr(gradus.training.loop, "save_checkpoint", killed)
        with pytest.raises(Killed):
            run("parts", joined())
    run("parts", joined(), resume=True)
    assert same(saved["parts"][-1], saved["whole"][-1])


def test_two_processes_are_one(tmp_path: Path) -> None:
    for code, said in finish(launch("mining", tmp_path)):
        assert code == 0, said
    states = [load_file(tmp_path / f"mining-{rank}.safetensors") for rank in range(2)]
    assert same(*states)
    near(mining(tmp_path / "one", ALONE).state_dict(), states[0])


def test_judged_pairs_of_the_tiny_task_leave_something_to_mine() -> None:
    """Guards the tests above: with nothing mined they would hold whatever the code does."""
    query, document, weight = judged()
    negatives = HardNegatives(query, document, weight, np.arange(12), MARGIN)
    negatives.refresh(tiny_task())
    assert (negatives.table[:, 0] >= 0).all()
