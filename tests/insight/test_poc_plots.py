"""The proof of concept's plots: marks lie where their values are, axes have round numbers, names do not collide."""

import math
import re
from itertools import combinations, pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.insight.poc_names import LINE, place_names
from gradus.insight.poc_plots import HEIGHT, WIDTH, Dot, Whisker, plot_line, plot_scatter
from gradus.insight.poc_scale import place, steps


def circles(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]


def test_places_are_percents() -> None:
    assert [place(value, -1, 3) for value in (-1, 0, 3)] == [0, 25, 100]


@given(st.floats(-100, 100), st.floats(0.01, 1e6), st.integers(2, 8))
def test_steps_are_round_and_inside(low: float, width: float, about: int) -> None:
    high = low + width
    found = steps(low, high, about)
    assert len(found) <= about + 1
    assert all(low - 1e-6 * width <= step <= high + 1e-6 * width for step in found)
    for one, other in pairwise(found):
        assert f"{other - one:.0e}"[0] in "125"


def test_steps_by_hand() -> None:
    assert steps(0, 1) == [0, 0.5, 1]
    assert steps(-0.05, 0.03) == pytest.approx([-0.04, -0.02, 0, 0.02])


def test_the_scatter_is_logarithmic() -> None:
    dots = [
        Dot(1, 0.5, "a", "other", "a: 1"),
        Dot(10, 0.7, "b", "system", "b: 10"),
        Dot(100, 0.6, "c", "baseline", "c"),
    ]
    svg = str(plot_scatter(dots, "ms", "nDCG", "title"))
    # What is compared first, from the best on, then the others: b, c, a; equal ratios are equal distances.
    (b, b_up), (c, c_up), (a, a_up) = circles(svg)
    assert c - b == pytest.approx(b - a, abs=0.2)
    assert a_up - c_up == pytest.approx(c_up - b_up, abs=0.2)
    assert "<title>b: 10</title>" in svg
    for number in ("1", "2", "5", "10", "20", "50", "100"):
        assert f">{number}</text>" in svg


def test_names_lie_inside_and_apart() -> None:
    dots = [Dot(20 + n, 0.8 - 0.001 * n, f"a rather long name {n}", "other", "") for n in range(4)]
    svg = str(plot_scatter([*dots, Dot(0.3, 0.1, "far", "other", "")], "ms", "y", "t", (40, "limit")))
    texts = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">a rather', svg)
    assert {side for *_, side in texts} == {"end"}
    assert all(abs(float(one[1]) - float(other[1])) >= 19.9 for one, other in combinations(texts, 2))
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in circles(svg))


@given(
    st.lists(st.tuples(st.floats(60, 540), st.floats(20, 280), st.integers(10, 200)), min_size=1, max_size=9)
)
def test_names_cover_no_point_and_no_name_where_there_is_room(given: list[tuple[float, float, int]]) -> None:
    points, widths = [(x, y) for x, y, _ in given], [width for *_, width in given]
    frame = (0.0, -2000.0, 800.0, 2000.0)
    boxes = [
        (name.x - width * name.left, name.y - LINE / 2, name.x + width * (not name.left), name.y + LINE / 2)
        for name, width in zip(place_names(points, widths, frame), widths, strict=True)
    ]
    for (x, y), (left, top, right, bottom) in product(points, boxes):
        assert not (left < x < right and top < y < bottom)
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_the_line_goes_through_the_origin_and_levels_are_where_they_are() -> None:
    points = [Whisker(2, 0.02, 0.01, 0.03, "two"), Whisker(4, 0.04, math.nan, math.nan, "four")]
    svg = str(plot_line(points, (0.01, 0.005, 0.015), (0.03, "allowed"), "age", "loss", "title"))
    (two, two_up), (four, four_up) = circles(svg)
    fit = re.search(r'class="fit" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', svg)
    assert fit is not None
    x0, y0, x1, y1 = map(float, fit.groups())
    for x, y in ((two, two_up), (four, four_up)):
        assert y == pytest.approx(y0 + (x - x0) / (x1 - x0) * (y1 - y0), abs=0.3)
    level = re.search(r'class="limit" d="M\d+ ([\d.]+)H', svg)
    assert level is not None
    # 0.03 lies halfway between 0.02 and 0.04.
    assert float(level[1]) == pytest.approx((two_up + four_up) / 2, abs=0.2)
    assert svg.count('class="stem" d="M') == 1
    without = str(plot_line(points, (math.nan,) * 3, (0.03, "allowed"), "age", "loss", "title"))
    assert "fit" not in without
    assert "nan" not in without


def test_names_are_escaped() -> None:
    svg = str(plot_scatter([Dot(1, 1, "<b>", "other", '"&')], "<i>", "<u>", '"'))
    assert not re.search("<[biu]>", svg)
