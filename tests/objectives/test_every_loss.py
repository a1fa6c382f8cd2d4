"""What holds for every loss of logits: its equation, its gradient, and the cases at the edge."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import naive_losses as naive
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Case, shuffled
from torch import Tensor

from gradus.objectives import lambda_loss as lambda_loss_module
from gradus.objectives.bixse import bixse
from gradus.objectives.cosent import cosent
from gradus.objectives.lambda_loss import lambda_loss
from gradus.objectives.listwise import listwise
from gradus.objectives.pairs import Pairs
from gradus.objectives.per_positive import per_positive
from gradus.objectives.rince import rince
from gradus.objectives.sigmoid import sigmoid

BIAS = -1.5
WEIGHTS = [0.0, 0.0, 0.25, 0.3, 0.5, 0.5, 1.0]  # zeros, and ties on purpose


@dataclass(frozen=True)
class Loss:
    """A loss and the same in loops; `cells` where a cell without a positive in its row counts, too."""

    of: Callable[[Tensor, Pairs], Tensor]
    naive: naive.Naive
    cells: bool = False


LOSSES = {
    "per-positive": Loss(per_positive, naive.per_positive),
    "listwise": Loss(listwise, naive.listwise),
    "listwise, other options": Loss(
        partial(listwise, target_temperature=0.7, info_nce_term=0.25),
        partial(naive.listwise, target_temperature=0.7, info_nce_term=0.25),
    ),
    "rince": Loss(rince, naive.rince),
    "rince out-in": Loss(partial(rince, rank_sums="out-in"), partial(naive.rince, rank_sums="out-in")),
    "rince out": Loss(
        partial(rince, ranks=7, rank_temperatures=6.0, rank_sums="out"),
        partial(naive.rince, ranks=7, rank_temperatures=6.0, rank_sums="out"),
    ),
    "rince, one rank": Loss(partial(rince, ranks=1), partial(naive.rince, ranks=1)),
    "lambda-loss": Loss(lambda_loss, naive.lambda_loss),
    "lambda-loss, LambdaRank": Loss(partial(lambda_loss, mu=0.0), partial(naive.lambda_loss, mu=0.0)),
    "cosent": Loss(cosent, naive.cosent, cells=True),
    "sigmoid": Loss(
        lambda z, pairs: sigmoid(z, pairs, z.new_tensor(BIAS)), partial(naive.sigmoid, bias=BIAS), cells=True
    ),
    "bixse": Loss(
        lambda z, pairs: bixse(z, pairs, z.new_tensor(BIAS)), partial(naive.bixse, bias=BIAS), cells=True
    ),
}

every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Batches of up to 5 × 6 with any pairs judged, any cells ignored, and no two logits alike."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_q, n_d = rng.integers(1, [6, 7])
    cells = [(i, j) for i in range(n_q) for j in range(n_d)]
    judged, ignored = rng.random((2, len(cells))) < rng.random((2, 1))
    weight = {cell: float(rng.choice(WEIGHTS)) for cell, here in zip(cells, judged, strict=True) if here}
    logits = rng.permutation(np.arange(-960, 960))[: n_q * n_d].reshape(n_q, n_d) / 32
    return Case(logits.tolist(), weight, {cell for cell, here in zip(cells, ignored, strict=True) if here})


def gradient(loss: Loss, logits: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    value = loss.of(logits, pairs)
    value.backward()
    assert logits.grad is not None
    return value.detach(), logits.grad


@every_loss
@settings(deadline=None, max_examples=30)
@given(case=cases())
def test_it_is_the_equation(loss: Loss, case: Case) -> None:
    assert float(loss.of(*case.tensors())) == pytest.approx(loss.naive(case), rel=1e-10, abs=1e-12)


@every_loss
@settings(deadline=None, max_examples=15)
@given(case=cases(), data=st.data())
def test_the_order_of_queries_documents_and_pairs_does_not_matter(
    loss: Loss, case: Case, data: st.DataObject
) -> None:
    logits, pairs = case.tensors()
    torch.testing.assert_close(
        loss.of(*shuffled(logits, pairs, data)), loss.of(logits, pairs), rtol=1e-12, atol=1e-12
    )


@every_loss
@settings(deadline=None, max_examples=5)
@given(case=cases())
def test_gradients_agree_with_finite_differences(loss: Loss, case: Case) -> None:
    logits, pairs = case.tensors()
    # Away from ±30, where a cross-entropy is flat and a finite difference of it is only rounding.
    logits = (logits / 10).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss.of(z, pairs), (logits,))


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits_stay_finite(loss: Loss, dtype: torch.dtype) -> None:
    rng = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (6, 7), generator=rng) * 2 - 1
    case = Case(
        (signs * 1e4 + torch.arange(42).reshape(6, 7)).tolist(),
        {(i, j): (1 + i % 3) / 4 for i in range(6) for j in range(i, 7, 2)},
        {(0, 1)},
    )
    logits, pairs = case.tensors(dtype)
    value, grad = gradient(loss, logits, pairs)
    assert float(value) == pytest.approx(loss.naive(case), rel=1e-6)
    assert torch.isfinite(grad).all()
    # A float32 of 1e4 has steps of 1e-3, which is what a probability may then be off by.
    _, exact = gradient(loss, logits.double(), pairs)
    torch.testing.assert_close(grad.double(), exact, rtol=1e-3, atol=1e-3)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_computed_in_float32(loss: Loss, dtype: torch.dtype) -> None:
    rng = torch.Generator().manual_seed(1)
    logits = (100 * torch.randn(8, 9, generator=rng)).to(dtype)
    pairs = Pairs(torch.arange(8), torch.arange(8), torch.rand(8, generator=rng))
    value, grad = gradient(loss, logits, pairs)
    reference, exact = gradient(loss, logits.float(), pairs)
    assert value.dtype == torch.float32
    assert torch.equal(value, reference)
    assert grad.dtype == dtype
    assert torch.equal(grad, exact.to(dtype))


@every_loss
@pytest.mark.parametrize("weight", [{}, {(0, 0): 0.0, (1, 2): 0.0}], ids=["no pairs", "zero weights"])
def test_without_weight_there_is_nothing_to_learn(loss: Loss, weight: dict[tuple[int, int], float]) -> None:
    logits, pairs = Case([[1.0, -2.0, 3.0], [0.5, 1e4, -1e4]], weight).tensors(torch.float32)
    value, grad = gradient(loss, logits, pairs)
    assert float(value) == 0
    assert torch.equal(grad, torch.zeros(2, 3))


@every_loss
def test_a_pair_of_weight_zero_is_a_negative_like_an_unjudged_one(loss: Loss) -> None:
    logits = [[1.0, 2.0, 3.0], [0.0, 1.0, 0.5]]
    with_zero = Case(logits, {(0, 0): 1.0, (0, 1): 0.0, (1, 2): 0.5}).tensors()
    without = Case(logits, {(0, 0): 1.0, (1, 2): 0.5}).tensors()
    assert torch.equal(loss.of(*with_zero), loss.of(*without))


@every_loss
def test_ignored_pairs_get_no_gradient(loss: Loss) -> None:
    ignored = {(0, 2), (2, 0), (1, 3)}
    weight = {(0, 0): 1.0, (1, 1): 0.5, (2, 2): 0.5, (2, 3): 0.25}
    logits = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(3, 4).tolist()
    _, grad = gradient(loss, *Case(logits, weight, ignored).tensors())
    assert [float(grad[cell]) for cell in ignored] == [0.0, 0.0, 0.0]
    assert float(grad[0, 1]) != 0


@every_loss
def test_a_positive_that_is_also_ignored_stays_a_positive(loss: Loss) -> None:
    weight, logits = {(0, 0): 1.0, (0, 1): 0.5}, [[1.0, 2.0, 3.0]]
    plain = loss.of(*Case(logits, weight).tensors())
    assert torch.equal(loss.of(*Case(logits, weight, {(0, 0), (0, 1)}).tensors()), plain)


@every_loss
def test_rows_with_nothing_unjudged_are_ordered_among_themselves_only(loss: Loss) -> None:
    # Query 0 has one positive and ignores the rest; query 1 has nothing but ignored documents.
    case = Case([[5.0, 1.0, 2.0], [3.0, 0.5, 0.25]], {(0, 0): 1.0}, {(0, 1), (0, 2), (1, 0), (1, 1), (1, 2)})
    value, grad = gradient(loss, *case.tensors())
    # Without rivals only a loss of similarities themselves has anything to say.
    expected = naive.softplus(-5.0 - BIAS) if loss in (LOSSES["sigmoid"], LOSSES["bixse"]) else 0.0
    assert float(value) == pytest.approx(expected, abs=1e-12)
    assert torch.equal(grad[1], torch.zeros(3, dtype=torch.float64))
    assert float(grad[0, 1]) == float(grad[0, 2]) == 0


@every_loss
def test_a_query_without_positives_matters_only_to_losses_of_cells(loss: Loss) -> None:
    alone = Case([[1.0, 2.0, 3.0]], {(0, 0): 1.0, (0, 1): 0.5}).tensors()
    beside = Case([[1.0, 2.0, 3.0], [0.5, 0.25, 4.0]], {(0, 0): 1.0, (0, 1): 0.5}).tensors()
    same = float(loss.of(*alone)) == pytest.approx(float(loss.of(*beside)), rel=1e-12)
    assert same != loss.cells


def test_lambda_loss_in_parts_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(7, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    weight = {(i, j): ((3 * i + j) % 4) / 4 for i in range(7) for j in range(0, 11, 2)}
    _, pairs = Case(logits.tolist(), weight).tensors()
    whole = gradient(LOSSES["lambda-loss"], logits, pairs)
    monkeypatch.setattr(lambda_loss_module, "PART", 30)
    parts = gradient(LOSSES["lambda-loss"], logits, pairs)
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-14)
