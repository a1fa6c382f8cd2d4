"""Where the losses meet: special cases that two of them share, optima in closed form, values by hand."""

from collections.abc import Callable
from dataclasses import replace
from math import exp, log, log2

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid

from gradus.objectives.bixse import bixse
from gradus.objectives.cosent import cosent
from gradus.objectives.lambda_loss import lambda_loss
from gradus.objectives.listwise import listwise
from gradus.objectives.many_to_many import many_to_many_of_logits
from gradus.objectives.pairs import Pairs
from gradus.objectives.per_positive import per_positive
from gradus.objectives.rince import rince
from gradus.objectives.sigmoid import sigmoid

seeds = st.integers(0, 2**32)
some = settings(deadline=None, max_examples=10)


def one_each(seed: int, weight: float | None = None, size: int = 6) -> tuple[Tensor, Pairs]:
    """As many queries as documents, query i judged for document i alone."""
    rng = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(size, size, dtype=torch.float64, generator=rng)
    weights = 0.1 + 0.9 * torch.rand(size, dtype=torch.float64, generator=rng)
    if weight is not None:
        weights = torch.full_like(weights, weight)
    return logits, Pairs(torch.arange(size), torch.arange(size), weights)


def many_each(seed: int, choices: list[float]) -> tuple[Tensor, Pairs]:
    """Five queries, eight documents, half of the pairs judged with one of some weights."""
    rng = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(5, 8, dtype=torch.float64, generator=rng)
    query, document = (torch.rand(5, 8, generator=rng) < 0.5).nonzero(as_tuple=True)
    drawn = torch.randint(len(choices), query.shape, generator=rng)
    return logits, Pairs(query, document, torch.tensor(choices, dtype=torch.float64)[drawn])


def same(one: Tensor, other: Tensor | float) -> None:
    torch.testing.assert_close(one, torch.as_tensor(other, dtype=one.dtype), rtol=1e-10, atol=1e-12)


def optimum(loss: Callable[[Tensor], Tensor], size: int) -> Tensor:
    """The (1, size) logits that minimise a loss."""
    logits = torch.zeros(1, size, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-14,
                                  tolerance_change=1e-18, line_search_fn="strong_wolfe")  # fmt: skip

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss(logits)
        value.backward()
        return value

    optimizer.step(step)  # type: ignore[no-untyped-call]
    return logits.detach()


@pytest.mark.parametrize(
    "loss",
    [
        per_positive,
        lambda z, pairs: per_positive(z, pairs, per_query=True),
        lambda z, pairs: listwise(z, pairs, info_nce_term=1.0),
        lambda z, pairs: rince(z, pairs, ranks=1),
        lambda z, pairs: rince(z, pairs, ranks=4, rank_temperatures=1.0, rank_sums="in"),
    ],
    ids=["per-positive", "per-positive, per query", "listwise", "rince, one rank", "rince, one temperature"],
)
@some
@given(seed=seeds)
def test_with_one_positive_per_query_it_is_info_nce_of_queries_asking(
    loss: Callable[[Tensor, Pairs], Tensor], seed: int
) -> None:
    logits, pairs = one_each(seed)
    same(loss(logits, pairs), cross_entropy(logits, torch.arange(len(logits))))


@some
@given(seed=seeds)
def test_when_all_is_judged_without_ties_per_positive_is_the_likelihood_of_the_ranking(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, 7, dtype=torch.float64, generator=rng)
    weight = torch.randperm(7, generator=rng).double() + 1
    # Plackett and Luce: the best is drawn from all, the second best from the rest, and so on.
    left, likelihood = logits[0, torch.argsort(-weight)].exp().tolist(), 0.0
    while left:
        likelihood += log(left[0] / sum(left))
        left = left[1:]
    pairs = Pairs(torch.zeros(7, dtype=torch.long), torch.arange(7), weight)
    same(7 * per_positive(logits, pairs), -likelihood)


@some
@given(seed=seeds)
def test_many_to_many_among_lower_is_per_positive_where_weights_differ_by_next_to_nothing(seed: int) -> None:
    logits, pairs = many_each(seed, [1.0])
    order = torch.randperm(len(pairs.weight), generator=torch.Generator().manual_seed(seed))
    pairs = replace(pairs, weight=1 + 1e-13 * order.double())
    lower = many_to_many_of_logits(logits, pairs, "lower", symmetric=False)
    same(per_positive(logits, pairs), lower)


@some
@given(seed=seeds)
def test_with_equal_weights_per_positive_is_many_to_many_among_all(seed: int) -> None:
    logits, pairs = many_each(seed, [0.4])
    same(per_positive(logits, pairs), many_to_many_of_logits(logits, pairs, "all", symmetric=False))


