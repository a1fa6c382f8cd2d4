"""Synthetic queries: they pick a document's words as judged queries do, and are none of these."""

from collections import Counter

import numpy as np
import pytest

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import SettingsError
from gradus.judgments.judgments import Judgments
from gradus.workflow.synthetic import KAPPA, _learned, _words, synthetic_queries

BRANDS = ["north", "south", "east", "west"]
KINDS = ["bolt", "nut", "gear", "pin", "spring"]
STOCK = ["plenty", "few"]


def documents() -> Table:
    """Twenty parts; all hold a word that nobody asks for."""
    rows = [(b, k, STOCK[n % 2]) for n, (b, k) in enumerate((b, k) for b in BRANDS for k in KINDS)]
    fields = (Field("title"), Field("brand", "category"), Field("pads", "number"), Field("note", weight=0.0))
    columns = {
        "title": [f"{k}, {s}" for _, k, s in rows],
        "brand": [b for b, _, _ in rows],
        "pads": [float(2 + n % 3) for n in range(len(rows))],
        "note": ["secret"] * len(rows),
    }
    return Table([f"d{n}" for n in range(len(rows))], fields, columns)


def judged(texts: list[str | None], best: list[int], **columns: list[str | None]) -> Judgments:
    """Each query's best document, and one that is worse."""
    fields = (Field("query"), *(Field(name, weight=0.0) for name in columns))
    queries = Table([f"q{n}" for n in range(len(texts))], fields, {"query": texts, **columns})
    query = np.repeat(np.arange(len(texts)), 2)
    document = np.array([row for one in best for row in ((one + 1) % 20, one)])
    score = np.tile([0.3, 0.9], len(texts))
    return Judgments(
        queries, documents(), query, document, score, score, score, np.full(len(score), "", object)
    )


def asked() -> Judgments:
    """North's and south's parts, asked for by brand and kind."""
    rows = [n for n in range(10) if n % 3]
    return judged([f"{BRANDS[n // 5]} {KINDS[n % 5]}" for n in rows], rows)


EVERYTHING = np.arange(20)


def test_words_are_those_of_encoded_texts_categories_and_numbers():
    assert _words(documents())[0] == ["bolt", "plenty", "north", "2", "pads"]
    text = Table(
        ["a"], (Field("title"),), {"title": ["Hex, (M8×1.25) 六角ボルト。ステンレス … " + "あ" * 25]}
    )
    assert _words(text) == [["hex", "m8×1.25", "六角ボルト", "ステンレス"]]


def test_what_is_learned_is_the_share_of_best_documents_whose_word_was_used():
    judgments = judged(["north bolt", "bolt 2", None], [0, 0, 3])
    lengths, chance = _learned(judgments, _words(judgments.queries), _words(judgments.documents))
    assert lengths == [2, 2]
    # Document 0 was best twice: of 10 words that were there 4 were used (north, bolt; bolt, 2).
    common = (4 + 1) / (10 + 1)
    assert chance("bolt") == pytest.approx((2 + KAPPA * common) / (2 + KAPPA))
    assert chance("north") == pytest.approx((1 + KAPPA * common) / (2 + KAPPA))
    assert chance("plenty") == pytest.approx((0 + KAPPA * common) / (2 + KAPPA))
    assert chance("never seen") == pytest.approx(common)


def test_new_queries_are_asked_as_the_judged_ones_are():
    brands, kinds = [f"brand{n}" for n in range(8)], [f"kind{n}" for n in range(10)]
    rows = [(b, k) for b in brands for k in kinds]
    fields = (Field("title"), Field("brand", "category"))
    columns = {"title": [f"{k} with 3 words more" for _, k in rows], "brand": [b for b, _ in rows]}
    parts = Table([f"d{n}" for n in range(80)], fields, columns)
    best = np.arange(0, 80, 4)
    queries = Table(
        [f"q{n}" for n in best], (Field("query"),), {"query": [" ".join(rows[n]) for n in best.tolist()]}
    )
    score = np.ones(len(best))
    judgments = Judgments(
        queries, parts, np.arange(len(best)), best, *[score] * 3, np.full(len(best), "", object)
    )
    made = synthetic_queries(judgments, np.arange(80), 30, 0)
    words = [text.split() for text in made.columns["query"]]
    assert {len(each) for each in words} == {2}
    counts = Counter(word for each in words for word in each)
    named = sum(counts[word] for word in [*brands, *kinds])
    # Two of six words of a document, a third, would be named by chance; here it is (20 + ε) / (20 + κ) against ε / (20 + κ).
    assert named > 5 * (counts.total() - named)
    held = [set(each) for each in _words(parts)]
    assert all(any(set(each) <= one for one in held) for each in words)


def test_none_is_a_judged_query_or_there_twice():
    judgments = asked()
    made = synthetic_queries(judgments, EVERYTHING, 60, 0)
    contents = [frozenset(text.split()) for text in made.columns["query"]]
    assert len(set(contents)) == len(contents) == 60
    assert not set(contents) & {frozenset(text.split()) for text in judgments.queries.columns["query"]}
    assert len(set(made.ids)) == 60


def test_documents_that_are_held_out_lend_no_words():
    made = synthetic_queries(asked(), np.arange(5), 8, 0)
    assert not {"south", "east", "west"} & {w for text in made.columns["query"] for w in text.split()}


def test_the_seed_decides():
    one, same, other = (synthetic_queries(asked(), EVERYTHING, 9, seed) for seed in (0, 0, 1))
    assert one.columns == same.columns
    assert one.columns != other.columns


def test_a_small_catalogue_has_no_more():
    # Two of the five words of one document: ten queries, one of which is judged.
    made = synthetic_queries(judged(["north bolt"], [0]), np.array([0]), 50, 0)
    assert len(made) == 9


def test_other_columns_of_queries_are_there_and_empty():
    judgments = judged(["north bolt"], [0], user=["u1"])
    made = synthetic_queries(judgments, EVERYTHING, 2, 0)
    assert made.columns["user"] == [None, None]


def test_pictures_ask_nothing_in_words():
    judgments = asked()
    shown = Table(["q"], (Field("shown", "image"),), {"shown": [None]})
    pictures = Judgments(
        shown, judgments.documents, np.array([0]), np.array([0]), *[np.array([1.0])] * 3, np.array([""], object)
    )  # fmt: skip
    with pytest.raises(SettingsError, match=r"query\.fields has no text field"):
        synthetic_queries(pictures, EVERYTHING, 5, 0)


def test_nothing_can_be_made_of_nothing():
    with pytest.raises(SettingsError, match="nothing to make synthetic queries of"):
        synthetic_queries(judged([None], [0]), EVERYTHING, 5, 0)
