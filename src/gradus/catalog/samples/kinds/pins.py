"""Small parts that hold, key, seal or push: pins, keys, retaining rings, O-rings, springs."""

import itertools
import math
from collections.abc import Mapping

import numpy as np

from gradus.catalog.samples.kinds.shapes import choose, no_variation, screw_length
from gradus.catalog.samples.parts import Dims, Kind
from gradus.catalog.samples.pen import CENTRE, THIN, Point
from gradus.catalog.samples.sheet import Box, Sheet, number
from gradus.catalog.samples.tables import CIRCLIP, KEY, KEY_LENGTHS, O_RING_ISO, O_RING_JIS, PIN, WIRE


def _pin_nominal(rng: np.random.Generator, standard: str) -> Dims:
    d = choose(rng, tuple(PIN))
    # ISO 8734 dowel pins are hardened and rounded at one end.
    return {"diameter": d, "chamfer": PIN[d], "rounded": float(standard == "ISO 8734")}


def _pin_vary(g: Dims, rng: np.random.Generator) -> Dims:
    return {"length": screw_length(g["diameter"], max(5, 2 * g["diameter"]), rng, longest=8)}


def _pin_label(g: Mapping[str, float]) -> str:
    return f"Ø{number(g['diameter'])}×{number(g['length'])}"


def _pin_volume(g: Mapping[str, float]) -> float:
    return math.pi / 4 * g["diameter"] ** 2 * g["length"]


def _draw_pin(sheet: Sheet, g: Mapping[str, float]) -> None:
    r, length, c = g["diameter"] / 2, g["length"], g["chamfer"]
    front, left = sheet.beside(
        Box(0, -r, length, r, left=14, right=46, above=24, below=24),
        Box(-r, -r, r, r, left=22, right=14, above=24, below=24),
    )
    slope = c * math.tan(math.radians(15)) + 0.04 * r
    end: list[Point] = [(length - c, r), (length, r - slope)]
    if g["rounded"]:
        end = [
            (length - c + c * math.sin(a / 10), r - slope * 2 * (1 - math.cos(a / 10)))
            for a in range(0, 16, 3)
        ]
    top = [(0, r - slope), (c, r), *end]
    front.line([*top, *[(x, -y) for x, y in reversed(top)]], closed=True)
    for x in (c, length - c):
        front.line([(x, r), (x, -r)])
    front.axis(0, 0, length, 0)
    front.dim_x(0, length, -r, number(length), -14)
    fit = "m6" if g["rounded"] or sheet.third_angle else "h8"
    front.dim_y(-r, r, length, f"Ø{number(2 * r)} {fit}", 22)
    if g["rounded"]:
        front.leader(length - c * 0.4, r - slope, -8, 15, f"R{number(2 * r)}")
    front.leader(c / 2, r - slope / 2, 12, 14, f"C{number(c)}")
    left.circle(0, 0, r)
    left.circle(0, 0, r - slope)
    left.cross(0, 0, r)


def _key_nominal(rng: np.random.Generator, standard: str) -> Dims:
    width = choose(rng, tuple(KEY))
    return {"width": width, "thickness": KEY[int(width)][0]}


def _key_vary(g: Dims, rng: np.random.Generator) -> Dims:
    _, low, high, _, _ = KEY[int(g["width"])]
    return {
        "length": choose(rng, tuple(x for x in KEY_LENGTHS if low <= x <= high)),
        "round": float(rng.random() < 0.6),
    }


def _key_label(g: Mapping[str, float]) -> str:
    form = "A" if g["round"] else "B"
    return f"{form} {number(g['width'])}×{number(g['thickness'])}×{number(g['length'])}"


def _key_volume(g: Mapping[str, float]) -> float:
    corner = (1 - math.pi / 4) * g["width"] ** 2 if g["round"] else 0.0
    return (g["length"] * g["width"] - corner) * g["thickness"]


