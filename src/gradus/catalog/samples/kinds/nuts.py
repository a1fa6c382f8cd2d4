"""Nuts and washers."""

import math
from collections.abc import Mapping

import numpy as np

from gradus.catalog.samples.kinds.shapes import (
    choose,
    hex_profile,
    hexagon,
    minor,
    no_variation,
    ring_volume,
    thread_note,
)
from gradus.catalog.samples.parts import FASTENER_MATERIALS, Dims, Kind
from gradus.catalog.samples.pen import HIDDEN, THIN
from gradus.catalog.samples.sheet import Box, Sheet, number
from gradus.catalog.samples.tables import HEXAGON, PITCH, WASHER, WASHER_LARGE


def _nut_nominal(rng: np.random.Generator, standard: str) -> Dims:
    d = choose(rng, tuple(PITCH))
    flats, _, height, thin = HEXAGON[int(d)]
    return {
        "diameter": d,
        "pitch": PITCH[int(d)],
        "flats": flats,
        "thickness": thin if standard == "ISO 4035" else height,
    }


def _nut_volume(g: Mapping[str, float]) -> float:
    return (math.sqrt(3) / 2 * g["flats"] ** 2 - math.pi / 4 * g["diameter"] ** 2) * g["thickness"]


def _draw_nut(sheet: Sheet, g: Mapping[str, float]) -> None:
    d, flats, m = g["diameter"], g["flats"], g["thickness"]
    e, core = flats / math.sqrt(3), minor(d, g["pitch"]) / 2
    front, left = sheet.beside(
        Box(0, -e, m, e, left=14, right=34, above=12, below=24),
        Box(-e, -e, e, e, left=16, right=40, above=22, below=24),
    )
    hex_profile(front, flats, 0, m, both=True)
    for y in (d / 2, core, -core, -d / 2):
        front.line([(0, y), (m, y)], HIDDEN)
    front.axis(0, 0, m, 0)
    front.dim_x(0, m, -e, number(m), -14)
    front.dim_y(-e, e, m, f"({number(round(2 * e, 1))})", 18)
    left.line(hexagon(0, 0, flats), closed=True)
    left.circle(0, 0, 0.475 * flats)
    left.circle(0, 0, core)
    left.arc(0, 0, d / 2, 100, 370, THIN)
    left.cross(0, 0, e)
    left.dim_x(-flats / 2, flats / 2, -e / 2, number(flats), -(e / 2 * left.scale + 14))
    reach = 10 + (e - 0.35 * d) * left.scale
    left.leader(0.35 * d, 0.35 * d, reach * 0.8, reach * 0.8, thread_note(g))


def _washer_nominal(rng: np.random.Generator, standard: str) -> Dims:
    screw = choose(rng, tuple(PITCH))
    bore, outer, thickness = (WASHER_LARGE if standard == "ISO 7093" else WASHER)[int(screw)]
    return {"screw": screw, "bore": bore, "diameter": outer, "thickness": thickness}


def _draw_washer(sheet: Sheet, g: Mapping[str, float]) -> None:
    r, hole, t = g["diameter"] / 2, g["bore"] / 2, g["thickness"]
    front, left = sheet.beside(
        Box(0, -r, t, r, left=16, right=44, above=14, below=24),
        Box(-r, -r, r, r, left=16, right=34, above=22, below=24),
    )
    for a, b in ((hole, r), (-r, -hole)):
        front.hatch([(0, a), (t, a), (t, b), (0, b)])
        front.rect(0, a, t, b)
    for y in (hole, -hole):
        front.line([(0, y), (t, y)])
    front.line([(0, -hole), (0, hole)])
    front.line([(t, -hole), (t, hole)])
    front.axis(0, 0, t, 0)
    front.dim_x(0, t, -r, number(t), -14)
    front.dim_y(-r, r, t, f"Ø{number(2 * r)}", 24)
    left.circle(0, 0, r)
    left.circle(0, 0, hole)
    left.cross(0, 0, r)
    reach = 10 + (r - hole * 0.7) * left.scale * 0.8
    left.leader(hole * 0.7, hole * 0.7, reach, reach, f"Ø{number(g['bore'])}")


NUTS = (
    Kind(
        name="hex nut", group="nut",
        en=("hex nut", "hexagon nut"), ja=("六角ナット", "ナット"),
        standards=("ISO 4032", "ISO 4035", "JIS B 1181"), materials=FASTENER_MATERIALS,
        nominal=_nut_nominal, vary=no_variation, label=lambda g: f"M{number(g['diameter'])}",
        phrases=("M{diameter}", "M{diameter}x{pitch}"), volume=_nut_volume, draw=_draw_nut,
    ),
    Kind(
        name="washer", group="nut",
        en=("plain washer", "flat washer", "washer"), ja=("平座金", "平ワッシャー", "座金"),
        standards=("ISO 7089", "ISO 7093", "JIS B 1256"), materials=("SS400", "S45C", "SUS304", "SUS316", "C3604", "POM"),
        nominal=_washer_nominal, vary=no_variation, label=lambda g: f"M{number(g['screw'])}",
        phrases=("M{screw}", "{bore}x{diameter}x{thickness}", "{bore}x{diameter}"),
        volume=ring_volume, draw=_draw_washer,
    ),
)  # fmt: skip
