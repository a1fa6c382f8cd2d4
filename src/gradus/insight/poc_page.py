"""The proof of concept on one page for people, and in one file for programs."""

import base64
import hashlib
import json
from pathlib import Path

from markupsafe import Markup

from gradus.files import atomic_file
from gradus.insight.page import read_part, render_page
from gradus.insight.poc import Poc
from gradus.insight.poc_view import view_of
from gradus.insight.poc_words import WORDS
from gradus.insight.verdict_words import Language


def write_poc(poc: Poc, folder: Path, language: Language = "en") -> None:
    """Write `report.html` and `report.json`; older ones are replaced whole."""
    html = render_poc(poc, language)
    with atomic_file(folder / "report.html") as aside:
        aside.write_text(html, encoding="utf-8")
    with atomic_file(folder / "report.json") as aside:
        text = json.dumps(poc.as_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        aside.write_text(text + "\n", encoding="utf-8")


def render_poc(poc: Poc, language: Language = "en") -> str:
    """The page as HTML: style, program, plots and pictures are inside, and nothing is loaded.

    The page's policy allows no program but its own, by its hash.
    """
    script = read_part("poc.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    html = render_page(
        "poc",
        poc.title,
        {},
        ("examples",),
        poc=poc,
        language=language,
        w=WORDS[language],
        v=view_of(poc, language),
        script=Markup(script),  # noqa: S704 - our own file
        digest=digest,
    )
    # A number and its sign stay on one line.
    return html.replace(" %", "\u00a0%")
