"""The plot of a sweep: how all candidates did in the first round, and how those did that went on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gradus.files import atomic_file

Combination = tuple[str, str, float, str]
"""Objective, score-to-weight function, temperature, and what else is tried, a line each."""

_MARKERS = "os^Dv<>P"


def plot_sweep(
    path: Path, metric: str, rounds: Sequence[tuple[float, Mapping[Combination, float]]], winner: Combination
) -> None:
    """Draw a sweep.

    Args:
        path: Where to; the extension (.svg, .png, .pdf) says in which format.
        metric: What was measured.
        rounds: For each, its minutes, and the metric of each combination that has one, best first.
        winner: Drawn in bold.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    first = rounds[0][1]
    objectives = list(dict.fromkeys(name for name, *_ in first))
    colours = {name: f"C{place % 10}" for place, name in enumerate(objectives)}
    rows = list(dict.fromkeys(map(_row, first)))  # by their best combination
    lines = sum(row.count("\n") + 1 for row in rows)
    figure = Figure(figsize=(10, max(3.6, 1.6 + 0.28 * lines)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))

    temperatures = sorted({temperature for _, _, temperature, _ in first})
    for place, temperature in enumerate(temperatures):
        points = [(key, value) for key, value in first.items() if key[2] == temperature]
        left.scatter(
            [value for _, value in points],
            [rows.index(_row(key)) for key, _ in points],
            c=[colours[key[0]] for key, _ in points],
            marker=_MARKERS[place % len(_MARKERS)],
            alpha=0.8,
            label=f"τ {temperature:g}",
        )
    left.set_yticks(range(len(rows)), rows)
    left.invert_yaxis()
    left.set(xlabel=metric, title=f"All candidates after {rounds[0][0]:.3g} min")
    left.grid(axis="x", alpha=0.3)
    legend = left.legend(loc="best")
    for handle in legend.legend_handles:
        handle.set_color("#666")

    for key in first:
        course = [(minutes, values[key]) for minutes, values in rounds if key in values]
        bold = key == winner
        right.plot(
            *zip(*course, strict=True),
            "o-",
            color=colours[key[0]],
            linewidth=3 if bold else 1.2,
            alpha=1 if bold else 0.6,
            zorder=3 if bold else 2,
        )
    for name, colour in colours.items():
        right.plot([], [], "o-", color=colour, label=name)
    minutes, last = rounds[-1]
    right.set_xscale("log")
    right.set_xticks([each for each, _ in rounds], [f"{each:.3g}" for each, _ in rounds])
    right.minorticks_off()
    right.annotate(
        f"{winner[1]}, τ {winner[2]:g}\n{winner[3]}".rstrip(),
        (minutes, last[winner]),
        (0, 8),
        textcoords="offset points",
        ha="right" if len(rounds) > 1 else "center",
        weight="bold",
    )
    right.margins(y=0.15 + 0.12 * len(winner[3].splitlines()))
    right.set(xlabel="minutes of training, each round anew", ylabel=metric, title="Round by round")
    right.grid(axis="y", alpha=0.3)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    suffix = path.suffix.removeprefix(".")
    with atomic_file(path) as aside, rc_context({"svg.hashsalt": "gradus"}):
        figure.savefig(aside, format=suffix, metadata={"Date": None} if suffix == "svg" else None, dpi=150)


def _row(combination: Combination) -> str:
    """What a row of the first round's plot holds, in all temperatures."""
    name, weight, _, others = combination
    return f"{name}, {weight}\n{others}".rstrip()
