"""Bolts, screws and studs."""

import math
from collections.abc import Mapping

import numpy as np

from gradus.catalog.samples.kinds.shapes import (
    TAN30,
    choose,
    hex_profile,
    hexagon,
    minor,
    screw_length,
    thread_note,
)
from gradus.catalog.samples.parts import FASTENER_MATERIALS, Dims, Kind
from gradus.catalog.samples.pen import HIDDEN, THIN
from gradus.catalog.samples.sheet import Box, Sheet, View, number
from gradus.catalog.samples.tables import HEXAGON, PITCH, SET_SCREW, SOCKET


def screw_label(g: Mapping[str, float]) -> str:
    """Return M8×30."""
    return f"M{number(g['diameter'])}×{number(g['length'])}"


def threaded_end(view: View, g: Mapping[str, float], start: float, end: float, full: bool) -> None:
    """Draw a threaded shank from `start` to its chamfered `end`, with the thread's end line unless `full`."""
    r = g["diameter"] / 2
    core = minor(g["diameter"], g["pitch"]) / 2
    sign = 1 if end > start else -1
    tip = end - sign * (r - core)
    view.line([(start, r), (tip, r), (end, core), (end, -core), (tip, -r), (start, -r)])
    view.line([(tip, r), (tip, -r)])
    for y in (core, -core):
        view.line([(start, y), (tip, y)], THIN)
    if not full:
        view.line([(start, r), (start, -r)])


def _side_by_side(
    sheet: Sheet, x0: float, x1: float, half: float, below: float = 24, room: float = 46
) -> tuple[View, View]:
    return sheet.beside(
        Box(x0, -half, x1, half, left=14, right=room, above=22, below=below),
        Box(-half, -half, half, half, left=22, right=14, above=22, below=below),
    )


def _bolt_nominal(rng: np.random.Generator, standard: str) -> Dims:
    d = choose(rng, tuple(PITCH))
    flats, head, _, _ = HEXAGON[int(d)]
    return {
        "diameter": d,
        "pitch": PITCH[int(d)],
        "flats": flats,
        "head": head,
        "full": float(standard == "ISO 4017"),
    }


def _thread_length(d: float, length: float) -> float:
    """Return the reference thread length b of ISO 4014."""
    if length <= 125:
        return 2 * d + 6
    return 2 * d + 12 if length <= 200 else 2 * d + 25


def _bolt_vary(g: Dims, rng: np.random.Generator) -> Dims:
    d = g["diameter"]
    length = screw_length(d, 2 * d if g["full"] else 4 * d + 4, rng)
    thread = length if g["full"] else min(_thread_length(d, length), length)
    return {"length": length, "thread": thread}


def _bolt_volume(g: Mapping[str, float]) -> float:
    return (
        math.sqrt(3) / 2 * g["flats"] ** 2 * g["head"] + math.pi / 4 * g["diameter"] ** 2 * g["length"] * 0.92
    )


def _draw_bolt(sheet: Sheet, g: Mapping[str, float]) -> None:
    d, length, head, flats, thread = (g[k] for k in ("diameter", "length", "head", "flats", "thread"))
    e = flats / math.sqrt(3)
    front, left = _side_by_side(sheet, -head, length, e)
    hex_profile(front, flats, -head, 0)
    full = thread >= length - 0.01
    start = 0.0 if full else length - thread
    if not full:
        for y in (d / 2, -d / 2):
            front.line([(0, y), (start, y)])
    threaded_end(front, g, start, length, full)
    front.axis(-head, 0, length, 0)
    front.dim_x(0, length, -e, number(length), -14)
    front.dim_x(-head, 0, e, number(head), 10)
    if not full:
        front.dim_x(start, length, d / 2, number(thread), 16)
    front.dim_y(-d / 2, d / 2, length, thread_note(g), 20)
    left.line(hexagon(0, 0, flats), closed=True)
    left.circle(0, 0, 0.475 * flats)
    left.cross(0, 0, e)
    left.dim_x(-flats / 2, flats / 2, -e / 2, number(flats), -(e / 2 * left.scale + 14))


def _socket_nominal(rng: np.random.Generator, standard: str) -> Dims:
    d = choose(rng, tuple(PITCH))
    head, key, depth, thread = SOCKET[int(d)]
    return {"diameter": d, "pitch": PITCH[int(d)], "head_d": head, "key": key, "depth": depth, "b": thread}


