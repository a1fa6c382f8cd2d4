"""The summary: one sheet on which everything has its place, in both languages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.font_manager
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from proof import ALONE, IN_USE, fewer, proof, result, verdict

from gradus.errors import EvaluationError
from gradus.insight import paper as paper_module
from gradus.insight import poc_summary
from gradus.insight.paper import HEIGHT, WIDTH, Paper, fonts, sheet, shortened, wrapped
from gradus.insight.poc import Poc
from gradus.insight.poc_summary import write_summary
from gradus.insight.verdict import Pipeline, decide
from gradus.insight.verdict_words import Language

TEXTS = st.text(st.sampled_from("ab 10%、。リランク検索(〜:"), max_size=60)


def has_japanese() -> bool:
    try:
        fonts(japanese=True)
    except EvaluationError:
        return False
    return True


LANGUAGES: tuple[Language, ...] = ("en", "ja") if has_japanese() else ("en",)


@given(TEXTS, st.sampled_from([20.0, 60.0, 200.0]))
@pytest.mark.filterwarnings("ignore:Glyph")
def test_lines_hold_all_of_a_text_and_no_more_than_fits(text: str, width: float) -> None:
    with mpl.rc_context({"font.family": fonts(japanese=False)}):
        lines = wrapped(text, 9, width)
        widths = [paper_module._width(line, 9, False) for line in lines]
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line, wide in zip(lines, widths, strict=True):
        # What is too wide is one word, which nothing could break.
        assert wide <= width or len(paper_module._WORD.findall(line)) == 1


@pytest.mark.skipif("ja" not in LANGUAGES, reason="no font for Japanese; apt install fonts-noto-cjk")
def test_no_line_begins_with_a_mark() -> None:
    with mpl.rc_context({"font.family": fonts(japanese=True)}):
        assert wrapped("検索では、100%、低下", 10, 40) == ["検索で", "は、", "100%、", "低下"]
        assert wrapped("検索では、", 10, 1) == ["検", "索", "で", "は、"]


def test_a_text_is_cut_to_one_line() -> None:
    assert shortened("short", 9, 200) == "short"
    cut = shortened("a rather long name of a pipeline", 9, 60)
    assert cut.endswith("…")
    assert paper_module._width(cut, 9, False) <= 60


def crowded() -> Poc:
    """Four candidates with long names, segments that disagree, costs of three pipelines, all gaps."""
    rng = np.random.default_rng(0)
    used = rng.beta(3, 1.5, 400)
    names = [f"{ALONE} with a name that is far too long for a table" if d else ALONE for d in (0, 5, 10, 20)]
    candidates = [
        Pipeline(name, depth, used * (0.9 + 0.001 * depth * 5), 8.0)
        for name, depth in zip(names, (0, 5, 10, 20), strict=True)
    ]
    poc = proof(**fewer())
    decision, sla = replace(poc.decision, margin=0.02), poc.sla
    labels = {
        kind: [f"{kind} {row % 4}" for row in range(400)] for kind in ("traffic", "category", "language")
    }
    found = decide(candidates, Pipeline(IN_USE, 100, used, 400.0), decision, sla, labels)
    bench = replace(poc.bench, pipelines=(*poc.bench.pipelines, result(names[1], 0.8, 9.0)))
    return replace(
        poc, bench=bench, verdict=found, cadence=None, audit=None, noise=None, links=(), title="Long " * 40
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "made", [proof, lambda: proof(verdict=verdict(0.1)), lambda: proof(**fewer()), crowded]
)
def test_everything_lies_on_the_sheet_and_above_its_foot(
    made: "object", language: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []

    @contextmanager
    def kept(_: Path, *, japanese: bool) -> Iterator[Paper]:
        style = {"font.family": fonts(japanese=japanese), "text.parse_math": False, "text.hinting": "none"}
        with mpl.rc_context(style):
            drawn.append(Figure((WIDTH / 72, HEIGHT / 72)))
            yield Paper(drawn[0])
            FigureCanvasAgg(drawn[0]).draw()

    monkeypatch.setattr(poc_summary, "sheet", kept)
    write_summary(made(), Path("unused"), language)  # type: ignore[operator]
    points = drawn[0].dpi / 72
    lines = []
    for text in drawn[0].axes[0].texts:
        place = text.get_window_extent()
        left, right = place.x0 / points, place.x1 / points
        top, bottom = HEIGHT - place.y1 / points, HEIGHT - place.y0 / points
        assert 43 < left <= right < WIDTH - 43, text.get_text()
        lines.append((top, bottom, text.get_text()))
    *above, foot, versions = lines
    assert foot[0] == pytest.approx(versions[0], abs=3)
    assert max(bottom for _, bottom, _ in above) < HEIGHT - 40
    assert len(lines) > 30


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_picture_is_an_a4_sheet_and_the_same_each_time(tmp_path: Path, language: Language) -> None:
    for name in ("a.png", "b.png"):
        write_summary(proof(), tmp_path / name, language)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.width / image.height == pytest.approx(210 / 297, abs=0.002)
        assert image.width > 1200


def test_without_a_font_for_japanese_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: ["DejaVu Sans"])
    with (
        pytest.raises(EvaluationError, match="apt install fonts-noto-cjk"),
        sheet(tmp_path / "a.png", japanese=True),
    ):
        pass
    assert fonts(japanese=False) == ["DejaVu Sans"]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    not any("NotoSansCJK-Regular" in path for path in mpl.font_manager.findSystemFonts()),
    reason="no Noto Sans CJK; apt install fonts-noto-cjk",
)
def test_a_font_that_came_after_matplotlib_made_its_list_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = mpl.font_manager.fontManager
    old = [
        entry for entry in manager.ttflist if not re.search("CJK|Gothic|Japan|JP|Hiragino|Meiryo", entry.name)
    ]
    monkeypatch.setattr(manager, "ttflist", old)
    assert "Noto Sans CJK JP" not in mpl.font_manager.get_font_names()
    assert fonts(japanese=True)[0] == "Noto Sans CJK JP"
