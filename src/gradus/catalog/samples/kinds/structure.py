"""Machined and cut parts: stepped shafts, flanges, brackets, plates."""

import math
from collections.abc import Mapping

import numpy as np

from gradus.catalog.samples.kinds.shapes import choose, rounded_rectangle, section
from gradus.catalog.samples.parts import Dims, Kind
from gradus.catalog.samples.pen import CENTRE, HIDDEN, Point
from gradus.catalog.samples.sheet import Box, Sheet, number
from gradus.catalog.samples.tables import (
    FLANGE_EN_PN16,
    FLANGE_JIS_10K,
    KEY,
    KEY_LENGTHS,
    PLATE_THICKNESS,
    SHAFT_DIAMETERS,
    key_width,
)

HOLES = (4.5, 5.5, 6.6, 9.0, 11.0, 13.5)  # clearance holes for M4..M12, ISO 273


def _shaft_nominal(rng: np.random.Generator, standard: str) -> Dims:
    i = int(rng.integers(2, len(SHAFT_DIAMETERS)))
    return {
        "diameter": SHAFT_DIAMETERS[i],
        "left_d": SHAFT_DIAMETERS[i - 1],
        "right_d": SHAFT_DIAMETERS[i - int(rng.integers(1, 3))],
    }


def _shaft_vary(g: Dims, rng: np.random.Generator) -> Dims:
    d = g["diameter"]
    left, middle, right = (float(5 * round(d * f / 5)) for f in rng.uniform((0.8, 1.5, 1.2), (1.8, 4.0, 2.6)))
    width = key_width(g["right_d"])
    fits = [x for x in KEY_LENGTHS if KEY[width][1] <= x <= right - 4]
    keyed = bool(fits) and rng.random() < 0.65
    return {
        "left": left,
        "right": right,
        "length": left + middle + right,
        "key": float(width) if keyed else 0.0,
        "key_length": float(fits[-1]) if keyed else 0.0,
    }


def _shaft_volume(g: Mapping[str, float]) -> float:
    middle = g["length"] - g["left"] - g["right"]
    return (
        math.pi
        / 4
        * (g["left_d"] ** 2 * g["left"] + g["diameter"] ** 2 * middle + g["right_d"] ** 2 * g["right"])
    )


def _draw_shaft(sheet: Sheet, g: Mapping[str, float]) -> None:
    length, a, b, d = g["length"], g["left"], g["length"] - g["right"], g["diameter"]
    big = d / 2
    front, left = sheet.beside(
        Box(0, -big, length, big, left=24, right=30, above=26, below=38),
        Box(-big, -big, big, big, left=12, right=10, above=26, below=38),
    )
    c = 1.0
    r0, r1 = g["left_d"] / 2, g["right_d"] / 2
    top: list[Point] = [
        (0, r0 - c),
        (c, r0),
        (a, r0),
        (a, big),
        (b, big),
        (b, r1),
        (length - c, r1),
        (length, r1 - c),
    ]
    front.line([*top, *[(x, -y) for x, y in reversed(top)]], closed=True)
    for x, r in ((c, r0), (a, big), (b, big), (length - c, r1)):
        front.line([(x, r), (x, -r)])
    front.axis(0, 0, length, 0)
    if g["key"]:
        half, end = g["key"] / 2, length - 2.0
        start = end - g["key_length"]
        front.line([(start + half, half), (end - half, half)])
        front.line([(start + half, -half), (end - half, -half)])
        front.arc(start + half, 0, half, 90, 270)
        front.arc(end - half, 0, half, -90, 90)
        front.dim_x(start, end, r1, number(g["key_length"]), 14)
        sheet.note(
            f"KEYWAY {number(g['key'])}×{number(g['key_length'])}, DEPTH {number(KEY[int(g['key'])][3])}"
        )
    sheet.note(f"CHAMFERS C{number(c)}")
    front.dim_x(0, a, -r0, number(a), -(big - r0) * front.scale - 13)
    front.dim_x(b, length, -r1, number(length - b), -(big - r1) * front.scale - 13)
    front.dim_x(0, length, -r0, number(length), -(big - r0) * front.scale - 28)
    front.dim_y(-r0, r0, 0, f"Ø{number(2 * r0)}", -12)
    front.dim_y(-r1, r1, length, f"Ø{number(2 * r1)}", 18)
    middle = (a + b) / 2
    front.leader(middle - (b - a) * 0.3, big, 10, 12, f"Ø{number(d)}")
    left.circle(0, 0, big)
    left.circle(0, 0, r0)
    left.circle(0, 0, r0 - c)
    left.cross(0, 0, big)


