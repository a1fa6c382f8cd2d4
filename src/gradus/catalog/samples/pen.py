"""The pen: line types, lettering, arrowheads and hatching on a supersampled sheet of paper.

Line types follow ISO 128 (JIS Z 8312): visible outlines thick; dimension, extension and hatching lines
thin; hidden edges dashed; axes and pitch circles long-dash dot. Coordinates are pixels of the finished
picture, x to the right and y downwards; ink is laid at `OVERSAMPLING` times that and averaged down.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

OVERSAMPLING = 3
GREYS = 16

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line type: width and dash pattern (pen down, pen up, ...) in pixels; no pattern is solid."""

    width: float
    pattern: tuple[float, ...] = ()


THICK = Line(1.6)
THIN = Line(0.67)
HIDDEN = Line(0.75, (3.5, 1.8))
CENTRE = Line(0.67, (9.0, 1.8, 1.6, 1.8))


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def lettering(text: str, size: float) -> Image.Image:
    """Return `text` as an ink mask at the supersampled resolution.

    The face bundled with Pillow has neither Ø nor ×, so both are drawn as strokes.
    """
    height = round(size * OVERSAMPLING)
    font = _font(height)
    stroke = max(2, round(height * 0.085))
    mask = Image.new("L", (len(text) * height + height, round(height * 1.3)))
    draw = ImageDraw.Draw(mask)
    capital = height * 0.70
    base = height * 1.0
    x = float(stroke)
    run = ""
    for char in [*text, ""]:
        if char and char not in "Ø×":
            run += char
            continue
        if run:
            draw.text((x, base), run, fill=255, font=font, anchor="ls")
            x += font.getlength(run)
            run = ""
        if char == "Ø":
            r = capital * 0.42
            cx, cy = x + r + stroke, base - capital / 2
            draw.ellipse((cx - r, cy - r, cx + r, cy + r), outline=255, width=stroke)
            draw.line((cx - r, cy + r * 1.35, cx + r, cy - r * 1.35), fill=255, width=stroke)
            x += 2 * r + 2.5 * stroke
        elif char == "×":
            r = capital * 0.26
            cx, cy = x + r + stroke, base - capital * 0.42
            draw.line((cx - r, cy - r, cx + r, cy + r), fill=255, width=stroke)
            draw.line((cx - r, cy + r, cx + r, cy - r), fill=255, width=stroke)
            x += 2 * r + 2.5 * stroke
    return mask.crop((0, 0, math.ceil(x + stroke), mask.height))


def text_width(text: str, size: float) -> float:
    """Return the width of `text` in pixels of the finished picture."""
    return lettering(text, size).width / OVERSAMPLING