def _socket_vary(g: Dims, rng: np.random.Generator) -> Dims:
    length = screw_length(g["diameter"], 1.6 * g["diameter"], rng)
    return {"length": length, "thread": length if length <= g["b"] + 3 * g["pitch"] else g["b"]}


def _socket_volume(g: Mapping[str, float]) -> float:
    d = g["diameter"]
    socket = math.sqrt(3) / 2 * g["key"] ** 2 * g["depth"]
    return math.pi / 4 * (g["head_d"] ** 2 * d + d**2 * g["length"] * 0.92) - socket


def _hex_socket(front: View, left: View, x: float, key: float, depth: float) -> None:
    """Draw a hexagon socket: hidden in the front view, visible from the left."""
    e = key / math.sqrt(3)
    front.line([(x, e), (x + depth, e), (x + depth + e * TAN30, 0), (x + depth, -e), (x, -e)], HIDDEN)
    front.line([(x + depth, e), (x + depth, -e)], HIDDEN)
    left.line(hexagon(0, 0, key), closed=True)


def _draw_socket(sheet: Sheet, g: Mapping[str, float]) -> None:
    d, length, head, thread = (g[k] for k in ("diameter", "length", "head_d", "thread"))
    r, c = head / 2, 0.06 * d
    front, left = _side_by_side(sheet, -d, length, r)
    front.line([(0, r), (-d + c, r), (-d, r - c), (-d, c - r), (-d + c, -r), (0, -r)], closed=True)
    front.line([(-d + c, r), (-d + c, -r)], THIN)
    full = thread >= length - 0.01
    start = 0.0 if full else length - thread
    if not full:
        for y in (d / 2, -d / 2):
            front.line([(0, y), (start, y)])
    threaded_end(front, g, start, length, full)
    _hex_socket(front, left, -d, g["key"], g["depth"])
    front.axis(-d, 0, length, 0)
    front.dim_x(0, length, -r, number(length), -14)
    front.dim_x(-d, 0, r, number(d), 10)
    if not full:
        front.dim_x(start, length, d / 2, number(thread), 16)
    front.dim_y(-d / 2, d / 2, length, thread_note(g), 20)
    left.circle(0, 0, r)
    left.cross(0, 0, r)
    left.dim_x(-r, r, 0, f"Ø{number(head)}", -(r * left.scale + 14))
    left.leader(g["key"] / 2, g["key"] * 0.2, 10 + r * left.scale, r * left.scale + 6, number(g["key"]))


def _set_nominal(rng: np.random.Generator, standard: str) -> Dims:
    d = choose(rng, tuple(SET_SCREW))
    key, depth = SET_SCREW[int(d)]
    cone = standard == "ISO 4027" or (standard.startswith("JIS") and rng.random() < 0.4)
    return {"diameter": d, "pitch": PITCH[int(d)], "key": key, "depth": depth, "cone": float(cone)}


def _set_vary(g: Dims, rng: np.random.Generator) -> Dims:
    return {"length": screw_length(g["diameter"], max(g["diameter"], g["depth"] * 1.6), rng, longest=5)}


def _draw_set(sheet: Sheet, g: Mapping[str, float]) -> None:
    d, length = g["diameter"], g["length"]
    r, core = d / 2, minor(d, g["pitch"]) / 2
    front, left = _side_by_side(sheet, 0, length, r)
    c = r - core
    point, tip = (length - core, 0.04 * d) if g["cone"] else (length - d * 0.18, core - d * 0.18 + c)
    front.line([(point, core), (c, core)], THIN)
    front.line([(point, -core), (c, -core)], THIN)
    shoulder = point - c
    top = [(0, core), (c, r), (shoulder, r), (point, core), (length, tip)]
    front.line([*top, *[(x, -y) for x, y in reversed(top)]], closed=True)
    for x in (c, shoulder):
        front.line([(x, r), (x, -r)])
    if g["cone"]:
        front.line([(point, core), (point, -core)], THIN)
    _hex_socket(front, left, 0, g["key"], g["depth"])
    front.axis(0, 0, length, 0)
    front.dim_x(0, length, -r, number(length), -14)
    front.dim_y(-r, r, length, thread_note(g), 20)
    left.circle(0, 0, r)
    left.arc(0, 0, core, 100, 370, THIN)
    left.cross(0, 0, r)
    left.leader(g["key"] / 2, g["key"] * 0.2, 8 + r * left.scale, r * left.scale + 6, number(g["key"]))