def _flange_nominal(rng: np.random.Generator, standard: str) -> Dims:
    table = FLANGE_JIS_10K if standard.startswith("JIS") else FLANGE_EN_PN16
    size = choose(rng, tuple(table))
    outer, circle, count, hole, thickness, pipe = table[int(size)]
    return {
        "size": size,
        "diameter": outer,
        "circle": circle,
        "count": count,
        "hole": hole,
        "thickness": thickness,
        "pipe": pipe,
    }


def _flange_vary(g: Dims, rng: np.random.Generator) -> Dims:
    blind, raised = rng.random() < 0.3, rng.random() < 0.5
    return {
        "bore": 0.0 if blind else round(g["pipe"] + 0.8, 1),
        "face": round(g["circle"] - g["hole"] - 4) if raised else 0.0,
    }


def _flange_label(g: Mapping[str, float]) -> str:
    return f"DN{number(g['size'])}{'' if g['bore'] else ' blind'}{' RF' if g['face'] else ''}"


def _flange_volume(g: Mapping[str, float]) -> float:
    return math.pi / 4 * (g["diameter"] ** 2 - g["bore"] ** 2 - g["count"] * g["hole"] ** 2) * g["thickness"]


def _draw_flange(sheet: Sheet, g: Mapping[str, float]) -> None:
    r, hole, t, circle, drill = (
        g["diameter"] / 2,
        g["bore"] / 2,
        g["thickness"],
        g["circle"] / 2,
        g["hole"] / 2,
    )
    face, step, count = g["face"] / 2, 2.0 if g["face"] else 0.0, int(g["count"])
    front, left = sheet.beside(
        Box(0, -r, t, r, left=20, right=42, above=18, below=24),
        Box(-r, -r, r, r, left=16, right=50, above=18, below=24),
    )
    # By convention the section shows a hole turned into the plane of the cut.
    inner: list[Point] = [(step, circle - drill), (t, circle - drill), (t, hole), (0, hole)]
    inner += [(0, face), (step, face)] if step else [(0, circle - drill)]
    if hole:
        section(front, inner)
    else:
        front.hatch([*inner[:2], *[(x, -y) for x, y in reversed(inner[:2])]])
        for side in (1, -1):
            front.line([(x, side * y) for x, y in ((t, 0), inner[1], inner[0], *reversed(inner[4:]), (0, 0))])
    section(front, [(step, circle + drill), (t, circle + drill), (t, r), (step, r)])
    for x in (step, t):
        for side in (1, -1):
            front.line([(x, side * (circle - drill)), (x, side * (circle + drill))])
    if hole:
        for x in (0.0, t):
            front.line([(x, hole), (x, -hole)])
    front.axis(0, 0, t, 0)
    for side in (1, -1):
        front.axis(0, side * circle, t, side * circle, beyond=3)
    front.dim_x(0, t, -r, number(t), -14)
    front.dim_y(-r, r, t, f"Ø{number(2 * r)}", 30)
    if hole:
        front.dim_y(-hole, hole, t, f"Ø{number(2 * hole)}", 15)
    left.circle(0, 0, r)
    left.circle(0, 0, circle, CENTRE)
    if face:
        left.circle(0, 0, face)
    if hole:
        left.circle(0, 0, hole)
    for i in range(count):
        # Bolt holes straddle the centre lines.
        a = math.radians(180 / count + 360 * i / count)
        x, y = circle * math.cos(a), circle * math.sin(a)
        left.circle(x, y, drill)
        reach = drill + 3 / left.scale
        left.line(
            [
                (x - reach * math.cos(a), y - reach * math.sin(a)),
                (x + reach * math.cos(a), y + reach * math.sin(a)),
            ],
            CENTRE,
        )
    left.cross(0, 0, r)
    a = math.radians(180 / count)
    x, y = circle * math.cos(a) + drill * 0.7, circle * math.sin(a) + drill * 0.7
    left.leader(
        x, y, (r - x) * left.scale + 4, (r - y) * left.scale * 0.6 + 8, f"{count}×Ø{number(2 * drill)}"
    )
    sheet.note(f"PCD Ø{number(2 * circle)}")


def _bracket_nominal(rng: np.random.Generator, standard: str) -> Dims:
    return {"length": float(5 * rng.integers(6, 21)), "thickness": choose(rng, PLATE_THICKNESS[1:6])}


def _bracket_vary(g: Dims, rng: np.random.Generator) -> Dims:
    length = g["length"]
    width = float(5 * rng.integers(4, max(5, int(length / 5)) + 1))
    hole = choose(rng, tuple(h for h in HOLES if h < width / 3.2))
    return {
        "height": float(5 * rng.integers(max(4, int(length / 8)), int(length / 5) + 3)),
        "width": width,
        "hole": hole,
        "count": 2.0 if width > 6 * hole else 1.0,
        "radius": g["thickness"] * choose(rng, (1, 1.5, 2)),
        "rib": float(rng.random() < 0.3),
    }