class Pen:
    """Draws on white paper of `width` × `height` pixels; `weight` scales all line widths."""

    def __init__(self, width: int, height: int, weight: float = 1.0) -> None:
        self.width = width
        self.height = height
        self.weight = weight
        self._image = Image.new("L", (width * OVERSAMPLING, height * OVERSAMPLING), 255)
        self._draw = ImageDraw.Draw(self._image)

    def stroke(self, points: Sequence[Point], line: Line = THICK, closed: bool = False) -> None:
        """Draw the polyline through `points`."""
        path = [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in points]
        width = max(1, round(line.width * self.weight * OVERSAMPLING))
        if closed:
            path += path[:2] if not line.pattern else path[:1]
        if not line.pattern:
            self._draw.line(path, fill=0, width=width, joint="curve")
            return
        for dash in _dashes(path, [step * OVERSAMPLING for step in line.pattern]):
            self._draw.line(dash, fill=0, width=width, joint="curve")

    def circle(self, centre: Point, radius: float, line: Line = THICK) -> None:
        """Draw a full circle."""
        if line.pattern:
            self.stroke(arc_points(centre, radius, 0, 360), line)
            return
        x, y = centre[0] * OVERSAMPLING, centre[1] * OVERSAMPLING
        width = max(1, round(line.width * self.weight * OVERSAMPLING))
        r = radius * OVERSAMPLING + width / 2
        self._draw.ellipse((x - r, y - r, x + r, y + r), outline=0, width=width)

    def fill(self, points: Sequence[Point], ink: int = 255) -> None:
        """Fill a polygon: 255 is paper (to hide what lies behind), 0 is ink."""
        self._draw.polygon([(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in points], fill=ink)

    def arrow(self, tip: Point, towards: Point, length: float = 6.0) -> None:
        """Draw a filled 15° arrowhead at `tip`, pointing away from `towards`."""
        angle = math.atan2(towards[1] - tip[1], towards[0] - tip[0])
        wings = [
            (tip[0] + length * math.cos(angle + turn), tip[1] + length * math.sin(angle + turn))
            for turn in (0.21, -0.21)
        ]
        self.fill([tip, *wings], ink=0)

    def text(self, centre: Point, text: str, size: float, upright: bool = False, clear: bool = True) -> None:
        """Write `text` around `centre`; `upright` reads from the right, `clear` blanks the paper behind."""
        mask = lettering(text, size)
        if upright:
            mask = mask.rotate(90, expand=True)
        x = round(centre[0] * OVERSAMPLING - mask.width / 2)
        y = round(centre[1] * OVERSAMPLING - mask.height / 2)
        if clear:
            # The mask has room for descenders, which would wipe out the dimension line under the text.
            inset = round(size * OVERSAMPLING * 0.2)
            dx, dy = (inset, 0) if upright else (0, inset)
            self._draw.rectangle((x + dx, y + dy, x + mask.width - dx, y + mask.height - dy), fill=255)
        self._image.paste(0, (x, y), mask)

    def hatch(
        self, outline: Sequence[Point], holes: Sequence[Sequence[Point]], pitch: float, left: bool
    ) -> None:
        """Hatch the polygon `outline` less `holes` with thin 45° lines every `pitch` pixels."""
        path = [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in outline]
        x0, y0 = (math.floor(min(axis)) for axis in zip(*path, strict=True))
        x1, y1 = (math.ceil(max(axis)) for axis in zip(*path, strict=True))
        size = (x1 - x0 + 1, y1 - y0 + 1)
        mask = Image.new("L", size)
        cut = ImageDraw.Draw(mask)
        cut.polygon([(x - x0, y - y0) for x, y in path], fill=255)
        for hole in holes:
            cut.polygon([(x * OVERSAMPLING - x0, y * OVERSAMPLING - y0) for x, y in hole], fill=0)
        lines = Image.new("L", size, 255)
        rule = ImageDraw.Draw(lines)
        step = pitch * OVERSAMPLING * math.sqrt(2)
        width = max(1, round(THIN.width * self.weight * OVERSAMPLING))
        # Lines are anchored to the sheet, not to the polygon, so that all faces of one part line up.
        anchor = (x0 - y0) if left else (x0 + y0)
        start = -(anchor % step) - (size[1] if left else 0)
        count = math.ceil((size[0] + size[1] + step) / step) + 1
        for i in range(count):
            c = start + i * step
            ends = (c, 0, c + size[1], size[1]) if left else (c, 0, c - size[1], size[1])
            rule.line(ends, fill=0, width=width)
        self._image.paste(lines, (x0, y0), mask)

    def finish(self) -> Image.Image:
        """Return the drawing, averaged down to its final size, in grey levels."""
        small = self._image.resize((self.width, self.height), Image.Resampling.BOX)
        # A little more ink than the average keeps thin lines and small lettering legible.
        return small.point([round(255 * (v / 255) ** 1.5) for v in range(256)])


def arc_points(centre: Point, radius: float, start: float, end: float) -> list[Point]:
    """Return points along an arc, angles in degrees counter-clockwise as seen on paper."""
    count = max(8, math.ceil(abs(end - start) / 360 * max(24.0, radius * 2.4)))
    angles = (math.radians(start + (end - start) * i / count) for i in range(count + 1))
    return [(centre[0] + radius * math.cos(a), centre[1] - radius * math.sin(a)) for a in angles]


def _dashes(path: Sequence[Point], pattern: Sequence[float]) -> list[list[Point]]:
    """Cut `path` into its pen-down pieces."""
    dashes: list[list[Point]] = []
    step, left, down = 0, pattern[0], True
    current = [path[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(path):
        length = math.hypot(x1 - x0, y1 - y0)
        done = 0.0
        while length - done > left:
            done += left
            point = (x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length)
            if down:
                dashes.append([*current, point])
            current = [point]
            step = (step + 1) % len(pattern)
            left, down = pattern[step], not down
        left -= length - done
        current.append((x1, y1))
    if down and len(current) > 1:
        dashes.append(current)
    return dashes


def save_png(image: Image.Image, path: str) -> None:
    """Write `image` as a 4-bit palette PNG of `GREYS` grey levels, a third of the size of 8 bits."""
    top = GREYS - 1
    indexed = image.point([round(v * top / 255) for v in range(256)])
    indexed = Image.frombytes("P", indexed.size, indexed.tobytes())
    indexed.putpalette([round(level * 255 / top) for level in range(GREYS) for _ in range(3)])
    indexed.save(path, format="PNG", bits=4, compress_level=6)
