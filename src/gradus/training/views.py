"""Views: which embeddings of a batch the objective compares, and how much each comparison counts.

    L = L_merged + λ_f Σ_f L_f + λ_m L_modalities + Σ_m w_m L_m

- *merged*: queries with documents, as a search will compare them, the prior included;
- *fields* (λ_f): queries with each single field of the documents that have it;
- *modalities* (λ_m): a row with both text and pictures stands for three candidates, merged, text alone and pictures
  alone, on both sides, and all of them compete with one another. Nothing is then near a query just for being of
  its modality: Lee et al., Generalized Contrastive Learning for Universal Multimodal Retrieval, arXiv 2509.25638;
- *lengths* (w_m): the first m numbers of the merged embeddings, at unit length again, so that an index may store
  no more of them: Kusupati et al., Matryoshka Representation Learning, arXiv 2205.13147.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gradus.encoders.encoder import SIDES, Embedding, Encoder, Side, modality
from gradus.errors import SettingsError
from gradus.objectives.pairs import Pairs
from gradus.settings import ObjectiveSettings


class View(NamedTuple):
    """One comparison: its factor in the loss, (n_q, ·) queries, (n_d, ·) documents and their pairs."""

    factor: float
    queries: Tensor
    documents: Tensor
    pairs: Pairs


class Views:
    """The views that the settings ask for.

    Args:
        settings: λ_f, λ_m and the lengths.
        encoder: Whose embeddings are compared.

    Raises:
        SettingsError: A length is none, or no shorter than the embeddings; or neither side has both text and
            pictures for the modalities.
    """

    def __init__(self, settings: ObjectiveSettings, encoder: Encoder) -> None:
        self.encoder = encoder
        self.field_terms, self.modality_terms = settings.field_terms, settings.modality_terms
        self.lengths = parse_lengths(settings.matryoshka)
        for length in self.lengths:
            if length >= encoder.dimensions:
                raise SettingsError(
                    f"objective.matryoshka has {length}, but embeddings have {encoder.dimensions} dimensions; "
                    "name lengths below that, or raise encoder.dimensions"
                )
        self.pictures = {
            side: torch.tensor([modality(field) == "image" for field in encoder.fields[side]])
            for side in SIDES
        }
        if self.modality_terms and not any(p.any() and not p.all() for p in self.pictures.values()):
            raise SettingsError(
                "objective.modality_terms needs queries or documents that have both text and image fields; "
                "set it to 0, or give catalog.fields or query.fields another field"
            )

    def __call__(self, queries: Embedding, documents: Embedding, pairs: Pairs) -> Iterator[View]:
        """The views of a batch."""
        yield View(1.0, queries.whole, documents.whole, pairs)
        if self.field_terms:
            for field in range(documents.fields.shape[1]):
                here = documents.present[:, field]
                fields = documents.fields[here, field]
                yield View(self.field_terms, queries.merged, fields, pairs.among_documents(here))
        if self.modality_terms:
            asking, asked = self._versions("query", queries), self._versions("document", documents)
            compared = _among_versions(pairs, [here for _, here in asking], [here for _, here in asked])
            rows, columns = (torch.cat([v for v, _ in versions]) for versions in (asking, asked))
            yield View(self.modality_terms, rows, columns, compared)
        for length, factor in self.lengths.items():
            cut = [functional.normalize(side.whole[:, :length], dim=1) for side in (queries, documents)]
            yield View(factor, cut[0], cut[1], pairs)

    def _versions(self, side: Side, embedding: Embedding) -> list[tuple[Tensor, Tensor]]:
        """Merged, text alone, pictures alone: the (m, D) vectors of each, and the (n,) mask of their rows."""
        pictures = self.pictures[side].to(embedding.present.device)
        single = [embedding.present & ~pictures, embedding.present & pictures]
        both = single[0].any(dim=1) & single[1].any(dim=1)
        everything = torch.ones_like(both)
        versions = [(embedding.merged, everything)]
        if not both.any():
            return versions
        fusion = self.encoder.fusion[side]
        return versions + [(fusion(embedding.fields[both], shown[both]), both) for shown in single]


def parse_lengths(spec: Sequence[str]) -> dict[int, float]:
    """Length → weight, of `objective.matryoshka`.

    Raises:
        SettingsError: Not written as `64` or `64=0.5`, a length twice, or a number out of range.
    """
    lengths: dict[int, float] = {}
    for item in spec:
        length, _, weight = item.partition("=")
        try:
            number, factor = int(length), float(weight or "1")
        except ValueError:
            number, factor = 0, 0.0
        if number < 1 or not 0 < factor < float("inf"):
            raise SettingsError(
                f"objective.matryoshka has {item!r}; write a length, or length=weight, both above 0: 64=0.5"
            )
        if number in lengths:
            raise SettingsError(f"objective.matryoshka has the length {number} twice")
        lengths[number] = factor
    return lengths


def _among_versions(pairs: Pairs, queries: Sequence[Tensor], documents: Sequence[Tensor]) -> Pairs:
    """The pairs among versions of the rows of a batch: a pair is what it was in all versions of both.

    Args:
        pairs: The pairs of the batch.
        queries: For each version, the (n_q,) mask of the queries that have it; versions are stacked in order.
        documents: Likewise, (n_d,).
    """
    parts = []
    row = 0
    for asking in queries:
        of_rows = pairs.flipped().among_documents(asking).flipped()
        column = 0
        for asked in documents:
            part = of_rows.among_documents(asked)
            query, document = part.query + row, part.document + column
            ignored = part.ignored_query + row, part.ignored_document + column
            parts.append((query, document, part.weight, *ignored))
            column += int(asked.sum())
        row += int(asking.sum())
    return Pairs(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