def _bracket_label(g: Mapping[str, float]) -> str:
    return f"{number(g['length'])}×{number(g['height'])}×{number(g['width'])} t{number(g['thickness'])}"


def _bracket_volume(g: Mapping[str, float]) -> float:
    return (g["length"] + g["height"] - g["thickness"]) * g["thickness"] * g["width"]


def _draw_bracket(sheet: Sheet, g: Mapping[str, float]) -> None:
    length, height, width, t, bend, hole = (
        g[k] for k in ("length", "height", "width", "thickness", "radius", "hole")
    )
    front, left = sheet.beside(
        Box(0, 0, length, height, left=26, right=30, above=16, below=24),
        Box(-width / 2, 0, width / 2, height, left=14, right=44, above=16, below=24),
    )
    outer = bend + t
    corner = [math.radians(180 + 90 * i / 8) for i in range(9)]
    outside = [(outer + outer * math.cos(a), outer + outer * math.sin(a)) for a in corner]
    inside = [(outer + bend * math.cos(a), outer + bend * math.sin(a)) for a in reversed(corner)]
    front.line([(0, height), *outside, (length, 0), (length, t), *inside, (t, height)], closed=True)
    if g["rib"]:
        front.line([(t, height * 0.7), (length * 0.7, t)])
        left.line(
            [(-t / 2, height * 0.7), (t / 2, height * 0.7), (t / 2, 0), (-t / 2, 0)], HIDDEN, closed=True
        )
    base, up = (
        length - max(1.6 * hole, 0.22 * (length - outer)),
        height - max(1.6 * hole, 0.22 * (height - outer)),
    )
    r = hole / 2
    for y in (up - r, up + r):
        front.line([(0, y), (t, y)], HIDDEN)
    for x in (base - r, base + r):
        front.line([(x, 0), (x, t)], HIDDEN)
    front.axis(0, up, t, up, beyond=4)
    front.axis(base, 0, base, t, beyond=4)
    front.dim_x(0, length, 0, number(length), -14)
    front.dim_y(0, height, 0, number(height), -12)
    front.dim_y(0, t, length, f"t{number(t)}", 14)
    front.leader(
        outer - bend * 0.7,
        outer - bend * 0.7,
        12 + bend * front.scale,
        14 + bend * front.scale,
        f"R{number(bend)}",
    )
    left.rect(-width / 2, 0, width / 2, height)
    left.line([(-width / 2, t), (width / 2, t)], HIDDEN)
    pair = int(g["count"]) == 2
    across = (-width / 4, width / 4) if pair else (0.0,)
    for x in across:
        left.circle(x, up, r)
        left.cross(x, up, r, beyond=4)
    left.dim_x(-width / 2, width / 2, 0, number(width), -14)
    edge = across[-1] + r * 0.7
    note = f"{'2×' if pair else ''}Ø{number(hole)}"
    left.leader(edge, up + r * 0.7, (width / 2 - edge) * left.scale + 6, 12, note)


def _plate_nominal(rng: np.random.Generator, standard: str) -> Dims:
    length = float(10 * rng.integers(4, 21))
    return {
        "length": length,
        "width": float(10 * rng.integers(max(3, int(length / 25)), int(length / 10) + 1)),
    }


def _plate_vary(g: Dims, rng: np.random.Generator) -> Dims:
    hole = choose(rng, tuple(h for h in HOLES if h < g["width"] / 4.5))
    pattern = float(rng.integers(3))  # corners, corners and bore, bolt circle and bore
    bore = float(5 * max(2, round(g["width"] * rng.uniform(0.25, 0.4) / 5))) if pattern else 0.0
    return {
        "thickness": choose(rng, PLATE_THICKNESS),
        "hole": hole,
        "bore": bore,
        "pattern": pattern,
        "count": 4.0 if pattern < 2 else float(rng.choice((3, 4, 6))),
        "radius": float(rng.choice((0, 3, 5, 8))),
    }


def _plate_label(g: Mapping[str, float]) -> str:
    return f"{number(g['length'])}×{number(g['width'])}×{number(g['thickness'])}"


def _plate_volume(g: Mapping[str, float]) -> float:
    holes = math.pi / 4 * (g["count"] * g["hole"] ** 2 + g["bore"] ** 2)
    return (g["length"] * g["width"] - holes) * g["thickness"]


