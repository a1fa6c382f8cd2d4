"""InfoNCE: pairwise GCL with every positive weighing the same, the habit of the field.

    L = −(1 / 2B) Σ_i [ log softmax_j(Z_i·)_i + log softmax_j(Z_·i)_i ]

van den Oord, Li, Vinyals, arXiv 1807.03748; in both directions as in CLIP, arXiv 2103.00020.
"""

from dataclasses import replace

from torch import Tensor

from gradus.objectives.pairs import Pairs
from gradus.objectives.pairwise import pairwise


def info_nce(
    queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs, symmetric: bool = True
) -> Tensor:
    """The loss, a scalar; arguments as for `pairwise`, the weights' sizes ignored (0 stays 0)."""
    ones = (pairs.weight > 0).to(pairs.weight.dtype)
    return pairwise(queries, documents, scale, replace(pairs, weight=ones), symmetric)
