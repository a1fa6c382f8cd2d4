"""The two passes on a GPU, in Triton: a product whose epilogue is the loss.

The matrix is cut into slabs, and a slab into blocks, one per program. A program multiplies its rows of L with its
columns of R in float32 accumulators (the embeddings may be bfloat16) and, before anything leaves the registers, turns
logits into exponentials, opens the gaps of the judged pairs, and either sums them or multiplies them into gradients.
Gradients of a slab are stored in the embeddings' type and meet L and R in two ordinary products.

Which of a block's cells are judged is itself a product, of one-hot rows and one-hot columns, sixteen pairs at a time.
Sums go to a place of their own for each block and are added up afterwards, so that a run can be repeated exactly.
"""

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from gradus.objectives.kernel import LOG2E, Kernel, Sums

BLOCK = 128  # rows and columns of a program
INNER = 64  # columns of L and R that a program multiplies at a time
PAIRS = 16  # judged pairs that a program looks at at a time: the least that a product may sum over
CHUNK = 1 << 16  # positives whose logits are computed at a time


@triton.jit  # type: ignore[untyped-decorator]
def _exponentials(  # type: ignore[no-untyped-def]
    queries, documents, n_q, n_d, dim, scale, offset, first_row, first_column, starts, cell_rows, cell_columns,
    side: tl.constexpr, block: tl.constexpr, inner: tl.constexpr, pairs: tl.constexpr,
    precision: tl.constexpr, widen: tl.constexpr,
):  # fmt: skip
    """exp2(scale · L_i·R_j − offset) of one block, 0 outside the matrix and at its judged cells."""
    row = first_row + tl.arange(0, block)
    column = first_column + tl.arange(0, block)
    logits = tl.zeros((block, block), dtype=tl.float32)
    for start in range(0, dim, inner):
        k = start + tl.arange(0, inner)
        left = tl.load(
            queries + row[:, None].to(tl.int64) * dim + k[None, :],
            mask=(row[:, None] < n_q) & (k[None, :] < dim), other=0.0,
        )  # fmt: skip
        right = tl.load(
            documents + column[None, :].to(tl.int64) * dim + k[:, None],
            mask=(column[None, :] < n_d) & (k[:, None] < dim), other=0.0,
        )  # fmt: skip
        if widen:
            left, right = left.to(tl.float32), right.to(tl.float32)
        logits = tl.dot(left, right, logits, input_precision=precision)
    inside = (row[:, None] < n_q) & (column[None, :] < n_d)
    found = tl.where(inside, tl.exp2(logits * scale - offset), 0.0)
    number = tl.program_id(0) * side + tl.program_id(1)
    end = tl.load(starts + number + 1)
    for start in range(tl.load(starts + number), end, pairs):
        pair = start + tl.arange(0, pairs)
        i = tl.load(cell_rows + pair, mask=pair < end, other=-1)
        j = tl.load(cell_columns + pair, mask=pair < end, other=-1)
        here = (row[:, None] == i[None, :]).to(tl.float16)
        there = (j[:, None] == column[None, :]).to(tl.float16)
        found = tl.where(tl.dot(here, there) > 0, 0.0, found)
    return row, column, found


@triton.jit  # type: ignore[untyped-decorator]
def _sums_kernel(  # type: ignore[no-untyped-def]
    queries, documents, n_q, n_d, dim, scale, offset, top, left, starts, cell_rows, cell_columns,
    row_sums, column_sums, height, width,
    side: tl.constexpr, block: tl.constexpr, inner: tl.constexpr, pairs: tl.constexpr,
    precision: tl.constexpr, widen: tl.constexpr,
):  # fmt: skip
    down, across = tl.program_id(0) * block, tl.program_id(1) * block
    row, column, found = _exponentials(
        queries, documents, n_q, n_d, dim, scale, offset, top + down, left + across,
        starts, cell_rows, cell_columns, side, block, inner, pairs, precision, widen,
    )  # fmt: skip
    tl.store(row_sums + tl.program_id(1) * height + row - top, tl.sum(found, 1), mask=row < top + height)
    tl.store(
        column_sums + tl.program_id(0) * width + column - left, tl.sum(found, 0), mask=column < left + width
    )


@triton.jit  # type: ignore[untyped-decorator]
def _gradients_kernel(  # type: ignore[no-untyped-def]
    queries, documents, n_q, n_d, dim, scale, offset, top, left, starts, cell_rows, cell_columns,
    row_factors, column_factors, gradients, height, width,
    side: tl.constexpr, block: tl.constexpr, inner: tl.constexpr, pairs: tl.constexpr,
    precision: tl.constexpr, widen: tl.constexpr,
):  # fmt: skip
    down, across = tl.program_id(0) * block, tl.program_id(1) * block
    row, column, found = _exponentials(
        queries, documents, n_q, n_d, dim, scale, offset, top + down, left + across,
        starts, cell_rows, cell_columns, side, block, inner, pairs, precision, widen,
    )  # fmt: skip
    a = tl.load(row_factors + row, mask=row < top + height, other=0.0)
    b = tl.load(column_factors + column, mask=column < left + width, other=0.0)
    places = (row[:, None] - top).to(tl.int64) * width + (column[None, :] - left)
    within = (row[:, None] < top + height) & (column[None, :] < left + width)
    values = found * (a[:, None] + b[None, :])
    tl.store(gradients + places, values.to(gradients.dtype.element_ty), mask=within)