def _stud_nominal(rng: np.random.Generator, standard: str) -> Dims:
    d = choose(rng, tuple(x for x in PITCH if x >= 5))
    # DIN 938 screws in by 1 d, JIS B 1173 by 1.5 d.
    return {
        "diameter": d,
        "pitch": PITCH[int(d)],
        "metal_end": d * (1.5 if standard.startswith("JIS") else 1.0),
    }


def _stud_vary(g: Dims, rng: np.random.Generator) -> Dims:
    length = screw_length(g["diameter"], 3.2 * g["diameter"], rng)
    return {"length": length, "thread": min(_thread_length(g["diameter"], length), length * 0.75)}


def _draw_stud(sheet: Sheet, g: Mapping[str, float]) -> None:
    d, length, thread, metal = g["diameter"], g["length"], round(g["thread"], 1), g["metal_end"]
    r = d / 2
    front, left = _side_by_side(sheet, -metal, length, r)
    threaded_end(front, g, 0, -metal, full=False)
    threaded_end(front, g, length - thread, length, full=False)
    for y in (r, -r):
        front.line([(0, y), (length - thread, y)])
    front.axis(-metal, 0, length, 0)
    front.dim_x(0, length, -r, number(length), -14)
    front.dim_x(-metal, 0, -r, number(metal), -14)
    front.dim_x(length - thread, length, r, number(thread), 14)
    front.dim_y(-r, r, length, thread_note(g), 20)
    left.circle(0, 0, r)
    left.arc(0, 0, minor(d, g["pitch"]) / 2, 100, 370, THIN)
    left.cross(0, 0, r)


def _rod_volume(g: Mapping[str, float]) -> float:
    return math.pi / 4 * g["diameter"] ** 2 * (g["length"] + g.get("metal_end", 0.0)) * 0.88


_SCREW_PHRASES = (
    "M{diameter}x{length}",
    "M{diameter}",
    "M{diameter}x{pitch}x{length}",
    "M{diameter}-{length}",
)

SCREWS = (
    Kind(
        name="hex bolt", group="screw",
        en=("hex bolt", "hexagon head bolt", "hex head screw"), ja=("六角ボルト", "六角頭ボルト"),
        standards=("ISO 4017", "ISO 4014", "JIS B 1180"), materials=FASTENER_MATERIALS,
        nominal=_bolt_nominal, vary=_bolt_vary, label=screw_label, phrases=_SCREW_PHRASES,
        volume=_bolt_volume, draw=_draw_bolt,
    ),
    Kind(
        name="socket screw", group="screw",
        en=("socket head cap screw", "hex socket screw", "allen bolt"),
        ja=("六角穴付きボルト", "キャップボルト", "キャップスクリュー"),
        standards=("ISO 4762", "JIS B 1176"), materials=FASTENER_MATERIALS[1:],
        nominal=_socket_nominal, vary=_socket_vary, label=screw_label, phrases=_SCREW_PHRASES,
        volume=_socket_volume, draw=_draw_socket,
    ),
    Kind(
        name="set screw", group="screw",
        en=("set screw", "grub screw"), ja=("六角穴付き止めねじ", "いもねじ", "ホーローセット"),
        standards=("ISO 4026", "ISO 4027", "JIS B 1177"), materials=("SCM435", "S45C", "SUS304", "C3604"),
        nominal=_set_nominal, vary=_set_vary, label=screw_label, phrases=_SCREW_PHRASES,
        volume=_rod_volume, draw=_draw_set,
    ),
    Kind(
        name="stud", group="screw",
        en=("stud bolt", "double end stud"), ja=("植込みボルト", "スタッドボルト"),
        standards=("DIN 938", "JIS B 1173"), materials=("S45C", "SCM435", "SUS304", "SUS316"),
        nominal=_stud_nominal, vary=_stud_vary, label=screw_label, phrases=_SCREW_PHRASES,
        volume=_rod_volume, draw=_draw_stud,
    ),
)  # fmt: skip
