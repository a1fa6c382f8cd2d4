"""Pairwise GCL and InfoNCE against an independent implementation, and with copies in the batch."""

from dataclasses import replace
from math import log

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gradus.objectives.info_nce import info_nce
from gradus.objectives.pairs import Pairs
from gradus.objectives.pairwise import pairwise


def batch(size: int, weight: Tensor, seed: int = 0) -> tuple[Tensor, Pairs]:
    logits = 5 * torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return logits, Pairs(torch.arange(size), torch.arange(size), weight)


def of(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors and a scale with these logits: Z = 1 · Z Iᵀ."""
    return logits, torch.eye(logits.shape[1], dtype=logits.dtype), torch.ones((), dtype=logits.dtype)


def clip(logits: Tensor) -> Tensor:
    """The loss of CLIP as PyTorch computes it: symmetric cross-entropy to the diagonal."""
    target = torch.arange(len(logits))
    return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2


@pytest.mark.parametrize("size", [1, 2, 17])
def test_with_equal_weights_it_is_the_loss_of_clip(size: int) -> None:
    for weight in (1.0, 0.3):
        logits, pairs = batch(size, torch.full((size,), weight, dtype=torch.float64))
        torch.testing.assert_close(pairwise(*of(logits), pairs), clip(logits), rtol=1e-12, atol=1e-12)


def test_with_weights_it_is_the_weighted_mean_of_cross_entropies() -> None:
    weight = torch.tensor([1.0, 0.5, 0.25, 0.0, 0.75], dtype=torch.float64)
    logits, pairs = batch(5, weight)
    target = torch.arange(5)
    rows = cross_entropy(logits, target, reduction="none")
    columns = cross_entropy(logits.T, target, reduction="none")
    torch.testing.assert_close(
        pairwise(*of(logits), pairs),
        (weight * (rows + columns) / 2).sum() / weight.sum(),
        rtol=1e-12,
        atol=1e-12,
    )


def test_info_nce_forgets_how_much_a_pair_weighs_but_not_that_it_weighs_nothing() -> None:
    weight = torch.tensor([0.1, 0.9, 0.4], dtype=torch.float64)
    logits, pairs = batch(3, weight)
    torch.testing.assert_close(info_nce(*of(logits), pairs), clip(logits), rtol=1e-12, atol=1e-12)
    assert float(info_nce(*of(logits), pairs)) != pytest.approx(float(pairwise(*of(logits), pairs)), rel=1e-6)
    without = replace(pairs, weight=torch.tensor([0.1, 0.0, 0.4], dtype=torch.float64))
    binary = replace(pairs, weight=torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(
        info_nce(*of(logits), without), pairwise(*of(logits), binary), rtol=1e-12, atol=1e-12
    )


def test_one_sided_only_queries_ask() -> None:
    weight = torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64)
    logits, pairs = batch(3, weight)
    rows = cross_entropy(logits, torch.arange(3), reduction="none")
    expected = (weight * rows).sum() / weight.sum()
    torch.testing.assert_close(
        pairwise(*of(logits), pairs, symmetric=False), expected, rtol=1e-12, atol=1e-12
    )
    expected = rows.mean()
    torch.testing.assert_close(
        info_nce(*of(logits), pairs, symmetric=False), expected, rtol=1e-12, atol=1e-12
    )


def test_a_copy_of_a_document_is_no_negative() -> None:
    # Pairs 0 and 1 are two queries for one document, so each ignores the other's copy of it; exp Z below.
    z = torch.tensor([[2.0, 2.0, 1.0], [3.0, 3.0, 1.0], [1.0, 1.0, 4.0]], dtype=torch.float64).log()
    ignored = torch.tensor([[0, 1], [1, 0]])
    pairs = Pairs(torch.arange(3), torch.arange(3), torch.ones(3, dtype=torch.float64), *ignored)
    rows = log((2 + 1) / 2) + log((3 + 1) / 3) + log((1 + 1 + 4) / 4)
    columns = log((2 + 1) / 2) + log((3 + 1) / 3) + log((1 + 1 + 4) / 4)
    assert float(pairwise(*of(z), pairs)) == pytest.approx((rows + columns) / (2 * 3), rel=1e-12)


def test_the_gradient_is_the_one_of_clip() -> None:
    logits, pairs = batch(6, torch.ones(6, dtype=torch.float64))
    one, other = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    pairwise(*of(one), pairs).backward()
    clip(other).backward()
    torch.testing.assert_close(one.grad, other.grad, rtol=1e-12, atol=1e-14)


def test_pairs_move_between_devices_whole() -> None:
    _, pairs = batch(2, torch.ones(2))
    moved = pairs.to(torch.device("meta"))
    assert {getattr(moved, name).device.type for name in moved.__dataclass_fields__} == {"meta"}
