"""The proof of concept on one sheet: the verdict and what it rests on, four figures, quality, costs, and what is missing."""

from pathlib import Path
from typing import Any

from gradus.insight.cost import decided
from gradus.insight.paper import HEIGHT, WIDTH, Paper, sheet, shortened, wrapped
from gradus.insight.poc import Poc
from gradus.insight.poc_view import view_of
from gradus.insight.poc_words import WORDS
from gradus.insight.verdict_words import Language

_LEFT, _RIGHT = 44.0, WIDTH - 44.0
_WIDE = _RIGHT - _LEFT
_ROWS = 4
"""Most pipelines of a plot or table."""

_SENTENCES = 215.0
"""Where sentences of the verdict end, so that the rest has room."""

_FOOT = HEIGHT - 40
"""Where the foot begins."""

_KINDS = {"better": "system", "worse": "loss", "": "baseline"}
_STATES = {"holds": "system", "breaks": "loss", "open": "muted"}


def write_summary(poc: Poc, path: Path, language: Language = "en") -> None:
    """Draw the summary of a proof of concept with a verdict, as an A4 sheet in a PNG file.

    Args:
        poc: What was found; has a verdict.
        path: The picture; an older one is replaced whole.
        language: Of its words.

    Raises:
        EvaluationError: The language is Japanese, and no font for it is installed.
    """
    view, w = view_of(poc, language), WORDS[language]
    with sheet(path, japanese=language == "ja") as paper:
        y = _head(paper, poc, view, w)
        y = _tiles(paper, view, y + 10)
        y = _margin(paper, view, w, y + 18)
        y = _quality(paper, poc, view, w, y + 14)
        if poc.money is not None:
            y = _costs(paper, poc, view, w, y + 12)
        _missing(paper, poc, w, y + 14)
        versions = ", ".join(f"{name} {version}" for name, version in list(poc.bench.versions.items())[:2])
        paper.box(_LEFT, _FOOT, _WIDE, 0.7, "rule")
        paper.line(_LEFT, _FOOT + 8, w["summary_foot"], 7.5, colour="muted")
        paper.line(_RIGHT, _FOOT + 8, versions, 7.5, colour="muted", right=True)


def _head(paper: Paper, poc: Poc, view: dict[str, Any], w: Any) -> float:
    paper.line(_LEFT, 40, w["kicker"], 9, colour="system", bold=True)
    paper.line(_RIGHT, 40, shortened(poc.title, 9, 300), 9, colour="muted", right=True)
    long = len(wrapped(view["headline"], 22, _WIDE, bold=True)) > 2
    y = paper.text(_LEFT, 58, view["headline"], 16 if long else 22, _WIDE, bold=True)
    first, *others = view["sentences"]
    y = paper.text(_LEFT, y + 2, first, 10, _WIDE)
    for place, sentence in enumerate(others):
        left = len(others) - place
        if y > _SENTENCES and left > 1:
            return paper.text(_LEFT, y + 2, w["summary_more"].format(count=left), 8.5, _WIDE, colour="muted")
        y = paper.text(_LEFT, y + 2, sentence, 8.5, _WIDE, colour="muted")
    return y


def _tiles(paper: Paper, view: dict[str, Any], y: float) -> float:
    gap, high = 10.0, 78.0
    wide = (_WIDE - 3 * gap) / 4
    for place, tile in enumerate(view["tiles"]):
        x, colour = _LEFT + place * (wide + gap), _KINDS[tile["kind"]]
        paper.box(x, y, wide, high, "card")
        paper.box(x, y, wide, 2.5, colour)
        paper.line(x + 9, y + 11, shortened(tile["heading"], 8, wide - 16, bold=True), 8, bold=True)
        value = f"{tile['value']} {tile['unit']}".strip()
        paper.line(x + 9, y + 26, value, 16, bold=True, colour=colour if tile["kind"] else "ink")
        for number, line in enumerate(wrapped(tile["note"], 6.5, wide - 16)[:3]):
            paper.line(x + 9, y + 49 + 9.5 * number, line, 6.5, colour="muted")
    return y + high


