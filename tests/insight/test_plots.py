"""Plots: well-formed SVG in the page's colours, whose shapes are as long as the numbers say."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from two_systems import METRIC, evaluation

from gradus.evaluation.results import Evaluation
from gradus.insight.plots import Curve, _symmetric_bins, plot_curves, plot_differences, plot_means, read_curve

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def rectangles(svg: str, role: str) -> list[tuple[float, float, float]]:
    """Left edge, width and height of every bar of a colour, from left to right."""
    found = []
    for path in parsed(svg).iter(f"{SVG}path"):
        if f"fill: var(--{role})" in path.get("style", ""):
            points = np.array(re.findall(r"[ML] (\S+) (\S+)", path.get("d", "")), float)
            (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
            found.append((float(left), float(right - left), float(bottom - top)))
    return sorted(found)


def texts(svg: str) -> list[str]:
    return ["".join(text.itertext()).strip() for text in parsed(svg).iter(f"{SVG}text")]


def two_cells(name: str, first: list[float], second: list[float]) -> Evaluation:
    one, other = (evaluation(name, values).cells["zero-shot"] for values in (first, second))
    return Evaluation(name, {"in-domain": one, "zero-shot": other})


BASELINE, SYSTEM = two_cells("old", [0.1, 0.3], [0.2, 0.6]), two_cells("new", [0.4, 0.4], [0.5, 0.9])


def test_bars_are_as_long_as_the_means() -> None:
    svg = plot_means(BASELINE, SYSTEM, METRIC)
    # The means are 0.2 and 0.4 against 0.4 and 0.7.
    old, new = ([height for _, _, height in rectangles(svg, role)] for role in ("baseline", "system"))
    assert old[1] / old[0] == pytest.approx(0.4 / 0.2, rel=1e-3)
    assert new[0] / old[0] == pytest.approx(0.4 / 0.2, rel=1e-3)
    assert new[1] / old[0] == pytest.approx(0.7 / 0.2, rel=1e-3)
    assert {"0.20", "0.40", "0.70", "in-domain", "zero-shot"} <= set(texts(svg))


def test_whiskers_reach_from_low_to_high() -> None:
    # Skewed, so that the interval is longer above the mean than below.
    old, new = (two_cells(name, [0.0] * 9 + [0.9], [0.1] * 9 + [1.0]) for name in ("old", "new"))
    svg = plot_means(old, new, METRIC)
    # A bar's outline starts at zero; the first one is 0.09 high.
    bar = re.search(r'd="M \S+ (\S+) [^"]*"[^>]*fill: var\(--baseline\)', svg)
    assert bar
    zero, per_unit = float(bar[1]), rectangles(svg, "baseline")[0][2] / 0.09
    lines = re.findall(r'd="M (\S+) (\S+) \nL (\S+) (\S+) \n"[^>]*stroke: var\(--ink\)', svg)
    drawn = [[(zero - float(y)) / per_unit for y in (y0, y1)] for x0, y0, x1, y1 in lines if x0 == x1]
    intervals = [cell.intervals[METRIC] for e in (old, new) for cell in e.cells.values()]
    assert intervals[0].high - intervals[0].mean > 1.5 * (intervals[0].mean - intervals[0].low)
    assert np.array(drawn) == pytest.approx(np.array([(i.low, i.high) for i in intervals]), abs=1e-3)


def test_undefined_means_leave_a_gap() -> None:
    svg = plot_means(two_cells("old", [np.nan] * 2, [0.5] * 2), SYSTEM, METRIC)
    assert "0.50" in texts(svg)
    assert not any("nan" in text for text in texts(svg))


def test_histogram_counts_queries_on_both_sides_of_zero() -> None:
    # One query lost 0.5, one did not change, two gained 0.5: bars of 25, 25 and 50 %.
    plots = plot_differences({"zero-shot": np.array([-0.5, 0.0, 0.5, 0.5])}, METRIC)
    heights = {
        role: max(height for _, _, height in rectangles(plots["zero-shot"], role))
        for role in ("loss", "baseline", "system")
    }
    assert heights["system"] / heights["loss"] == pytest.approx(2, rel=1e-3)
    assert heights["baseline"] == pytest.approx(heights["loss"])


def test_histograms_share_their_scale() -> None:
    plots = plot_differences({"in-domain": np.array([0.5]), "zero-shot": np.array([0.5, -0.5])}, METRIC)
    full, half = (max(h for _, _, h in rectangles(plots[cell], "system")) for cell in plots)
    assert full / half == pytest.approx(2, rel=1e-3)


@given(st.floats(1e-6, 1e6))
def test_bins_are_symmetric_cover_everything_and_have_round_widths(largest: float) -> None:
    edges = _symmetric_bins(largest)
    assert edges == pytest.approx(-edges[::-1])
    assert len(edges) % 2 == 0
    assert edges[-1] >= largest * (1 - 1e-9)
    assert len(edges) <= 24
    width = edges[1] - edges[0]
    mantissa = width / 10 ** np.floor(np.log10(width * (1 + 1e-9)))
    assert min(abs(mantissa - step) for step in (1, 2, 5)) < 1e-6


def test_equal_systems_have_a_histogram() -> None:
    assert rectangles(plot_differences({"zero-shot": np.zeros(3)}, METRIC)["zero-shot"], "baseline")


def test_the_best_point_of_a_curve_is_marked() -> None:
    curve = Curve("old", np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.4, 0.2]))
    svg = plot_curves([curve, curve], METRIC)
    assert "seconds of training" in texts(svg)
    places: dict[str, list[str]] = {}
    for dot in parsed(svg).iter(f"{SVG}use"):
        if "fill: var(--system)" in dot.get("style", ""):
            places.setdefault(dot.get(f"{XLINK}href", ""), []).append(dot.get("x", ""))
    small, large = places.values()
    assert len(small) == 3
    assert large == small[1:2]


def test_a_curve_is_read_from_the_lines_that_hold_a_validation(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [{"step": 1, "seconds": 2.0, "loss": 3}, {"step": 2, "seconds": 4.0, "validation": 0.5}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    curve = read_curve("old", path)
    assert (curve.seconds.tolist(), curve.values.tolist()) == ([4.0], [0.5])
    path.write_text(json.dumps(lines[0]) + "\n")
    assert read_curve("old", path).values.shape == (0,)


def test_svg_takes_colours_and_font_from_the_page_and_names_itself() -> None:
    svg = plot_means(BASELINE, SYSTEM, METRIC)
    root = parsed(svg)
    assert root.get("role") == "img"
    assert METRIC in root.get("aria-label", "")
    assert root.get("width") is None
    assert "font-family" not in svg
    assert not re.search(r"#0[0-9a-f]{5}|#10\d{4}", re.sub(r'(id|href)="[^"]*"', "", svg))
    assert plot_means(BASELINE, SYSTEM, METRIC) == svg
