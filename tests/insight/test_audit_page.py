"""The audit's page: it says the numbers of the audit, loads nothing, and trusts no text of the log."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audit_evidence import FAULT, SUMMARY, WARNING, hand_audit, hand_fused
from test_plots import rectangles, texts
from test_report import Page

from gradus.insight.audit import describe_calibration, render_audit, sentence, show_two, write_audit
from gradus.insight.audit_plots import plot_days, plot_examination, plot_scores, plot_widths
from gradus.judgments.audit import Audit, audit
from gradus.judgments.audit.bias import CurvePoint
from gradus.judgments.grades.agreement import Alpha, PairAgreement

ALPHA = Alpha("ordinal", 0.55, 0.31, float("nan"))
PAIRWISE = (PairAgreement(("Aoi", "Ben"), 3, 2 / 3, 0.4),)


def page_of(found: Audit) -> Page:
    return Page(render_audit(found, "fasteners"))


def full(**changes: Any) -> Audit:
    return hand_audit(alpha=ALPHA, agreement=PAIRWISE, **changes)


def row_of(page: Page, first: str) -> list[str]:
    """The one row that begins so."""
    (row,) = [row for row in page.rows if row and row[0] == first]
    return row


def test_the_page_opens_with_the_verdict() -> None:
    found = full()
    html = render_audit(found, "fasteners")
    assert f'<h1 class="long">{found.verdict}</h1>' in html
    assert html.index("<h1") < html.index("<section")
    assert "fasteners · Gradus</title>" in html


def test_the_numbers_are_on_the_page() -> None:
    found = full()
    page = page_of(found)
    assert row_of(page, "pairs")[1] == "5"
    assert row_of(page, "judgments per query")[1] == "2.5"
    assert row_of(page, "head")[1:5] == ["1", "100", "3", f"{found.bands[0].width:.2f}"]
    assert row_of(page, "torso")[4:] == ["–", "–"]
    assert row_of(page, "queries measured")[1] == "1"
    assert row_of(page, "of the impressions")[1] == "45 %"  # 49 of 110
    # θ = .5 with a deviation of .2, and none where it is infinite.
    assert row_of(page, "2")[1:] == ["41", "0.146", "0.50", "0.36 to 0.69"]
    assert row_of(page, "3")[3:] == ["–", "not told"]
    assert row_of(page, "α, ordinal")[1:] == ["0.55", "Its 90 % interval is 0.31 to –."]
    assert row_of(page, "Aoi, Ben")[1:] == ["3", "67 %", "0.40"]
    assert row_of(page, "read")[1:] == ["130", "110 used + 15 filtered + 5 rejected."]
    assert [row[1:] for row in page.rows if row[0] == "filtered"] == [
        ["12", "Robots."],
        ["3", "Beyond the page."],
    ]
    assert "scroll (7)" in page.text
    assert "To change that, show the top 3 in random order" in page.text


def test_every_number_of_the_facts_is_explained() -> None:
    for row in re.findall(
        r'<tr><th scope="row">.*?</th><td class="number">.*?</td><td>(.*?)</td></tr>',
        render_audit(full(), "t"),
    ):
        assert row.endswith("."), row


def test_faults_come_before_everything_else() -> None:
    html = render_audit(full(findings=(FAULT, WARNING)), "fasteners")
    ids = re.findall(r'<section id="(\w+)"', html)
    assert ids[0] == "faults"
    assert html.index("Only clicks are logged.") < html.index('id="coverage"')
    assert html.index("1 of 4 days has no row.") > html.index('id="log"')
    assert html.count("What to do: log what was shown.") == 1
    assert "faults" not in re.findall(r'<section id="(\w+)"', render_audit(full(), "fasteners"))


def test_a_sound_log_is_called_so() -> None:
    assert "found nothing wrong" in page_of(full(findings=())).text
    assert "found nothing wrong" not in page_of(full()).text


def test_texts_are_escaped() -> None:
    evil = '"><script>alert(1)</script>&'
    found = full(
        queries=[evil, "六角ボルト"],
        findings=(replace(FAULT, name=evil, text=evil, remedy=evil),),
        summary=replace(SUMMARY, ignored={evil: 1}, filtered={evil: 15}),
    )
    page = Page(render_audit(found, evil))
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(evil) >= 8
    assert {attributes.get("lang") for tag, attributes in page.tags if tag == "th"} == {None, "ja"}


def test_nothing_is_loaded_and_links_lead_somewhere() -> None:
    html = render_audit(full(findings=(FAULT,)), "fasteners")
    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base", "img"}
    assert not re.search(r"@import|url\((?!#)", html)
    assert "default-src 'none'" in html
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    assert {target[1:] for target in page.values("href") + page.values("xlink:href")} <= set(ids)


def test_what_there_is_no_evidence_for_is_left_out() -> None:
    page = page_of(audit(hand_fused(), documents=8))
    assert {"position", "popularity", "rows", "log", "faults"}.isdisjoint(page.values("id"))
    assert {"coverage", "scores", "sources", "disagreement"} <= set(page.values("id"))
    assert "cannot be held against each other" in page.text
    assert "Between raters" not in page.text


def test_a_log_without_times_has_no_days() -> None:
    timeless = replace(
        SUMMARY, start=None, end=None, days=tuple(replace(day, day=None) for day in SUMMARY.days)
    )
    page = page_of(full(summary=timeless))
    assert "Day by day" not in page.text
    assert "40 result pages in 25 sessions." in page.text


def test_both_files_are_written_and_are_the_same_again(tmp_path: Path) -> None:
    found = full(queries=["六角ボルト", "washer"])
    for name in ("one", "two"):
        write_audit(tmp_path / f"{name}.json", tmp_path / f"{name}.html", found, "fasteners")
    assert json.loads((tmp_path / "one.json").read_text("utf-8")) == found.as_dict()
    assert "六角ボルト" in (tmp_path / "one.json").read_text("utf-8")
    for suffix in ("json", "html"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_calibrations_in_words() -> None:
    grades, log = full().sources
    both = (grades, log)
    assert describe_calibration(log, (replace(log, reference=True),)).startswith("the only source")
    assert "reference" in describe_calibration(grades, both)
    said = {
        method: describe_calibration(replace(log, method=method, shared=1234), both)
        for method in ("isotonic", "quantiles", "identity")
    }
    assert all("1,234 pairs" in text and "grades" in text for text in said.values())
    assert "rising curve" in said["isotonic"]
    assert "distributions" in said["quantiles"]
    assert "wider intervals" in said["identity"]


def test_histograms_are_as_high_as_the_counts() -> None:
    counts = [0] * 20
    counts[3], counts[9], counts[10] = 1, 2, 4
    heights = [height for _, _, height in rectangles(plot_scores(counts), "system") if height > 0]
    assert heights[1] / heights[0] == pytest.approx(2, rel=1e-2)
    assert heights[2] / heights[0] == pytest.approx(4, rel=1e-2)
    # Bin 10 begins at .5: from there on an interval says too little.
    widths = plot_widths(counts, 0.5)
    assert [height > 0 for _, _, height in rectangles(widths, "loss")] == [True] + [False] * 9
    assert sum(height > 0 for _, _, height in rectangles(widths, "system")) == 2


def test_days_are_where_they_belong() -> None:
    svg = plot_days([("2026-01-01", 100, 10), ("2026-01-02", 50, 20), ("2026-01-04", 100, 0)])
    bars = rectangles(svg, "baseline")
    (first, _, tall), (second, _, half), (third, _, _) = bars
    assert tall / half == pytest.approx(2, rel=1e-2)
    assert (third - second) / (second - first) == pytest.approx(2, rel=1e-2)
    assert {"2026-01-01", "2026-01-04"} <= set(texts(svg))


def test_an_endless_interval_does_not_flatten_the_curve() -> None:
    points = [
        CurvePoint(1, 9, 0.5, 1, 1, 1),
        CurvePoint(2, 9, 0.2, 0.5, 1e-9, 1e9),
        CurvePoint(3, 9, 0.1, *[np.nan] * 3),
    ]
    svg = plot_examination(points)
    assert "1.0" in texts(svg)
    assert "nan" not in svg.lower().replace("dominant", "")


def test_a_curve_that_nothing_is_told_of_can_be_drawn() -> None:
    nan = float("nan")
    assert "position" in texts(plot_examination([CurvePoint(1, 5, 0.0, nan, nan, nan)]))


def test_words() -> None:
    assert [show_two(v) for v in (0.126, -0.5, -0.001, float("nan"))] == ["0.13", "−0.50", "0.00", "–"]
    assert [sentence(t) for t in ("robots", "Done.", "")] == ["Robots.", "Done.", "."]
