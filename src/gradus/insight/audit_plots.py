"""The plots of the audit."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from gradus.insight.drawing import PALETTE, as_svg, canvas
from gradus.judgments.audit.bias import CurvePoint


def plot_scores(counts: Sequence[int]) -> str:
    """A histogram of the scores."""
    colors = [PALETTE["system"]] * len(counts)
    return _histogram(counts, colors, "scores", "score", "Distribution of the scores")


def plot_widths(counts: Sequence[int], limit: float) -> str:
    """A histogram of the widths of intervals; those beyond the limit say too little, in the colour of loss."""
    starts = np.arange(len(counts)) / len(counts)
    colors = [PALETTE["loss" if start >= limit else "system"] for start in starts]
    return _histogram(
        counts, colors, "widths", "width of the interval", "Distribution of the intervals' widths"
    )


def plot_examination(curve: Sequence[CurvePoint]) -> str:
    """The position-bias curve with its interval, and the raw click rate, both relative to the first position.

    Args:
        curve: At least one point; what is NaN is left out.
    """
    place, rate, theta, low, high = np.array(
        [(p.position, p.rate, p.examination, p.low, p.high) for p in curve], np.float64
    ).T
    with canvas(4.9, 2.9) as (figure, axes):
        if rate[0] > 0:
            axes.plot(place, rate / rate[0], "o-", color=PALETTE["baseline"], linewidth=1.4, markersize=3)
        axes.fill_between(place, low, high, color=PALETTE["system"], alpha=0.2, linewidth=0)
        # A lone position between two that are not told has no line; its whisker shows.
        axes.vlines(place, low, high, color=PALETTE["system"], linewidth=1)
        axes.plot(place, theta, "o-", color=PALETTE["system"], linewidth=1.6, markersize=4)
        drawn = [1.0, *theta[np.isfinite(theta)], *(rate / rate[0] if rate[0] > 0 else [])]
        # An interval may reach so high that nothing else could be seen.
        axes.set_ylim(0, 1.25 * float(np.nanmax(drawn)))
        axes.set_xlim(0.5, len(place) + 0.5)
        axes.locator_params(axis="x", integer=True)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("position")
        return as_svg(figure, "examination", "How likely a result is looked at, by position")


def plot_days(days: Sequence[tuple[str | None, int, int]]) -> str:
    """Bars: impressions and clicks of each day; days without a row are gaps.

    Args:
        days: ISO date, impressions and clicks, of at least one day that is known.
    """
    known = [(date.fromisoformat(day).toordinal(), *counts) for day, *counts in days if day is not None]
    place, impressions, clicks = np.array(known, np.float64).T
    with canvas(10.4, 2.0) as (figure, axes):
        axes.bar(place, impressions, 0.85, color=PALETTE["baseline"], linewidth=0)
        axes.bar(place, clicks, 0.85, color=PALETTE["system"], linewidth=0)
        ticks = np.unique(np.linspace(place[0], place[-1], 7).round().astype(int))
        axes.set_xticks(ticks, [date.fromordinal(tick).isoformat() for tick in ticks.tolist()])
        axes.set_xlim(place[0] - 0.6, place[-1] + 0.6)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.locator_params(axis="y", nbins=4)
        axes.grid(visible=False, axis="x")
        return as_svg(figure, "days", "Impressions and clicks of each day")


def _histogram(counts: Sequence[int], colors: list[str], name: str, axis: str, label: str) -> str:
    share = 100 * np.array(counts, np.float64) / max(sum(counts), 1)
    edges = np.linspace(0, 1, len(counts) + 1)
    with canvas(4.9, 2.4) as (figure, axes):
        axes.bar(edges[:-1], share, np.diff(edges) * 0.9, align="edge", color=colors, linewidth=0)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.08 * share.max() or 1.0)
        axes.yaxis.set_major_formatter("{x:.0f} %")
        axes.locator_params(axis="y", nbins=4)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel(axis)
        return as_svg(figure, name, label)
