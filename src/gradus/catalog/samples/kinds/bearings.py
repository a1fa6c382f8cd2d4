"""What carries a shaft, and what holds it in place: ball bearings, bushings, collars."""

import math
from collections.abc import Mapping

import numpy as np

from gradus.catalog.samples.kinds.shapes import choose, no_variation, ring_volume, section
from gradus.catalog.samples.parts import Dims, Kind
from gradus.catalog.samples.pen import CENTRE, HIDDEN, THIN, Point
from gradus.catalog.samples.sheet import Box, Sheet, View, number
from gradus.catalog.samples.tables import BEARING, BUSHING, BUSHING_LENGTHS, COLLAR, PITCH

SEALS = ("", "ZZ", "-2RS")


def edges(view: View, x: float, r: float) -> None:
    """Draw the edge of a bore of radius `r` that shows behind a section at `x`."""
    view.line([(x, r), (x, -r)])


def _ball_nominal(rng: np.random.Generator, standard: str) -> Dims:
    code = choose(rng, tuple(BEARING))
    bore, outer, width = BEARING[int(code)]
    return {"code": code, "bore": bore, "diameter": outer, "width": width}


def _ball_vary(g: Dims, rng: np.random.Generator) -> Dims:
    return {"seal": float(rng.integers(len(SEALS)))}


def _ball_label(g: Mapping[str, float]) -> str:
    return f"{int(g['code'])}{SEALS[int(g['seal'])]}"


def _ball_volume(g: Mapping[str, float]) -> float:
    return math.pi / 4 * (g["diameter"] ** 2 - g["bore"] ** 2) * g["width"] * 0.68


def _draw_ball(sheet: Sheet, g: Mapping[str, float]) -> None:
    r, hole, w = g["diameter"] / 2, g["bore"] / 2, g["width"]
    middle, ball = (r + hole) / 2, (r - hole) * 0.3
    inner, outer = hole + (r - hole) * 0.32, r - (r - hole) * 0.32  # the lands of the two rings
    sheet.note(f"BEARING {_ball_label(g)}")
    front, left = sheet.beside(
        Box(0, -r, w, r, left=18, right=44, above=10, below=24),
        Box(-r, -r, r, r, left=36, right=16, above=10, below=24),
    )
    c = 0.04 * (r - hole) + 0.2
    mid = w / 2
    half = math.sqrt(ball**2 - (outer - middle) ** 2)
    turn = math.asin(half / ball)
    groove = [turn * (i / 6 - 1) for i in range(13)]
    over = [(mid + ball * math.sin(a), middle + ball * math.cos(a)) for a in groove]
    under = [(mid + ball * math.sin(a), middle - ball * math.cos(a)) for a in groove]
    section(front, [(0, outer), *over, (w, outer), (w, r - c), (w - c, r), (c, r), (0, r - c)])
    section(
        front,
        [(0, inner), *under, (w, inner), (w, hole + c), (w - c, hole), (c, hole), (0, hole + c)],
        left=True,
    )
    for side in (1, -1):
        front.circle(mid, side * middle, ball)
        front.cross(mid, side * middle, ball, beyond=2)
        if g["seal"]:
            inset = 0.09 * w
            for x in (inset, w - inset):
                front.line([(x, side * inner), (x, side * outer)])
                if SEALS[int(g["seal"])] == "-2RS":
                    near = 2 * inset if x == inset else w - 2 * inset
                    front.line([(near, side * inner), (near, side * outer)], THIN)
    for x in (0.0, w):
        front.line([(x, hole + c), (x, -hole - c)])
    front.axis(0, 0, w, 0)
    front.dim_x(0, w, -r, number(w), -14)
    front.dim_y(-r, r, w, f"Ø{number(2 * r)}", 30)
    front.dim_y(-hole, hole, w, f"Ø{number(2 * hole)}", 15)
    for radius in (r, outer, inner, hole):
        left.circle(0, 0, radius)
    if not g["seal"]:
        balls = max(7, math.floor(math.pi * middle / ball * 0.78))
        for i in range(balls):
            a = math.radians(90 + 360 * i / balls)
            left.arc(middle * math.cos(a), middle * math.sin(a), ball, 0, 360, HIDDEN)
        left.circle(0, 0, middle, CENTRE)
    left.cross(0, 0, r)


