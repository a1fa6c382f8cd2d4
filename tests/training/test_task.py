"""The task: which loss it is, and what it is made of."""

from math import log

import numpy as np
import pytest
import torch
from tiny_task import tiny_batches, tiny_task
from torch import Tensor

from gradus.objectives.info_nce import info_nce
from gradus.objectives.many_to_many import many_to_many
from gradus.objectives.pairs import Pairs
from gradus.objectives.pairwise import pairwise
from gradus.training.batches import Batch
from gradus.training.task import LOWEST_TEMPERATURE, Task

BATCH = next(tiny_batches(8).epoch(0, 0))


def loss(task: Task, batch: Batch = BATCH) -> Tensor:
    return task(batch, None, torch.float32)


def embeddings(task: Task, batch: Batch = BATCH) -> tuple[Tensor, Tensor, Tensor]:
    queries = task.encoder("query", task.queries, batch.queries)
    documents = task.encoder("document", task.documents, batch.documents)
    return queries.merged, documents.merged, documents.fields


@pytest.mark.parametrize("denominator", ["all", "unjudged", "lower"])
def test_it_is_the_objective_of_dot_products_over_temperature(denominator: str) -> None:
    task = tiny_task(denominator=denominator, temperature=0.2)
    queries, documents, _ = embeddings(task)
    expected = many_to_many(queries @ documents.T / 0.2, BATCH.pairs, denominator)
    torch.testing.assert_close(loss(task), expected)
    assert task.temperature == pytest.approx(0.2)


@pytest.mark.parametrize(("name", "objective"), [("info-nce", info_nce), ("pairwise", pairwise)])
def test_the_name_picks_the_objective(name: str, objective: object) -> None:
    diagonal = torch.arange(4)
    batch = Batch(np.arange(4), np.arange(4), Pairs(diagonal, diagonal, torch.tensor([1.0, 0.5, 0.2, 0.7])))
    task = tiny_task(name=name, temperature=0.5)
    queries, documents, _ = embeddings(task, batch)
    torch.testing.assert_close(loss(task, batch), objective(queries @ documents.T * 2, batch.pairs))


def test_field_terms_add_the_loss_of_each_field_over_the_documents_that_have_it() -> None:
    plain, both = tiny_task(), tiny_task(field_terms=0.3)
    queries, _, fields = embeddings(plain)
    batch_titles = [plain.documents["note"].present[row] for row in BATCH.documents]
    assert not all(batch_titles)  # the nuts have no note
    expected = loss(plain)
    for number, name in enumerate(["title", "note"]):
        here = [place for place, row in enumerate(BATCH.documents) if plain.documents[name].present[row]]
        kept = [p for p, d in enumerate(BATCH.pairs.document.tolist()) if d in here]
        document = torch.tensor([here.index(d) for d in BATCH.pairs.document[kept].tolist()])
        pairs = Pairs(BATCH.pairs.query[kept], document, BATCH.pairs.weight[kept])
        expected = expected + 0.3 * many_to_many(queries @ fields[here, number].T / 0.07, pairs, "lower")
    torch.testing.assert_close(loss(both), expected)


def test_the_temperature_is_learned_and_bounded() -> None:
    task = tiny_task(temperature=0.5)
    loss(task).backward()
    assert task.log_scale.grad is not None
    assert float(task.log_scale.grad) != 0
    with torch.no_grad():
        task.log_scale.fill_(-log(LOWEST_TEMPERATURE / 100))
    assert task.temperature == LOWEST_TEMPERATURE
    queries, documents, _ = embeddings(task)
    torch.testing.assert_close(
        loss(task), many_to_many(queries @ documents.T / LOWEST_TEMPERATURE, BATCH.pairs)
    )


def test_augmentation_comes_from_the_generator_alone() -> None:
    task = tiny_task()

    def drawn(seed: int) -> float:
        return float(task(BATCH, np.random.default_rng(seed), torch.float32).detach())

    assert drawn(1) == drawn(1)
    assert len({drawn(seed) for seed in range(8)}) > 1
    assert torch.equal(loss(task), loss(task))


def test_bfloat16_towers_still_give_a_float32_loss_near_the_exact_one() -> None:
    task = tiny_task(temperature=0.5)
    half = task(BATCH, None, torch.bfloat16)
    half.backward()
    assert half.dtype == torch.float32
    assert float(half.detach()) == pytest.approx(float(loss(task).detach()), rel=0.02)
    assert all(torch.isfinite(p.grad).all() for p in task.parameters() if p.grad is not None)