def _draw_key(sheet: Sheet, g: Mapping[str, float]) -> None:
    b, h, length = g["width"], g["thickness"], g["length"]
    front, plan = sheet.stacked(
        Box(0, 0, length, h, left=20, right=40, above=40, below=24),
        Box(0, -b / 2, length, b / 2, left=20, right=40, above=40, below=8),
    )
    c = 0.06 * h
    front.line(
        [(c, 0), (length - c, 0), (length, c), (length, h - c), (length - c, h), (c, h), (0, h - c), (0, c)],
        closed=True,
    )
    for y in (c, h - c):
        front.line([(0, y), (length, y)], THIN)
    front.dim_x(0, length, 0, number(length), -14)
    front.dim_y(0, h, length, f"{number(h)} h11", 22)
    if g["round"]:
        r = b / 2
        plan.line([(r, r), (length - r, r)])
        plan.line([(r, -r), (length - r, -r)])
        plan.arc(r, 0, r, 90, 270)
        plan.arc(length - r, 0, r, -90, 90)
        plan.axis(r, -r, r, r, beyond=4)
        plan.axis(length - r, -r, length - r, r, beyond=4)
        plan.leader(r * 0.3, r * 0.7, -6, 12, f"R{number(r)}")
    else:
        plan.rect(0, -b / 2, length, b / 2)
    plan.axis(0, 0, length, 0)
    plan.dim_y(-b / 2, b / 2, length, f"{number(b)} h9", 22)


def _clip_nominal(rng: np.random.Generator, standard: str) -> Dims:
    shaft = choose(rng, tuple(CIRCLIP))
    thickness, free, lug, width = CIRCLIP[int(shaft)]
    return {
        "bore": shaft,
        "thickness": thickness,
        "free": free,
        "lug": lug,
        "width": width,
        "diameter": round(shaft + 2 * lug, 1),
    }


def _clip_volume(g: Mapping[str, float]) -> float:
    return math.pi * g["free"] * 0.9 * g["width"] * 0.8 * g["thickness"]


def _draw_clip(sheet: Sheet, g: Mapping[str, float]) -> None:
    r, t, lug, width = g["free"] / 2, g["thickness"], g["lug"], g["width"]
    outer = r + 0.8 * width
    rise = 0.2 * width  # the outer circle is eccentric: the ring is widest opposite its gap
    extent = r + lug
    front, left = sheet.beside(
        Box(0, -extent, t, extent, left=18, right=30, above=12, below=24),
        Box(-extent, -extent, extent, extent, left=44, right=22, above=12, below=24),
    )
    gap = math.degrees(math.asin(min(0.9, 0.16 + 0.5 / r)))
    ear = gap + math.degrees(lug * 0.9 / r)

    def polar(radius: float, degrees: float, up: float = 0.0) -> Point:
        a = math.radians(degrees)
        return radius * math.cos(a), radius * math.sin(a) + up

    # The gap is at the bottom; angles run from its right edge over the top to its left edge.
    inner = [polar(r, -90 + gap + i * (360 - 2 * gap) / 72) for i in range(73)]
    start, end = -90 + ear, 270 - ear
    rim = [polar(outer, start + i * (end - start) / 72, rise) for i in range(73)]
    left_lug = [polar(r + lug, 270 - ear + 4), polar(r + lug, 270 - gap)]
    right_lug = [polar(r + lug, -90 + gap), polar(r + lug, -90 + ear - 4)]
    left.line([*inner, *reversed(left_lug), *reversed(rim), *reversed(right_lug)], closed=True)
    for side in (-1, 1):
        left.circle(*polar(r + lug / 2, -90 + side * (gap + ear) / 2), lug * 0.2)
    left.cross(0, 0, extent)
    left.dim_y(-r, r, -r * 0.2 - extent * 0.8, f"Ø{number(g['free'])}", -16)
    top = outer + rise
    bottom = -(r + lug) * math.cos(math.radians(gap))
    front.rect(0, bottom, t, top)
    front.line([(0, bottom + lug), (t, bottom + lug)])
    front.axis(0, 0, t, 0)
    front.dim_x(0, t, bottom, number(t), -14)
    sheet.note(f"FOR SHAFT Ø{number(g['bore'])}")


