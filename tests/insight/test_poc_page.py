"""The proof of concept's page: it says the numbers it was given, in one language, loads nothing, trusts no text."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from proof import ALONE, IN_USE, NOISE, SLA, WORDS_ONLY, bare, bench, fewer, proof, verdict
from test_poc_words import NAMES
from test_report import Page
from two_systems import CELL, METRIC

from gradus.evaluation.bootstrap import Interval
from gradus.insight.bench import CellSummary
from gradus.insight.cost_words import show_money
from gradus.insight.poc import Poc
from gradus.insight.poc_page import render_poc, write_poc
from gradus.insight.poc_words import WORDS
from gradus.insight.verdict import Pipeline, decide
from gradus.insight.verdict_words import Language, headline
from gradus.settings import DecisionSettings

SECTIONS = [
    "quality",
    "latency",
    "cost",
    "cadence",
    "evidence",
    "why",
    "examples",
    "kpi",
    "missing",
    "appendix",
]
LANGUAGES: tuple[Language, ...] = ("en", "ja")


def sections(html: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', html)


def page_of(poc: Poc, language: Language = "en") -> Page:
    """The page taken apart, without its program, which is no text."""
    return Page(re.sub(r"<script>.*?</script>", "", render_poc(poc, language), flags=re.DOTALL))


def row_of(page: Page, first: str) -> list[str]:
    """The first row that begins so."""
    return next(
        [cell.strip() for cell in row] for row in page.rows if row and row[0].strip().startswith(first)
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_verdict_comes_first_and_every_section_follows(language: Language) -> None:
    poc = proof()
    html = render_poc(poc, language)
    assert poc.verdict is not None
    assert headline(poc.verdict.overall, poc.verdict, language) in html
    assert html.index("<h1") < html.index('id="verdict"') < html.index('id="quality"')
    assert sections(html) == SECTIONS
    assert f'<html lang="{language}">' in html


def test_the_numbers_are_on_the_page() -> None:
    poc = proof()
    page = page_of(poc)
    # The table of the leading metric: mean and interval of both splits.
    assert row_of(page, IN_USE)[1:] == ["0.8120.782 to 0.852", "0.7120.682 to 0.752"]
    assert row_of(page, ALONE)[1:] == ["0.8070.777 to 0.847", "0.7070.677 to 0.747"]
    times = next(row for row in page.rows if row and row[0].startswith(ALONE) and "4" in row[1:2])
    assert times[1:] == ["4", "8", "8", "16", "125", "250"]
    assert poc.money is not None
    month = row_of(page, "In all")
    assert month[1:] == [show_money(poc.money.values[f"{stage}_month"]) for stage in ("one", "two")]
    assert row_of(page, "Saving, EUR")[1] == show_money(poc.money.values["saving"])
    assert row_of(page, "full training")[1:] == ["–", "120", "1,234", "2 weeks"]
    assert row_of(page, "going on from")[1:] == ["1.1\u00a0%", "40", "1,234", "none holds"]
    assert row_of(page, "log")[1:] == ["5,678", "99,000", "100\u00a0%"]
    assert ["head", "12", "345", "4,000", "0.21"] in page.rows
    assert row_of(page, "pbm")[1:] == ["10,000", "0.777"]
    assert row_of(page, "sales")[1:] == [METRIC, "55", "+0.420.20 to 0.61", "+0.300.10 to 0.50", "93\u00a0%"]
    text = page.text
    for said in (
        "A model loses 1.1\u00a0% of nDCG@10 with each week of age",
        "full training, every 2 weeks",
        "75\u00a0% of 5,678 judged pairs",
        "1,100 of the 1,234 documents",
        "only clicks are logged; log more",
        "how other queries judged the document",
        "others",
        "3.21 GB",
        "ab" * 32,
        "gradus poc pipelines.toml",
        "stage.with.training.epochs = 3",
    ):
        assert said in text, said


def test_the_tiles_are_those_of_the_verdict() -> None:
    poc = proof(verdict=verdict(0.1))
    tiles = re.findall(
        r'<section class="tile (\w*)">.*?<strong>(.*?)</strong>', render_poc(poc), flags=re.DOTALL
    )
    alone = poc.verdict.overall.alone if poc.verdict else None
    assert alone is not None
    assert alone.state == "breaks"
    shown = f"{100 * alone.result.relative:+.1f}".replace("-", "−")
    assert tiles[0] == ("worse", f"{shown}\u00a0%")
    assert tiles[1] == ("better", "8")
    assert tiles[3][1] == "2 weeks"
    # Costs of one stage are no promise where the verdict is another.
    assert WORDS["en"]["cost_if"] in render_poc(poc)
    assert WORDS["en"]["cost_if"] not in render_poc(proof())
    # Where two stages are better by more than the margin, that is said with the segment.
    assert "traffic = tail" in page_of(poc).text
    assert "Nowhere are the two stages" in page_of(proof()).text


@pytest.mark.parametrize("language", ["en", "ja"])
def test_re_ranking_fewer_has_costs_of_its_own(language: str) -> None:
    poc = proof(**fewer())
    assert poc.verdict is not None
    assert poc.money is not None
    assert (poc.verdict.overall.action, poc.verdict.overall.depth) == ("fewer", 20)
    html, w, values = render_poc(poc, language), WORDS[language], poc.money.values  # type: ignore[arg-type]
    tiles = re.findall(
        r'<section class="tile (\w*)">\s*<h2>(.*?)</h2>.*?<strong>(.*?)</strong>', html, flags=re.DOTALL
    )
    expected = [w[f"tile_{name}_fewer"].format(depth=20) for name in ("quality", "latency", "saving")]
    assert [heading for _, heading, _ in tiles[:3]] == expected
    assert tiles[1][2] == "16"
    # 10 / (.5 · .5) = 40 instances and one to spare re-rank 100 documents, 10 and one re-rank 20.
    assert values["rerank_replicas"] - values["fewer_rerank_replicas"] == 30
    assert values["fewer_saving"] == pytest.approx(36 * 30 * 0.2 * 730.5 - 40 * 80)
    assert tiles[2][2] == show_money(values["fewer_saving"])
    assert w["cost_if"] not in html  # it is what the verdict saves
    months = [show_money(values[f"{of}_month"]) for of in ("one", "fewer", "two")]
    columns = re.findall(r'<tr class="sum">.*?</tr>', html, flags=re.DOTALL)[0]
    assert re.findall(r'<td class="number">(.*?)</td>', columns) == months
    assert f'<th scope="col" class="number">{w["cost_fewer"].format(depth=20)}</th>' in html
    # What makes re-ranking of fewer documents slow moves its saving alone.
    assert "fewer_switch_hours" in [bar.name for bar in poc.money.bars]
    assert "switch_hours" not in [bar.name for bar in poc.money.bars]


def test_what_is_missing_is_said_with_how_to_add_it() -> None:
    html = render_poc(bare())
    assert sections(html) == ["quality", "missing", "appendix"]
    assert WORDS["en"]["no_verdict"] in html
    for part in (
        "verdict",
        "latency",
        "cost",
        "cadence",
        "evidence",
        "noise",
        "traffic",
        "why",
        "examples",
        "kpi",
    ):
        assert WORDS["en"][f"gap_{part}"] in page_of(bare()).text
    assert WORDS["en"]["missing_nothing"] not in html
    assert WORDS["en"]["missing_nothing"] in render_poc(proof())
    failed = replace(proof(cadence=None), failures={"cadence": "the log is too short"})
    assert "the log is too short" in page_of(failed).text
    assert [(gap.part, gap.reason) for gap in failed.gaps] == [("cadence", "the log is too short")]


class Prose(Page):
    """A page's text without what has a name of its own: `translate="no"`."""

    def __init__(self, html: str) -> None:
        self.prose = ""
        self._named: list[bool] = []
        super().__init__(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        before = len(self.open)
        super().handle_starttag(tag, attrs)
        if len(self.open) > before:
            self._named.append(any(self._named) or ("translate", "no") in attrs)

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        self._named.pop()

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if self.open and self.open[-1] != "style" and not any(self._named):
            self.prose += data


def test_no_english_is_left_in_japanese() -> None:
    for poc in (proof(), proof(verdict=verdict(0.1)), bare()):
        html = re.sub(r"<script>.*?</script>", "", render_poc(poc, "ja"), flags=re.DOTALL)
        prose = Prose(html).prose
        for name in (IN_USE, METRIC):
            prose = prose.replace(name, "")
        words = set(re.findall(r"[A-Za-z]{3,}", NAMES.sub("", prose)))
        assert words <= {"Gradus", "EUR", "GPU", "vCPU", ALONE, "Parts"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_loaded_and_only_its_own_program_may_run(language: Language) -> None:
    html = render_poc(proof(), language)
    page = Page(re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base"}
    sources = page.values("src")
    assert sum(source.startswith("data:image/png;base64,") for source in sources) == len(sources) > 0
    assert all(target.startswith("#") for target in page.values("href"))
    assert not re.search(r"@import|url\(", html)
    (program,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    assert (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in html
    )


def test_ids_are_unique_and_links_lead_somewhere() -> None:
    page = page_of(proof())
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    assert {target[1:] for target in page.values("href")} <= set(ids)


def test_texts_are_escaped() -> None:
    evil = '"><script>alert(1)</script>&'
    full = bench()
    named = replace(full, pipelines=(replace(full.pipelines[0], name=evil), *full.pipelines[1:]))
    failures = {"kpi": evil}
    poc = proof(title=evil, bench=named, commands=[evil], files={evil: evil}, links=(), failures=failures)
    html = render_poc(poc)
    assert html.count("<script>") == 1
    assert page_of(poc).text.count(evil) >= 8


def test_a_lone_query_has_no_interval_and_no_broken_place() -> None:
    full = bench()
    lone = CellSummary(1, 9, {METRIC: Interval(0.5, np.nan, np.nan, 1)})
    poc = proof(
        bench=replace(full, pipelines=(replace(full.pipelines[0], cells={CELL: lone}), *full.pipelines[1:]))
    )
    assert "nan" not in re.sub(r"data:[^\"]*", "", render_poc(poc)).casefold().replace("finance", "")


@pytest.mark.parametrize("margin", [0.0, 0.02])
def test_a_candidate_that_changes_nothing_has_a_place(margin: float) -> None:
    values = np.random.default_rng(0).beta(3, 1.5, 200)
    same = decide(
        [Pipeline(ALONE, 0, values)], Pipeline(IN_USE, 100, values), DecisionSettings(margin=margin), SLA
    )
    html = render_poc(proof(verdict=same))
    (zero,) = re.findall(r'class="track" style="--limit:[\d.]+%;--zero:([\d.]+)%"', html)
    assert f'<i class="dot {same.overall.alone.state}" style="left:{zero}%"></i>' in html


def test_a_metric_without_values_leads_no_page() -> None:
    asked = DecisionSettings(metric="KendallTau", margin=0.02)
    full = replace(bench(), metrics=("KendallTau", METRIC, "R@10"))
    html = render_poc(proof(bench=full, decision=asked))
    assert f'<figure class="view" data-name="{METRIC}" data-lead>' in html
    assert html.count(" data-lead>") == 1


def test_values_of_the_data_are_not_translated() -> None:
    values = np.random.default_rng(0).beta(3, 1.5, 400)
    half = np.arange(400) % 2 == 1
    labels = {
        "traffic": np.where(half, "tail", "head").tolist(),
        "part": np.where(half, "head", "other").tolist(),
    }
    told = decide(
        [Pipeline(ALONE, 0, values)], Pipeline(IN_USE, 100, values), DecisionSettings(), SLA, labels
    )
    page = page_of(proof(verdict=told), "ja")
    named = {row[0].strip() for row in page.rows if row}
    assert {"高頻度検索頻度", "低頻度検索頻度", "headpart", "その他part"} <= named


def test_the_same_proof_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_poc(proof(), tmp_path / name, "ja")
    for file in ("report.html", "report.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_programs_find_everything_in_the_json(tmp_path: Path) -> None:
    write_poc(proof(audit=None), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert [p["name"] for p in found["bench"]["pipelines"]] == [WORDS_ONLY, IN_USE, ALONE]
    assert found["verdict"]["overall"]["action"] == "drop"
    assert found["verdict"]["sentences"][0] == "Drop the re-ranker."
    assert "values" not in found["verdict"]["reference"]
    assert found["cadence"]["chosen"]["every"] == 2
    assert found["cadence"]["plans"][1]["cpu_seconds"] is None
    assert found["money"]["values"]["payback"] > 0
    assert found["noise"] == NOISE
    assert found["gaps"] == [{"part": "evidence", "reason": ""}]
    assert found["examples"][0]["lists"][0]["hits"]
    assert "data:image" not in json.dumps(found)
