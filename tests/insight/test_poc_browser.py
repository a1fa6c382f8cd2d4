"""The proof of concept's page in a real browser: nothing overflows, nothing is asked of a network, no glyph is missing."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from proof import bare, proof, verdict

pytest.importorskip("playwright", reason="pip install playwright")
pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from gradus.insight.poc_page import render_poc
from gradus.insight.verdict_words import Language

LANGUAGES: tuple[Language, ...] = ("en", "ja")
WIDTHS = (1280, 390)

pytestmark = pytest.mark.slow

MISSING = """() => {
  const canvas = new OffscreenCanvas(40, 40);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.font = `24px ${getComputedStyle(document.body).fontFamily}`;
  const drawn = (character) => {
    pen.clearRect(0, 0, 40, 40);
    pen.fillText(character, 4, 30);
    return pen.getImageData(0, 0, 40, 40).data.join();
  };
  // No font has U+0378, which is not assigned: what is drawn for it stands for every glyph that is missing.
  const nothing = drawn("\\u0378");
  return [...new Set(document.body.innerText)].filter((c) => c.trim() && drawn(c) === nothing);
}"""


def japanese_fonts() -> bool:
    """Whether a font for Japanese is installed; without one, no page can show it."""
    listed = shutil.which("fc-list")
    return bool(
        listed and subprocess.run([listed, ":lang=ja"], capture_output=True, check=True).stdout.strip()
    )


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page from its file; a complaint in its console, or a request, fails the test."""
    contexts, complaints = [], []

    def opened(html: str, width: int = 1280, **how: Any) -> Page:
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda r: None if r.url.startswith(("file:", "data:")) else complaints.append(r.url)
        )
        page.goto(file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_part_is_wider_than_the_window(visit: Callable[..., Page], language: Language, width: int) -> None:
    for poc in (proof(verdict=verdict(0.1)), bare()):
        page = visit(render_poc(poc, language), width)
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        # What is wider than its box scrolls within it; nothing is cut off elsewhere.
        wide = page.evaluate(
            """(width) => [...document.querySelectorAll("body *")]
            .filter((e) => !e.closest(".scroll, pre, svg, [hidden]") && e.getBoundingClientRect().right > width + 0.5)
            .map((e) => e.outerHTML.slice(0, 120))""",
            width,
        )
        assert wide == []


@pytest.mark.parametrize("width", WIDTHS)
def test_marks_stand_over_their_axis(visit: Callable[..., Page], width: int) -> None:
    tracks = visit(render_poc(proof(verdict=verdict(0.1)), "ja"), width).evaluate(
        """() => [...document.querySelectorAll(".ranges:has(.ticks)")].filter((e) => e.checkVisibility()).map((plot) =>
        [...plot.querySelectorAll(".track")].map((e) => e.getBoundingClientRect()).map((r) => `${r.left} ${r.right}`))"""
    )
    assert len(tracks) == 4
    for plot in tracks:
        assert len(plot) > 1
        assert len(set(plot)) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_everyone(visit: Callable[..., Page], language: Language, scheme: str) -> None:
    page = visit(render_poc(proof(), language), color_scheme=scheme)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.skipif(not japanese_fonts(), reason="no font for Japanese; apt install fonts-noto-cjk")
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_glyph_is_missing(visit: Callable[..., Page], language: Language) -> None:
    assert visit(render_poc(proof(), language)).evaluate(MISSING) == []
    # The check sees what no font has.
    assert visit(render_poc(proof(title="Parts \u0378\u0379"), language)).evaluate(MISSING) == [
        "\u0378",
        "\u0379",
    ]


def test_values_are_shown_at_the_pointer_and_metrics_are_chosen(visit: Callable[..., Page]) -> None:
    page = visit(render_poc(proof()))
    tip, views = page.locator(".tip"), page.locator(".view:visible")
    assert not tip.is_visible()
    page.locator("#latency .mark.system circle").hover()
    assert tip.inner_text() == "new: nDCG@10 0.757, 8 ms"
    page.mouse.move(0, 0)
    assert not tip.is_visible()
    page.locator("#quality .mark").first.focus()
    assert "0.413 (0.383 to 0.453)" in tip.inner_text()
    assert [views.nth(place).get_attribute("data-name") for place in range(views.count())] == ["nDCG@10"]
    page.get_by_role("button", name="R@10", exact=True).click()
    assert [views.nth(place).get_attribute("data-name") for place in range(views.count())] == ["R@10"]


def test_without_its_program_everything_can_be_read(visit: Callable[..., Page]) -> None:
    page = visit(render_poc(proof()), java_script_enabled=False)
    assert page.locator(".view:visible").count() == 2
    assert page.locator("button:visible").count() == 0


def test_what_is_printed_is_whole(visit: Callable[..., Page], tmp_path: Path) -> None:
    page = visit(render_poc(proof(), "ja"))
    page.emulate_media(media="print")
    assert page.locator("nav:visible, .buttons:visible, .tip:visible").count() == 0
    assert page.locator(".view:visible").count() == 1
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
