"""The plot of the study of how much log is enough."""

from pathlib import Path
from typing import TYPE_CHECKING

from gradus.files import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLUMNS = 2


def plot_noise(
    path: Path,
    metric: str,
    ceiling: "Mapping[str, float]",
    curves: "Mapping[str, Sequence[tuple[int, Mapping[str, float]]]]",
) -> None:
    """Draw the metric over the size of the log, a panel per cell of the split, below the ceiling.

    Args:
        path: Where to, as SVG.
        metric: Its name.
        ceiling: Cell → mean of the model that knows the true scores.
        curves: Estimator → (impressions, cell → mean), by growing size.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rows = -(-len(ceiling) // _COLUMNS)
    figure = Figure(figsize=(8, 3 * rows), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, sharex=True, squeeze=False).ravel()
    for panel, cell in zip(panels, ceiling, strict=False):
        panel.axhline(ceiling[cell], color="#888", linestyle=(0, (1, 1)), label="perfect scores")
        for name, points in curves.items():
            panel.plot([size for size, _ in points], [means[cell] for _, means in points], "o-", label=name)
        panel.set(xscale="log", title=cell, ylabel=metric)
    for panel in panels[-_COLUMNS:]:
        panel.set_xlabel("impressions in the log")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    with atomic_file(path) as aside, rc_context({"svg.hashsalt": "gradus"}):
        figure.savefig(aside, format="svg", metadata={"Date": None})
