"""The drawing sheet: views at a standard scale, dimensions, border, title block, projection symbol.

A sheet stands for A4 landscape, one pixel to about one millimetre of paper, so scales are honest.
Views of one part share an axis: in third-angle projection (JIS) the view from the left lies on the left
and the plan above; in first-angle projection (ISO, EN, DIN) they lie on the other side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradus.catalog.samples.pen import CENTRE, THICK, THIN, Line, Pen, Point, arc_points, text_width

WIDTH, HEIGHT = 320, 240
MARGIN = 5
BLOCK_WIDTH, BLOCK_HEIGHT = 190, 33
LETTER = 9.0

# ISO 5455 and intermediate scales in the manner of JIS Z 8314, largest first.
SCALES = (
    20,
    15,
    10,
    7,
    5,
    4,
    3,
    2.5,
    2,
    1.5,
    1,
    1 / 1.5,
    1 / 2,
    1 / 2.5,
    1 / 3,
    1 / 4,
    1 / 5,
    1 / 7.5,
    1 / 10,
)


@dataclass(frozen=True)
class Look:
    """How a sheet is shown: catalogue sheets are complete; pictures in queries leave things out."""

    weight: float = 1.0
    hatch_pitch: float = 4.0
    block: bool = True
    dimensions: bool = True
    second_view: bool = True
    zoom: float = 1.0


@dataclass(frozen=True)
class Box:
    """The extent of a view in millimetres, x to the right and y upwards, with room (pixels) around it."""

    x0: float
    y0: float
    x1: float
    y1: float
    left: float = 6
    right: float = 6
    above: float = 6
    below: float = 6


@dataclass(frozen=True)
class Heading:
    """The words of the title block."""

    name: str
    size: str
    material: str
    finish: str
    standard: str
    number: str


def number(value: float) -> str:
    """Return a dimension's value without trailing zeros: 8, 1.25."""
    return f"{round(value, 2):g}"


