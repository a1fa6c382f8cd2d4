"""Where the names of points go in a plot: beside their points, over no other point and no other name.

A name goes to the right of its point, or to the left; where something is there already, above or below, joined to its
point by a line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GAP = 11
"""From the centre of a point to its name."""
LINE = 20
"""Height of a name, room between lines included."""
_RADIUS = 8
_DETOUR = 40
"""How much farther a name may go in order not to lie over a wall."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Name:
    """Where a name lies: its near end at `x`, the middle of its height at `y`, growing to the left if `left`."""

    x: float
    y: float
    left: bool


def place_names(
    points: Sequence[tuple[float, float]], widths: Sequence[float], frame: Box, walls: Sequence[Box] = ()
) -> list[Name]:
    """Places for the names of points, those that come first the closest to theirs.

    Args:
        points: Their centres.
        widths: Of the names.
        frame: Where names may lie. One for which there is no room left lies over others, to the right of its point.
        walls: What names lie over only where there is no other place near.
    """
    dots = [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in points]
    taken: list[Box] = []
    names = []
    for number, (point, width) in enumerate(zip(points, widths, strict=True)):
        others = [*dots[:number], *dots[number + 1 :], *taken]

        def far(name: Name, y: float = point[1], width: float = width) -> float:
            return abs(name.y - y) + _DETOUR * any(_overlap(_box(name, width), wall) for wall in walls)

        free = (
            name
            for name in _places(*point, frame)
            if _inside(_box(name, width), frame)
            and not any(_overlap(_box(name, width), other) for other in others)
        )
        names.append(min(free, key=far, default=Name(point[0] + GAP, point[1], left=False)))
        taken.append(_box(names[-1], width))
    return names


def _places(x: float, y: float, frame: Box) -> Iterator[Name]:
    """Places from the nearest to the farthest."""
    for away in range(0, int(frame[3] - frame[1]), LINE // 2):
        for up in (-away, away):
            yield Name(x + GAP, y + up, left=False)
            yield Name(x - GAP, y + up, left=True)


def _box(name: Name, width: float) -> Box:
    start = name.x - width if name.left else name.x
    return start, name.y - LINE / 2, start + width, name.y + LINE / 2


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
