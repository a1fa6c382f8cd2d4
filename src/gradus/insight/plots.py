"""The plots of the report."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.evaluation.results import Evaluation
from gradus.insight.drawing import PALETTE, as_svg, canvas


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
    with canvas(4.9, 2.9) as (figure, axes):
        top = 0.0
        for place, (role, evaluation) in enumerate((("baseline", baseline), ("system", system))):
            intervals = [evaluation.cells[cell].intervals[metric] for cell in cells]
            x = np.arange(len(cells)) + 0.4 * (place - 0.5)
            means, lows, highs = np.array([(i.mean, i.low, i.high) for i in intervals], np.float64).T
            axes.bar(x, means, 0.36, color=PALETTE[role], linewidth=0)
            axes.errorbar(
                x, means, (means - lows, highs - means), fmt="none", ecolor=PALETTE["ink"], elinewidth=1.1,
                capsize=2.5, capthick=1.1,
            )  # fmt: skip
            for at, mean, high in zip(x, means, highs, strict=True):
                if math.isfinite(mean):
                    axes.annotate(
                        f"{mean:.2f}", (at, high), (0, 3), textcoords="offset points", ha="center", size=8.5
                    )
            top = max(top, float(np.max(highs, initial=0.0, where=np.isfinite(highs))))
        axes.set_xticks(range(len(cells)), cells)
        axes.tick_params(axis="x", length=0, labelcolor=PALETTE["ink"])
        axes.grid(visible=False, axis="x")
        axes.set_ylim(0, 1.1 * top or 1.0)
        return as_svg(figure, "means", f"Mean {metric} of both models in each split, with 95 % intervals")


def plot_curves(curves: Sequence[Curve], metric: str) -> str:
    """Lines: the validation metric over training time; a dot marks the model that was kept.

    Args:
        curves: Those of the baseline and of the system, each with at least one point.
        metric: The metric's name.
    """
    with canvas(4.9, 2.9) as (figure, axes):
        for role, curve in zip(("baseline", "system"), curves, strict=True):
            best = int(np.argmax(curve.values))
            axes.plot(curve.seconds, curve.values, "o-", color=PALETTE[role], linewidth=1.6, markersize=2.5)
            axes.plot(curve.seconds[best], curve.values[best], "o", color=PALETTE[role], markersize=7)
        axes.set_xlim(left=0)
        axes.set_xlabel("seconds of training")
        return as_svg(figure, "curves", f"Validation {metric} of both models over training time")


def plot_differences(differences: Mapping[str, NDArray[np.float64]], metric: str) -> dict[str, str]:
    """A histogram for each cell of the per-query differences, all on the same scale.

    The middle bin holds the queries that hardly changed, the dashed line is the mean.

    Args:
        differences: Cell → (n,) system − baseline, n at least 1.
        metric: The metric's name.
    """
    edges = _symmetric_bins(max(float(np.abs(values).max()) for values in differences.values()))
    shares = {cell: np.histogram(values, edges)[0] / len(values) for cell, values in differences.items()}
    top = max(float(share.max()) for share in shares.values())
    side = len(edges) // 2 - 1
    colors = [PALETTE[role] for role in ["loss"] * side + ["baseline"] + ["system"] * side]
    return {
        cell: _histogram(cell, edges, share, float(differences[cell].mean()), top, colors, metric)
        for cell, share in shares.items()
    }


def _histogram(
    cell: str,
    edges: NDArray[np.float64],
    share: NDArray[np.float64],
    mean: float,
    top: float,
    colors: list[str],
    metric: str,
) -> str:
    with canvas(2.4, 1.8) as (figure, axes):
        axes.bar(edges[:-1], 100 * share, np.diff(edges) * 0.9, align="edge", color=colors, linewidth=0)
        axes.axvline(mean, color=PALETTE["ink"], linewidth=1.1, linestyle=(0, (3, 2)))
        axes.set_ylim(0, 108 * top)
        axes.set_xlim(float(edges[0]), float(edges[-1]))
        axes.yaxis.set_major_formatter("{x:.0f} %")
        axes.locator_params(axis="y", nbins=4)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(visible=False, axis="x")
        label = f"Distribution over queries of the difference in {metric}, {cell}"
        return as_svg(figure, f"differences-{cell}", label)


def _symmetric_bins(largest: float) -> NDArray[np.float64]:
    """Edges of an odd number of bins, the middle one centred on 0, of a width of 1, 2 or 5 · 10ⁿ."""
    target = max(largest, 1e-9) / 10
    power = 10.0 ** math.floor(math.log10(target))
    width = power * next(step for step in (1, 2, 5, 10) if step * power >= target * (1 - 1e-9))
    reach = max(1, math.ceil(largest / width - 0.5))
    edges: NDArray[np.float64] = width * (np.arange(-reach, reach + 2, dtype=np.float64) - 0.5)
    return edges
