"""The moving average, step by step."""

import pytest
import torch
from torch import nn

from gradus.training.average import Average


def linear(value: float) -> nn.Linear:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, value)
    return module


def test_the_recursion_by_hand() -> None:
    module = linear(1.0)
    average = Average(module, 0.5)
    mean = 1.0
    for count, value in enumerate([3.0, 5.0, -2.0, 7.0], start=1):
        nn.init.constant_(module.weight, value)
        average.update(module)
        decay = min(0.5, (1 + count) / (10 + count))  # rises to its full value
        mean = decay * mean + (1 - decay) * value
        assert float(average.means[0]) == pytest.approx(mean, rel=1e-5)


def test_it_stands_in_for_the_parameters_within_the_block_alone() -> None:
    module = linear(2.0)
    average = Average(module, 0.9)
    nn.init.constant_(module.weight, 4.0)
    average.update(module)
    inside = float(average.means[0])
    with average.in_place_of(module):
        assert float(module.weight.detach()) == inside
    assert float(module.weight.detach()) == 4.0


def test_without_decay_nothing_is_kept() -> None:
    module = linear(2.0)
    average = Average(module, 0.0)
    average.update(module)
    assert list(average.parameters()) == []
    with average.in_place_of(module):
        assert float(module.weight.detach()) == 2.0


def test_what_does_not_train_is_not_averaged_and_the_averages_do_not_train() -> None:
    module = nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    average = Average(module, 0.9)
    assert [mean.shape for mean in average.means] == [torch.Size([2, 2])]
    assert not any(parameter.requires_grad for parameter in average.parameters())
