"""The registry: it agrees with the settings and with the page, and what it makes is what it names."""

import dataclasses
import inspect
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from gradus.objectives.bixse import bixse
from gradus.objectives.cosent import cosent
from gradus.objectives.info_nce import info_nce
from gradus.objectives.lambda_loss import lambda_loss
from gradus.objectives.listwise import listwise
from gradus.objectives.many_to_many import many_to_many
from gradus.objectives.pairs import Pairs
from gradus.objectives.pairwise import pairwise
from gradus.objectives.per_positive import per_positive
from gradus.objectives.registry import OBJECTIVES
from gradus.objectives.rince import rince
from gradus.objectives.sigmoid import sigmoid
from gradus.settings import ObjectiveSettings
from gradus.training.task import kind_of

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
FIELDS = {item.name: item for item in dataclasses.fields(ObjectiveSettings)}
SCALE = torch.tensor(4.0, dtype=torch.float64)
PAIRS = Pairs(
    torch.tensor([0, 0, 1, 2, 3]),
    torch.tensor([0, 1, 1, 2, 3]),
    torch.tensor([1.0, 0.5, 0.7, 0.25, 0.5], dtype=torch.float64),
    torch.tensor([1]),
    torch.tensor([3]),
)
QUERIES, DOCUMENTS = normalize(
    torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3)), dim=1
).split(4)
Z = QUERIES @ DOCUMENTS.T * SCALE


def made(name: str, **options: object) -> torch.Tensor:
    kind = OBJECTIVES[name]
    defaults = {option: FIELDS[option].default for option in kind.options}
    return kind.objective(defaults | options)(QUERIES, DOCUMENTS, SCALE, PAIRS).detach()


def test_the_names_are_those_of_the_settings() -> None:
    assert tuple(OBJECTIVES) == FIELDS["name"].metadata["choices"]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_its_options_are_settings_and_what_its_maker_takes(name: str) -> None:
    kind = OBJECTIVES[name]
    assert set(kind.options) <= set(FIELDS)
    parameters = inspect.signature(kind.make).parameters.values()
    named = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    assert named <= set(kind.options)
    with pytest.raises(TypeError):
        kind.make(**dict.fromkeys(kind.options, 1), other=1)(QUERIES, DOCUMENTS, SCALE, PAIRS)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_page_has_it(name: str) -> None:
    kind = OBJECTIVES[name]
    rows = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |")
    ]
    assert len(rows) == 1
    assert kind.summary in rows[0]
    assert kind.source in rows[0]
    assert {"pairs": "pairs", "many-to-many": "documents"}[kind.batches] in rows[0].split("|")[3]


def half(loss, *rest: object) -> torch.Tensor:
    """Both directions of a loss of queries asking."""
    return (loss(Z, PAIRS, *rest) + loss(Z.T, PAIRS.flipped(), *rest)) / 2


EXPECTED = {
    "many-to-many": lambda: many_to_many(QUERIES, DOCUMENTS, SCALE, PAIRS, "lower"),
    "pairwise": lambda: pairwise(QUERIES, DOCUMENTS, SCALE, PAIRS),
    "info-nce": lambda: info_nce(QUERIES, DOCUMENTS, SCALE, PAIRS),
    "per-positive": lambda: half(per_positive),
    "listwise": lambda: half(listwise),
    "rince": lambda: half(rince),
    "lambda-loss": lambda: half(lambda_loss),
    "cosent": lambda: cosent(Z, PAIRS),
    "bixse": lambda: bixse(Z, PAIRS, torch.tensor(FIELDS["bias"].default)),
    "sigmoid": lambda: sigmoid(Z, PAIRS, torch.tensor(FIELDS["bias"].default)),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_it_makes_what_it_names_with_the_defaults_of_the_settings(name: str) -> None:
    torch.testing.assert_close(made(name), EXPECTED[name]())


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        (
            "many-to-many",
            {"denominator": "all"},
            lambda: many_to_many(QUERIES, DOCUMENTS, SCALE, PAIRS, "all"),
        ),
        (
            "many-to-many",
            {"directions": "query"},
            lambda: many_to_many(QUERIES, DOCUMENTS, SCALE, PAIRS, "lower", symmetric=False),
        ),
        ("pairwise", {"directions": "query"}, lambda: pairwise(QUERIES, DOCUMENTS, SCALE, PAIRS, False)),
        ("info-nce", {"directions": "query"}, lambda: info_nce(QUERIES, DOCUMENTS, SCALE, PAIRS, False)),
        ("per-positive", {"directions": "query"}, lambda: per_positive(Z, PAIRS)),
        ("per-positive", {"per_query": True}, lambda: half(per_positive, True)),
        ("listwise", {"target_temperature": 0.5, "info_nce_term": 0.1}, lambda: half(listwise, 0.5, 0.1)),
        ("listwise", {"directions": "query"}, lambda: listwise(Z, PAIRS)),
        (
            "rince",
            {"ranks": 2, "rank_temperatures": 5.0, "rank_sums": "out"},
            lambda: half(rince, 2, 5.0, "out"),
        ),
        ("rince", {"directions": "query"}, lambda: rince(Z, PAIRS)),
        ("lambda-loss", {"directions": "query"}, lambda: lambda_loss(Z, PAIRS)),
        ("bixse", {"bias": 1.0}, lambda: bixse(Z, PAIRS, torch.tensor(1.0))),
        ("sigmoid", {"bias": 1.0}, lambda: sigmoid(Z, PAIRS, torch.tensor(1.0))),
    ],
)
def test_options_reach_the_loss(name: str, options: dict[str, object], expected) -> None:
    value = made(name, **options)
    torch.testing.assert_close(value, expected())
    assert float(value) != pytest.approx(float(made(name)), rel=1e-6)


def test_per_query_makes_queries_and_documents_count_alike() -> None:
    def alike(queries: torch.Tensor, documents: torch.Tensor, pairs: Pairs) -> torch.Tensor:
        total = torch.zeros(4, dtype=torch.float64).index_add(0, pairs.query, pairs.weight)
        weight = pairs.weight / total[pairs.query]
        shared = Pairs(pairs.query, pairs.document, weight, pairs.ignored_query, pairs.ignored_document)
        return many_to_many(queries, documents, SCALE, shared, "unjudged", symmetric=False)

    both = (alike(QUERIES, DOCUMENTS, PAIRS) + alike(DOCUMENTS, QUERIES, PAIRS.flipped())) / 2
    torch.testing.assert_close(made("many-to-many", denominator="unjudged", per_query=True), both)


def test_a_learned_bias_is_a_parameter_that_gets_a_gradient() -> None:
    kind = OBJECTIVES["sigmoid"]
    objective = kind.objective({"bias": -2.5})
    assert isinstance(objective, nn.Module)
    assert {name: value.item() for name, value in objective.named_parameters()} == {"bias": -2.5}
    objective(QUERIES, DOCUMENTS, SCALE, PAIRS).backward()
    assert float(objective.bias.grad) != 0
    assert kind.objective({"bias": -2.5}) is not objective


@pytest.mark.parametrize("name", OBJECTIVES)
def test_its_start_of_the_temperature_is_allowed(name: str) -> None:
    kind = kind_of(ObjectiveSettings(name=name))
    assert ObjectiveSettings(temperature=kind.temperature).temperature == kind.temperature > 0