@some
@given(seed=seeds)
def test_rince_with_one_rank_is_many_to_many_among_unjudged_summed_over_a_query(seed: int) -> None:
    logits, pairs = many_each(seed, [0.3, 1.0])
    ones = replace(pairs, weight=torch.ones_like(pairs.weight))
    expected = many_to_many_of_logits(logits, ones, "unjudged", symmetric=False)
    each = len(pairs.query) / len(pairs.query.unique())
    same(rince(logits, pairs, ranks=1, rank_sums="out"), expected * each)


@some
@given(seed=seeds)
def test_rince_with_one_temperature_is_many_to_many_among_lower_summed_over_a_query(seed: int) -> None:
    logits, pairs = many_each(seed, [0.25, 0.5, 0.75, 1.0])
    # Next to equal weights in the order of the ranks: each positive pulls alike, as it does in RINCE.
    alike = replace(pairs, weight=1 + 1e-13 * pairs.weight)
    expected = many_to_many_of_logits(logits, alike, "lower", symmetric=False)
    each = len(pairs.query) / len(pairs.query.unique())
    same(rince(logits, pairs, rank_temperatures=1.0, rank_sums="out"), expected * each)


@some
@given(seed=seeds)
def test_with_every_weight_1_bixse_is_the_sigmoid_loss(seed: int) -> None:
    logits, pairs = many_each(seed, [1.0])
    bias = torch.tensor(-2.0, dtype=torch.float64)
    same(bixse(logits, pairs, bias), sigmoid(logits, pairs, bias))


@some
@given(seed=seeds)
def test_with_one_positive_per_query_the_sigmoid_loss_is_siglip(seed: int) -> None:
    for weight in (1.0, 0.3):
        logits, pairs = one_each(seed, 1.0)
        bias = torch.tensor(-10.0, dtype=torch.float64)
        signs = 2 * torch.eye(len(logits), dtype=torch.float64) - 1
        siglip = -logsigmoid(signs * (logits + bias)).sum() / len(logits)
        same(sigmoid(logits, pairs, bias), siglip)
        # Weights move the balance of positives and negatives, so that a common factor is no common factor.
        lighter = replace(pairs, weight=weight * pairs.weight)
        held = -logsigmoid((logits + bias).diagonal()).mean()
        same(sigmoid(logits, lighter, bias), held + (siglip - held) / weight)


def test_the_optimum_of_listwise_sets_judged_documents_apart_by_the_difference_of_their_weights() -> None:
    weight = torch.tensor([1.0, 0.5, 0.125, 0.9], dtype=torch.float64)
    pairs = Pairs(torch.zeros(4, dtype=torch.long), torch.arange(4), weight)
    best = optimum(lambda z: listwise(z, pairs, target_temperature=0.25), 4)[0]
    gaps = (weight[:, None] - weight) / 0.25
    torch.testing.assert_close(best[:, None] - best, gaps, rtol=0, atol=1e-6)
    # There the divergence is 0, and no document is unjudged.
    assert float(listwise(best[None], pairs, target_temperature=0.25)) == pytest.approx(0, abs=1e-12)


def test_the_optimum_of_bixse_is_the_logit_of_the_weight() -> None:
    weight = torch.tensor([0.9, 0.5, 0.125, 0.75], dtype=torch.float64)
    pairs = Pairs(torch.zeros(4, dtype=torch.long), torch.arange(4), weight)
    bias = torch.tensor(-3.0, dtype=torch.float64)
    best = optimum(lambda z: bixse(z, pairs, bias), 4)[0]
    torch.testing.assert_close(best + bias, weight.logit(), rtol=0, atol=1e-6)


def test_per_positive_by_hand() -> None:
    # exp Z = [4, 2, 1, 3], the last one unjudged; weights 1, ½, ½.
    logits = torch.tensor([[4.0, 2.0, 1.0, 3.0]], dtype=torch.float64).log()
    pairs = Pairs(torch.zeros(3, dtype=torch.long), torch.arange(3), torch.tensor([1, 0.5, 0.5]).double())
    parts = [log((4 + 2 + 1 + 3) / 4), log((2 + 1 + 3) / 2), log((2 + 1 + 3) / 1)]
    same(per_positive(logits, pairs), sum(parts) / 3)


