"""The true graded relevance of the sample catalogue.

For a query that asks for a kind k and attributes A (material, finish, standard, sizes), and a document d:

    m_size  = mean over asked sizes of exp(−|ln(x_d / x_q)| / 0.2)
    m_other = 1 where it is met, 0.5 for another material of the same family, else 0
    match   = c_kind · (0.4 + 0.6 · Σ_a w_a m_a / Σ_a w_a),   w_size = 2, all others 1
    c_kind  = 1 for the kind asked for, 0.35 for a sibling kind, else 0

    appeal    = σ(t_kind + t_material + t_finish + t_standard + o_d)
    relevance = match · (0.5 + 0.5 · appeal)

Each t is one N(0, 0.5²) effect per distinct value, so the four together have variance 1; o_d ~ N(0, 1) is
the document's own. Half of the preference is therefore explained by attributes and carries over to unseen
documents, and half can only be learnt from evidence. A query's scores map relevance linearly, from 0 at
`FLOOR` to 1 for its best document; documents at or below the floor are not judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.samples.kinds import KINDS
from gradus.catalog.samples.parts import MATERIALS, Part

SIZE_TOLERANCE = 0.2
SIZE_WEIGHT = 2.0
SIBLING = 0.35
FLOOR = 0.25
DEPTH = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Wanted:
    """What a query asks for; an empty string or no sizes leave the attribute open.

    Attributes:
        kind: Name of the kind.
        material: Exact material code.
        material_group: Family of materials, where no exact code is asked for.
        finish: Finish.
        standard: Standard.
        sizes: Dimension name -> value asked for, positive.
    """

    kind: str
    material: str = ""
    material_group: str = ""
    finish: str = ""
    standard: str = ""
    sizes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Attributes:
    """The attributes of all documents as arrays with one entry per document."""

    kind: NDArray[np.str_]
    group: NDArray[np.str_]
    material: NDArray[np.str_]
    material_group: NDArray[np.str_]
    finish: NDArray[np.str_]
    standard: NDArray[np.str_]
    sizes: Mapping[str, Floats]


def attributes(parts: Sequence[Part]) -> Attributes:
    """Return the attributes of `parts` as arrays; a dimension that a part lacks is NaN."""
    names = sorted({name for part in parts for name in part.dims})
    return Attributes(
        kind=np.array([p.kind for p in parts]),
        group=np.array([KINDS[p.kind].group for p in parts]),
        material=np.array([p.material for p in parts]),
        material_group=np.array([MATERIALS[p.material].group for p in parts]),
        finish=np.array([p.finish for p in parts]),
        standard=np.array([p.standard for p in parts]),
        sizes={name: np.array([p.dims.get(name, np.nan) for p in parts]) for name in names},
    )


def size_match(asked: float, actual: Floats) -> Floats:
    """Return exp(−|ln(actual / asked)| / 0.2), and 0 where `actual` is not a positive number.

    Args:
        asked: The size asked for, positive.
        actual: Sizes of the documents, any shape.
    """
    known = np.nan_to_num(actual) > 0
    ratio = np.where(known, actual, asked) / asked
    return np.where(known, np.exp(-np.abs(np.log(ratio)) / SIZE_TOLERANCE), 0.0)


def match(wanted: Wanted, documents: Attributes) -> Floats:
    """Return how well each document meets `wanted`, in [0, 1]; see the module's equation."""
    terms: list[tuple[float, Floats]] = []
    if wanted.sizes:
        each = [size_match(value, documents.sizes[name]) for name, value in wanted.sizes.items()]
        terms.append((SIZE_WEIGHT, np.mean(each, axis=0)))
    if wanted.material:
        family = documents.material_group == MATERIALS[wanted.material].group
        terms.append((1.0, np.where(documents.material == wanted.material, 1.0, 0.5 * family)))
    if wanted.material_group:
        terms.append((1.0, (documents.material_group == wanted.material_group).astype(float)))
    if wanted.finish:
        terms.append((1.0, (documents.finish == wanted.finish).astype(float)))
    if wanted.standard:
        terms.append((1.0, (documents.standard == wanted.standard).astype(float)))
    met = np.ones(len(documents.kind))
    if terms:
        met = sum((w * m for w, m in terms), np.zeros(len(documents.kind))) / sum(w for w, _ in terms)
    sibling = SIBLING * (documents.group == KINDS[wanted.kind].group)
    kind = np.where(documents.kind == wanted.kind, 1.0, sibling)
    return kind * (0.4 + 0.6 * met)


def draw_appeal(documents: Attributes, rng: np.random.Generator) -> Floats:
    """Return the preference for each document, in (0, 1): half explained by attributes, half its own."""
    total = rng.normal(0.0, 1.0, len(documents.kind))
    for column in (documents.kind, documents.material, documents.finish, documents.standard):
        values, index = np.unique(column, return_inverse=True)
        total = total + rng.normal(0.0, 0.5, len(values))[index]
    return np.asarray(1 / (1 + np.exp(-total)))


def relevance(matched: Floats, appeal: Floats) -> Floats:
    """Return match · (0.5 + 0.5 · appeal)."""
    return matched * (0.5 + 0.5 * appeal)


def scores(relevant: Floats) -> Floats:
    """Map relevance linearly to scores: 0 at or below `FLOOR`, 1 for the best document.

    Args:
        relevant: Relevance of all documents to one query.

    Returns:
        Scores in [0, 1]; all zero where no document lies above the floor.
    """
    best = float(relevant.max(initial=0.0))
    if best <= FLOOR:
        return np.zeros_like(relevant)
    return np.clip((relevant - FLOOR) / (best - FLOOR), 0.0, 1.0)


def best_judged(score: Floats, part: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the documents of `part` to judge: the best `DEPTH` with a score above zero, best first."""
    pool = np.flatnonzero(part & (score > 0))
    return pool[np.argsort(-score[pool], kind="stable")[:DEPTH]]
