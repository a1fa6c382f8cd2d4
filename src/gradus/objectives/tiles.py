"""The unjudged masses of Z = s · L Rᵀ without Z in memory.

The forward pass computes the logits tile by tile and keeps one sum of exponentials per row and column. The
backward pass computes each tile anew: with a_i the gradient of row i's log-sum-exp over its sum, and b_j that of
column j, the gradient of an unjudged logit is exp(Z_ij) (a_i + b_j), so both directions share one tile, and a
positive's own gradient is written into its cell. Four products of n_q × n_d × D in all.

A row and a column can share an exponential only where they subtract the same c from the logit. Cauchy-Schwarz
bounds the logits, so one c serves them all: exp(Z_ij − c) overflows nowhere. It may underflow where all logits of a
row are far below the bound. Rows and columns whose sum lost precision that way are computed once more, by
themselves, with a running maximum, and have their own log-sum-exp as c in the backward pass.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gradus.objectives.kernel import Kernel
from gradus.objectives.pairs import Pairs
from gradus.objectives.precision import wide


def tiled(
    queries: Tensor,
    documents: Tensor,
    scale: Tensor,
    pairs: Pairs,
    symmetric: bool = True,
    kernel: Callable[..., Kernel] = Kernel,
) -> tuple[Tensor, Tensor | None, Tensor]:
    """The unjudged masses and the positives' logits, differentiable once in the embeddings and the scale.

    Args:
        queries: (n_q, D) L.
        documents: (n_d, D) R.
        scale: () s > 0.
        pairs: The positive and the ignored pairs.
        symmetric: Whether the columns' masses are wanted.
        kernel: What computes the tiles.

    Returns:
        (n_q,) log-sum-exp of the unjudged logits of each row; (n_d,) of each column, or `None`; (p,) logits of
        the positives. Where nothing is unjudged, a number so low that its exponential is 0.
    """
    masses: tuple[Tensor, Tensor | None, Tensor]
    masses = _Tiled.apply(queries, documents, scale, pairs, symmetric, kernel)  # type: ignore[no-untyped-call]
    return masses


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        documents: Tensor,
        scale: Tensor,
        pairs: Pairs,
        symmetric: bool,
        kernel: Callable[..., Kernel],
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        whole = kernel(queries, documents, float(scale), _offset(queries, documents, float(scale)), pairs)
        sums = whole.sums(symmetric)
        rows = _masses(whole, sums.rows)
        columns = None if sums.columns is None else _masses(_flipped(whole), sums.columns)
        ctx.pairs, ctx.offset, ctx.kernel = pairs, whole.offset, kernel
        ctx.save_for_backward(queries, documents, scale, sums.rows, rows, sums.columns, columns, sums.kept)
        return rows, columns, sums.own

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        row_gradient, column_gradient, own_gradient = gradients
        queries, documents, scale, row_sums, rows, column_sums, columns, kept = ctx.saved_tensors
        whole = ctx.kernel(queries, documents, float(scale), ctx.offset, ctx.pairs)
        of_queries = torch.zeros_like(queries, dtype=rows.dtype)
        of_documents = torch.zeros_like(documents, dtype=rows.dtype)
        a = _factors(row_gradient, row_sums, len(documents))
        b = None if columns is None else _factors(column_gradient, column_sums, len(queries))
        whole.add_gradients(a, b, own_gradient, of_queries, of_documents, kept)
        _add_weak(whole, row_sums, rows, row_gradient, of_queries, of_documents)
        if columns is not None:
            _add_weak(_flipped(whole), column_sums, columns, column_gradient, of_documents, of_queries)
        # Σ_ij G_ij L_i·R_j, before the scale goes into the gradients.
        of_scale = torch.dot(queries.to(rows.dtype).flatten(), of_queries.flatten()).to(scale.dtype)
        of_queries.mul_(scale)
        of_documents.mul_(scale)
        return of_queries.to(queries.dtype), of_documents.to(documents.dtype), of_scale, None, None, None


def _offset(queries: Tensor, documents: Tensor, scale: float) -> float:
    """c, such that neither a sum of exponentials nor its reciprocal comes near what the type can hold."""
    bound = scale * float(_longest(queries) * _longest(documents))
    most = math.log(torch.finfo(wide(queries.dtype)).max) * 2 / 3
    return max(0.0, bound + math.log(max(len(queries), len(documents))) - most)


def _longest(vectors: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=1, dtype=wide(vectors.dtype))
    return lengths.amax()


def _weak(sums: Tensor, terms: int) -> Tensor:
    """Which sums of so many exponentials may have lost more than rounding to underflow."""
    limits = torch.finfo(sums.dtype)
    return sums < terms * limits.tiny / limits.eps


def _factors(gradient: Tensor, sums: Tensor, terms: int) -> Tensor:
    return torch.where(_weak(sums, terms), 0.0, gradient / sums)


def _flipped(whole: Kernel) -> Kernel:
    """The transposed matrix."""
    return replace(whole, queries=whole.documents, documents=whole.queries, pairs=whole.pairs.flipped())


def _part(whole: Kernel, rows: Tensor, offset: Tensor | float) -> Kernel:
    """Some rows of the matrix, each with its own c."""
    kept = torch.zeros(len(whole.queries), dtype=torch.bool, device=rows.device)
    kept[rows] = True
    dtype = wide(whole.queries.dtype)
    return Kernel(
        whole.queries[rows].to(dtype),
        whole.documents.to(dtype),
        whole.scale,
        offset,
        whole.pairs.flipped().among_documents(kept).flipped(),
    )


def _masses(whole: Kernel, sums: Tensor) -> Tensor:
    masses = sums.log() + whole.offset
    weak = _weak(sums, len(whole.documents)).nonzero().flatten()
    if len(weak):
        masses[weak] = _part(whole, weak, 0.0).log_sums()
    return masses


def _add_weak(
    whole: Kernel, sums: Tensor, masses: Tensor, gradient: Tensor, of_queries: Tensor, of_documents: Tensor
) -> None:
    """What the weak rows add to the gradients."""
    weak = _weak(sums, len(whole.documents)).nonzero().flatten()
    if len(weak):
        part = _part(whole, weak, masses[weak])
        of_part = of_queries.new_zeros(len(weak), of_queries.shape[1])
        nothing = gradient.new_zeros(len(part.pairs.query))
        part.add_gradients(gradient[weak], None, nothing, of_part, of_documents)
        of_queries.index_add_(0, weak, of_part)
