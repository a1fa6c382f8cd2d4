"""What drives and is driven: spur gears, V-belt pulleys."""

import math
from collections.abc import Mapping

import numpy as np

from gradus.catalog.samples.kinds.shapes import choose, keyed_bore, mirror
from gradus.catalog.samples.parts import Dims, Kind
from gradus.catalog.samples.pen import CENTRE, HIDDEN, THIN, Point
from gradus.catalog.samples.sheet import Box, Sheet, number
from gradus.catalog.samples.tables import GROOVE, KEY, MODULES, PULLEY_DIAMETERS, SHAFT_DIAMETERS, key_width


def _gear_nominal(rng: np.random.Generator, standard: str) -> Dims:
    module = choose(rng, MODULES)
    teeth = choose(rng, (15, 16, 18, 20, 22, 24, 25, 28, 30, 32, 36, 40, 45, 48, 50, 60))
    return {"pitch": module, "count": teeth, "diameter": module * (teeth + 2)}


def _gear_vary(g: Dims, rng: np.random.Generator) -> Dims:
    pitch_d = g["pitch"] * g["count"]
    root = pitch_d - 2.5 * g["pitch"]
    bores = tuple(b for b in (3, 4, 5, 6, 8, *SHAFT_DIAMETERS) if 0.15 * root < b < 0.45 * root)
    bore = choose(rng, bores or (round(0.3 * root, 1),))
    width = max(2.0, round(g["pitch"] * choose(rng, (8, 10, 12))))
    hub = float(rng.random() < 0.55)
    keyed = float(bore >= 8 and rng.random() < 0.6)
    hub_d = min(round(bore * 1.7 + 3), math.floor(root * 0.8)) if hub else 0.0
    return {
        "bore": bore,
        "width": width,
        "hub_d": hub_d,
        "hub": round(width * 0.6, 1) if hub_d else 0.0,
        "key": float(key_width(bore)) if keyed else 0.0,
    }


def _gear_label(g: Mapping[str, float]) -> str:
    return f"m{number(g['pitch'])} z{number(g['count'])}"


def _gear_volume(g: Mapping[str, float]) -> float:
    pitch_d = g["pitch"] * g["count"]
    hub = max(0.0, g["hub_d"] ** 2 - g["bore"] ** 2) * g["hub"]
    return math.pi / 4 * ((pitch_d**2 - g["bore"] ** 2) * g["width"] + hub)


def _draw_gear(sheet: Sheet, g: Mapping[str, float]) -> None:
    m, tip, hole, w = g["pitch"], g["diameter"] / 2, g["bore"] / 2, g["width"]
    ref, root, key, hub, hub_r = m * g["count"] / 2, tip - 2.25 * m, g["key"], g["hub"], g["hub_d"] / 2
    for line in (f"MODULE {number(m)}", f"TEETH {number(g['count'])}", "PRESSURE ANGLE 20°"):
        sheet.note(line)
    front, left = sheet.beside(
        Box(0, -tip, w + hub, tip, left=30, right=40, above=10, below=24),
        Box(-tip, -tip, tip, tip, left=16, right=18, above=10, below=24),
    )
    top = hole + (KEY[int(key)][4] if key else 0)
    # A tooth is never hatched: the cut face ends at the root, and the tooth above it stays blank.
    upper: list[Point] = [(0, top), (0, root), (w, root)]
    upper += [(w, hub_r), (w + hub, hub_r), (w + hub, top)] if hub else [(w, top)]
    lower: list[Point] = [(0, -hole), (0, -root), (w, -root)]
    lower += [(w, -hub_r), (w + hub, -hub_r), (w + hub, -hole)] if hub else [(w, -hole)]
    for half in (upper, lower):
        front.hatch(half)
        front.line(half, closed=True)
    for side in (1, -1):
        front.line([(0, side * root), (0, side * tip), (w, side * tip), (w, side * root)])
        front.axis(0, side * ref, w, side * ref, beyond=4)
    front.line([(0, hole), (w + hub, hole)])
    for x in (0.0, w + hub):
        front.line([(x, top), (x, -hole)])
    front.axis(0, 0, w + hub, 0)
    front.dim_x(0, w, -tip, number(w), -14)
    front.dim_y(-hole, hole, w + hub, f"Ø{number(2 * hole)}", 22)
    front.dim_y(-tip, tip, 0, f"Ø{number(2 * tip)}", -16)
    left.circle(0, 0, tip)
    left.circle(0, 0, ref, CENTRE)
    left.circle(0, 0, root, THIN)
    if hub:
        left.arc(0, 0, hub_r, 0, 360, HIDDEN)
    if key:
        keyed_bore(left, hole, key)
    else:
        left.circle(0, 0, hole)
    left.cross(0, 0, tip)


