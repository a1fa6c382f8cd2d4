"""Plots as inline SVG: text stays text, and colours are the page's, so both themes can be read.

Matplotlib draws with stand-in colours, which become CSS variables of the page: `--ink` (text), `--muted`
(axes), `--rule` (grid), `--baseline`, `--system` and `--loss` (data).
"""

import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradus.evaluation.results import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PALETTE = {
    "ink": "#010203",
    "muted": "#040506",
    "rule": "#070809",
    "baseline": "#0a0b0c",
    "system": "#0d0e0f",
    "loss": "#101112",
}
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.edgecolor": _PALETTE["muted"],
    "axes.labelcolor": _PALETTE["muted"],
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": _PALETTE["rule"],
    "grid.linewidth": 0.8,
    "text.color": _PALETTE["ink"],
    "xtick.color": _PALETTE["muted"],
    "ytick.color": _PALETTE["muted"],
    "ytick.major.size": 0,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Curve:
    """A validation metric over the time of a training.

    Attributes:
        name: The model's name.
        seconds: (n,) training time at each validation.
        values: (n,) the metric.
    """

    name: str
    seconds: NDArray[np.float64]
    values: NDArray[np.float64]


def read_curve(name: str, metrics: Path) -> Curve:
    """The validation curve in a training run's `metrics.jsonl`; empty where nothing was validated."""
    lines = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    points = [(line["seconds"], line["validation"]) for line in lines if "validation" in line]
    seconds, values = np.array(points, np.float64).reshape(-1, 2).T
    return Curve(name, seconds, values)


def plot_means(baseline: Evaluation, system: Evaluation, metric: str) -> str:
    """Grouped bars: the mean of a metric in each cell that both have, with its 95 % interval."""
    cells = [cell for cell in baseline.cells if cell in system.cells]
    figure, axes = _figure(4.9, 3.1)
    top = 0.0
    for place, (role, evaluation) in enumerate((("baseline", baseline), ("system", system))):
        intervals = [evaluation.cells[cell].intervals[metric] for cell in cells]
        x = np.arange(len(cells)) + 0.4 * (place - 0.5)
        means, lows, highs = np.array([(i.mean, i.low, i.high) for i in intervals], np.float64).T
        axes.bar(x, means, 0.36, color=_PALETTE[role], label=evaluation.name, linewidth=0)
        axes.errorbar(
            x, means, (means - lows, highs - means), fmt="none", ecolor=_PALETTE["ink"], elinewidth=1.1,
            capsize=2.5, capthick=1.1,
        )  # fmt: skip
        for at, mean, high in zip(x, means, highs, strict=True):
            if math.isfinite(mean):
                axes.annotate(
                    f"{mean:.2f}", (at, high), (0, 3), textcoords="offset points", ha="center", fontsize=8.5
                )
        top = max(top, float(np.nanmax(highs, initial=0.0)))
    axes.set_xticks(range(len(cells)), cells)
    axes.tick_params(axis="x", length=0, labelcolor=_PALETTE["ink"])
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, 1.12 * top or 1.0)
    _legend(figure)
    return _svg(figure, "means", f"Mean {metric} of both models in each split, with 95 % intervals")


def plot_curves(curves: Sequence[Curve], metric: str) -> str:
    """Lines: the validation metric over training time; a dot marks the model that was kept.

    Args:
        curves: Those of the baseline and of the system, each with at least one point.
        metric: The metric's name.
    """
    figure, axes = _figure(4.9, 3.1)
    for role, curve in zip(("baseline", "system"), curves, strict=True):
        best = int(np.argmax(curve.values))
        axes.plot(curve.seconds, curve.values, color=_PALETTE[role], label=curve.name, linewidth=1.8)
        axes.plot(curve.seconds[best], curve.values[best], "o", color=_PALETTE[role], markersize=6)
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds of training")
    _legend(figure)
    return _svg(figure, "curves", f"Validation {metric} of both models over training time")


def plot_differences(differences: Mapping[str, NDArray[np.float64]], metric: str) -> dict[str, str]:
    """A histogram for each cell of the per-query differences, all on the same scale.

    The middle bin holds the queries that hardly changed, the dashed line is the mean.

    Args:
        differences: Cell → (n,) system − baseline, n at least 1.
        metric: The metric's name.
    """
    edges = _symmetric_bins(max(float(np.abs(values).max()) for values in differences.values()))
    shares = {cell: np.histogram(v, edges)[0] / len(v) for cell, v in differences.items()}
    top = max(float(share.max()) for share in shares.values())
    middle = len(edges) // 2 - 1
    colors = [
        _PALETTE["loss" if i < middle else "baseline" if i == middle else "system"]
        for i in range(len(edges) - 1)
    ]
    plots = {}
    for cell, share in shares.items():
        figure, axes = _figure(2.7, 1.9)
        axes.bar(edges[:-1], 100 * share, np.diff(edges) * 0.9, align="edge", color=colors, linewidth=0)
        axes.axvline(
            float(differences[cell].mean()), color=_PALETTE["ink"], linewidth=1.1, linestyle=(0, (3, 2))
        )
        axes.set_ylim(0, 108 * top)
        axes.set_xlim(edges[0], edges[-1])
        axes.yaxis.set_major_formatter("{x:.0f} %")
        axes.locator_params(axis="y", nbins=4)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(visible=False, axis="x")
        label = f"Distribution over queries of the difference in {metric}, {cell}"
        plots[cell] = _svg(figure, f"differences-{cell}", label)
    return plots


def _symmetric_bins(largest: float) -> NDArray[np.float64]:
    """Edges of an odd number of bins, the middle one centred on 0, of a width of 1, 2 or 5 · 10ⁿ."""
    target = max(largest, 1e-9) / 10
    power = 10.0 ** math.floor(math.log10(target))
    width = power * next(step for step in (1, 2, 5, 10) if step * power >= target * (1 - 1e-9))
    reach = max(1, math.ceil(largest / width - 0.5))
    return width * (np.arange(-reach, reach + 2) - 0.5)


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    """An empty plot, in inches of 72 CSS pixels; no global state of matplotlib is touched."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure((width, height), layout="constrained")
        return figure, figure.add_subplot()


def _legend(figure: "Figure") -> None:
    figure.legend(loc="outside upper left", ncols=2, handlelength=1.2, borderaxespad=0)


def _svg(figure: "Figure", name: str, label: str) -> str:
    """The figure as an `<svg>` element to put into a page.

    Args:
        figure: What was drawn.
        name: Prefix of all ids, which must differ between the plots of a page.
        label: What a screen reader says.
    """
    import matplotlib as mpl

    file = io.StringIO()
    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    size = re.search(r'viewBox="[^"]*"', svg)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {size[0] if size else ""}'
    svg = re.sub(r"^<svg[^>]*>", f'{head} role="img" aria-label="{escape(label)}">', svg)
    svg = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", svg)
    for variable, color in _PALETTE.items():
        svg = svg.replace(color, f"var(--{variable})")
    return svg.strip()
