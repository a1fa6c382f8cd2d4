"""The tiled kernel: two passes over Z = s · L Rᵀ in plain PyTorch: sums of exponentials, and gradients, tile by tile."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gradus.objectives.cells import Cells
from gradus.objectives.pairs import Pairs
from gradus.objectives.precision import nothing

SIZE = 768  # rows and columns of a tile; 512 and 1,024 take 2 to 4 % longer
KEPT = 4096 * 4096  # exponentials of so few pairs are kept for the backward pass: 64 MB in float32
LOG2E = math.log2(math.e)


@dataclass(frozen=True)
class Sums:
    """What the first pass finds.

    Attributes:
        rows: (n_q,) sums of the exponentials in each row.
        columns: (n_d,) the same of each column; `None` where it was not asked for.
        own: (p,) logits of the positives.
        kept: (n_q · n_d,) the exponentials, tile after tile, where they are few; for the second pass.
    """

    rows: Tensor
    columns: Tensor | None
    own: Tensor
    kept: Tensor | None = None


@dataclass(frozen=True)
class Kernel:
    """The matrix of exp(Z_ij − c_i), 0 wherever a pair is judged.

    Attributes:
        queries: (n_q, D) L, float32 or float64.
        documents: (n_d, D) R, of the same type.
        scale: s.
        offset: c, one number, or (n_q,) one for each row.
        pairs: The judged pairs: the positives and the ignored.
        size: Rows and columns of a tile.
    """

    queries: Tensor
    documents: Tensor
    scale: float
    offset: float | Tensor
    pairs: Pairs
    size: int = SIZE

    def sums(self, symmetric: bool) -> Sums:
        """The sums of the rows and, if symmetric, of the columns."""
        positive, ignored = self._judged()
        rows = self.queries.new_zeros(len(self.queries))
        columns = self.queries.new_zeros(len(self.documents)) if symmetric else None
        own = self.queries.new_empty(len(self.pairs.query))
        cells = len(self.queries) * len(self.documents)
        kept = self.queries.new_empty(cells) if cells <= KEPT else None
        buffer = self._buffer() if kept is None else kept
        for number, i, j in self._visits():
            tile = self._logits(buffer, i, j)
            positive.read(tile, number, own)
            self._exponentials(tile, i)
            positive.fill(tile, number, 0.0)
            ignored.fill(tile, number, 0.0)
            rows[i] += tile.sum(1)
            if columns is not None:
                columns[j] += tile.sum(0)
        return Sums(rows, columns, torch.empty_like(own).index_copy_(0, positive.order, own) / LOG2E, kept)

    def add_gradients(
        self,
        rows: Tensor,
        columns: Tensor | None,
        own: Tensor,
        of_queries: Tensor,
        of_documents: Tensor,
        kept: Tensor | None = None,
    ) -> None:
        """Add G R to the queries' gradient and Gᵀ L to the documents'.

        Args:
            rows: (n_q,) a of G_ij = exp(Z_ij − c_i) (a_i + b_j), the gradient of an unjudged logit.
            columns: (n_d,) b; `None` for 0.
            own: (p,) G of the positives. That of the ignored is 0.
            of_queries: (n_q, D) changed in place; the scale is left out.
            of_documents: (n_d, D) changed in place; the scale is left out.
            kept: The exponentials, where the first pass kept them.
        """
        positive, ignored = self._judged()
        own = own[positive.order]
        exponentials, gradients = self._buffer(), self._buffer()
        for number, i, j in self._visits():
            if kept is None:
                tile = self._logits(exponentials, i, j)
                self._exponentials(tile, i)
                positive.fill(tile, number, 0.0)
                ignored.fill(tile, number, 0.0)
            else:
                tile = self._tile(kept, i, j)
            # The exponentials stay as they are: a graph may be walked back twice.
            gradient = self._tile(gradients, i, j)
            if columns is None:
                torch.mul(tile, rows[i, None], out=gradient)
            else:
                torch.add(rows[i, None], columns[j], out=gradient).mul_(tile)
            positive.add(gradient, number, own)
            of_queries[i].addmm_(gradient, self.documents[j])
            of_documents[j].addmm_(gradient.T, self.queries[i])

    def log_sums(self) -> Tensor:
        """(n_q,) log-sum-exp of the unjudged logits of each row, whatever their size; c is not used."""
        positive, ignored = self._judged()
        empty = nothing(self.queries.dtype)
        most = self.queries.new_full((len(self.queries),), empty)
        rows, buffer = torch.zeros_like(most), self._buffer()
        for number, i, j in self._visits():
            tile = self._logits(buffer, i, j)
            positive.fill(tile, number, empty)
            ignored.fill(tile, number, empty)
            before = most[i].clone()
            torch.maximum(before, tile.amax(1), out=most[i])
            rows[i] = rows[i] * (before - most[i]).exp2() + tile.sub_(most[i, None]).exp2_().sum(1)
        return (rows.log2() + most) / LOG2E

    def _judged(self) -> tuple[Cells, Cells]:
        shape, pairs = (len(self.queries), len(self.documents)), self.pairs
        return (
            Cells(pairs.query, pairs.document, shape, self.size),
            Cells(pairs.ignored_query, pairs.ignored_document, shape, self.size),
        )

    def _visits(self) -> Iterator[tuple[int, slice, slice]]:
        """(number, rows, columns) of every tile."""
        number, (n_q, n_d) = 0, (len(self.queries), len(self.documents))
        for top in range(0, n_q, self.size):
            for left in range(0, n_d, self.size):
                yield number, slice(top, min(top + self.size, n_q)), slice(left, min(left + self.size, n_d))
                number += 1

    def _buffer(self) -> Tensor:
        """Room for one tile."""
        return self.queries.new_empty(min(self.size, len(self.queries)) * min(self.size, len(self.documents)))

    def _tile(self, buffer: Tensor, i: slice, j: slice) -> Tensor:
        """The place of a tile in a buffer for one or for all."""
        height, width, n_d = i.stop - i.start, j.stop - j.start, len(self.documents)
        start = i.start * n_d + height * j.start if len(buffer) == len(self.queries) * n_d else 0
        return buffer[start : start + height * width].view(height, width)

    def _logits(self, buffer: Tensor, i: slice, j: slice) -> Tensor:
        """Z in units of log 2, as an exponential to base 2 takes a third of the time."""
        tile, scale = self._tile(buffer, i, j), self.scale * LOG2E
        return torch.addmm(tile, self.queries[i], self.documents[j].T, beta=0, alpha=scale, out=tile)

    def _exponentials(self, tile: Tensor, i: slice) -> None:
        if isinstance(self.offset, Tensor):
            tile.sub_(self.offset[i, None] * LOG2E)
        elif self.offset:
            tile.sub_(self.offset * LOG2E)
        tile.exp2_()