class View:
    """One view: millimetres of the part to pixels of the sheet."""

    def __init__(self, pen: Pen, origin: Point, scale: float, look: Look, shown: bool = True) -> None:
        self.pen = pen
        self.scale = scale
        self.look = look
        self._origin = origin
        self._shown = shown

    def at(self, x: float, y: float) -> Point:
        """Return where a point of the part falls on the sheet."""
        return self._origin[0] + x * self.scale, self._origin[1] - y * self.scale

    def _path(self, points: Sequence[Point]) -> list[Point]:
        return [self.at(*p) for p in points]

    def line(self, points: Sequence[Point], line: Line = THICK, closed: bool = False) -> None:
        """Draw a polyline of the part."""
        if self._shown:
            self.pen.stroke(self._path(points), line, closed)

    def rect(self, x0: float, y0: float, x1: float, y1: float, line: Line = THICK) -> None:
        """Draw a rectangle of the part."""
        self.line([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], line, closed=True)

    def circle(self, x: float, y: float, radius: float, line: Line = THICK) -> None:
        """Draw a circle of the part."""
        if self._shown:
            self.pen.circle(self.at(x, y), radius * self.scale, line)

    def arc(self, x: float, y: float, radius: float, start: float, end: float, line: Line = THICK) -> None:
        """Draw an arc of the part, angles in degrees counter-clockwise."""
        if self._shown:
            self.pen.stroke(arc_points(self.at(x, y), radius * self.scale, start, end), line)

    def blank(self, points: Sequence[Point]) -> None:
        """Hide what lies behind a polygon."""
        if self._shown:
            self.pen.fill(self._path(points))

    def hatch(self, outline: Sequence[Point], *holes: Sequence[Point], left: bool = False) -> None:
        """Hatch a cut face; `left` leans the lines the other way, for a second part of an assembly."""
        if self._shown:
            cuts = [self._path(hole) for hole in holes]
            self.pen.hatch(self._path(outline), cuts, self.look.hatch_pitch, left)

    def axis(self, x0: float, y0: float, x1: float, y1: float, beyond: float = 5) -> None:
        """Draw a centre line that runs `beyond` pixels past both ends."""
        if not self._shown:
            return
        (px0, py0), (px1, py1) = self.at(x0, y0), self.at(x1, y1)
        length = math.hypot(px1 - px0, py1 - py0) or 1.0
        dx, dy = (px1 - px0) / length * beyond, (py1 - py0) / length * beyond
        self.pen.stroke([(px0 - dx, py0 - dy), (px1 + dx, py1 + dy)], CENTRE)

    def cross(self, x: float, y: float, radius: float, beyond: float = 5) -> None:
        """Mark a circle's centre with two centre lines; small circles get a short solid cross."""
        if radius * self.scale < 7:
            r = radius + 2.5 / self.scale
            self.line([(x - r, y), (x + r, y)], THIN)
            self.line([(x, y - r), (x, y + r)], THIN)
            return
        self.axis(x - radius, y, x + radius, y, beyond)
        self.axis(x, y - radius, x, y + radius, beyond)

    def dim_x(self, x0: float, x1: float, y: float, text: str, away: float) -> None:
        """Dimension x0..x1 by a line `away` pixels above (negative: below) the height `y` of the part."""
        if not (self._shown and self.look.dimensions):
            return
        (a, py), (b, _) = self.at(min(x0, x1), y), self.at(max(x0, x1), y)
        at = py - away
        sign = 1 if away > 0 else -1
        for x in (a, b):
            self.pen.stroke([(x, py - 1.5 * sign), (x, at - 2.5 * sign)], THIN)
        width = text_width(text, LETTER)
        middle = (a + b) / 2
        if b - a >= width + 3:
            self._span((a, at), (b, at), inside=b - a >= 16)
            self.pen.text((middle, at - 5.5), text, LETTER)
        elif a + width + 14 > WIDTH - MARGIN - (b - a) or self._crowded_right(b, width):
            self._span((a, at), (b, at), inside=b - a >= 16, tail_before=width + 9)
            self.pen.text((a - 8 - width / 2, at - 5.5), text, LETTER)
        else:
            self._span((a, at), (b, at), inside=b - a >= 16, tail_after=width + 9)
            self.pen.text((b + 8 + width / 2, at - 5.5), text, LETTER)

    def _crowded_right(self, x: float, width: float) -> bool:
        return x + width + 12 > WIDTH - MARGIN

    def dim_y(self, y0: float, y1: float, x: float, text: str, away: float) -> None:
        """Dimension y0..y1 by a line `away` pixels right (negative: left) of `x`; the text reads from the right."""
        if not (self._shown and self.look.dimensions):
            return
        (px, a), (_, b) = self.at(x, max(y0, y1)), self.at(x, min(y0, y1))
        at = px + away
        sign = 1 if away > 0 else -1
        for y in (a, b):
            self.pen.stroke([(px + 1.5 * sign, y), (at + 2.5 * sign, y)], THIN)
        width = text_width(text, LETTER)
        if b - a >= width + 3:
            self._span((at, a), (at, b), inside=b - a >= 16)
            self.pen.text((at - 5.5, (a + b) / 2), text, LETTER, upright=True)
        else:
            self._span((at, a), (at, b), inside=b - a >= 16, tail_before=width + 9)
            self.pen.text((at - 5.5, a - 8 - width / 2), text, LETTER, upright=True)

    def _span(self, p: Point, q: Point, inside: bool, tail_before: float = 0, tail_after: float = 0) -> None:
        """Draw a dimension line with arrowheads, turned outwards where there is no room inside."""
        ux, uy = (1.0, 0.0) if p[1] == q[1] else (0.0, 1.0)
        before = max(tail_before, 0 if inside else 9)
        after = max(tail_after, 0 if inside else 9)
        start = (p[0] - ux * before, p[1] - uy * before)
        end = (q[0] + ux * after, q[1] + uy * after)
        self.pen.stroke([start, end], THIN)
        self.pen.arrow(p, q if inside else (p[0] - ux, p[1] - uy))
        self.pen.arrow(q, p if inside else (q[0] + ux, q[1] + uy))

    def leader(self, x: float, y: float, dx: float, dy: float, text: str) -> None:
        """Point at (x, y) of the part from a note `dx`, `dy` pixels away (dy upwards)."""
        if not (self._shown and self.look.dimensions):
            return
        tip = self.at(x, y)
        width = text_width(text, LETTER)
        knee = (tip[0] + dx, tip[1] - dy)
        side = 1 if dx >= 0 else -1
        # A note that would leave the sheet slides back in; its leader just becomes steeper.
        low, high = MARGIN + 3, WIDTH - MARGIN - 3
        if side > 0:
            knee = (min(knee[0], high - width - 2), knee[1])
        else:
            knee = (max(knee[0], low + width + 2), knee[1])
        knee = (knee[0], min(max(knee[1], MARGIN + 12), HEIGHT - MARGIN - 4))
        end = (knee[0] + side * (width + 2), knee[1])
        self.pen.stroke([tip, knee, end], THIN)
        self.pen.arrow(tip, knee)
        self.pen.text(((knee[0] + end[0]) / 2, knee[1] - 5.5), text, LETTER)


