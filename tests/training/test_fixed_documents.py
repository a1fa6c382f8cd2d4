"""Documents that do not move: what they were, for the rows that were asked for."""

import numpy as np
import pytest
import torch
from tiny_task import tiny_batches, tiny_task

from gradus.training.refresh import FixedDocuments


def test_they_are_as_they_will_be_served_and_need_no_gradient() -> None:
    task = tiny_task(residual=0.1)
    with torch.no_grad():
        assert task.encoder.residual is not None
        task.encoder.residual.vectors.normal_()
    rows = np.array([2, 5, 7, 11])
    fixed = FixedDocuments(task.encoder.train(), task.documents, rows)
    assert task.encoder.training
    with torch.no_grad():
        expected = task.encoder.eval()("document", task.documents, rows[[3, 0, 3]])
    found = fixed(rows[[3, 0, 3]])
    for name in ("merged", "fields", "present"):
        assert torch.equal(getattr(found, name), getattr(expected, name))
        assert not getattr(found, name).requires_grad
    assert float(found.penalty) == 0
    with pytest.raises(IndexError):
        fixed(np.array([3]))


def test_the_loss_is_that_of_the_documents_it_stands_for() -> None:
    """Without augmentation, with the gradients of queries and none of documents."""
    whole, fixed = tiny_task(), tiny_task()
    fixed.fixed = FixedDocuments(fixed.encoder, fixed.documents, np.arange(12))
    batch = next(iter(tiny_batches(12).epoch(0, 0)))
    losses = [task(batch, None, torch.float32) for task in (whole, fixed)]
    assert losses[1].item() == pytest.approx(losses[0].item(), abs=1e-6)
    losses[1].backward()
    gradients = {name for name, p in fixed.named_parameters() if p.grad is not None}
    assert "encoder.fusion.query.log_weights" in gradients
    assert "encoder.fusion.document.log_weights" not in gradients