@dataclass(frozen=True)
class TritonKernel(Kernel):
    """The same matrix on a CUDA device, embeddings in bfloat16 or float32; a tile is a slab of programs.

    Products of float32 embeddings follow `torch.set_float32_matmul_precision`.
    """

    size: int = 64 * BLOCK
    block: int = BLOCK

    def sums(self, symmetric: bool) -> Sums:
        """As in `Kernel`; nothing is kept."""
        rows = self.queries.new_zeros(len(self.queries), dtype=torch.float32)
        columns = self.queries.new_zeros(len(self.documents), dtype=torch.float32)
        judged = self._judged_blocks()
        for number, i, j in self._visits():
            height, width = i.stop - i.start, j.stop - j.start
            down, across = -(-height // self.block), -(-width // self.block)
            row_sums, column_sums = rows.new_empty(across, height), rows.new_empty(down, width)
            _sums_kernel[(down, across)](
                *self._operands(i, j), *judged.of(number), row_sums, column_sums, height, width,
                **self._options(),
            )  # fmt: skip
            rows[i] += row_sums.sum(0)
            columns[j] += column_sums.sum(0)
        return Sums(rows, columns if symmetric else None, self._own())

    def add_gradients(
        self,
        rows: Tensor,
        columns: Tensor | None,
        own: Tensor,
        of_queries: Tensor,
        of_documents: Tensor,
        kept: Tensor | None = None,
    ) -> None:
        """As in `Kernel`; the gradients are float32."""
        columns = rows.new_zeros(len(self.documents)) if columns is None else columns.contiguous()
        judged, positive = self._judged_blocks(), self._judged()[0]
        own = own[positive.order].to(self.queries.dtype)
        buffer = self._buffer()
        for number, i, j in self._visits():
            height, width = i.stop - i.start, j.stop - j.start
            down, across = -(-height // self.block), -(-width // self.block)
            gradient = buffer[: height * width].view(height, width)
            _gradients_kernel[(down, across)](
                *self._operands(i, j), *judged.of(number), rows.contiguous(), columns,
                gradient, height, width, **self._options(),
            )  # fmt: skip
            positive.add(gradient, number, own)
            _add_product(of_queries[i], gradient, self.documents[j])
            _add_product(of_documents[j], gradient.T, self.queries[i])

    def _own(self) -> Tensor:
        """(p,) logits of the positives."""
        query, document = self.pairs.query, self.pairs.document
        own = self.queries.new_empty(len(query), dtype=torch.float32)
        for start in range(0, len(own), CHUNK):
            chunk = slice(start, start + CHUNK)
            left, right = self.queries[query[chunk]], self.documents[document[chunk]]
            torch.sum(left.float() * right.float(), 1, out=own[chunk])
        return own * self.scale

    def _operands(self, i: slice, j: slice) -> tuple[Any, ...]:
        if isinstance(self.offset, Tensor):
            raise TypeError("rows with an offset each are swept in plain PyTorch")
        n_q, dim = self.queries.shape
        scale, offset = self.scale * LOG2E, self.offset * LOG2E
        operands = (self.queries.contiguous(), self.documents.contiguous())
        return (*operands, n_q, len(self.documents), dim, scale, offset, i.start, j.start)

    def _options(self) -> dict[str, Any]:
        precision = "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"
        return {
            "side": self.size // self.block, "block": self.block, "inner": INNER, "pairs": PAIRS,
            "precision": precision, "num_warps": 8,
            # Triton's interpreter, which runs on CPU tensors, would multiply the bits of bfloat16 as integers.
            "widen": not self.queries.is_cuda,
        }  # fmt: skip

    def _judged_blocks(self) -> "_Blocks":
        pairs = self.pairs
        row = torch.cat([pairs.query, pairs.ignored_query])
        column = torch.cat([pairs.document, pairs.ignored_document])
        return _Blocks(row, column, -(-len(self.documents) // self.size), self.size, self.block)


class _Blocks:
    """Cells sorted by slab and, within it, by block.

    Args:
        row: (p,) of the cells.
        column: (p,) of the cells.
        across: Slabs beside each other.
        size: Rows and columns of a slab.
        block: Rows and columns of a block.
    """

    def __init__(self, row: Tensor, column: Tensor, across: int, size: int, block: int) -> None:
        slab, side = row // size * across + column // size, size // block
        key = (slab * side + row % size // block) * side + column % size // block
        self._key, order = torch.sort(key, stable=True)
        self._row, self._column = row[order], column[order]
        self._within = torch.arange(side * side + 1, device=row.device)

    def of(self, slab: int) -> tuple[Tensor, Tensor, Tensor]:
        """Where each block's cells start, one more at the end, and all cells' rows and columns."""
        first = slab * (len(self._within) - 1)
        return torch.searchsorted(self._key, first + self._within), self._row, self._column


def _add_product(out: Tensor, left: Tensor, right: Tensor) -> None:
    """Add a product to a float32 matrix without rounding it to the type of its factors."""
    if left.dtype == out.dtype:
        out.addmm_(left, right)
    elif left.is_cuda:
        out.add_(torch.mm(left, right, out_dtype=out.dtype))
    else:
        out.addmm_(left.to(out.dtype), right.to(out.dtype))
