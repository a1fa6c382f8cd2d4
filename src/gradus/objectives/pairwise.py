"""Pairwise GCL: a batch of (query, document, weight) pairs, each other pair's document a negative.

    L = −(1 / 2Σw) Σ_i w_i [ log softmax_j(Z_i·)_i + log softmax_j(Z_·i)_i ]

Zhu, Jung, Clark: Generalized Contrastive Learning for Multi-Modal Retrieval and Ranking, arXiv 2404.08535.
With w ≡ 1 it is the loss of CLIP (arXiv 2103.00020). Pairs of the batch that are judged themselves, and
copies of a document or of a query, are no negatives: the batch lists them as ignored.
"""

from torch import Tensor

from gradus.objectives.many_to_many import many_to_many
from gradus.objectives.pairs import Pairs


def pairwise(
    queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs, symmetric: bool = True
) -> Tensor:
    """The loss, a scalar.

    Args:
        queries: (B, D) rows of unit length.
        documents: (B, D) rows of unit length; pair i is query i with document i.
        scale: () s of the logits Z = s · L Rᵀ.
        pairs: The B positives on the diagonal, their weights, and the ignored pairs off it.
        symmetric: Whether documents ask for queries, too.

    Returns:
        The loss: many-to-many GCL with the full denominator, of a diagonal W.
    """
    return many_to_many(queries, documents, scale, pairs, "all", symmetric)
