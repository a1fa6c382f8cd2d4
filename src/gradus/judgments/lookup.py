"""Where pairs of a query and a document stand among others."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.integer]


def places_of(pairs: tuple[Rows, Rows], wanted: tuple[Rows, Rows]) -> NDArray[np.int64]:
    """The place of each wanted pair among others, −1 where it is not there.

    −1 is also the last of an array: with what is missing put behind its values, it can be indexed as it is.

    Args:
        pairs: Rows (p,) of queries and of documents, no pair twice.
        wanted: The same of any one shape.
    """
    query, document = pairs
    asked, sought = np.broadcast_arrays(*wanted)
    if not len(query):
        return np.full(asked.shape, -1)
    wide = 1 + int(max(document.max(), sought.max(initial=0)))
    keys = query.astype(np.int64) * wide + document
    order = np.argsort(keys)
    keyed = asked.astype(np.int64) * wide + sought
    at: NDArray[np.int64] = order[np.searchsorted(keys, keyed, sorter=order).clip(max=len(keys) - 1)]
    return np.where(keys[at] == keyed, at, -1)
