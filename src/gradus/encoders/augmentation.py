"""Augmentation: what training leaves out of rows by chance, so that the rest learns to stand alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Augmentation:
    """What may be left out, and the source of chance.

    Attributes:
        rng: Where all draws come from.
        whole_queries: Whether queries keep all their words.
        field_dropout: Share of documents' texts and pictures that are left out.
    """

    rng: np.random.Generator
    whole_queries: bool = False
    field_dropout: float = 0.0

    def kept(self, present: Bools, droppable: Bools) -> Bools:
        """(n, f) which fields of documents stay; a document that would lose all it has keeps all.

        Args:
            present: (n, f) which fields the documents have.
            droppable: (f,) which of them may be left out.
        """
        if not self.field_dropout:
            return present
        left_out = present & droppable & (self.rng.random(present.shape) < self.field_dropout)
        left_out[(left_out == present).all(axis=1)] = False
        return present & ~left_out