def _draw_plate(sheet: Sheet, g: Mapping[str, float]) -> None:
    x, y, t, r, bore = g["length"] / 2, g["width"] / 2, g["thickness"], g["hole"] / 2, g["bore"] / 2
    front, plan = sheet.stacked(
        Box(-x, 0, x, t, left=34, right=46, above=26, below=10),
        Box(-x, -y, x, y, left=34, right=46, above=24, below=10),
    )
    rounded_rectangle(plan, x, y, g["radius"])
    inset = max(2.2 * r, 0.12 * g["width"])
    circle = 0.0
    if g["pattern"] < 2:
        centres = [(sx * (x - inset), sy * (y - inset)) for sy in (1, -1) for sx in (1, -1)]
    else:
        circle = (bore + y) / 2 + 0.1 * (y - bore)
        turn = math.radians(90 if g["count"] == 3 else 45 if g["count"] == 4 else 0)
        step = 2 * math.pi / g["count"]
        centres = [
            (circle * math.cos(turn + i * step), circle * math.sin(turn + i * step))
            for i in range(int(g["count"]))
        ]
        plan.circle(0, 0, circle, CENTRE)
    for cx, cy in centres:
        plan.circle(cx, cy, r)
        plan.cross(cx, cy, r, beyond=3)
    if bore:
        plan.circle(0, 0, bore)
        plan.leader(
            bore * 0.7,
            -bore * 0.7,
            (x - bore * 0.7) * plan.scale + 6,
            -(y - bore * 0.7) * plan.scale * 0.4,
            f"Ø{number(2 * bore)}",
        )
    plan.axis(-x, 0, x, 0)
    plan.axis(0, -y, 0, y)
    plan.dim_y(-y, y, -x, number(2 * y), -16)
    plan.dim_x(-x, x, y, number(2 * x), 14)
    cx, cy = max(centres, key=lambda p: p[0] + p[1])
    plan.leader(
        cx + r * 0.7, cy - r * 0.7, (x - cx) * plan.scale + 6, -10, f"{len(centres)}×Ø{number(2 * r)}"
    )
    if g["radius"]:
        sheet.note(f"CORNERS R{number(g['radius'])}")
    if circle:
        sheet.note(f"PCD Ø{number(2 * circle)}")
    front.rect(-x, 0, x, t)
    for cx in sorted({round(c[0], 3) for c in centres}):
        for side in (-r, r):
            front.line([(cx + side, 0), (cx + side, t)], HIDDEN)
    for side in (-bore, bore) if bore else ():
        front.line([(side, 0), (side, t)], HIDDEN)
    front.dim_y(0, t, x, f"t{number(t)}", 18)


STRUCTURE = (
    Kind(
        name="stepped shaft", group="shaft",
        en=("stepped shaft", "shaft", "rotary shaft"), ja=("段付き軸", "シャフト", "段付シャフト"),
        standards=("ISO 2768", "JIS B 0405"), materials=("S45C", "SCM435", "SUS304", "SUS303", "SS400"),
        nominal=_shaft_nominal, vary=_shaft_vary, label=lambda g: f"Ø{number(g['diameter'])}×{number(g['length'])}",
        phrases=("{diameter}mm dia {length} long", "dia {diameter} x {length}", "{diameter}x{length}", "{diameter}mm"),
        volume=_shaft_volume, draw=_draw_shaft,
    ),
    Kind(
        name="flange", group="flange",
        en=("pipe flange", "flange", "slip-on flange"), ja=("フランジ", "配管フランジ", "管フランジ"),
        standards=("EN 1092", "JIS B 2220"), materials=("SS400", "SUS304", "SUS316", "FC200"),
        nominal=_flange_nominal, vary=_flange_vary, label=_flange_label,
        phrases=("DN{size}", "{count} hole", "DN{size} {count} hole", "od {diameter}"),
        volume=_flange_volume, draw=_draw_flange,
    ),
    Kind(
        name="bracket", group="plate",
        en=("L bracket", "angle bracket", "bracket"), ja=("L型ブラケット", "ブラケット", "L字金具"),
        standards=("ISO 2768", "JIS B 0405"), materials=("SS400", "SUS304", "A5052"),
        nominal=_bracket_nominal, vary=_bracket_vary, label=_bracket_label,
        phrases=("{length}x{height}x{width}", "{length}x{height} t{thickness}", "t{thickness}"),
        volume=_bracket_volume, draw=_draw_bracket,
    ),
    Kind(
        name="plate", group="plate",
        en=("mounting plate", "base plate", "plate with holes"), ja=("取付プレート", "ベースプレート", "穴付きプレート"),
        standards=("ISO 2768", "JIS B 0405"), materials=("SS400", "S45C", "SUS304", "A5052", "A2017", "POM"),
        nominal=_plate_nominal, vary=_plate_vary, label=_plate_label,
        phrases=("{length}x{width}x{thickness}", "{length}x{width}", "{length}x{width} {count} hole"),
        volume=_plate_volume, draw=_draw_plate,
    ),
)  # fmt: skip