def _pulley_nominal(rng: np.random.Generator, standard: str) -> Dims:
    belt = float(rng.integers(2))
    diameter = choose(rng, PULLEY_DIAMETERS if not belt else PULLEY_DIAMETERS[5:])
    return {"belt": belt, "pitch_d": diameter, "count": float(1 + rng.integers(3))}


def _pulley_vary(g: Dims, rng: np.random.Generator) -> Dims:
    _, _, above, edge, spacing = GROOVE["AB"[int(g["belt"])]]
    bore = choose(rng, tuple(b for b in SHAFT_DIAMETERS if 0.09 * g["pitch_d"] < b < 0.3 * g["pitch_d"]))
    return {
        "diameter": g["pitch_d"] + 2 * above,
        "bore": bore,
        "width": 2 * edge + (g["count"] - 1) * spacing,
        "key": float(key_width(bore)),
        "web": float(g["pitch_d"] >= 125),
    }


def _pulley_label(g: Mapping[str, float]) -> str:
    return f"{'AB'[int(g['belt'])]}-{number(g['pitch_d'])}×{number(g['count'])}"


def _pulley_volume(g: Mapping[str, float]) -> float:
    return math.pi / 4 * (g["pitch_d"] ** 2 - g["bore"] ** 2) * g["width"] * (0.55 if g["web"] else 0.85)


def _draw_pulley(sheet: Sheet, g: Mapping[str, float]) -> None:
    r, hole, w, key = g["diameter"] / 2, g["bore"] / 2, g["width"], g["key"]
    mouth, depth, above, edge, spacing = GROOVE["AB"[int(g["belt"])]]
    sheet.note(f"V-BELT {'AB'[int(g['belt'])]}, {number(g['count'])} GROOVE")
    front, left = sheet.beside(
        Box(0, -r, w, r, left=30, right=40, above=10, below=24),
        Box(-r, -r, r, r, left=16, right=18, above=10, below=24),
    )
    rim: list[Point] = [(0, r)]
    narrow = mouth / 2 - depth * math.tan(math.radians(19))
    for i in range(int(g["count"])):
        x = edge + i * spacing
        rim += [(x - mouth / 2, r), (x - narrow, r - depth), (x + narrow, r - depth), (x + mouth / 2, r)]
    rim.append((w, r))
    floor, hub = r - depth - 0.5 * depth, hole * 1.75
    web0, web1 = 0.32 * w, 0.68 * w
    waist = bool(g["web"]) and floor > hub * 1.15

    def profile(bottom: float) -> list[Point]:
        if not waist:
            return [(0, bottom), *rim, (w, bottom)]
        right_side = [(w, floor), (web1, floor), (web1, hub), (w, hub), (w, bottom)]
        return [(0, bottom), (0, hub), (web0, hub), (web0, floor), (0, floor), *rim, *right_side]

    top = hole + KEY[int(key)][4]
    lower = mirror(profile(hole))
    for half in (profile(top), lower):
        front.hatch(half)
        front.line(half, closed=True)
    front.line([(0, hole), (w, hole)])
    for x in (0.0, w):
        front.line([(x, top), (x, -hole)])
    for side in (1, -1):
        front.axis(0, side * (r - above), w, side * (r - above), beyond=3)
    front.axis(0, 0, w, 0)
    front.dim_x(0, w, -r, number(w), -14)
    front.dim_y(-hole, hole, w, f"Ø{number(2 * hole)}", 22)
    front.dim_y(-r, r, 0, f"Ø{number(2 * r)}", -16)
    left.circle(0, 0, r)
    left.circle(0, 0, r - above, CENTRE)
    if waist:
        left.circle(0, 0, floor)
        left.circle(0, 0, hub)
    keyed_bore(left, hole, key)
    left.cross(0, 0, r)


DRIVES = (
    Kind(
        name="spur gear", group="drive",
        en=("spur gear", "gear"), ja=("平歯車", "スパーギヤ", "歯車"),
        standards=("ISO 53", "JIS B 1701"), materials=("S45C", "SCM435", "SUS304", "C3604", "POM", "MC901"),
        nominal=_gear_nominal, vary=_gear_vary, label=_gear_label,
        phrases=("m{pitch} z{count}", "module {pitch} {count}T", "m{pitch} {count}T bore {bore}", "m{pitch}"),
        volume=_gear_volume, draw=_draw_gear,
    ),
    Kind(
        name="pulley", group="drive",
        en=("v-belt pulley", "pulley", "v pulley"), ja=("Vプーリ", "プーリ", "プーリー"),
        standards=("ISO 4183", "JIS B 1854"), materials=("FC200", "S45C", "A2017"),
        nominal=_pulley_nominal, vary=_pulley_vary, label=_pulley_label,
        phrases=("{pitch_d} bore {bore}", "pcd {pitch_d}", "{pitch_d} x {count}"),
        volume=_pulley_volume, draw=_draw_pulley,
    ),
)  # fmt: skip
