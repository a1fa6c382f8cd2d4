"""Exact terms beside the dense vector: what a re-ranker reads off the words, in the same dot product.

A dense vector says what a text is about, and blurs which part number, size or rare name stood in it. Each
distinct exact term t of a row (`gradus.encoders.subwords.terms`) has a random vector of K signs, drawn from a
hash of the term, so that no vocabulary is kept and terms that training never saw count as well:

    x = normalise(Σ_t r_t),   r_t ∈ {−1, +1}^K,   E[x_q · x_d] = |q ∩ d| / √(|q| |d|)

with an error of order 1/√K (random projection: Achlioptas, "Database-friendly random projections", 2003). It
is put beside the dense unit vector v:

    e = [√(1 − a) v, √a x],   e_q · e_d = (1 − a) v_q · v_d + a x_q · x_d.

e has unit length, so every index serves it unchanged. The share a is chosen on held-out queries and documents
after training: while training, the dense part already knows the answers, and would leave the terms no share.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import shake_128

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradus.encoders.subwords import terms

SHARE = 0.2
"""The share where nothing is held out to choose it by."""

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
"""What it is chosen among."""

Vectors = NDArray[np.float32]


class ExactTerms(nn.Module):
    """Vectors of the exact terms of rows, and their share of the similarity.

    Args:
        dimensions: K.
    """

    share: Tensor

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.register_buffer("share", torch.tensor(SHARE))

    def vectors(self, rows: Iterable[Sequence[str | None]]) -> Vectors:
        """(n, K) the vector x of each row, given as the texts of its fields; zero for a row without a term."""
        summed = [
            np.sum([_signs(term, self.dimensions) for term in found], axis=0, dtype=np.float32)
            if (found := {term for text in texts if text for term in terms(text)})
            else np.zeros(self.dimensions, np.float32)
            for texts in rows
        ]
        vectors: Vectors = np.array(summed, np.float32).reshape(-1, self.dimensions)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return vectors

    def beside(self, dense: Vectors, exact: Vectors, is_query: bool) -> Vectors:
        """(n, D + K) both parts as one unit vector.

        A query without a term ranks by its dense part alone. A document without one must not gain by that: the
        space its terms leave is filled with the vector of no term, which no query has.

        Args:
            dense: (n, D) unit vectors v.
            exact: (n, K) vectors x.
            is_query: Whether the rows are queries.
        """
        share = float(self.share)
        bare = np.flatnonzero((exact == 0).all(axis=1))
        part = np.full((len(dense), 1), share)
        if is_query:
            part[bare] = 0.0
        else:
            exact = exact.copy()
            exact[bare] = _signs("", self.dimensions) * self.dimensions**-0.5
        return np.concatenate([np.sqrt(1 - part) * dense, np.sqrt(part) * exact], axis=1, dtype=np.float32)

    def reshared(self, vectors: Vectors, share: float) -> Vectors:
        """(n, D + K) what `beside` gave, as another share would have made it (up to the length of queries).

        Args:
            vectors: Made with a share above 0 and below 1.
            share: The other share.
        """
        dense = vectors.shape[1] - self.dimensions
        own = float(self.share)
        factors = np.repeat([(1 - share) / (1 - own), share / own], [dense, self.dimensions])
        other: Vectors = vectors * np.sqrt(factors).astype(np.float32)
        return other


@lru_cache(maxsize=100_000)
def _signs(term: str, dimensions: int) -> NDArray[np.int8]:
    """(K,) the signs r_t: the bits of a hash of the term."""
    bits = np.unpackbits(np.frombuffer(shake_128(term.encode()).digest(-(-dimensions // 8)), np.uint8))
    return bits[:dimensions].astype(np.int8) * 2 - 1