def _o_ring_nominal(rng: np.random.Generator, standard: str) -> Dims:
    table = O_RING_JIS if standard.startswith("JIS") else O_RING_ISO
    bore, section = list(table.values())[int(rng.integers(len(table)))]
    return {"bore": bore, "thickness": section, "diameter": round(bore + 2 * section, 2)}


def _o_ring_label(g: Mapping[str, float]) -> str:
    size = (round(g["bore"], 2), g["thickness"])
    for table in (O_RING_JIS, O_RING_ISO):
        for name, (bore, section) in table.items():
            if (round(bore, 2), section) == size:
                return name
    return f"{number(g['bore'])}×{number(g['thickness'])}"


def _oring_volume(g: Mapping[str, float]) -> float:
    return math.pi * (g["bore"] + g["thickness"]) * math.pi / 4 * g["thickness"] ** 2


def _draw_o_ring(sheet: Sheet, g: Mapping[str, float]) -> None:
    hole, w = g["bore"] / 2, g["thickness"]
    r, mid, wire = hole + w, hole + w / 2, w / 2
    front, left = sheet.beside(
        Box(-wire, -r, wire, r, left=22, right=50, above=14, below=24),
        Box(-r, -r, r, r, left=16, right=16, above=14, below=24),
    )
    circle = [(wire * math.cos(i * math.pi / 16), wire * math.sin(i * math.pi / 16)) for i in range(32)]
    for side in (1, -1):
        front.hatch([(x, y + side * mid) for x, y in circle])
        front.circle(0, side * mid, wire)
    for x in (wire, -wire):
        front.line([(x, mid), (x, -mid)])
    front.axis(-wire, 0, wire, 0)
    front.dim_x(-wire, wire, -mid, f"Ø{number(w)}", -(wire * front.scale + 14))
    front.dim_y(-hole, hole, wire, f"Ø{number(g['bore'])}", 22)
    left.circle(0, 0, r)
    left.circle(0, 0, hole)
    left.circle(0, 0, mid, CENTRE)
    left.cross(0, 0, r)


def _spring_nominal(rng: np.random.Generator, standard: str) -> Dims:
    wire = choose(rng, WIRE)
    outer = round(wire * choose(rng, (6, 7, 8, 9, 10)) + wire)
    return {"wire": wire, "diameter": float(max(outer, math.ceil(4.5 * wire)))}


def _spring_vary(g: Dims, rng: np.random.Generator) -> Dims:
    active = float(rng.integers(4, 10))
    pitch = round((g["diameter"] - g["wire"]) * choose(rng, (0.3, 0.35, 0.4, 0.45)), 1)
    length = float(round(active * pitch + 3 * g["wire"]))
    return {"count": active, "length": length, "bore": round(g["diameter"] - 2 * g["wire"], 2)}


def _spring_label(g: Mapping[str, float]) -> str:
    return f"{number(g['wire'])}×{number(g['diameter'])}×{number(g['length'])}"


def _spring_volume(g: Mapping[str, float]) -> float:
    turn = math.pi * (g["diameter"] - g["wire"])
    return math.pi / 4 * g["wire"] ** 2 * turn * (g["count"] + 2)


