"""The verdict's sentences: both languages say the same, with the numbers of the verdict."""

import string

import numpy as np
import pytest

from gradus.insight.cost_words import LABELS
from gradus.insight.cost_words import TEMPLATES as COST_TEMPLATES
from gradus.insight.verdict import Pipeline, Verdict, decide
from gradus.insight.verdict_words import TEMPLATES, Language, headline, sentences, show_change, show_percent
from gradus.settings import DecisionSettings, SlaSettings

N = 400
REFERENCE = np.random.default_rng(0).beta(3, 1.5, N)
LANGUAGES: tuple[Language, ...] = ("en", "ja")


def verdict(
    alone: float,
    fewer: float,
    p95: tuple[float | None, float | None, float | None] = (None, None, None),
    limit: float = 0,
    queries: int = 100,
    segments: dict[str, list[str]] | None = None,
) -> Verdict:
    """A verdict on a first stage and on 20 documents, each this much better than 1,000, one-sided bounds ± .6 %."""
    pipelines = []
    for depth, share, latency in ((0, alone, p95[0]), (20, fewer, p95[1])):
        noise = np.random.default_rng(depth).normal(0, 0.05, N)
        values = REFERENCE + noise - noise.mean() + share * REFERENCE.mean()
        pipelines.append(Pipeline("", depth, values, latency))
    return decide(
        pipelines,
        Pipeline("", 1000, REFERENCE, p95[2]),
        DecisionSettings(queries=queries),
        SlaSettings(p95_ms=limit),
        segments,
    )


