"""Explanations: a score as the sum of what its parts contribute.

A vector is a weighted sum of parts: its fields' vectors, what evidence added, and, beside these, the document prior and
the exact terms.

    e = [p, α normalise(Σ_f b_f e_f + r), x]   and so   q · d = p_q p_d + Σ_i Σ_j q_i · d_j + x_q · x_d

where q_i and d_j are the parts of both sides, each with its weight and the norms that it was divided by. The sum is
exact: nothing is attributed by approximation. Where the index mixes BM25 in, that is one more part, and the others
have the share that is left.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.encoders.encoder import Encoder, Prepared, Side, modality
from gradus.encoders.subwords import terms
from gradus.encoders.words import as_text

Kind = Literal["field", "evidence", "prior", "exact terms", "BM25"]

_BESIDE: tuple[Kind, Kind] = ("prior", "exact terms")


@dataclass(frozen=True)
class Part:
    """What a vector is made of.

    Attributes:
        kind: A field; what evidence says beyond the fields; the document prior; the exact words, numbers and codes
            in the vector; or those that BM25 counts beside it.
        field: The field's name; `None` for the other kinds.
    """

    kind: Kind
    field: str | None = None


@dataclass(frozen=True)
class Contribution:
    """What one part of the query and one part of the document add to the score; may be negative."""

    query: Part
    document: Part
    score: float


@dataclass(frozen=True)
class Explanation:
    """Why a document has its score for a query.

    Attributes:
        score: The dot product of both vectors, mixed with BM25 where the index does so.
        contributions: What adds up to it, the largest first.
        marked: Field of the document → its text in pieces, each with whether the query has that word, too; only
            fields that have such a word.
    """

    score: float
    contributions: list[Contribution]
    marked: dict[str, list[tuple[str, bool]]]


def explain(
    encoder: Encoder,
    side: Side,
    query: Table,
    factors: Mapping[str, float],
    document: Table,
    document_factors: Mapping[str, float],
) -> Explanation:
    """Explain the score of one document for one query.

    Args:
        encoder: Embeds both.
        side: The side of the encoder that embeds the query: `document` where it is a document itself.
        query: One row.
        factors: Field name → factor on its weight in the query.
        document: One row, with all fields of the catalogue.
        document_factors: Field name → factor on its weight in the document.
    """
    asked, *asked_beside = _parts(encoder, side, query, factors)
    found, *found_beside = _parts(encoder, "document", document, document_factors)
    contributions = [
        Contribution(ours, theirs, float(one @ other))
        for ours, one in asked.items()
        for theirs, other in found.items()
    ]
    for kind, ours, theirs in zip(_BESIDE, asked_beside, found_beside, strict=True):
        if len(ours) and asked:
            contributions.append(Contribution(Part(kind), Part(kind), float(ours @ theirs)))
    contributions.sort(key=lambda c: -c.score)
    words = {
        term
        for field in query.fields
        if modality(field) == "text" and factors.get(field.name, 1.0)
        for text in as_text(field, query.columns[field.name])
        if text
        for term in terms(text)
    }
    return Explanation(sum(c.score for c in contributions), contributions, _marked(document, words))


def with_words(explanation: Explanation, share: float, words: float) -> Explanation:
    """The explanation of a score in which BM25 has a share, of that of the vectors alone.

    Args:
        explanation: Of the vectors' dot product.
        share: Of BM25 in the score.
        words: What BM25 adds to it.
    """
    part = Part("BM25")
    contributions = [replace(c, score=(1 - share) * c.score) for c in explanation.contributions]
    contributions.append(Contribution(part, part, words))
    contributions.sort(key=lambda c: -c.score)
    return replace(explanation, score=sum(c.score for c in contributions), contributions=contributions)


def _parts(
    encoder: Encoder, side: Side, table: Table, factors: Mapping[str, float]
) -> tuple[dict[Part, NDArray[np.float32]], NDArray[np.float32], NDArray[np.float32]]:
    """The parts of one row's dense vector, which add up to it, and what stands before and behind it, as `_BESIDE`."""
    prepared = encoder.prepare(side, table)
    whole = encoder.embed(side, prepared, factors=factors)[0]
    prior, dense, exact = np.split(whole, [encoder.trained - encoder.dimensions, encoder.trained])
    weights = encoder.field_weights(side)
    parts = {
        Part("field", name): weights[name] * factors.get(name, 1.0) * vectors[0]
        for name, vectors in encoder.embed_fields(side, prepared).items()
        if prepared[name].present[0] and factors.get(name, 1.0)
    }
    parts = _over(parts, _norm(parts))
    evidence = _evidence(encoder, side, prepared)
    if evidence is not None:
        parts[Part("evidence")] = evidence
    return _over(parts, _norm(parts) / float(np.linalg.norm(dense) or 1.0)), prior, exact


def _evidence(encoder: Encoder, side: Side, prepared: Prepared) -> NDArray[np.float32] | None:
    """What evidence adds to the one row, before the sum is brought to unit length."""
    residual, row = encoder.residual_of(side), int(prepared.evidence[0])
    if residual is None or row < 0:
        return None
    vector: NDArray[np.float32] = residual.vectors[row].detach().cpu().numpy()
    return vector


def _norm(parts: Mapping[Part, NDArray[np.float32]]) -> float:
    """The length of the parts' sum; 1 where it is 0."""
    return float(np.linalg.norm(np.sum(list(parts.values()), axis=0))) or 1.0 if parts else 1.0


def _over(parts: Mapping[Part, NDArray[np.float32]], length: float) -> dict[Part, NDArray[np.float32]]:
    return {part: (vector / length).astype(np.float32) for part, vector in parts.items()}


def _marked(document: Table, words: set[str]) -> dict[str, list[tuple[str, bool]]]:
    """The texts of the document's fields in which a word of the query stands, cut around these words."""
    marked = {}
    for field in document.fields:
        value: Any = document.columns[field.name][0]
        if value is None or field.type == "image":
            continue
        text = f"{value:.10g}" if field.type == "number" else str(value)
        shared = words.intersection(terms(text))
        if shared:
            cut = _cut(text, shared)
            if len(cut) > 1 or cut[0][1]:
                marked[field.name] = cut
    return marked


def _cut(text: str, shared: set[str]) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether it is one of the exact terms; a letter alone (the M of M10) is none."""
    found: list[list[int]] = []
    for start, end in sorted(match.span() for term in shared for match in _pattern(term).finditer(text)):
        if found and start <= found[-1][1]:
            found[-1][1] = max(end, found[-1][1])
        else:
            found.append([start, end])
    pieces: list[tuple[str, bool]] = []
    done = 0
    for start, end in found:
        if end - start == 1 and text[start].isascii() and text[start].isalpha():
            continue
        if start > done:
            pieces.append((text[done:start], False))
        pieces.append((text[start:end], True))
        done = end
    return [*pieces, (text[done:], False)] if done < len(text) else pieces


def _pattern(term: str) -> re.Pattern[str]:
    """Finds an exact term where it stands as such: no part of a longer word or number."""
    if term[0] == "<":
        return re.compile(rf"(?<![^\W\d_]){re.escape(term[1:-1])}(?![^\W\d_])", re.IGNORECASE)
    if term[0].isdigit():
        number = term.replace(".", "[.,]")
        return re.compile(rf"(?<!\d)(?<!\d[.,]){number}(?![.,]?\d)")
    if term[0] == "=":
        return re.compile(rf"(?<!\w){re.escape(term[1:])}(?!\w)", re.IGNORECASE)
    return re.compile(re.escape(term), re.IGNORECASE)