def _draw_spring(sheet: Sheet, g: Mapping[str, float]) -> None:
    wire, length, active = g["wire"], g["length"], int(g["count"])
    r = g["diameter"] / 2
    mid, w = r - wire / 2, wire / 2
    front, left = sheet.beside(
        Box(0, -r, length, r, left=14, right=46, above=14, below=24),
        Box(-r, -r, r, r, left=20, right=16, above=14, below=24),
    )
    sheet.note(f"ACTIVE COILS {active}")
    sheet.note(f"WIRE Ø{number(wire)}")
    sheet.note("ENDS CLOSED, GROUND")
    # Wire centres at the top and the bottom of every half turn; one closed turn at either end.
    step = (length - 3 * wire) / active
    top = [w, *(1.5 * wire + i * step for i in range(active + 1)), length - w]
    bottom = [(a + b) / 2 for a, b in itertools.pairwise(top)]

    def strand(x0: float, y0: float, x1: float, y1: float) -> None:
        run = math.hypot(x1 - x0, y1 - y0)
        nx, ny = -(y1 - y0) / run * w, (x1 - x0) / run * w
        turn = math.atan2(ny, nx)
        ends = [turn + math.pi * i / 8 for i in range(9)]
        cap0 = [(x0 + w * math.cos(a), y0 + w * math.sin(a)) for a in ends]
        cap1 = [(x1 - w * math.cos(a), y1 - w * math.sin(a)) for a in ends]
        front.blank([*cap0, *cap1])
        front.line([*cap0, *cap1], closed=True)

    for x0, x1 in zip(bottom, top[1:], strict=True):
        strand(x0, -mid, x1, mid)
    for x0, x1 in zip(top, bottom, strict=False):
        strand(x0, mid, x1, -mid)
    for x in (0.0, length):
        front.line([(x, r), (x, -r)])
    front.axis(0, 0, length, 0)
    front.dim_x(0, length, -r, number(length), -14)
    front.dim_y(-r, r, length, f"Ø{number(2 * r)}", 22)
    left.circle(0, 0, r)
    left.circle(0, 0, r - wire)
    left.cross(0, 0, r)


PINS = (
    Kind(
        name="parallel pin", group="pin",
        en=("parallel pin", "dowel pin", "straight pin"), ja=("平行ピン", "ノックピン", "ダウエルピン"),
        standards=("ISO 2338", "ISO 8734", "JIS B 1354"), materials=("S45C", "SUJ2", "SUS303", "SUS304"),
        nominal=_pin_nominal, vary=_pin_vary, label=_pin_label,
        phrases=("{diameter}x{length}", "{diameter}mm", "dia {diameter} x {length}"), volume=_pin_volume, draw=_draw_pin,
    ),
    Kind(
        name="key", group="pin",
        en=("parallel key", "key", "feather key"), ja=("平行キー", "キー", "沈みキー"),
        standards=("DIN 6885", "JIS B 1301"), materials=("S45C", "SUS304", "SUS316"),
        nominal=_key_nominal, vary=_key_vary, label=_key_label,
        phrases=("{width}x{thickness}x{length}", "{width}x{thickness}", "{width}mm"), volume=_key_volume, draw=_draw_key,
    ),
    Kind(
        name="circlip", group="ring",
        en=("external circlip", "retaining ring", "snap ring"), ja=("C形止め輪", "止め輪", "スナップリング"),
        standards=("DIN 471", "JIS B 2804"), materials=("SK5", "SUS304"),
        nominal=_clip_nominal, vary=no_variation, label=lambda g: f"{number(g['bore'])}×{number(g['thickness'])}",
        phrases=("{bore}mm", "{bore}x{thickness}", "{bore}"), volume=_clip_volume, draw=_draw_clip,
    ),
    Kind(
        name="o-ring", group="ring",
        en=("o-ring", "o ring", "oring seal"), ja=("Oリング", "オーリング"),
        standards=("ISO 3601", "JIS B 2401"), materials=("NBR70", "FKM75", "VMQ50", "EPDM70"),
        nominal=_o_ring_nominal, vary=no_variation, label=_o_ring_label,
        phrases=("{bore}x{thickness}", "id {bore}", "{bore} x {thickness}"), volume=_oring_volume, draw=_draw_o_ring,
    ),
    Kind(
        name="spring", group="spring",
        en=("compression spring", "coil spring"), ja=("圧縮コイルばね", "圧縮ばね", "スプリング"),
        standards=("DIN 2098", "JIS B 2704"), materials=("SWP-A", "SUS304-WPB"),
        nominal=_spring_nominal, vary=_spring_vary, label=_spring_label,
        phrases=("od {diameter} x {length}", "wire {wire} od {diameter}", "{wire}x{diameter}x{length}"),
        volume=_spring_volume, draw=_draw_spring,
    ),
)  # fmt: skip
