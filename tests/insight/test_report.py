"""The report: it says the numbers it was given, loads nothing, and trusts no text of the catalogue."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from two_systems import CELL, METRIC, documents, judgments, png, report

from gradus.errors import EvaluationError
from gradus.evaluation.comparison import Comparison
from gradus.evaluation.effect import PairedEffect
from gradus.insight.page import show_signed, show_value
from gradus.insight.plots import Curve
from gradus.insight.report import Training, headline, render_report, show_p, show_relative, write_report

BEFORE, AFTER = [0.1, 0.2, 0.3, 0.4, 0.2, 0.3], [0.5, 0.6, 0.6, 0.9, 0.5, 0.4]
VOID = {"meta", "img", "link", "br", "hr", "input", "source"}


class Page(HTMLParser):
    """A page taken apart: tags with attributes, table rows, all text outside style; every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data
            if {"td", "th"} & set(self.open):
                self.rows[-1][-1] += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"[+-]?\d+\.\d+", text.replace("−", "-"))]


def comparison(cell: str, difference: float, p_value: float, metric: str = METRIC) -> Comparison:
    effect = PairedEffect(difference / 0.5, 0, 0, 0, 0.5, 0, 9, 0)
    return Comparison(
        cell, metric, "old", "new", 0.5, 0.5 + difference, difference, 0, 0, p_value, 9, p_value, effect
    )


def test_the_table_holds_the_numbers() -> None:
    given = report(BEFORE, AFTER)
    (row,) = [row for row in Page(render_report(given)).rows if row and row[0].strip() == METRIC]
    found = given.comparisons[0]
    for shown, (mean, low, high) in zip(
        row[1:4],
        (
            *(
                (i.mean, i.low, i.high)
                for i in (e.cells[CELL].intervals[METRIC] for e in (given.baseline, given.system))
            ),
            (found.difference, found.low, found.high),
        ),
        strict=True,
    ):
        assert numbers(re.sub(r"(\.\d{3})", r"\1 ", shown)) == pytest.approx([mean, low, high], abs=5e-4)
    # The baseline's mean is 1.5 / 6 = 0.25, the system's 3.5 / 6.
    assert numbers(row[1])[0] == pytest.approx(0.25)
    assert row[4] == "+133 %"
    assert numbers(row[5]) == pytest.approx([found.p_value], abs=5e-4)


def test_what_it_was_given_is_on_the_page() -> None:
    text = Page(render_report(report(BEFORE, AFTER))).text
    for said in (
        *("Two systems.", "gradus demo --seed 3", "gradus 9.9", "Parts are few.", "07", "17"),
        *("hex bolt M8", "六角ボルト", "unjudged, counts as 0", "no picture", "1.00", "0.50"),
        *("higher for 100 % of 6 queries", "title_ja", "83 %"),
    ):
        assert said in text


def test_split_counts_are_on_the_page() -> None:
    # All six queries and documents are novel: 6 × 2 pairs in the zero-shot cell, none elsewhere.
    rows = Page(render_report(report(BEFORE, AFTER))).rows
    (row,) = [row for row in rows if row[0].startswith(CELL) and len(row) == 4]
    assert row[1:] == ["6", "6", "12"]


def test_texts_are_escaped() -> None:
    evil = '"><script>alert(1)</script>&'
    judged = judgments([evil] * 6, title=[evil] * 6)
    given = report(
        BEFORE, AFTER, ("<b>old", "$new$"), judgments=judged, title=evil, introduction=evil, limits=[evil],
        commands=[evil], versions={evil: evil},
    )  # fmt: skip
    page = Page(render_report(given))
    assert page.text.count(evil) >= 10
    assert "<b>old" in page.text
    assert "$new$" in page.text
    assert "script" not in {tag for tag, _ in page.tags}


