"""Fusion: normalise(Σ_f b_f e_f), weights renormalised over the fields that are present."""

from math import sqrt

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gradus.catalog.fields import Field
from gradus.encoders.fusion import Fusion

X, Y, Z = torch.eye(3)
FIELDS = [Field("title", weight=3.0), Field("image", "image", 1.0), Field("size", "number", 2.0)]


def fuse(present: list[bool], factors: list[float] | None = None) -> Tensor:
    scale = None if factors is None else torch.tensor(factors)
    fusion = Fusion(FIELDS, learned=False)
    return fusion(torch.stack([X, Y, Z])[None], torch.tensor([present]), scale)[0]


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        # Weights 3 : 1 : 2, so the fused vector is (3, 1, 2) / √(9 + 1 + 4).
        ([True, True, True], torch.tensor([3.0, 1, 2]) / sqrt(14)),
        ([True, True, False], torch.tensor([3.0, 1, 0]) / sqrt(10)),
        ([False, True, True], torch.tensor([0.0, 1, 2]) / sqrt(5)),
        ([False, False, True], Z),
        ([False, False, False], torch.zeros(3)),
    ],
)
def test_the_formula(present: list[bool], expected: Tensor) -> None:
    torch.testing.assert_close(fuse(present), expected)


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ([1.0, 1.0, 1.0], torch.tensor([3.0, 1, 2]) / sqrt(14)),
        ([1.0, 6.0, 1.0], torch.tensor([3.0, 6, 2]) / 7),  # √(9 + 36 + 4) = 7
        ([0.0, 2.0, 0.0], Y),
        ([10.0, 10.0, 10.0], torch.tensor([3.0, 1, 2]) / sqrt(14)),
        ([0.0, 0.0, 0.0], torch.zeros(3)),
    ],
)
def test_factors_scale_the_weights(factors: list[float], expected: Tensor) -> None:
    torch.testing.assert_close(fuse([True, True, True], factors), expected)


def test_what_stands_in_a_missing_field_does_not_matter() -> None:
    fusion = Fusion(FIELDS, learned=True)
    vectors = normalize(torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)), dim=2)
    present = torch.tensor([[True, False, True], [True, True, False]])
    expected = fusion(vectors, present)
    vectors[0, 1], vectors[1, 2] = float("nan"), float("inf")
    assert torch.equal(fusion(vectors, present), expected)


def test_weights_are_learned_only_where_asked() -> None:
    assert not any(parameter.requires_grad for parameter in Fusion(FIELDS, learned=False).parameters())
    fusion = Fusion(FIELDS, learned=True)
    optimizer = torch.optim.SGD(fusion.parameters(), 0.5)
    present = torch.ones(1, 3, dtype=torch.bool)
    for _ in range(50):
        optimizer.zero_grad()
        (-fusion(torch.stack([X, Y, Z])[None], present)[0] @ Y).backward()
        optimizer.step()
    weights = fusion.log_weights.detach().exp()
    assert (weights > 0).all()
    assert weights[1] > weights[0]
    assert weights[1] > weights[2]


def test_a_row_without_any_field_has_zero_gradients_and_no_nan() -> None:
    fusion = Fusion(FIELDS, learned=True)
    vectors = normalize(
        torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)), dim=2
    ).requires_grad_()
    present = torch.tensor([[False, False, False], [True, False, True]])
    fusion(vectors, present).sum().backward()
    assert vectors.grad is not None
    assert torch.equal(vectors.grad[0], torch.zeros(3, 4))
    assert torch.equal(vectors.grad[1, 1], torch.zeros(4))
    assert torch.isfinite(vectors.grad).all()
    assert fusion.log_weights.grad is not None
    assert torch.isfinite(fusion.log_weights.grad).all()


def test_gradients_agree_with_finite_differences() -> None:
    fusion = Fusion(FIELDS, learned=True).double()
    vectors = normalize(
        torch.randn(3, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)), dim=2
    )
    present = torch.tensor([[True, True, True], [True, False, True], [False, True, False]])

    def call(log_weights: Tensor, vectors: Tensor) -> Tensor:
        return torch.func.functional_call(fusion, {"log_weights": log_weights}, (vectors, present))

    inputs = (fusion.log_weights.detach().clone().requires_grad_(), vectors.requires_grad_())
    assert torch.autograd.gradcheck(call, inputs)