def test_per_query_weighs_queries_alike_where_else_positives_do() -> None:
    # Query 0 has two positives that each cost log 2, query 1 has one that costs log 3.
    logits = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]], dtype=torch.float64)
    pairs = Pairs(
        torch.tensor([0, 0, 1]), torch.tensor([0, 1, 3]), torch.ones(3, dtype=torch.float64),
        torch.tensor([0, 0, 1]), torch.tensor([2, 3, 0]),
    )  # fmt: skip
    same(per_positive(logits, pairs), (log(2) + log(2) + log(3)) / 3)
    same(per_positive(logits, pairs, per_query=True), (log(2) + log(3)) / 2)


def test_rince_by_hand() -> None:
    # x = Z at rank 1 and Z/3 at rank 3 of 3; ranks 1, 3, 3 and one unjudged document; exp Z = [8, 27, 1, 64].
    logits = torch.tensor([[8.0, 27.0, 1.0, 64.0]], dtype=torch.float64).log()
    weight = torch.tensor([1.0, 0.2, 0.3], dtype=torch.float64)
    pairs = Pairs(torch.zeros(3, dtype=torch.long), torch.arange(3), weight)
    first = log((8 + 27 + 1 + 64) / 8)
    third_any, third_all = log((3 + 1 + 4) / (3 + 1)), log((3 + 4) / 3) + log((1 + 4) / 1)
    same(rince(logits, pairs, ranks=3, rank_temperatures=3.0, rank_sums="out-in"), first + third_any)
    same(rince(logits, pairs, ranks=3, rank_temperatures=3.0, rank_sums="out"), first + third_all)


@pytest.mark.parametrize(
    ("weight", "rank"), [(1.0, 0), (0.76, 0), (0.75, 1), (0.51, 1), (0.5, 2), (0.25, 3), (0.01, 3)]
)
def test_a_rank_holds_weights_up_to_its_upper_end(weight: float, rank: int) -> None:
    # exp Z = [1, 1], the second unjudged: at τ_r = 1 + r the loss is log 2 for every r, so tell τ by Z = [6, 0].
    logits = torch.tensor([[6.0, 0.0]], dtype=torch.float64)
    pairs = Pairs(torch.tensor([0]), torch.tensor([0]), torch.tensor([weight], dtype=torch.float64))
    same(rince(logits, pairs, ranks=4, rank_temperatures=4.0), log(1 + exp(-6.0 / (1 + rank))))


def test_lambda_loss_by_hand() -> None:
    # Ranked by Z: document 1 (W = ½), then 0 (W = 1), then 2 (unjudged); maxDCG = 1/log₂2 + ½/log₂3.
    logits = torch.tensor([[1.0, 2.0, 0.0]], dtype=torch.float64)
    pairs = Pairs(torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([1.0, 0.5], dtype=torch.float64))
    best = 1 + 0.5 / log2(3)
    mu, one_apart, two_apart = 10, 1 - 1 / log2(3), 1 / log2(3) - 1 / log2(4)
    expected = (
        (1 - 1 / log2(3) + mu * one_apart) * 0.5 / best * log2(1 + exp(2 - 1))  # 0 over 1
        + (1 / log2(3) - 1 / log2(4) + mu * one_apart) * 1.0 / best * log2(1 + exp(0 - 1))  # 0 over 2
        + (1 - 1 / log2(4) + mu * two_apart) * 0.5 / best * log2(1 + exp(0 - 2))  # 1 over 2
    )
    same(lambda_loss(logits, pairs), expected)


def test_cosent_by_hand() -> None:
    # exp Z = [[3, 2], [5, 4]] with W = [[1, ½], [·, ½]]: equals are not compared, other queries' cells are.
    logits = torch.tensor([[3.0, 2.0], [5.0, 4.0]], dtype=torch.float64).log()
    pairs = Pairs(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), torch.tensor([1, 0.5, 0.5]).double())
    same(cosent(logits, pairs), log(1 + (2 + 4 + 5) / 3 + 5 / 2 + 5 / 4))


@pytest.mark.parametrize("loss", [per_positive, cosent])
@some
@given(seed=seeds)
def test_only_the_order_of_the_weights_matters(loss: Callable[[Tensor, Pairs], Tensor], seed: int) -> None:
    logits, pairs = many_each(seed, [0.2, 0.5, 0.9])
    same(loss(logits, replace(pairs, weight=pairs.weight**3 / 7)), loss(logits, pairs))


@some
@given(seed=seeds)
def test_lambda_loss_asks_for_no_more_when_all_weights_grow(seed: int) -> None:
    logits, pairs = many_each(seed, [0.2, 0.5, 0.9])
    same(lambda_loss(logits, replace(pairs, weight=3 * pairs.weight)), lambda_loss(logits, pairs))