def test_nothing_is_loaded() -> None:
    judged = judgments(["hex bolt"] * 5 + [None], {5: png()})
    html = render_report(report(BEFORE, AFTER, judgments=judged))
    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base"}
    sources = page.values("src")
    assert sum(source.startswith("data:image/png;base64,") for source in sources) == len(sources) > 0
    for name in ("href", "xlink:href"):
        assert all(target.startswith("#") for target in page.values(name))
    assert not re.search(r"@import|url\((?!#)", html)
    assert "default-src 'none'" in html


def test_ids_are_unique_and_links_lead_somewhere() -> None:
    page = Page(render_report(report(BEFORE, AFTER)))
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    assert {target[1:] for target in page.values("href") + page.values("xlink:href")} <= set(ids)


def test_missing_pictures_and_empty_lists_are_said() -> None:
    lists = {query: [] for query in range(6)} | {0: ["d1"]}
    judged = judgments(["hex bolt"] * 6, image=[None] * 6)
    page = Page(render_report(report(BEFORE, AFTER, judgments=judged, lists=lists)))
    assert "Nothing was returned." in page.text
    assert "img" not in {tag for tag, _ in page.tags}


def test_sections_without_content_are_left_out() -> None:
    given = report(BEFORE, AFTER, examples=(), trainings=(), commands=(), versions={}, limits=())
    page = Page(render_report(given))
    assert {"examples", "again", "limits"}.isdisjoint(page.values("id"))
    assert {"measured", "plots", "data"} <= set(page.values("id"))
    assert "curves" not in "".join(page.values("id"))


def test_a_training_without_validation_has_no_curve() -> None:
    empty = Curve("old", np.zeros(0), np.zeros(0))
    given = report(BEFORE, AFTER)
    given = replace(given, trainings=[Training({"steps": "7"}, empty), given.trainings[1]])
    assert "over training time" not in render_report(given)


def test_the_leading_metric_must_have_been_compared() -> None:
    given = replace(report(BEFORE, AFTER), metric="MAP")
    with pytest.raises(EvaluationError, match="no row for MAP"):
        render_report(given)


def test_the_same_report_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        write_report(report(BEFORE, AFTER), tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert documents().columns["title_ja"][0] in (tmp_path / "one.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            {"a": (0.1, 0.01), "b": (0.1, 0.01), "c": (0.2, 0.04)},
            "new orders results better than old on every split",
        ),
        ({"a": (-0.1, 0.01)}, "new orders results worse than old on a"),
        ({"a": (0.3, 0.05), "b": (-0.3, 0.2)}, "No certain difference was found between new and old"),
        ({"a": (0.3, float("nan"))}, "No certain difference was found between new and old"),
        (
            {"a": (0.1, 0.01), "b": (0.1, 0.01), "c": (-0.1, 0.01), "d": (0.1, 0.9)},
            "Against old, new orders results better on a and b, worse on c, and without a certain difference on d",
        ),
    ],
)
def test_headlines(found: dict[str, tuple[float, float]], said: str) -> None:
    assert headline([comparison(cell, *values) for cell, values in found.items()]) == said


def test_a_lower_rank_is_better() -> None:
    assert "better" in headline([comparison("a", -2.0, 0.01, "RankOfBest@10")])


def test_numbers_as_they_are_shown() -> None:
    assert [show_value(v) for v in (0.12345, -0.5, -0.0001, 12.34, 1234.5, np.nan)] == [
        *("0.123", "−0.500", "0.000", "12.3", "1,234.5", "–"),
    ]
    assert [show_signed(v) for v in (0.5, -0.5, 0.0001, -0.0001, np.nan)] == [
        *("+0.500", "−0.500", "0.000", "0.000", "–"),
    ]
    assert [show_p(v) for v in (0.0009, 0.001, 0.5, np.nan)] == ["< 0.001", "0.001", "0.500", "–"]
    assert [show_relative(comparison("a", d, 0.5)) for d in (0.1, -0.1, 0.001)] == ["+20 %", "−20 %", "0 %"]
    assert show_relative(replace(comparison("a", 0.1, 0.5), baseline_mean=0.0)) == ""
