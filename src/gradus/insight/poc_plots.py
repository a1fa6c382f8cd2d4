"""The plots of the proof of concept: SVG that scales with the page, in its colours, with values to point at.

What can be pointed at is an element of class `mark` with its words in `<title>`: browsers show these by themselves,
and the page's program shows them at once.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from gradus.insight.poc_names import place_names
from gradus.insight.poc_scale import steps

WIDTH, HEIGHT = 560, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 44


@dataclass(frozen=True)
class Dot:
    """A point with its name, role (`baseline`, `system` or `other`) and the words that are shown for it."""

    x: float
    y: float
    name: str
    role: str
    told: str


@dataclass(frozen=True)
class Whisker:
    """A point with an interval above and below it, and the words that are shown for it."""

    x: float
    y: float
    low: float
    high: float
    told: str


def plot_scatter(
    dots: Sequence[Dot], x_label: str, y_label: str, title: str, limit: tuple[float, str] | None = None
) -> Markup:
    """Named points over a logarithmic axis.

    Args:
        dots: At least one, x above 0.
        x_label: What x is.
        y_label: What y is.
        title: What a screen reader says.
        limit: An x that is not to be passed, and its name.
    """
    xs = [dot.x for dot in dots] + ([limit[0]] if limit else [])
    low, high = math.log10(min(xs)) - 0.12, math.log10(max(xs)) + 0.12
    if high - low < 1:
        low, high = (low + high) / 2 - 0.5, (low + high) / 2 + 0.5
    bottom, top = _padded([dot.y for dot in dots], 0.18)

    def across(x: float) -> float:
        return _LEFT + (math.log10(x) - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def up(y: float) -> float:
        return _up(y, bottom, top)

    ticks = [
        (across(step * 10.0**power), f"{step * 10.0**power:g}")
        for power in range(math.floor(low), math.ceil(high) + 1)
        for step in (1, 2, 5)
        if low <= math.log10(step) + power <= high
    ]
    parts = [_frame(ticks, [(up(y), _short(y)) for y in steps(bottom, top, 5)], x_label, y_label)]
    if limit:
        at = across(limit[0])
        parts.append(
            Markup(
                '<path class="limit" d="M{0:.1f} {1}V{2}"/><text class="small" x="{3:.1f}" y="{4}" text-anchor="{5}">{6}</text>'
            ).format(
                at,
                _TOP,
                HEIGHT - _BOTTOM,
                at + (-5 if at > WIDTH / 2 else 5),
                _TOP + 10,
                "end" if at > WIDTH / 2 else "start",
                limit[1],
            )
        )
    # What the page is about is named first, closest to its points.
    dots = sorted(dots, key=lambda dot: (dot.role == "other", -dot.y))
    walls = [(across(limit[0]), _TOP, across(limit[0]), HEIGHT)] if limit else []
    names = place_names(
        [(across(dot.x), up(dot.y)) for dot in dots],
        [sum(8 if character.isascii() else 14 for character in dot.name) for dot in dots],
        (_LEFT, _TOP, WIDTH, HEIGHT - _BOTTOM),
        walls,
    )
    for dot, name in zip(dots, names, strict=True):
        x, y = across(dot.x), up(dot.y)
        lead = Markup('<path class="lead" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(
            x, y, name.x + (2 if name.left else -2), name.y
        )
        parts.append(
            Markup(
                '<g class="mark {role}" tabindex="0" translate="no"><title>{told}</title>{lead}<circle cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
                '<text x="{at:.1f}" y="{text:.1f}" text-anchor="{side}">{name}</text></g>'
            ).format(
                role=dot.role,
                told=dot.told,
                lead=lead if name.y != y else "",
                x=x,
                y=y,
                at=name.x,
                text=name.y + 4,
                side="end" if name.left else "start",
                name=dot.name,
            )
        )
    return _svg(parts, title)


def plot_line(
    points: Sequence[Whisker],
    slope: tuple[float, float, float],
    allowed: tuple[float, str],
    x_label: str,
    y_label: str,
    title: str,
) -> Markup:
    """Points with intervals, the band of a line through the origin, and a level that is allowed.

    Args:
        points: At least one; x counts windows, y is a share.
        slope: Of the line: its mean, low and high end; NaN leaves the band out.
        allowed: The level, a share, and its name.
        x_label: What x is.
        y_label: What y is.
        title: What a screen reader says.
    """
    right = max(point.x for point in points) * 1.08
    ends = [value for p in points for value in (p.y, p.low, p.high) if math.isfinite(value)]
    bottom, top = _padded([0.0, allowed[0], *ends], 0.08)

    def across(x: float) -> float:
        return _LEFT + x / right * (WIDTH - _LEFT - _RIGHT)

    def up(y: float) -> float:
        return _up(y, bottom, top)

    ages = [0, *(round(point.x) for point in points)]
    levels = [(up(y), _percent(y)) for y in steps(bottom, top, 5)]
    parts = [_frame([(across(age), f"{age}") for age in ages], levels, x_label, y_label)]
    mean, low, high = slope
    if all(map(math.isfinite, slope)):
        corners = [(0.0, 0.0), (right, low * right), (right, high * right)]
        drawn = " ".join(f"{across(x):.1f},{up(min(max(y, bottom), top)):.1f}" for x, y in corners)
        parts.append(Markup('<polygon class="band" points="{}"/>').format(drawn))
        parts.append(
            Markup('<path class="fit" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(
                across(0), up(0), across(right), up(min(max(mean * right, bottom), top))
            )
        )
    parts.append(
        Markup(
            '<path class="limit" d="M{} {:.1f}H{}"/><text class="small" x="{}" y="{:.1f}">{}</text>'
        ).format(_LEFT, up(allowed[0]), WIDTH - _RIGHT, _LEFT + 6, up(allowed[0]) - 5, allowed[1])
    )
    for point in points:
        stem = ""
        if math.isfinite(point.low) and math.isfinite(point.high):
            stem = f"M{across(point.x):.1f} {up(point.low):.1f}V{up(point.high):.1f}"
        parts.append(
            Markup(
                '<g class="mark system" tabindex="0"><title>{}</title><path class="stem" d="{}"/>'
                '<circle cx="{:.1f}" cy="{:.1f}" r="6"/></g>'
            ).format(point.told, stem, across(point.x), up(point.y))
        )
    return _svg(parts, title)


def _svg(parts: Iterable[Markup], title: str) -> Markup:
    return Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join(parts)
    )


def _frame(
    across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]], x_label: str, y_label: str
) -> Markup:
    """The grid, its numbers and the names of both axes."""
    floor = HEIGHT - _BOTTOM
    lines = [Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(_LEFT, y, WIDTH - _RIGHT) for y, _ in up]
    numbers = [
        *(
            Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
                _LEFT - 8, y + 4, text
            )
            for y, text in up
        ),
        *(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                x, floor + 18, text
            )
            for x, text in across
        ),
    ]
    names = Markup(
        '<text class="axis" x="{}" y="{}" text-anchor="end">{}</text><text class="axis" x="{}" y="{}">{}</text>'
    ).format(WIDTH - _RIGHT, HEIGHT - 6, x_label, 0, _TOP - 2, escape(y_label))
    return Markup("").join([*lines, *numbers, names])


def _up(y: float, bottom: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (y - bottom) / (top - bottom) * (HEIGHT - _TOP - _BOTTOM - 12)


def _padded(values: Sequence[float], share: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = share * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def _short(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %".replace("-", "−") if abs(share) > 1e-12 else "0 %"
