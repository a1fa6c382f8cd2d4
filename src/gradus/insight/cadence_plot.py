"""The plot of a back-test: what models of some age have lost, and the line that says how fast."""

from pathlib import Path

import numpy as np

from gradus.files import atomic_file
from gradus.insight.cadence_result import Cadence


def plot_cadence(path: Path, cadence: Cadence) -> None:
    """Draw the staleness curve with its intervals, the fitted line, and the loss that is allowed.

    Args:
        path: Where to, as SVG.
        cadence: The back-test.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    ages = np.array([each.age for each in cadence.ages])
    mean, low, high = 100 * np.array([(e.loss.mean, e.loss.low, e.loss.high) for e in cadence.ages]).T
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    line = np.array([0, ages.max()])
    fit = cadence.per_window
    axes.fill_between(line, 100 * fit.low * line, 100 * fit.high * line, color="C0", alpha=0.15, linewidth=0)
    axes.plot(line, 100 * fit.mean * line, color="C0", label=f"{100 * fit.mean:.2g} % a window")
    spread = np.nan_to_num(np.array([mean - low, high - mean])).clip(0)
    axes.errorbar(ages, mean, spread, fmt="o", color="C0", capsize=3, label="loss, 95 % interval")
    axes.axhline(
        100 * cadence.allowed,
        color="#888",
        linestyle=(0, (1, 1)),
        label=f"allowed: {100 * cadence.allowed:.2g} %",
    )
    for place, refresh in enumerate(each for each in cadence.refreshes if each.mode != "full"):
        own = 100 * refresh.loss.mean
        ends = np.nan_to_num([[own - 100 * refresh.loss.low], [100 * refresh.loss.high - own]]).clip(0)
        at = -0.02 * (place + 1) * float(ages.max())
        axes.errorbar(
            at, own, ends, fmt="s", color=f"C{place + 1}", capsize=3, label=f"{refresh.mode}, just refreshed"
        )
    axes.set_xticks([0, *ages])
    axes.set(
        xlabel=f"age of the model, in windows of {cadence.window_days} days",
        ylabel=f"loss, % of a fresh model's {cadence.metric}",
    )
    axes.grid(axis="y", alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    with atomic_file(path) as aside, rc_context({"svg.hashsalt": "gradus"}):
        figure.savefig(aside, format="svg", metadata={"Date": None})
