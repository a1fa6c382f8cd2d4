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
        # Rows tied at the k-th place are all candidates, so that ties go by row and not by chance.
        worst = np.partition(products, len(documents) - k, axis=1)[:, len(documents) - k]
        for row, (product, least) in enumerate(zip(products, worst, strict=True), start):
            candidates = np.flatnonzero(product >= least)
            best = candidates[np.argsort(-product[candidates], kind="stable")[:k]]
            order[row], scores[row] = best, product[best]
    return order, scores