def fields(template: str) -> set[str]:
    return {name.lower() for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("templates", [TEMPLATES, COST_TEMPLATES])
def test_both_languages_have_the_same_sentences_with_the_same_values(
    templates: dict[Language, dict[str, str]],
) -> None:
    assert templates["en"].keys() == templates["ja"].keys()
    for name, english in templates["en"].items():
        assert fields(english) == fields(templates["ja"][name]), name
    assert LABELS["en"].keys() == LABELS["ja"].keys()


@pytest.mark.parametrize(
    ("alone", "fewer", "english", "japanese"),
    [
        (0, 0, "Drop the re-ranker.", "リランカーは外せます。"),
        (
            -0.1,
            0,
            "Re-rank fewer: 20 documents instead of 1,000.",
            "リランクする文書を1,000件から20件に減らせます。",
        ),
        (-0.1, -0.1, "Keep the re-ranker.", "リランカーは残すべきです。"),
    ],
)
def test_headlines(alone: float, fewer: float, english: str, japanese: str) -> None:
    found = verdict(alone, fewer)
    assert headline(found.overall, found) == english
    assert headline(found.overall, found, "ja") == japanese


def test_what_was_chosen_is_spoken_of_first() -> None:
    said = sentences(verdict(-0.1, 0))
    assert said[1].startswith("With re-ranking of 20 documents, ")
    assert said[2].startswith("It is shown to lose less")
    assert said[3].startswith("With the first stage alone, ")


def test_an_open_verdict_says_how_many_queries_are_missing() -> None:
    found = verdict(-0.007, -0.1)
    missing = found.overall.alone.missing
    assert missing is not None
    assert headline(found.overall, found).startswith(
        f"Not enough evidence: about {missing.as_measured:,} more judged queries are needed to decide it with a "
        "chance of 80 %"
    )
    assert f"あと約{missing.as_measured:,}件必要です" in headline(found.overall, found, "ja")
    assert "no affordable number" in headline(verdict(-0.01, -0.1).overall, found)


def test_too_few_queries_are_said_to_be_too_few() -> None:
    found = verdict(0, 0, queries=500)
    assert (
        "400 judged queries are fewer than the 500 that a verdict needs: about 100 more"
        in sentences(found)[0]
    )
    assert "評価済みクエリ400件は、判断に必要な500件に足りません" in sentences(found, "ja")[0]


def test_a_mean_of_nothing_has_no_share_to_lose() -> None:
    found = decide(
        [Pipeline("", 0, REFERENCE)], Pipeline("", 1000, np.zeros(N)), DecisionSettings(), SlaSettings()
    )
    why = "the pipeline in use has no mean above 0 of which a share could be lost"
    assert sentences(found)[0] == f"Not enough evidence: {why}."
    assert "平均が0以下" in sentences(found, "ja")[0]


def test_the_evidence_has_the_numbers_of_the_finding() -> None:
    found = verdict(-0.1, -0.1)
    result = found.overall.alone.result
    assert sentences(found)[1:3] == [
        f"With the first stage alone, nDCG@10 changes by −10.0 % against re-ranking of 1,000 (90 %: "
        f"{show_change(result.low)} to {show_change(result.high)}; 400 judged queries).",
        "It is shown to lose more than the margin of 1 %.",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_latency_is_spoken_of_only_where_there_is_a_limit(language: Language) -> None:
    text = " ".join(sentences(verdict(0, 0, (12, 40, 240)), language))
    assert "240" not in text
    text = " ".join(sentences(verdict(0, 0, (12, 40, 240), limit=100), language))
    assert "240" in text
    assert "12" in text


def test_pipelines_that_miss_the_limit_are_named() -> None:
    said = sentences(verdict(0, 0, (150, 200, 240), limit=100))
    assert (
        "The first stage alone misses the limit: 95 of 100 queries take up to 150 ms, allowed are 100 ms."
        in said
    )
    assert "No pipeline that was measured keeps to the limit." in said
    said = sentences(verdict(-0.1, -0.05, (12, 40, 240), limit=100))
    assert "The best that keeps to the limit is re-ranking of 20 documents, with −5.0 % in nDCG@10." in said
    said = sentences(verdict(0, 0, (None, None, 90), limit=100))
    assert (
        "The latency of the first stage alone was not measured, so the limit of 100 ms is unchecked." in said
    )
    assert (
        "Re-ranking of 1,000 documents keeps to the limit of 100 ms (95 of 100 queries within 90 ms)." in said
    )


def test_segments_are_summed_up_where_they_agree_and_named_where_not() -> None:
    halves = ["a"] * 200 + ["b"] * 200
    said = sentences(verdict(0, 0, segments={"kind": halves}))
    assert "No segment is shown to need another answer." in said
    few = sentences(verdict(0, 0, segments={"kind": ["a"] * 350 + ["b"] * 50}))
    assert few[-1] == "In 1 of 2 segments there are too few queries to tell."
    noise = np.random.default_rng(0).normal(0, 0.01, N)
    values = REFERENCE * np.where(np.array(halves) == "a", 1.1, 0.9) + noise + 0.01
    split = decide(
        [Pipeline("", 0, values)],
        Pipeline("", 1000, REFERENCE),
        DecisionSettings(),
        SlaSettings(),
        {"kind": halves},
    )
    (named,) = [text for text in sentences(split) if text.startswith("kind = ")]
    assert named.startswith("kind = b: Keep the re-ranker. With the first stage alone, nDCG@10 changes by −")
    (named,) = [text for text in sentences(split, "ja") if text.startswith("kind = ")]
    assert named.startswith("kind = b:リランカーは残すべきです。")
    assert headline(split.overall, split) == "Drop the re-ranker, except for one kind of query."
    assert headline(split.overall, split, "ja") == "リランカーは外せます(クエリ1種類を除く)。"


def test_numbers_as_people_write_them() -> None:
    assert [show_percent(0.01), show_percent(0.015), show_percent(0.01, "ja")] == ["1 %", "1.5 %", "1%"]
    assert [show_percent(-0.0001), show_percent(-0.015)] == ["0 %", "−1.5 %"]
    assert [show_change(-0.0123), show_change(0.5), show_change(0)] == ["−1.2 %", "+50.0 %", "0.0 %"]
    assert [show_change(float("-inf")), show_change(float("inf"))] == ["−∞", "∞"]
