"""Titles of parts in English and Japanese, and the words they share with queries."""

import numpy as np

from gradus.catalog.samples.kinds import KINDS
from gradus.catalog.samples.parts import FINISHES_JA, MATERIALS, Part

# Property classes that stand for a material on threaded fasteners (ISO 898-1, ISO 3506-1).
GRADES = {"SS400": "4.8", "S45C": "8.8", "SCM435": "12.9", "SUS304": "A2-70", "SUS316": "A4-70"}

_ENGLISH = (
    "{name} {size} {standard}, {code}, {finish}",
    "{name} {size}, {material} {code}, {finish}, {standard}",
    "{standard} {size} {name} - {material}, {finish}, {code}",
    "{code} {name} {size}, {finish} ({standard})",
)
_JAPANESE = (
    "{name} {size} {code} {finish} {standard}",
    "{standard} {name} {size} {material}({code}) {finish}",
    "{material} {name} {size} {code} {finish} {standard}",
    "{name} {standard} {size} {code}・{finish}",
)


def grade(part: Part) -> str:
    """Return the property class of a threaded fastener, or nothing."""
    threaded = KINDS[part.kind].group == "screw" or part.kind == "hex nut"
    return GRADES.get(part.material, "") if threaded else ""


def title_en(part: Part, rng: np.random.Generator) -> str:
    """Return an English title; wording and order vary from document to document."""
    return _title(part, rng, KINDS[part.kind].en, _ENGLISH, MATERIALS[part.material].en, part.finish)


def title_ja(part: Part, rng: np.random.Generator) -> str:
    """Return a Japanese title; wording and order vary from document to document."""
    words = KINDS[part.kind].ja
    return _title(part, rng, words, _JAPANESE, MATERIALS[part.material].ja, FINISHES_JA[part.finish])


def _title(
    part: Part,
    rng: np.random.Generator,
    names: tuple[str, ...],
    forms: tuple[str, ...],
    material: str,
    finish: str,
) -> str:
    # The usual name is used in two titles of three.
    name = names[0] if rng.random() < 2 / 3 else names[int(rng.integers(len(names)))]
    code = part.material
    if grade(part) and rng.random() < 0.6:
        code = f"{part.material} {grade(part)}"
    text = forms[int(rng.integers(len(forms)))].format(
        name=name, size=part.size, standard=part.standard, code=code, material=material, finish=finish
    )
    return text[0].upper() + text[1:]
