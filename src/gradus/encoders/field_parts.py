"""Field vectors kept apart, and put together again with other weights: what fusion does, without an encoder.

    d(φ) = [√(1 − a) (p, √(1 − p²) normalise(normalise(Σ_f b_f φ_f e_f) + r)), √a x(φ)]

with the field weights b, factors φ that a search puts on them, what evidence added r, the prior p, and the exact terms
x of the fields whose factor is not 0. Weights need not be renormalised over the fields that are present: the sum is brought to
unit length, and a field that is absent is zero. With φ = 1 it is the document's vector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # an index is searched without PyTorch, unless exact terms have to be read anew
    from gradus.encoders.encoder import Encoder, Prepared
    from gradus.encoders.exact_terms import ExactTerms

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class FieldParts:
    """What the parts of a document are, in their order: its fields, what evidence added, and the prior, if there are any.

    Attributes:
        weights: Field → its weight b_f.
        texts: The fields that exact terms are read from, in their order; empty without exact terms.
        dimensions: D, of each part.
        evidence: Whether there is a part for it.
        prior: Whether there is a part for it, with the prior as its first number and zeros behind.
        exact: K, the numbers of exact terms; 0 without them.
        share: Their share a of the similarity.
    """

    weights: Mapping[str, float]
    texts: tuple[str, ...]
    dimensions: int
    evidence: bool = False
    exact: int = 0
    share: float = 0.0
    prior: bool = False

    @classmethod
    def of(cls, encoder: "Encoder") -> Self:
        """Those of a model's documents."""
        read = tuple(f.name for f in encoder.fields["document"] if f.type != "image")
        return cls(
            encoder.field_weights("document"),
            read if encoder.exact is not None else (),
            encoder.dimensions,
            encoder.residual is not None,
            encoder.exact.dimensions if encoder.exact is not None else 0,
            float(encoder.exact.share) if encoder.exact is not None else 0.0,
            encoder.prior is not None,
        )

    @property
    def count(self) -> int:
        """P, how many parts there are."""
        return len(self.weights) + self.evidence + self.prior

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "weights": dict(self.weights),
            "texts": list(self.texts),
            "dimensions": self.dimensions,
            "evidence": self.evidence,
            "exact": self.exact,
            "share": self.share,
            "prior": self.prior,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `as_dict` gave."""
        return cls(**{**values, "texts": tuple(values["texts"])})

    def dense(self, parts: Vectors, factors: Mapping[str, float]) -> Vectors:
        """(n, D) the dense part of documents with these factors; with the prior before it, (n, 1 + D).

        Args:
            parts: (n, P, D).
            factors: Field → factor; 1 for one that is not named.
        """
        scale = np.array([b * factors.get(name, 1.0) for name, b in self.weights.items()], np.float32)
        dense = _unit(np.einsum("f,nfd->nd", scale, parts[:, : len(scale)]))
        if self.evidence:
            dense = _unit(dense + parts[:, len(scale)])
        if self.prior:
            prior = parts[:, -1, :1]
            dense = np.concatenate([prior, np.sqrt(1 - prior**2) * dense], axis=1)
        return dense

    def whole(self, parts: Vectors, texts: Mapping[str, Sequence[str | None]]) -> Vectors:
        """(n, ·) the vectors as the model makes them.

        Args:
            parts: (n, P, D).
            texts: Field → n texts, of the fields that exact terms are read from.
        """
        dense = self.dense(parts, {})
        if not self.exact:
            return dense
        rows = [[texts[name][row] for name in self.texts] for row in range(len(parts))]
        return self.beside(dense, self.exact_terms(rows))

    def read(self, factors: Mapping[str, float]) -> tuple[str, ...]:
        """The fields whose exact terms count with these factors."""
        return tuple(name for name in self.texts if factors.get(name, 1.0))

    def exact_terms(self, rows: Sequence[Sequence[str | None]]) -> Vectors:
        """(n, K) the vectors of the exact terms of documents, given as the texts of the fields that count."""
        return self._terms.vectors(rows)

    def beside(self, dense: Vectors, exact: Vectors) -> Vectors:
        """(n, D + K) both as one vector."""
        return self._terms.beside(dense, exact, is_query=False)

    @cached_property
    def _terms(self) -> "ExactTerms":
        from gradus.encoders.exact_terms import ExactTerms

        made = ExactTerms(self.exact)
        made.share.fill_(self.share)
        return made


def part_vectors(encoder: "Encoder", prepared: "Prepared", rows: NDArray[np.int64]) -> Vectors:
    """(n, P, D) the parts of documents, as `FieldParts.of` the model describes them."""
    import torch

    parts = list(encoder.embed_fields("document", prepared, rows).values())
    if encoder.residual is not None:
        held = encoder.residual.vectors.detach().cpu().numpy()
        place = prepared.evidence[rows]
        parts.append(np.where((place >= 0)[:, None], held[np.maximum(place, 0)], np.float32(0.0)))
    if encoder.prior is not None and prepared.prior is not None:
        with torch.no_grad():
            prior, _ = encoder.prior(prepared.prior[rows])
        parts.append(np.pad(prior.cpu().numpy(), ((0, 0), (0, encoder.dimensions - 1))))
    return np.stack(parts, axis=1)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    unit: Vectors = vectors / np.maximum(lengths, 1e-12)
    return unit
