"""A mechanical part as the sample catalogue knows it, and the materials and finishes it comes in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gradus.catalog.samples.sheet import Heading, Sheet

Dims = dict[str, float]


@dataclass(frozen=True)
class Material:
    """A material: how drawings name it, its family in both languages, density in g/cm³, finishes."""

    code: str
    group: str
    en: str
    ja: str
    density: float
    finishes: tuple[str, ...]


_STEEL = ("plain", "zinc plated", "black oxide", "electroless nickel")
_STAINLESS = ("plain", "passivated", "black oxide", "electropolished")
_ALUMINIUM = ("plain", "clear anodised", "black anodised", "hard anodised")

MATERIALS = {
    m.code: m
    for m in (
        Material("SS400", "steel", "steel", "鉄", 7.85, (*_STEEL, "hot-dip galvanised")),
        Material("S45C", "steel", "carbon steel", "炭素鋼", 7.85, (*_STEEL, "hard chrome")),
        Material("SCM435", "steel", "alloy steel", "合金鋼", 7.85, (*_STEEL, "phosphate")),
        Material("SUS304", "stainless", "stainless", "ステンレス", 7.93, _STAINLESS),
        Material("SUS316", "stainless", "stainless", "ステンレス", 7.98, _STAINLESS),
        Material("SUS303", "stainless", "stainless", "ステンレス", 7.93, _STAINLESS),
        Material("A5052", "aluminium", "aluminium", "アルミ", 2.68, _ALUMINIUM),
        Material("A2017", "aluminium", "aluminium", "アルミ", 2.79, _ALUMINIUM),
        Material("C3604", "brass", "brass", "真鍮", 8.5, ("plain", "electroless nickel")),
        Material("CAC406", "bronze", "bronze", "砲金", 8.8, ("plain",)),
        Material("FC200", "cast iron", "cast iron", "鋳鉄", 7.2, ("plain", "painted", "phosphate")),
        Material(
            "SUJ2", "bearing steel", "bearing steel", "軸受鋼", 7.83, ("plain", "black oxide", "phosphate")
        ),
        Material("SUS440C", "stainless", "stainless", "ステンレス", 7.7, ("plain", "passivated")),
        Material(
            "SK5", "spring steel", "spring steel", "ばね鋼", 7.85, ("plain", "phosphate", "zinc plated")
        ),
        Material(
            "SWP-A", "spring steel", "piano wire", "ピアノ線", 7.85, ("plain", "zinc plated", "black oxide")
        ),
        Material("SUS304-WPB", "stainless", "stainless", "ステンレス", 7.93, ("plain", "passivated")),
        Material("POM", "plastic", "acetal", "ポリアセタール", 1.41, ("plain", "black")),
        Material("MC901", "plastic", "nylon", "ナイロン", 1.16, ("plain", "black")),
        Material("NBR70", "rubber", "nitrile rubber", "ニトリルゴム", 1.25, ("plain", "PTFE coated")),
        Material("FKM75", "rubber", "fluoro rubber", "フッ素ゴム", 1.85, ("plain", "PTFE coated")),
        Material("VMQ50", "rubber", "silicone rubber", "シリコンゴム", 1.15, ("plain",)),
        Material("EPDM70", "rubber", "EPDM rubber", "EPDMゴム", 1.15, ("plain", "PTFE coated")),
    )
}

FASTENER_MATERIALS = ("SS400", "S45C", "SCM435", "SUS304", "SUS316", "C3604")

FINISHES_JA = {
    "plain": "生地",
    "zinc plated": "亜鉛めっき",
    "black oxide": "黒染め",
    "electroless nickel": "無電解ニッケルめっき",
    "hot-dip galvanised": "溶融亜鉛めっき",
    "hard chrome": "硬質クロムめっき",
    "phosphate": "リン酸塩皮膜",
    "passivated": "不動態化処理",
    "electropolished": "電解研磨",
    "clear anodised": "白アルマイト",
    "black anodised": "黒アルマイト",
    "hard anodised": "硬質アルマイト",
    "painted": "塗装",
    "black": "黒色",
    "PTFE coated": "PTFEコート",
}

# The dimensions that become number columns of the catalogue, in their order, with their column names.
COLUMNS = {
    "diameter": "diameter_mm",
    "bore": "bore_mm",
    "length": "length_mm",
    "width": "width_mm",
    "thickness": "thickness_mm",
    "pitch": "pitch_mm",
    "count": "count",
}


@dataclass(frozen=True)
class Part:
    """One document of the catalogue.

    Attributes:
        kind: Name of its kind, a key of `KINDS`.
        standard: The standard it follows (ISO 4017, JIS B 1180 ...).
        material: Key of `MATERIALS`.
        finish: Key of `FINISHES_JA`.
        size: Its size as engineers write it: M8×30, 6204ZZ.
        family: Parts that share kind, standard, material and nominal size share their family.
        dims: Every dimension its drawing needs, in millimetres (counts and flags are numbers too).
    """

    kind: str
    standard: str
    material: str
    finish: str
    size: str
    family: str
    dims: Mapping[str, float]


@dataclass(frozen=True)
class Kind:
    """A kind of part: its words, its sizes and how it is drawn.

    Attributes:
        name: Category in the catalogue.
        group: Kinds of one group are siblings, a near miss for one another.
        en: English names, the usual one first.
        ja: Japanese names, the usual one first.
        standards: Standards it is made to.
        materials: Materials it is made of.
        nominal: Draws the dimensions that a family shares, given the standard.
        vary: Adds the dimensions in which members of a family differ.
        label: The size as written on drawings.
        phrases: How people name sizes in queries; `{diameter}` stands for that dimension.
        volume: Approximate volume in mm³.
        draw: Draws the part on a sheet.
    """

    name: str
    group: str
    en: tuple[str, ...]
    ja: tuple[str, ...]
    standards: tuple[str, ...]
    materials: tuple[str, ...]
    nominal: Callable[[np.random.Generator, str], Dims]
    vary: Callable[[Dims, np.random.Generator], Dims]
    label: Callable[[Mapping[str, float]], str]
    phrases: tuple[str, ...]
    volume: Callable[[Mapping[str, float]], float]
    draw: Callable[[Sheet, Mapping[str, float]], None]


def mass(kind: Kind, part: Part) -> float:
    """Return the mass of `part` in grams."""
    return kind.volume(part.dims) * MATERIALS[part.material].density / 1000


def heading(kind: Kind, part: Part, number: str) -> Heading:
    """Return the words of the title block of `part`."""
    return Heading(kind.en[0].upper(), part.size, part.material, part.finish, part.standard, number)
