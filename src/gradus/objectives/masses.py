"""What contrastive losses need of the logits: the unjudged mass of every row and column, and the positives' logits.

A positive competes with what is not judged, and with some of the judged pairs of its row and column. The first is
one log-sum-exp over (nearly) the whole row or column; the second is sparse. So a loss that is written in terms of
these needs neither the (n_q, n_d) logits nor their gradients in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor

from gradus.objectives.kernel import Kernel
from gradus.objectives.lists import unjudged
from gradus.objectives.pairs import Pairs
from gradus.objectives.precision import wide
from gradus.objectives.tiles import tiled

# The logits of up to so many pairs are held in memory: there, what tiles cost in calls outweighs what they save.
DENSE = 384 * 384


@dataclass(frozen=True)
class Masses:
    """A batch in terms of its sparse pairs.

    Attributes:
        rows: (n_q,) log-sum-exp of each query's logits with documents that are neither positive nor ignored.
        columns: (n_d,) the same of each document's; `None` where only queries ask.
        own: (p,) logits of the positives.
    """

    rows: Tensor
    columns: Tensor | None
    own: Tensor


def of_logits(logits: Tensor, pairs: Pairs, symmetric: bool = True) -> Masses:
    """From (n_q, n_d) logits in memory; every pair of `pairs` counts as positive."""
    logits = logits.to(wide(logits.dtype))
    competing = unjudged(logits, pairs)
    columns = competing.logsumexp(dim=0) if symmetric else None
    return Masses(competing.logsumexp(dim=1), columns, logits[pairs.query, pairs.document])


def of_embeddings(
    queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs, symmetric: bool = True
) -> Masses:
    """From embeddings; every pair of `pairs` counts as positive.

    Args:
        queries: (n_q, D) L, rows of unit length.
        documents: (n_d, D) R, rows of unit length.
        scale: () s of the logits Z = s · L Rᵀ.
        pairs: The positive and the ignored pairs.
        symmetric: Whether documents ask, too.
    """
    dtype = wide(torch.promote_types(queries.dtype, documents.dtype))
    if len(queries) * len(documents) <= DENSE:
        return of_logits(queries.to(dtype) @ documents.to(dtype).T * scale, pairs, symmetric)
    kernel: Callable[..., Kernel] = Kernel
    if queries.is_cuda and dtype == torch.float32 and find_spec("triton"):
        from gradus.objectives.kernel_triton import TritonKernel

        kernel = TritonKernel
        if queries.dtype == documents.dtype == torch.bfloat16:
            dtype = torch.bfloat16  # its products are of bfloat16, their sums of float32
    return Masses(*tiled(queries.to(dtype), documents.to(dtype), scale, pairs, symmetric, kernel))
