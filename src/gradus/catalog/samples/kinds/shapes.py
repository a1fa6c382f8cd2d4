"""Geometry and draws that several kinds share: threads, hexagons, sections, keyed bores."""

import math
from collections.abc import Mapping

import numpy as np

from gradus.catalog.samples.parts import Dims
from gradus.catalog.samples.pen import Point
from gradus.catalog.samples.sheet import View, number
from gradus.catalog.samples.tables import KEY, SCREW_LENGTHS

TAN30 = math.tan(math.radians(30))


def choose(rng: np.random.Generator, values: tuple[float, ...]) -> float:
    """Return one of `values` as a plain float."""
    return float(values[int(rng.integers(len(values)))])


def no_variation(g: Dims, rng: np.random.Generator) -> Dims:
    """Return no further dimensions: members of the family differ in finish alone."""
    return {}


def screw_length(d: float, shortest: float, rng: np.random.Generator, longest: float = 10.0) -> float:
    """Return a preferred length between `shortest` and `longest` diameters."""
    fits = tuple(x for x in SCREW_LENGTHS if shortest <= x <= min(200.0, longest * d))
    return choose(rng, fits or (next(x for x in SCREW_LENGTHS if x >= shortest),))


def ring_volume(g: Mapping[str, float]) -> float:
    """Return the volume of a ring of some diameter, bore and width or thickness."""
    return math.pi / 4 * (g["diameter"] ** 2 - g["bore"] ** 2) * g.get("width", g.get("thickness", 0.0))


def minor(d: float, pitch: float) -> float:
    """Return the minor diameter of a metric external thread: d − 1.2269 P (ISO 724, ISO 68-1)."""
    return d - 1.2269 * pitch


def thread_note(g: Mapping[str, float]) -> str:
    """Return a thread as dimensioned on drawings: M8×1.25."""
    return f"M{number(g['diameter'])}×{number(g['pitch'])}"


def hexagon(x: float, y: float, flats: float) -> list[tuple[float, float]]:
    """Return the corners of a hexagon with two of them above one another."""
    e = flats / math.sqrt(3)
    return [
        (x + e * math.cos(math.radians(30 + 60 * i)), y + e * math.sin(math.radians(30 + 60 * i)))
        for i in range(6)
    ]


def hex_profile(view: View, flats: float, x0: float, x1: float, both: bool = False) -> None:
    """Draw a hexagon across corners from the side, chamfered 30° at `x0` (and at `x1` if `both`).

    The chamfer cone meets each face in a hyperbola: at distance t from the middle of a face its radius is
    √((s/2)² + t²), so the edge lies (√((s/2)² + t²) − r₀)·tan 30° below the top.
    """
    e, land = flats / math.sqrt(3), 0.475 * flats  # half across corners, radius of the flat top
    steps = [i / 8 - 0.5 for i in range(9)]

    def depth(t: float) -> float:
        return (math.hypot(flats / 2, t * e) - land) * TAN30

    corner = depth(0.5)
    ends = ((x0, 1, True), (x1, -1, both))
    for x, sign, chamfered in ends:
        if chamfered:
            view.line([(x + sign * corner, e), (x, land), (x, -land), (x + sign * corner, -e)])
            view.line([(x + sign * depth(t), t * e) for t in steps])
            for side in (1, -1):
                view.line([(x + sign * depth(t), side * (0.75 * e + t * e / 2)) for t in steps])
        else:
            view.line([(x, e), (x, -e)])
    a, b = x0 + corner, x1 - (corner if both else 0)
    for y in (e, e / 2, -e / 2, -e):
        view.line([(a, y), (b, y)])


def mirror(points: list[Point]) -> list[Point]:
    """Return a half section's outline on the other side of the axis."""
    return [(x, -y) for x, y in points]


def section(view: View, outline: list[Point], left: bool = False) -> None:
    """Draw a cut face and its mirror image below the axis."""
    for half in (outline, mirror(outline)):
        view.hatch(half, left=left)
        view.line(half, closed=True)


def keyed_bore(view: View, radius: float, width: float) -> None:
    """Draw a bore seen from the end, with the keyway for a parallel key at the top."""
    depth = KEY[int(width)][4]
    half = width / 2
    foot = math.sqrt(radius**2 - half**2)
    turn = math.degrees(math.asin(half / radius))
    view.arc(0, 0, radius, 90 + turn, 450 - turn)
    view.line([(-half, foot), (-half, radius + depth), (half, radius + depth), (half, foot)])


def rounded_rectangle(view: View, x: float, y: float, r: float) -> None:
    """Draw a rectangle of half sizes `x`, `y` with corner radius `r`."""
    if not r:
        view.rect(-x, -y, x, y)
        return
    points: list[Point] = []
    for cx, cy, start in ((x - r, y - r, 0), (r - x, y - r, 90), (r - x, r - y, 180), (x - r, r - y, 270)):
        for i in range(7):
            a = math.radians(start + 15 * i)
            points.append((cx + r * math.cos(a), cy + r * math.sin(a)))
    view.line(points, closed=True)
