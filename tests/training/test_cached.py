"""Gradient caching: the gradients of the plain step, in the memory of a chunk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_task import judged, near, smooth, tiny_batches, tiny_run, tiny_task
from torch import Tensor, nn

from gradus.encoders.augmentation import Augmentation
from gradus.encoders.encoder import Embedding, Encoder
from gradus.objectives.registry import OBJECTIVES
from gradus.training.batches import Batch, PairBatches
from gradus.training.cached import cached_backward, fits
from gradus.training.task import Task

CHUNK = 5  # does not divide a side of twelve


def batch_for(objective: str) -> Batch:
    if OBJECTIVES[objective].batches == "pairs":
        return next(PairBatches(*judged(), 12).epoch(0, 0))
    return next(tiny_batches(12).epoch(0, 0))


def gradients(task: Task) -> dict[str, Tensor | None]:
    return {name: None if p.grad is None else p.grad.clone() for name, p in task.named_parameters()}


def assert_same(task: Task, expected: dict[str, Tensor | None]) -> None:
    for name, found in gradients(task).items():
        if expected[name] is None:
            assert found is None, name
        else:
            torch.testing.assert_close(
                found, expected[name], rtol=0, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
            )


def no_draws(part: int) -> None:
    return None


def seeded(part: int) -> Augmentation:
    torch.manual_seed(part)
    return Augmentation(np.random.default_rng(part), field_dropout=0.3)


def with_dropout(task: Task) -> Task:
    task.encoder.towers["text"].hidden.append(nn.Dropout(0.5))  # type: ignore[union-attr, operator]
    return task.train()


@pytest.mark.parametrize("chunk", [1, CHUNK, 11, 12])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_loss_and_gradients_are_those_of_the_plain_step(objective: str, chunk: int) -> None:
    # Where notes are equal, rounding decides who ranks first, and lambda-loss goes by ranks.
    terms = 0.0 if objective == "lambda-loss" else 0.3
    task = tiny_task(name=objective, residual=0.1, field_terms=terms, temperature=0.2)
    with torch.no_grad():
        task.encoder.residual.vectors.normal_()  # type: ignore[union-attr]
    batch = batch_for(objective)
    loss = task(batch, None, torch.float32)
    loss.backward()
    expected = gradients(task)
    assert sum(value is not None and bool(value.any()) for value in expected.values()) > 10
    task.zero_grad()
    cached = cached_backward(task, batch, no_draws, torch.float32, chunk)
    # And one step of float32, in which lambda-loss's 16.3 and the next number are 1.9e-6 apart.
    step = torch.finfo(torch.float32).eps
    torch.testing.assert_close(cached, loss.detach(), rtol=step, atol=1e-6)
    assert_same(task, expected)


def test_a_chunk_draws_the_same_both_times() -> None:
    task, batch = with_dropout(tiny_task(residual=0.1)), batch_for("many-to-many")
    # One graph over chunks that are each drawn once.
    sides: list[Embedding] = []
    for odd, (side, rows) in enumerate((("query", batch.queries), ("document", batch.documents))):
        chunks = np.array_split(rows, 3)
        parts = [
            task.embed(side, chunk, seeded(1 + 2 * number + odd), torch.float32)  # type: ignore[arg-type]
            for number, chunk in enumerate(chunks)
        ]
        share = [len(chunk) / len(rows) for chunk in chunks]
        sides.append(
            Embedding(
                torch.cat([part.merged for part in parts]),
                torch.cat([part.fields for part in parts]),
                torch.cat([part.present for part in parts]),
                torch.stack([s * part.penalty for s, part in zip(share, parts, strict=True)]).sum(),
                torch.cat([part.prior for part in parts]),
            )
        )
    loss = task.loss(*sides, batch.pairs)
    loss.backward()
    expected = gradients(task)
    task.zero_grad()
    torch.testing.assert_close(cached_backward(task, batch, seeded, torch.float32, CHUNK), loss.detach())
    assert_same(task, expected)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, bool]]:
    """Side, rows and whether a graph was kept, of every call of the encoder."""
    calls: list[tuple[str, int, bool]] = []
    forward: Callable[..., Embedding] = Encoder.forward

    def noted(self: Encoder, side: str, prepared: object, rows: np.ndarray, *rest: object) -> Embedding:
        calls.append((side, len(rows), torch.is_grad_enabled()))
        return forward(self, side, prepared, rows, *rest)

    monkeypatch.setattr(Encoder, "forward", noted)
    return calls


def test_no_more_than_a_chunk_is_embedded_at_once(embedded: list[tuple[str, int, bool]]) -> None:
    cached_backward(tiny_task(), batch_for("many-to-many"), no_draws, torch.float32, CHUNK)
    first = [(side, 4, False) for side in ("query", "document") for _ in range(3)]
    assert embedded == first + [(side, 4, True) for side, *_ in first]


def test_a_side_that_fits_is_embedded_once(embedded: list[tuple[str, int, bool]]) -> None:
    whole = batch_for("many-to-many")
    kept = whole.pairs.query < 3
    batch = Batch(whole.queries[:3], whole.documents, whole.pairs.among_documents(torch.ones(12) > 0))
    pairs = type(whole.pairs)(
        *(value[kept] for value in (whole.pairs.query, whole.pairs.document, whole.pairs.weight))
    )
    batch = Batch(batch.queries, batch.documents, pairs)
    cached_backward(tiny_task(), batch, no_draws, torch.float32, CHUNK)
    assert [call for call in embedded if call[0] == "query"] == [("query", 3, True)]


def test_what_fits() -> None:
    batch = batch_for("many-to-many")
    assert [fits(batch, chunk) for chunk in (0, 11, 12, 13)] == [True, False, True, True]


def test_a_run_in_chunks_is_the_run_without(tmp_path: Path) -> None:
    states = []
    for chunk in (0, CHUNK):
        task = tiny_task(residual=0.1)
        batches = tiny_batches(12)
        run = tiny_run(
            tmp_path / str(chunk), task, batches=batches, chunk=chunk, augment=False, precision="float32"
        )
        smooth(run).fit()
        states.append(task.state_dict())
    near(*states)
    moved = states[0]["log_scale"] - tiny_task().state_dict()["log_scale"]
    assert abs(float(moved)) > 1e-4  # a hundred times what is let pass


def test_the_scale_of_the_loss_reaches_every_gradient() -> None:
    task, batch = tiny_task(residual=0.1), batch_for("many-to-many")
    cached_backward(task, batch, no_draws, torch.float32, CHUNK)
    expected = {name: None if value is None else 8 * value for name, value in gradients(task).items()}
    task.zero_grad()
    loss = cached_backward(task, batch, no_draws, torch.float32, CHUNK, scale=lambda value: 8 * value)
    assert_same(task, expected)
    torch.testing.assert_close(loss, task(batch, None, torch.float32).detach())