class Sheet:
    """A sheet of paper with a border, and room for one or two aligned views."""

    def __init__(self, heading: Heading, look: Look) -> None:
        self.pen = Pen(WIDTH, HEIGHT, look.weight)
        self.look = look
        self.heading = heading
        self.third_angle = heading.standard.startswith("JIS")
        self.scale = 1.0
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        """Add a line of text at the bottom left, beside the title block (three lines at most)."""
        self._notes.append(text)

    def single(self, box: Box) -> View:
        """Lay out one view."""
        self._choose_scale(box.x1 - box.x0, box.y1 - box.y0, box.left + box.right, box.above + box.below)
        return self._place(box, self._centre())

    def beside(self, front: Box, left: Box) -> tuple[View, View]:
        """Lay out a front view and the view from the left, which share the height.

        Returns:
            The front view and the view from the left.
        """
        if not self.look.second_view:
            return self.single(front), self._hidden()
        gap = 6.0
        height = max(front.y1, left.y1) - min(front.y0, left.y0)
        pads = front.left + front.right + left.left + left.right + gap
        pad_y = max(front.above, left.above) + max(front.below, left.below)
        width = front.x1 - front.x0 + left.x1 - left.x0
        self._choose_scale(width, height, pads, pad_y)
        cx, cy = self._centre()
        cy += (max(front.above, left.above) - max(front.below, left.below)) / 2
        x = cx - (width * self.scale + pads) / 2
        y = cy + (max(front.y1, left.y1) + min(front.y0, left.y0)) / 2 * self.scale
        views = {}
        order = (left, front) if self.third_angle else (front, left)
        for box in order:
            x += box.left
            views[id(box)] = View(self.pen, (x - box.x0 * self.scale, y), self.scale, self.look)
            x += (box.x1 - box.x0) * self.scale + box.right + gap
        return views[id(front)], views[id(left)]

    def stacked(self, front: Box, plan: Box) -> tuple[View, View]:
        """Lay out a front view and the plan, the view from above, which share the width.

        A flat part is not understood from one of them, so both are always shown.

        Returns:
            The front view and the plan.
        """
        gap = 6.0
        width = max(front.x1, plan.x1) - min(front.x0, plan.x0)
        pads = front.above + front.below + plan.above + plan.below + gap
        left, right = max(front.left, plan.left), max(front.right, plan.right)
        height = front.y1 - front.y0 + plan.y1 - plan.y0
        self._choose_scale(width, height, left + right, pads)
        cx, cy = self._centre()
        x = cx + (left - right) / 2 - (max(front.x1, plan.x1) + min(front.x0, plan.x0)) / 2 * self.scale
        y = cy - (height * self.scale + pads) / 2
        views = {}
        order = (plan, front) if self.third_angle else (front, plan)
        for box in order:
            y += box.above
            views[id(box)] = View(self.pen, (x, y + box.y1 * self.scale), self.scale, self.look)
            y += (box.y1 - box.y0) * self.scale + box.below + gap
        return views[id(front)], views[id(plan)]

    def finish_frame(self) -> None:
        """Draw border, title block, projection symbol and notes."""
        if not self.look.block:
            return
        pen, head = self.pen, self.heading
        x1, y1 = WIDTH - MARGIN, HEIGHT - MARGIN
        x0, y0 = x1 - BLOCK_WIDTH, y1 - BLOCK_HEIGHT
        pen.stroke([(MARGIN, MARGIN), (x1, MARGIN), (x1, y1), (MARGIN, y1)], THICK, closed=True)
        pen.stroke([(x0, y1), (x0, y0), (x1, y0)], THICK)
        row = BLOCK_HEIGHT / 3
        split, symbol = x0 + 116, x1 - 30
        for i in (1, 2):
            pen.stroke([(x0, y0 + i * row), (x1 if i == 2 else symbol, y0 + i * row)], THIN)
        pen.stroke([(split, y0 + row), (split, y1)], THIN)
        pen.stroke([(symbol, y0), (symbol, y0 + 2 * row)], THIN)
        self._cell(x0, symbol, y0 + row / 2, f"{head.name} {head.size}", 9)
        self._cell(x0, split, y0 + 1.5 * row, f"{head.material} / {head.finish}", 8)
        self._cell(split, symbol, y0 + 1.5 * row, scale_text(self.scale), 8)
        self._cell(x0, split, y0 + 2.5 * row, head.standard, 8)
        self._cell(split, x1, y0 + 2.5 * row, head.number, 8)
        self._projection_symbol(symbol + 15, y0 + row)
        for i, line in enumerate(self._notes[:3]):
            width = text_width(line, 8)
            pen.text((MARGIN + 4 + width / 2, y0 + (i + 0.5) * row), line, 8, clear=False)

    def _cell(self, x0: float, x1: float, y: float, text: str, size: float) -> None:
        while text_width(text, size) > x1 - x0 - 4 and size > 5.5:
            size -= 0.5
        self.pen.text(((x0 + x1) / 2, y), text, size, clear=False)

    def _projection_symbol(self, x: float, y: float) -> None:
        """Draw the truncated cone of ISO 5456-2 and its end view."""
        side = 1 if self.third_angle else -1
        cone, ring = x + side * 6, x - side * 7
        # The ring shows both circles, so it is the view from the left, on the small end: it lies on the
        # left in third angle and on the right in first angle.
        small, large = cone - 5, cone + 5
        self.pen.stroke(
            [(small, y - 2.5), (large, y - 5), (large, y + 5), (small, y + 2.5)], THIN, closed=True
        )
        self.pen.circle((ring, y), 5, THIN)
        self.pen.circle((ring, y), 2.5, THIN)
        self.pen.stroke([(x - 14, y), (x + 14, y)], Line(0.5, (4, 1, 1, 1)))

    def _area(self) -> tuple[float, float, float, float]:
        if not self.look.block:
            return 2, 2, WIDTH - 2, HEIGHT - 2
        return MARGIN + 2, MARGIN + 2, WIDTH - MARGIN - 2, HEIGHT - MARGIN - BLOCK_HEIGHT - 2

    def _centre(self) -> Point:
        x0, y0, x1, y1 = self._area()
        return (x0 + x1) / 2, (y0 + y1) / 2

    def _choose_scale(self, width: float, height: float, pad_x: float, pad_y: float) -> None:
        x0, y0, x1, y1 = self._area()
        fit = min((x1 - x0 - pad_x) / width, (y1 - y0 - pad_y) / height)
        if self.look.zoom != 1.0 or not self.look.block:
            self.scale = fit * self.look.zoom
        else:
            self.scale = next((s for s in SCALES if s <= fit), fit)

    def _place(self, box: Box, centre: Point) -> View:
        x = centre[0] + (box.left - box.right) / 2 - (box.x0 + box.x1) / 2 * self.scale
        y = centre[1] + (box.above - box.below) / 2 + (box.y0 + box.y1) / 2 * self.scale
        return View(self.pen, (x, y), self.scale, self.look)

    def _hidden(self) -> View:
        return View(self.pen, (0, 0), self.scale, self.look, shown=False)


def scale_text(scale: float) -> str:
    """Return a scale as drawings write it: 2:1, 1:2.5."""
    return f"{number(scale)}:1" if scale >= 1 else f"1:{number(1 / scale)}"