def _bush_nominal(rng: np.random.Generator, standard: str) -> Dims:
    bore = choose(rng, tuple(BUSHING))
    outer = BUSHING[int(bore)]
    flanged = float(rng.random() < 0.45)
    return {"bore": bore, "diameter": outer, "flange": outer + 2 * (3 + outer // 12) if flanged else 0.0}


def _bush_vary(g: Dims, rng: np.random.Generator) -> Dims:
    fits = tuple(x for x in BUSHING_LENGTHS if 0.6 * g["bore"] <= x <= 2.6 * g["bore"])
    return {"length": choose(rng, fits)}


def _bush_label(g: Mapping[str, float]) -> str:
    flange = "F" if g["flange"] else ""
    return f"{flange}{number(g['bore'])}×{number(g['diameter'])}×{number(g['length'])}"


def _bush_volume(g: Mapping[str, float]) -> float:
    rim = max(0.0, g["flange"] ** 2 - g["diameter"] ** 2) * 3
    return math.pi / 4 * ((g["diameter"] ** 2 - g["bore"] ** 2) * g["length"] + rim)


def _draw_bush(sheet: Sheet, g: Mapping[str, float]) -> None:
    r, hole, length, rim = g["diameter"] / 2, g["bore"] / 2, g["length"], g["flange"] / 2
    big = max(r, rim)
    front, left = sheet.beside(
        Box(0, -big, length, big, left=30, right=44, above=12, below=24),
        Box(-big, -big, big, big, left=16, right=16, above=12, below=24),
    )
    c = 0.08 * (r - hole) + 0.2
    start: list[Point] = [(0, rim), (3, rim), (3, r)] if rim else [(0, r - c), (c, r)]
    outline = [
        (0, hole + c),
        *start,
        (length - c, r),
        (length, r - c),
        (length, hole + c),
        (length - c, hole),
        (c, hole),
    ]
    section(front, outline)
    for x in (0.0, c, length - c, length):
        edges(front, x, hole + c if x in (0.0, length) else hole)
    front.axis(0, 0, length, 0)
    front.dim_x(0, length, -big, number(length), -14)
    front.dim_y(-r, r, length, f"Ø{number(2 * r)}", 30)
    front.dim_y(-hole, hole, length, f"Ø{number(2 * hole)}", 15)
    if rim:
        front.dim_y(-rim, rim, 0, f"Ø{number(2 * rim)}", -14)
        left.circle(0, 0, rim)
        left.arc(0, 0, r, 0, 360, HIDDEN)
    else:
        left.circle(0, 0, r)
        left.circle(0, 0, r - c, THIN)
    left.circle(0, 0, hole)
    left.circle(0, 0, hole + c, THIN)
    left.cross(0, 0, big)


def _collar_nominal(rng: np.random.Generator, standard: str) -> Dims:
    bore = choose(rng, tuple(COLLAR))
    outer, width, screw = COLLAR[int(bore)]
    return {"bore": bore, "diameter": outer, "width": width, "screw": screw}


def _draw_collar(sheet: Sheet, g: Mapping[str, float]) -> None:
    r, hole, w, screw = g["diameter"] / 2, g["bore"] / 2, g["width"], g["screw"]
    front, left = sheet.beside(
        Box(0, -r, w, r, left=16, right=46, above=24, below=24),
        Box(-r, -r, r, r, left=18, right=16, above=24, below=24),
    )
    c = 0.04 * r + 0.2
    core = (screw - 1.08 * PITCH[int(screw)]) / 2
    mid = w / 2
    low = [(0, hole), (w, hole), (w, r - c), (w - c, r), (c, r), (0, r - c)]
    section(front, low)
    # The tapped hole cuts the upper half: minor diameter thick, major diameter thin.
    front.blank([(mid - core, hole), (mid + core, hole), (mid + core, r), (mid - core, r)])
    for x in (core, -core):
        front.line([(mid + x, hole), (mid + x, r)])
        front.line([(mid + math.copysign(screw / 2, x), hole), (mid + math.copysign(screw / 2, x), r)], THIN)
    for x in (0.0, w):
        edges(front, x, hole)
    front.line([(0, hole), (w, hole)])
    front.line([(c, r), (w - c, r)])
    front.axis(0, 0, w, 0)
    front.axis(mid, hole, mid, r, beyond=4)
    front.leader(mid + core, r - 0.1 * r, 22, 22, f"M{number(screw)}")
    front.dim_x(0, w, -r, number(w), -14)
    front.dim_y(-r, r, w, f"Ø{number(2 * r)}", 32)
    front.dim_y(-hole, hole, w, f"Ø{number(2 * hole)}", 17)
    left.circle(0, 0, r)
    left.circle(0, 0, r - c, THIN)
    left.circle(0, 0, hole)
    for x in (core, -core):
        left.line([(x, math.sqrt(hole**2 - x**2)), (x, math.sqrt(r**2 - x**2))], HIDDEN)
    left.cross(0, 0, r)


BEARINGS = (
    Kind(
        name="ball bearing", group="bearing",
        en=("ball bearing", "deep groove ball bearing", "bearing"), ja=("深溝玉軸受", "ベアリング", "ボールベアリング"),
        standards=("ISO 15", "JIS B 1521"), materials=("SUJ2", "SUS440C"),
        nominal=_ball_nominal, vary=_ball_vary, label=_ball_label,
        phrases=("{bore}x{diameter}x{width}", "{code}", "{code}", "{bore}x{diameter}"),
        volume=_ball_volume, draw=_draw_ball,
    ),
    Kind(
        name="bushing", group="bearing",
        en=("bushing", "plain bearing bush", "sleeve bushing"), ja=("ブッシュ", "ブシュ", "すべり軸受"),
        standards=("ISO 4379", "JIS B 1582"), materials=("CAC406", "C3604", "POM", "MC901", "FC200"),
        nominal=_bush_nominal, vary=_bush_vary, label=_bush_label,
        phrases=("{bore}x{diameter}x{length}", "{bore}mm", "{bore}x{diameter}"), volume=_bush_volume, draw=_draw_bush,
    ),
    Kind(
        name="shaft collar", group="shaft",
        en=("shaft collar", "set collar", "locking ring"), ja=("シャフトカラー", "セットカラー", "軸カラー"),
        standards=("DIN 705", "JIS B 0405"), materials=("S45C", "SUS304", "SUS303", "A2017"),
        nominal=_collar_nominal, vary=no_variation, label=lambda g: f"{number(g['bore'])}×{number(g['diameter'])}×{number(g['width'])}",
        phrases=("{bore}mm", "{bore}x{diameter}x{width}", "{bore}x{diameter}"),
        volume=ring_volume, draw=_draw_collar,
    ),
)  # fmt: skip
