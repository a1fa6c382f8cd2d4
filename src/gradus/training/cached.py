"""Gradient caching: any batch in the memory of one chunk, and on any number of devices.

A contrastive loss lets every row of a batch compete with every other, so a batch cannot be cut into smaller
ones. But the loss knows the rows by their embeddings alone, and those are small:

1. embed chunk by chunk, keeping nothing for a backward pass;
2. compute the loss of all embeddings, and its gradient with respect to each of them;
3. embed chunk by chunk again with the same random draws, and pass each chunk's gradients on to the towers.

Gao, Zhang, Han, Callan: Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, RepL4NLP 2021,
arXiv 2101.06983. The gradients are those of the plain step; the price is the second forward pass, which a
side that fits into one chunk is spared.

Devices share a batch in the same way. The chunks are dealt to them, the embeddings are exchanged after 1, every
device computes 2 whole, which costs little beside the towers and is normalised by all weights of the batch as
it stands, and the parameters' gradients are summed after 3. Nothing with a graph crosses a border, so the
encoder needs no wrapper, and objectives need not know.
"""

from collections.abc import Callable
from dataclasses import fields
from math import ceil

import numpy as np
import torch
from torch import Tensor

from gradus.encoders.augmentation import Augmentation
from gradus.encoders.encoder import SIDES, Embedding, Side
from gradus.training.batches import Batch, Rows
from gradus.training.distributed import ALONE, Group
from gradus.training.task import Task

Draws = Callable[[int], Augmentation | None]
"""Seeds torch's dropout for a chunk, named by a number from 1, or for all else of a step, 0; returns what is left
out by chance. Asked twice for the same number it must lead to the same draws."""


def fits(batch: Batch, chunk: int) -> bool:
    """Whether one chunk holds either side of a batch; a chunk of 0 holds any."""
    return not chunk or max(len(batch.queries), len(batch.documents)) <= chunk


def cached_backward(
    task: Task,
    batch: Batch,
    draws: Draws,
    precision: torch.dtype,
    chunk: int = 0,
    group: Group = ALONE,
    scale: Callable[[Tensor], Tensor] = lambda loss: loss,
) -> Tensor:
    """The loss of a batch; its gradients are left in the parameters, which must have none before.

    Args:
        task: Encoder and objective.
        batch: Rows and pairs, the same in every process of the group.
        draws: Randomness of a chunk.
        precision: What the towers compute in.
        chunk: Most rows of a side that are embedded at a time; 0 for a process's whole share.
        group: The processes among which the chunks are dealt. For the same `chunk`, their number changes
            neither loss, nor gradients, nor draws, as long as it divides the number of chunks.
        scale: What the loss goes through before the backward pass.
    """
    sides = {
        side: _Share(task, side, rows, draws, precision, chunk, group)
        for side, rows in zip(SIDES, (batch.queries, batch.documents), strict=True)
    }
    queries, documents = sides["query"].embed(), sides["document"].embed()
    draws(0)
    loss = task.loss(queries, documents, batch.pairs)
    scale(loss).backward()  # type: ignore[no-untyped-call]
    if not group.first:
        # What the loss gave to parameters of its own (the temperature) is the same everywhere and counts once.
        task.zero_grad(set_to_none=True)
    for share in sides.values():
        share.backward()
    group.sum_gradients(task.parameters())
    return loss.detach()


class _Share:
    """One side of a batch, of which this process embeds a share."""

    def __init__(
        self,
        task: Task,
        side: Side,
        rows: Rows,
        draws: Draws,
        precision: torch.dtype,
        chunk: int,
        group: Group,
    ) -> None:
        self.task, self.side, self.draws, self.precision, self.group = task, side, draws, precision, group
        each = ceil(len(rows) / (chunk or len(rows)) / group.size)  # chunks in a process
        chunks = np.array_split(rows, each * group.size)
        self.counts = [sum(map(len, chunks[r * each : (r + 1) * each])) for r in range(group.size)]
        # A chunk draws the same whichever process it is dealt to; odd numbers are queries', even ones documents'.
        self.chunks = [
            (1 + 2 * number + SIDES.index(side), chunks[number])
            for number in range(group.rank * each, (group.rank + 1) * each)
            if len(chunks[number])
        ]
        self.any_row = rows[:1]
        self.kept: Embedding | None = None
        self.leaves: dict[str, Tensor] = {}

    def embed(self) -> Embedding:
        """The embeddings of the whole side, as leaves that collect the loss's gradients."""
        with torch.set_grad_enabled(len(self.chunks) == 1):
            # Where rows are fewer than processes, one may have none to send, but has to send their shape.
            parts = [self._embedded(*chunk) for chunk in self.chunks or [(0, self.any_row)]]
        self.kept = parts[0] if len(self.chunks) == 1 else None
        means = [name for name, value in _held(parts[0]).items() if value.ndim == 0]
        values = [_by_row(part) for part in parts]
        for name in values[0]:
            own = torch.cat([value[name].detach() for value in values])[: self.counts[self.group.rank]]
            whole = self.group.gather(own, self.counts)
            self.leaves[name] = whole.requires_grad_(whole.is_floating_point())
        return Embedding(
            **{name: leaf.mean() if name in means else leaf for name, leaf in self.leaves.items()}
        )

    def backward(self) -> None:
        """Pass the gradients of this process's rows on to the towers."""
        place = sum(self.counts[: self.group.rank])
        for number, rows in self.chunks:
            embedding = self.kept or self._embedded(number, rows)
            outputs, gradients = [], []
            for name, value in _by_row(embedding).items():
                gradient = self.leaves[name].grad
                if value.requires_grad and gradient is not None:
                    outputs.append(value)
                    gradients.append(gradient[place : place + len(rows)])
            if outputs:
                torch.autograd.backward(outputs, gradients)
            place += len(rows)

    def _embedded(self, number: int, rows: Rows) -> Embedding:
        return self.task.embed(self.side, rows, self.draws(number), self.precision)


def _held(embedding: Embedding) -> dict[str, Tensor]:
    return {item.name: getattr(embedding, item.name) for item in fields(embedding)}


def _by_row(embedding: Embedding) -> dict[str, Tensor]:
    """What an embedding holds; a mean over its rows (the penalty) stands in each of them."""
    rows = len(embedding.merged)
    return {name: v.expand(rows) if v.ndim == 0 else v for name, v in _held(embedding).items()}
