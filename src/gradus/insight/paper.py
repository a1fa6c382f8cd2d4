"""Paper: one sheet with text and boxes at points from its upper left corner, drawn by Matplotlib, saved as a picture."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradus.errors import EvaluationError
from gradus.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 595.0, 842.0
"""Points of an A4 sheet."""

COLOURS = {
    "paper": "#fbfaf8",
    "card": "#ffffff",
    "ink": "#1c1d21",
    "muted": "#63666f",
    "rule": "#e2e0da",
    "baseline": "#a3a6ad",
    "system": "#14757b",
    "loss": "#b4572b",
}
"""The pages' colours, light: Matplotlib reads no style sheet."""

_DPI = 150
_LEADING = 1.42
"""Height of a line of text, of its size."""

_JAPANESE = (
    *("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "IPAexGothic", "IPAPGothic", "TakaoPGothic"),
    *("VL PGothic", "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic"),
)
_MARKS = "[、。」』)）〜ー:]*"
_WORD = re.compile(
    rf"[^\s\u3000-\u9fff\uff00-\uffef]+{_MARKS}\s*|[「『(（]?[\u3000-\u9fff\uff00-\uffef]{_MARKS}|\s+"
)
"""What stays on one line: a word, or a Japanese character with the marks that may not begin or end a line."""


class Paper:
    """One sheet; made by `sheet`.

    Attributes:
        figure: What it is drawn on.
    """

    def __init__(self, figure: "Figure") -> None:
        self.figure = figure
        self._axes = figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        self._axes.axis("off")

    def box(self, x: float, y: float, width: float, height: float, colour: str, **how: Any) -> None:
        """A filled box; `colour` is one of `COLOURS`."""
        from matplotlib.patches import Rectangle

        self._axes.add_patch(Rectangle((x, y), width, height, facecolor=COLOURS[colour], linewidth=0, **how))

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """A filled circle with a rim of the card's colour."""
        from matplotlib.patches import Circle

        rim = {"edgecolor": COLOURS["card"], "linewidth": 1.2}
        self._axes.add_patch(Circle((x, y), radius, facecolor=COLOURS[colour], zorder=3, **rim))

    def line(self, x: float, y: float, text: str, size: float, **how: Any) -> None:
        """One line of text, its upper left corner at a point; `right` puts its upper right corner there."""
        colour, bold, right = how.pop("colour", "ink"), how.pop("bold", False), how.pop("right", False)
        self._axes.text(
            x, y, text, size=size, color=COLOURS[colour], weight="bold" if bold else "normal",
            ha="right" if right else "left", va="top",
        )  # fmt: skip

    def text(self, x: float, y: float, text: str, size: float, width: float, **how: Any) -> float:
        """Text in as many lines as it takes; returns where the next line would begin."""
        for part in wrapped(text, size, width, how.get("bold", False)):
            self.line(x, y, part, size, **how)
            y += _LEADING * size
        return y


def wrapped(text: str, size: float, width: float, bold: bool = False) -> list[str]:
    """The lines that a text fills; a word that is longer than a line has one of its own."""
    lines = [""]
    for word in _WORD.findall(text):
        if lines[-1] and _width(lines[-1] + word.rstrip(), size, bold) > width:
            lines.append("")
        lines[-1] += word
    return [line.strip() for line in lines]


def shortened(text: str, size: float, width: float, bold: bool = False) -> str:
    """A text that fits into one line, cut with an ellipsis where it is longer."""
    if _width(text, size, bold) <= width:
        return text
    while text and _width(f"{text}…", size, bold) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


@contextmanager
def sheet(path: Path, *, japanese: bool) -> Iterator[Paper]:
    """A sheet that is saved as a PNG when the block ends; an older file is replaced whole.

    Args:
        path: The picture's file.
        japanese: Whether its language is Japanese; fonts for it are used for single texts in any case.

    Raises:
        EvaluationError: No font for Japanese is installed.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Without hinting a line is as long as it was measured to be.
    style: dict[Any, Any] = {
        "font.family": fonts(japanese=japanese),
        "text.parse_math": False,
        "text.hinting": "none",
    }
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # what no font has is drawn as a box
        figure = Figure((WIDTH / 72, HEIGHT / 72), facecolor=COLOURS["paper"])
        yield Paper(figure)
        with atomic_file(path) as aside:
            figure.savefig(aside, format="png", dpi=_DPI, metadata={"Software": None})


def fonts(*, japanese: bool) -> Sequence[str]:
    """The fonts to draw with, the leading one first.

    Raises:
        EvaluationError: None for Japanese is installed, which is asked for.
    """
    from matplotlib.font_manager import get_font_names

    found = _first_of(get_font_names())
    if japanese and found is None:
        _list_new_fonts()
        found = _first_of(get_font_names())
    if japanese and found is None:
        raise EvaluationError(
            "no font for Japanese is installed; install one, as with: apt install fonts-noto-cjk"
        )
    families = [] if found is None else [found]
    return [*families, "DejaVu Sans"] if japanese else ["DejaVu Sans", *families]


def _first_of(installed: Sequence[str]) -> str | None:
    return next((name for name in _JAPANESE if name in installed), None)


def _list_new_fonts() -> None:
    """Tell Matplotlib of fonts that were installed after it made its list, which it keeps for good."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    listed = {entry.fname for entry in fontManager.ttflist}
    for path in set(findSystemFonts()) - listed:
        with suppress(OSError, RuntimeError):  # what it cannot read
            fontManager.addfont(path)


def _width(text: str, size: float, bold: bool) -> float:
    """Points that a line of text takes, in the fonts of the sheet that is drawn."""
    import matplotlib as mpl
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    properties = FontProperties(
        family=mpl.rcParams["font.family"], size=size, weight="bold" if bold else "normal"
    )
    width, _, _ = text_to_path.get_text_width_height_descent(text, properties, ismath=False)
    return float(width)
