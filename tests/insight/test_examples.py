"""Examples: the rule picks what it says, and pictures and scores are what the data holds."""

import base64
import io

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image
from two_systems import CELL, METRIC, evaluation, judgments, png

from gradus.catalog.text import has_kana
from gradus.evaluation.results import CellResult, Evaluation
from gradus.insight.examples import Example, choose_examples, kinds_of, thumbnail


def test_kinds() -> None:
    queries = ["hex bolt M8 50x2", "hxe bolt", "ボルト 鉄", "六角", "hex bolt", None, "washer пин"]
    assert kinds_of(judgments(queries, {4: png(), 5: png()})) == [
        *("Latin script", "Latin script", "Japanese script", "Japanese script"),
        *("by picture", "by picture", "other script"),
    ]
    # "hxe" above is too short to be called a slip.
    assert kinds_of(judgments(["hexx", "wahser", "ロラー", "bearings", "unknown", "六角"])) == [
        *("misspelt", "misspelt", "misspelt", "misspelt", "Latin script", "Japanese script"),
    ]
    assert kinds_of(judgments(["六角", "bolt"])) == ["Chinese script", "Latin script"]


@given(
    st.text("abcdefgh", min_size=5, max_size=9), st.integers(0, 8), st.sampled_from("xyz"), st.integers(0, 3)
)
def test_every_single_slip_is_seen(word: str, place: int, letter: str, slip: int) -> None:
    i = place % (len(word) - 1)
    typed = (
        word[:i] + word[i + 1 :],
        word[:i] + letter + word[i:],
        word[:i] + letter + word[i + 1 :],
        word[:i] + word[i + 1] + word[i] + word[i + 2 :],
    )[slip]
    assume(typed != word)
    judged = judgments([typed], title=[word] * 6)
    assert kinds_of(judged) == ["misspelt"]


def test_the_rule_shows_medians_then_the_extremes() -> None:
    # All in Latin script: gains −0.5, −0.2, 0.0, 0.1, 0.6; the median is q2.
    before, after = [0.5, 0.4, 0.3, 0.2, 0.1], [0.0, 0.2, 0.3, 0.3, 0.7]
    chosen = choose(before, after, ["hex bolt"] * 5)
    assert [(e.query_id, e.reason) for e in chosen] == [
        ("q2", "the median of its kind"),
        ("q4", "the greatest gain"),
        ("q0", "the greatest loss"),
    ]
    assert chosen[1].difference == pytest.approx(0.6)
    assert [shown.value for shown in chosen[1].lists] == pytest.approx([0.1, 0.7])
    assert [shown.system for shown in chosen[1].lists] == ["old", "new"]


def test_each_kind_has_its_median_and_no_query_is_shown_twice() -> None:
    queries = ["hex bolt", "ボルト", "wahser", None]
    chosen = choose([0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.5, 0.5], queries, {3: png()})
    assert [(e.query_id, e.kind, e.text) for e in chosen] == [
        ("q0", "Latin script", "hex bolt"),
        ("q1", "Japanese script", "ボルト"),
        ("q2", "misspelt", "wahser"),
        ("q3", "by picture", ""),
    ]
    assert [e.picture is not None for e in chosen] == [False, False, False, True]


def test_a_loss_is_never_called_a_gain() -> None:
    chosen = choose([0.5, 0.5, 0.5], [0.1, 0.2, 0.3], ["hex bolt"] * 3)
    assert [e.reason for e in chosen] == ["the median of its kind", "the greatest loss"]


def test_fewer_is_better_for_a_rank() -> None:
    before, after = ([5.0, 5.0, 5.0], [1.0, 5.0, 9.0])
    old, new = (with_metric(evaluation(n, v), "RankOfBest@10") for n, v in (("old", before), ("new", after)))
    chosen = choose_examples(old, new, judgments(["hex bolt"] * 3), CELL, "RankOfBest@10")
    assert {e.reason: e.query_id for e in chosen} == {
        "the median of its kind": "q1",
        "the greatest gain": "q0",
        "the greatest loss": "q2",
    }


def test_queries_without_the_metric_are_not_chosen() -> None:
    chosen = choose([np.nan, 0.2], [0.9, 0.3], ["hex bolt"] * 2)
    assert [e.query_id for e in chosen] == ["q1"]


def test_hits_carry_titles_pictures_and_judged_scores() -> None:
    # q1 finds d1 worth 1 and d2 worth 0.5; d0 is unjudged. d1 has no picture, d2 a damaged one.
    chosen = {e.query_id: e for e in choose([0.1, 0.2], [0.2, 0.9], ["hex bolt", "washer"])}["q1"]
    hits = chosen.lists[1].hits
    assert [(hit.doc_id, hit.score) for hit in hits] == [("d0", None), ("d1", 1.0), ("d2", 0.5)]
    assert [hit.titles for hit in hits] == [
        ("hex bolt M8", "六角ボルト"),
        ("washer", "ワッシャー"),
        ("flange",),
    ]
    assert [hit.picture is not None for hit in hits] == [True, False, False]


def test_five_hits_at_most_and_none_where_nothing_was_returned() -> None:
    lists = {0: [f"d{i}" for i in range(6)], 1: []}
    old, new = evaluation("old", [0.1, 0.2], lists=lists), evaluation("new", [0.1, 0.9], lists=lists)
    judged = judgments(["hex bolt"] * 2)
    chosen = {e.query_id: e for e in choose_examples(old, new, judged, CELL, METRIC)}
    assert len(chosen["q0"].lists[0].hits) == 5
    assert chosen["q1"].lists[0].hits == ()


def test_thumbnails_are_small_pngs_of_the_same_shape() -> None:
    shown = thumbnail(png(400, 100), 100)
    assert shown is not None
    head, _, data = shown.partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (100, 25)
    assert thumbnail(None) is None
    assert thumbnail(b"no picture") is None


def test_kana_make_a_text_japanese() -> None:
    assert has_kana("M8 ボルト")
    assert has_kana("ねじ")
    assert not has_kana("六角 M8")


def choose(
    before: list[float],
    after: list[float],
    queries: list[str | None],
    pictures: dict[int, bytes] | None = None,
) -> list[Example]:
    old, new = evaluation("old", before), evaluation("new", after)
    return choose_examples(old, new, judgments(queries, pictures), CELL, METRIC)


def with_metric(given: Evaluation, metric: str) -> Evaluation:
    cell = given.cells[CELL]
    per_query = {metric: cell.per_query[METRIC]}
    return Evaluation(given.name, {CELL: CellResult(cell.documents, cell.query_ids, per_query, cell.run)})
