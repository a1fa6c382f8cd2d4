"""Drawing: plots as inline SVG whose text stays text and whose colours are the page's, so both themes can be read.

Matplotlib draws with stand-in colours, which become CSS variables of the page: `--ink` (text), `--muted`
(axes), `--rule` (grid), `--baseline`, `--system` and `--loss` (data).
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = {
    "ink": "#010203",
    "muted": "#040506",
    "rule": "#070809",
    "baseline": "#0a0b0c",
    "system": "#0d0e0f",
    "loss": "#101112",
}
"""Role → the colour to draw it in."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gradus",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.edgecolor": PALETTE["muted"],
    "axes.labelcolor": PALETTE["muted"],
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": PALETTE["rule"],
    "grid.linewidth": 0.8,
    "text.color": PALETTE["ink"],
    "xtick.color": PALETTE["muted"],
    "ytick.color": PALETTE["muted"],
    "ytick.major.size": 0,
}


@contextmanager
def canvas(width: float, height: float) -> "Iterator[tuple[Figure, Axes]]":
    """Yield an empty plot, its size in inches of 72 CSS pixels, with the style on within the block."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure((width, height), layout="constrained")
        yield figure, figure.add_subplot()


def as_svg(figure: "Figure", name: str, label: str) -> str:
    """The figure as an `<svg>` element to put into a page.

    Args:
        figure: What was drawn.
        name: Prefix of all ids, which must differ between the plots of a page.
        label: What a screen reader says.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    size = re.search(r'viewBox="[^"]*"', svg)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {size[0] if size else ""}'
    svg = re.sub(r"^<svg[^>]*>", f'{head} role="img" aria-label="{escape(label)}">', svg)
    svg = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]+;? ?", "", svg)
    for variable, color in PALETTE.items():
        svg = svg.replace(color, f"var(--{variable})")
    return svg.strip()
