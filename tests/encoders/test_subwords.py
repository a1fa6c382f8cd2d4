"""Subwords: what two texts share, whatever their script, and what they do not."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradus.encoders.subwords import Subwords, pieces, terms
from gradus.errors import ModelError

TEXTS = ["hex bolt M8x30 zinc", "hex nut M8", "flange washer", "六角ボルト M8", "六角ナット"]


def parts(text: str) -> set[str]:
    return {piece for piece, _, _ in pieces(text)}


def common(one: str, other: str) -> float:
    """Share of the subwords of both that they have in common."""
    return len(parts(one) & parts(other)) / len(parts(one) | parts(other))


@pytest.mark.parametrize(
    ("typed", "meant", "other"),
    [
        ("bearng", "bearing", "bracket"),
        ("flanged", "flange", "washer"),
        ("六角ボル", "六角ボルト", "平座金"),
        ("ベアリング", "深溝玉ベアリング", "歯車"),
        ("น็อต", "น็อตหกเหลี่ยม", "แหวน"),
        ("подшипнк", "подшипник", "болт"),
        ("हेक्स", "हेक्सबोल्ट", "वॉशर"),
    ],
)
def test_a_misspelt_or_partial_word_shares_more_with_what_is_meant(
    typed: str, meant: str, other: str
) -> None:
    assert common(typed, meant) > 0.2
    assert common(typed, other) < common(typed, meant) / 2


@pytest.mark.parametrize("typed", ["M8", "m8", "Ｍ８", "x30", "M8x30", "m8X30"])
def test_a_size_is_found_by_its_parts_in_any_width_and_case(typed: str) -> None:
    assert parts(typed) & parts("bolt M8x30")


def test_numbers_are_exact() -> None:
    assert not parts("6204") & parts("6205")
    assert parts("1,5") & parts("1.5")
    assert "20" not in parts("6204")


def test_a_part_number_counts_as_a_whole_beside_its_pieces() -> None:
    assert "=din-933" in parts("DIN-933")
    assert "=din-933" not in parts("DIN-934")
    assert {"<din>", "933"} <= parts("DIN-933")


def test_the_order_of_words_and_the_width_of_letters_do_not_matter() -> None:
    assert parts("hex bolt") == parts("BOLT  hex") == parts("ｈｅｘ－ｂｏｌｔ".replace("－", " "))
    assert parts("ﾍﾞｱﾘﾝｸﾞ") == parts("ベアリング")


def test_all_pieces_of_a_word_carry_its_number() -> None:
    found = pieces("hex 六角 M8x30")
    assert {word for piece, _, word in found if piece in ("<hex>", "hex")} == {0}
    assert {word for piece, _, word in found if piece in ("六", "六角")} == {1}
    assert {word for piece, _, word in found if piece in ("=m8x30", "<m>", "8", "30")} == {2}


def test_vowel_signs_belong_to_their_word() -> None:
    assert parts("बोल्ट") != parts("बलट")
    assert "<बोल्ट>" in parts("बोल्ट नट")
    assert parts("ที่") != parts("ท")
    assert len({word for _, _, word in pieces("नट बोल्ट")}) == 2


def test_n_grams_of_a_word_weigh_together_as_much_as_the_word() -> None:
    factors = {piece: factor for piece, factor, _ in pieces("washer")}
    assert factors.pop("<washer>") == 1
    assert sum(factors.values()) == pytest.approx(1)


@settings(max_examples=50)
@given(st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=6))
def test_texts_end_to_end_are_the_texts_one_by_one(texts: list[str | None]) -> None:
    subwords = Subwords.train(TEXTS, 100, 64)
    ragged = subwords.encode(texts)
    assert len(ragged.start) == len(texts) + 1
    for text, begin, end in zip(texts, ragged.start, ragged.start[1:], strict=False):
        expected = pieces(text) if text else []
        assert ragged.row[begin:end].tolist() == [subwords.row(piece) for piece, _, _ in expected]
        assert ragged.word[begin:end].tolist() == [word for _, _, word in expected]
        assert np.allclose(ragged.factor[begin:end], [factor for _, factor, _ in expected])
    assert ((ragged.row >= 0) & (ragged.row < subwords.size)).all()


def test_the_vocabulary_holds_what_two_texts_share_most_frequent_first() -> None:
    subwords = Subwords.train(["hex bolt", "hex nut", "hex bolt hex", "gear"], 1000)
    assert "<hex>" in subwords.vocabulary
    assert "<bolt>" in subwords.vocabulary
    assert "<gear>" not in subwords.vocabulary
    share = dict(zip(subwords.vocabulary, subwords.frequency, strict=True))
    assert share["<hex>"] == 3 / 4  # of the texts; a text counts once
    assert share["<bolt>"] == 2 / 4
    assert list(subwords.frequency) == sorted(subwords.frequency, reverse=True)


def test_no_more_subwords_are_kept_than_asked() -> None:
    assert len(Subwords.train(TEXTS * 2, 7).vocabulary) == 7


def test_training_does_not_depend_on_the_order_of_texts() -> None:
    assert Subwords.train(TEXTS * 2, 30) == Subwords.train(TEXTS[::-1] * 2, 30)


def test_an_unknown_subword_always_gets_the_same_row_among_the_buckets() -> None:
    subwords, again = Subwords.train(TEXTS, 100, 50), Subwords.train(TEXTS, 100, 50)
    known = len(subwords.vocabulary)
    rows = [subwords.row(f"=part-{number}") for number in range(200)]
    assert rows == [again.row(f"=part-{number}") for number in range(200)]
    assert min(rows) >= known
    assert max(rows) < subwords.size
    assert len(set(rows)) > 40


def test_no_texts_at_all_still_make_a_vocabulary() -> None:
    subwords = Subwords.train([], 100, 16)
    assert subwords.size == 16
    assert subwords.encode(["bolt", None]).start.tolist() == [0, len(pieces("bolt")), len(pieces("bolt"))]


def test_a_saved_vocabulary_reads_back(tmp_path: Path) -> None:
    subwords = Subwords.train(TEXTS * 2, 100, 32)
    subwords.save(tmp_path / "subwords.json")
    again = Subwords.load(tmp_path / "subwords.json")
    assert (list(again.vocabulary), again.buckets) == (list(subwords.vocabulary), 32)
    assert again.frequency == pytest.approx(subwords.frequency, abs=1e-8)
    assert again.encode(TEXTS).row.tolist() == subwords.encode(TEXTS).row.tolist()
    assert "六角" in (tmp_path / "subwords.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", json.dumps({"vocabulary": []})])
def test_what_is_no_vocabulary_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "subwords.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelError, match=r"subwords\.json is not a vocabulary"):
        Subwords.load(path)


def test_exact_terms_are_whole_words_numbers_codes_and_pairs_of_unspaced_characters():
    assert terms("SMT 7.0x5.0mm smt") == ["<smt>", "=7.0x5.0mm", "7.0", "<x>", "5.0", "<mm>", "<smt>"]
    assert terms("1,5 六角ボルト 東") == ["1.5", "六角", "角ボ", "ボル", "ルト", "東"]
    assert terms("– !") == []
    # All of a term's letters, or none of it: no n-gram is shared by a plural.
    assert not set(terms("bolt")) & set(terms("bolts"))
