"""Which parts the catalogue holds: families of near-copies, without two equal parts."""

from collections.abc import Iterator, Sequence

import numpy as np

from gradus.catalog.samples.kinds import KINDS
from gradus.catalog.samples.parts import MATERIALS, Part
from gradus.catalog.samples.sheet import number

LARGEST_FAMILY = 5

# Finishes that only some groups of kinds get: nobody chromes a washer hard or galvanises a gear.
_FINISH_SUITS = {
    "hard chrome": ("shaft", "drive", "pin"),
    "hot-dip galvanised": ("screw", "nut", "flange", "plate"),
}


def plan_parts(documents: int, rng: np.random.Generator) -> list[Part]:
    """Return `documents` different parts in random order, all kinds about equally often.

    Parts come in families of up to `LARGEST_FAMILY` draws that share kind, standard, material and nominal
    size, and differ in length, finish or details. Kinds whose table is exhausted give way to the others.
    """
    seen: set[tuple[object, ...]] = set()
    parts: list[Part] = []
    kinds = list(KINDS)
    while len(parts) < documents:
        for name in rng.permutation(kinds):
            for part in _family(str(name), rng):
                key = (part.kind, part.standard, part.material, part.finish, *part.dims.values())
                if key not in seen:
                    seen.add(key)
                    parts.append(part)
    # The last round of kinds overshoots; what is cut off is whatever came last.
    return [parts[i] for i in rng.permutation(documents)]


def _family(name: str, rng: np.random.Generator) -> Iterator[Part]:
    kind = KINDS[name]
    standard = kind.standards[int(rng.integers(len(kind.standards)))]
    material = kind.materials[int(rng.integers(len(kind.materials)))]
    nominal = kind.nominal(rng, standard)
    family = "/".join((name, standard, material, "-".join(number(value) for value in nominal.values())))
    finishes = [f for f in MATERIALS[material].finishes if kind.group in _FINISH_SUITS.get(f, (kind.group,))]
    for _ in range(1 + int(rng.integers(LARGEST_FAMILY))):
        dims = {**nominal, **kind.vary(nominal, rng)}
        finish = finishes[int(rng.integers(len(finishes)))]
        yield Part(name, standard, material, finish, kind.label(dims), family, dims)


def split_families(parts: Sequence[Part], rng: np.random.Generator) -> np.ndarray:
    """Return which parts are novel: half of them, whole families at a time.

    Returns:
        Boolean array, one entry per part.
    """
    families = sorted({part.family for part in parts})
    members: dict[str, list[int]] = {family: [] for family in families}
    for i, part in enumerate(parts):
        members[part.family].append(i)
    novel = np.zeros(len(parts), bool)
    taken = 0
    for family in rng.permutation(families):
        if taken >= len(parts) // 2:
            break
        novel[members[str(family)]] = True
        taken += len(members[str(family)])
    return novel
