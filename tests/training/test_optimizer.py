"""Rates, decay and schedule."""

from math import cos, pi

import pytest
import torch
from tiny_task import tiny_task

from gradus.errors import SettingsError
from gradus.settings import EncoderSettings, TrainingSettings
from gradus.training.optimizer import count_parameters, device_of, make_optimizer, precision_of, schedule


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, 0.01),
        (0.05, 0.5),  # half of the warm-up
        (0.1, 1.0),
        (0.55, 0.5 * (1 + cos(pi * 0.5))),  # half of the rest
        (0.325, 0.5 * (1 + cos(pi * 0.25))),
        (1.0, 0.01),
        (1.5, 0.01),
    ],
)
def test_the_schedule_by_hand(share: float, expected: float) -> None:
    assert schedule(share, 0.1) == pytest.approx(max(expected, 0.01), rel=1e-9)


@pytest.mark.parametrize("warmup", [0.0, 0.05, 1.0])
def test_the_schedule_rises_then_falls_and_stays_between_one_percent_and_one(warmup: float) -> None:
    values = [schedule(step / 200, warmup) for step in range(201)]
    peak = values.index(max(values))
    assert values[:peak] == sorted(values[:peak])
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert min(values) >= 0.01
    assert max(values) <= 1


def test_everything_trains_once_and_only_matrices_decay() -> None:
    task = tiny_task(residual=0.1)
    optimizer = make_optimizer(task, TrainingSettings(learning_rate=0.5, weight_decay=0.1), EncoderSettings())
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert set(decay) == {id(p) for p in task.parameters() if p.requires_grad}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(decay)
    assert all(decay[id(p)] == (0.1 if p.ndim > 1 else 0.0) for p in task.parameters())
    assert decay[id(task.log_scale)] == 0
    rates = {id(p): (group["lr"], group["peak"]) for group in optimizer.param_groups for p in group["params"]}
    for module, rate in ((task.encoder.fusion, 5.0), (task.encoder.prior, 2.5), (task.encoder.residual, 0.5)):
        assert module is not None
        few = {id(p) for p in module.parameters()}
        assert few
        assert {rates.pop(p) for p in few} == {(rate, rate)}
    assert set(rates.values()) == {(0.5, 0.5)}


def test_fixed_field_weights_are_left_to_themselves() -> None:
    task = tiny_task()
    for fusion in task.encoder.fusion.values():
        fusion.requires_grad_(False)
    optimizer = make_optimizer(task, TrainingSettings(), EncoderSettings())
    given = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert not given & {id(p) for p in task.encoder.fusion.parameters()}


def test_names_of_precisions_and_devices() -> None:
    cpu = torch.device("cpu")
    assert precision_of("float32", cpu) == torch.float32
    assert precision_of("bfloat16", cpu) == torch.bfloat16
    assert precision_of("auto", cpu) in (torch.float32, torch.bfloat16)
    assert precision_of("float16", torch.device("cuda")) == torch.float16
    assert device_of("cpu") == cpu
    assert device_of("auto").type in ("cpu", "cuda", "mps")


def test_float16_without_a_gpu_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"training\.precision is 'float16', which is for CUDA; take 'bfloat16'"
    ):
        precision_of("float16", torch.device("cpu"))


@pytest.mark.parametrize("name", ["gpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"training\.device is '{name}'"):
        device_of(name)


def test_parameters_are_counted() -> None:
    module = torch.nn.Linear(3, 4)
    module.bias.requires_grad_(False)
    assert count_parameters(module) == (3 * 4, 3 * 4 + 4)