def _margin(paper: Paper, view: dict[str, Any], w: Any, y: float) -> float:
    """The candidates' intervals beside the margin."""
    margin = view["margin"]
    paper.line(_LEFT, y, w["margin_title"], 10, bold=True)
    y += 20
    start, wide = _LEFT + 170, _WIDE - 170 - 100
    for row in margin["rows"][:_ROWS]:
        limit, colour = start + wide * margin["limit"] / 100, _STATES[row["state"]]
        paper.box(start, y, limit - start, 18, "loss", alpha=0.13)
        paper.box(limit, y, start + wide - limit, 18, "system", alpha=0.11)
        paper.box(limit - 0.6, y, 1.2, 18, "loss")
        paper.box(start + wide * margin["zero"] / 100, y, 0.5, 18, "muted")
        paper.line(_LEFT, y, shortened(row["name"], 8.5, 160), 8.5)
        paper.line(_LEFT, y + 11, row["word"], 6.5, colour=colour)
        if row["at"] is not None:
            paper.box(
                start + wide * row["from"] / 100, y + 6.5, wide * row["width"] / 100, 5, colour, alpha=0.55
            )
            paper.dot(start + wide * row["at"] / 100, y + 9, 4.2, colour)
        paper.line(_RIGHT, y, row["value"], 8.5, bold=True, right=True)
        paper.line(_RIGHT, y + 11, row["ends"], 6.5, colour="muted", right=True)
        y += 24
    for at, text in margin["ticks"]:
        paper.figure.axes[0].text(
            start + wide * at / 100, y, text, size=6.5, color="#63666f", ha="center", va="top"
        )
    return y + 10


def _quality(paper: Paper, poc: Poc, view: dict[str, Any], w: Any, y: float) -> float:
    """Means and intervals of the leading metric, of the pipelines that the verdict is about."""
    quality = view["quality"]
    if not quality["lead"]:
        return y
    assert poc.verdict is not None  # noqa: S101 - narrows the type
    cells = quality["metrics"][quality["lead"]]["cells"]
    names = [poc.verdict.reference.name, *(finding.name for finding in poc.verdict.overall.findings)]
    column = (_WIDE - 170) / len(cells)
    paper.line(_LEFT, y, w["quality_plot"].format(metric=quality["lead"]), 10, bold=True)
    for place, cell in enumerate(cells, 1):
        paper.line(_LEFT + 170 + place * column, y + 1, view["labels"][cell], 7.5, colour="muted", right=True)
    y += 19
    for name in names[:_ROWS]:
        paper.box(_LEFT, y - 2, _WIDE, 0.7, "rule")
        paper.line(_LEFT, y + 3, shortened(name, 8.5, 160), 8.5)
        for place, rows in enumerate(cells.values(), 1):
            for row in (row for row in rows if row["name"] == name):
                x = _LEFT + 170 + place * column
                paper.line(x, y + 2, row["mean"], 8.5, bold=True, right=True)
                paper.line(
                    x, y + 13, f"{row['low']} {w['to']} {row['high']}", 6.5, colour="muted", right=True
                )
        y += 25
    return y


def _costs(paper: Paper, poc: Poc, view: dict[str, Any], w: Any, y: float) -> float:
    """A month of each, the re-ranker's part lighter, and what the switch brings."""
    assert poc.money is not None  # noqa: S101 - narrows the type
    values, of = poc.money.values, decided(poc.money.values)
    paper.line(_LEFT, y, w["cost_month"].format(currency=poc.cost.currency), 10, bold=True)
    y += 19
    if poc.verdict is not None and poc.verdict.overall.action in ("keep", "undecided"):
        y = paper.text(_LEFT, y - 3, w["cost_if"], 8.5, _WIDE, colour="muted") + 6
    parts = {"one": 0.0, "fewer": values.get("fewer_rerank_month", 0.0), "two": values["rerank_month"]}
    stages = [stage for stage in parts if stage != "fewer" or of]
    top = max(*(values[f"{stage}_month"] for stage in stages), 1e-9)
    wide = _WIDE - 170 - 100
    for stage, (name, total, _) in zip(stages, view["cost"]["stacks"], strict=True):
        whole = wide * values[f"{stage}_month"] / top
        rerank = wide * parts[stage] / top
        paper.line(_LEFT, y, shortened(name, 8.5, 160), 8.5)
        paper.box(_LEFT + 170, y, whole - rerank, 11, "system")
        paper.box(_LEFT + 170 + whole - rerank, y, rerank, 11, "system", alpha=0.45)
        paper.line(_RIGHT, y, total, 8.5, bold=True, right=True)
        y += 17
    # The bars have said what a month costs.
    for sentence in view["cost"]["sentences"][len(stages) - 1 :]:
        if y > _FOOT - 32:
            break
        y = paper.text(_LEFT, y + 2, sentence, 8.5, _WIDE, colour="muted")
    return y


def _missing(paper: Paper, poc: Poc, w: Any, y: float) -> None:
    """What was not measured, as far as there is room."""
    gaps = [w[f"gap_{gap.part}"] for gap in poc.gaps]
    if not gaps or y > _FOOT - 40:
        return
    paper.line(_LEFT, y, w["missing"], 10, bold=True)
    y += 17
    for place, gap in enumerate(gaps):
        left = len(gaps) - place
        if y > _FOOT - 28 and left > 1:
            paper.line(_LEFT, y, w["summary_more"].format(count=left), 8, colour="muted")
            return
        paper.line(_LEFT, y, shortened(gap, 8, _WIDE), 8, colour="muted")
        y += 12.5
