"""Exact nearest neighbours: the oracle of every index, and fast enough for a hundred thousand documents."""

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 24  # dot products held at a time


def nearest(
    queries: NDArray[np.float32], documents: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k documents of largest dot product for each query, best first, ties by row.

    Args:
        queries: (n_q, D).
        documents: (n_d, D).
        k: How many; fewer come back when there are fewer documents.

    Returns:
        Rows of the documents and their dot products, both (n_q, min(k, n_d)).
    """
    k = min(k, len(documents))
    order = np.zeros((len(queries), k), np.int64)
    scores = np.zeros((len(queries), k), np.float32)
    if k == 0:
        return order, scores
    rows = max(1, BLOCK // len(documents))
    for start in range(0, len(queries), rows):
        products = queries[start : start + rows] @ documents.T
        for row, product in enumerate(products, start):
            order[row], scores[row] = largest(product, k)
    return order, scores


def largest(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The places of the k largest of (n,) scores, largest first, ties by place; and those scores."""
    k = min(k, len(scores))
    if k == 0:
        return np.zeros(0, np.int64), scores[:0]
    # Places tied at the k-th are all candidates, so that ties go by place and not by chance.
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero(scores >= least)
    best = candidates[np.argsort(-scores[candidates], kind="stable")[:k]]
    return best, scores[best]
