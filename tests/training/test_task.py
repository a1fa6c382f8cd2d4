"""The task: which loss it is, and what it is made of."""

import dataclasses
from math import log
from typing import Any

import numpy as np
import pytest
import torch
from tiny_task import judged, tiny_batches, tiny_task
from torch import Tensor

from gradus.encoders.augmentation import Augmentation
from gradus.errors import SettingsError
from gradus.objectives.many_to_many import many_to_many
from gradus.objectives.pairs import Pairs
from gradus.objectives.registry import OBJECTIVES
from gradus.settings import ObjectiveSettings
from gradus.training.batches import Batch, ManyToManyBatches, PairBatches
from gradus.training.task import LOWEST_TEMPERATURE, Task, kind_of, objective_of

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
    expected = many_to_many(queries, documents, torch.tensor(1 / 0.2), BATCH.pairs, denominator)
    torch.testing.assert_close(loss(task), expected)
    assert task.temperature == pytest.approx(0.2)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_name_picks_the_objective_and_where_its_temperature_starts(name: str) -> None:
    diagonal = torch.arange(4)
    batch = Batch(np.arange(4), np.arange(4), Pairs(diagonal, diagonal, torch.tensor([1.0, 0.5, 0.2, 0.7])))
    task = tiny_task(name=name)
    kind = OBJECTIVES[name]
    queries, documents, _ = embeddings(task, batch)
    scale = torch.tensor(1 / kind.temperature)
    expected = kind.objective(vars(ObjectiveSettings()))(queries, documents, scale, batch.pairs)
    torch.testing.assert_close(loss(task, batch), expected)
    assert task.temperature == pytest.approx(kind.temperature)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_learns_what_is_judged(name: str) -> None:
    task = tiny_task(name=name)
    optimizer = torch.optim.Adam(task.parameters(), lr=0.03)
    batches = PairBatches if OBJECTIVES[name].batches == "pairs" else ManyToManyBatches
    batch = next(batches(*judged(), 48).epoch(0, 0))
    first = float(loss(task, batch).detach())
    for _ in range(30):
        optimizer.zero_grad()
        loss(task, batch).backward()
        optimizer.step()
    assert float(loss(task, batch).detach()) < first
    queries = task.encoder.embed("query", task.queries)
    documents = task.encoder.embed("document", task.documents)
    found = (queries @ documents.T).argsort(axis=1)[:, -3:]
    # Judged with a query are the three documents of its kind; by chance a quarter of those found would be.
    assert (found % 4 == np.arange(12)[:, None] % 4).mean() > 0.75


def test_every_option_reaches_the_objective() -> None:
    changed = [
        {"denominator": "all"}, {"directions": "query"}, {"per_query": True},
        *({"name": "listwise", key: 0.5} for key in ("target_temperature", "info_nce_term")),
        *({"name": "rince", key: value}
          for key, value in (("ranks", 2), ("rank_temperatures", 5.0), ("rank_sums", "out"))),
        {"name": "sigmoid", "bias": -1.0},
    ]  # fmt: skip
    for options in changed:
        plain = tiny_task(name=options.get("name", "many-to-many"))
        assert float(loss(tiny_task(**options)).detach()) != pytest.approx(float(loss(plain).detach())), (
            options
        )
    tried = {key for options in changed for key in options} - {"name"}
    assert tried == {option for kind in OBJECTIVES.values() for option in kind.options}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "cosent", "directions": "query"}, "objective.directions is 'query', which objective.name = 'cosent'"),
        ({"name": "info-nce", "confidence": True}, "objective.confidence is True, which objective.name = 'info-nce'"),
        ({"name": "listwise", "denominator": "all"}, "objective.denominator is 'all', which"),
        ({"name": "bixse", "per_query": True}, "choose one of many-to-many, per-positive"),
        ({"ranks": 5}, "objective.ranks is 5, which objective.name = 'many-to-many' does not take"),
        ({"bias": 0.0}, "leave it out, or choose one of bixse, sigmoid"),
        ({"masked": "nothing"}, "objective.masked is 'nothing', but in batches of 'many-to-many'"),
    ],
)  # fmt: skip
def test_an_option_that_the_objective_does_not_take_is_refused(options: dict[str, Any], message: str) -> None:
    for refuse in (kind_of, objective_of):
        with pytest.raises(SettingsError) as caught:
            refuse(ObjectiveSettings(**options))
        assert message in str(caught.value)


def test_options_of_other_objectives_may_stand_at_their_defaults() -> None:
    given = {item.name: item.default for item in dataclasses.fields(ObjectiveSettings)}
    for name in OBJECTIVES:
        assert kind_of(ObjectiveSettings(**given | {"name": name})) is OBJECTIVES[name]
    pairs = ObjectiveSettings(name="pairwise", masked="nothing", confidence=True)
    assert kind_of(pairs) is OBJECTIVES["pairwise"]


def test_a_learned_bias_is_trained_and_kept_with_the_task() -> None:
    task = tiny_task(name="sigmoid", bias=-3.0)
    optimizer = torch.optim.SGD(task.parameters(), lr=0.1)
    loss(task).backward()
    optimizer.step()
    state = task.state_dict()
    assert state["objective.bias"].item() != -3.0
    again = tiny_task(seed=1, name="sigmoid", bias=-3.0)
    again.load_state_dict(state)
    assert torch.equal(loss(again), loss(task))


def test_the_loss_adds_the_views_and_the_penalty() -> None:
    plain, both = tiny_task(), tiny_task(field_terms=0.3, matryoshka=["8=0.5"])
    queries, documents = (
        both.embed(side, rows, None, torch.float32)
        for side, rows in (("query", BATCH.queries), ("document", BATCH.documents))
    )
    scale = torch.tensor(1 / 0.07)
    terms = [
        view.factor * many_to_many(view.queries, view.documents, scale, view.pairs)
        for view in both.views(queries, documents, BATCH.pairs)
    ]
    assert len(terms) == 1 + 2 + 1
    torch.testing.assert_close(loss(plain), terms[0])
    torch.testing.assert_close(loss(both), sum(terms))
    penalised = dataclasses.replace(documents, penalty=torch.tensor(0.25))
    torch.testing.assert_close(both.loss(queries, penalised, BATCH.pairs), sum(terms) + 0.25)


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
        loss(task), many_to_many(queries, documents, torch.tensor(1 / LOWEST_TEMPERATURE), BATCH.pairs)
    )


def test_augmentation_comes_from_the_generator_alone() -> None:
    task = tiny_task()

    def drawn(seed: int) -> float:
        return float(task(BATCH, Augmentation(np.random.default_rng(seed)), torch.float32).detach())

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
