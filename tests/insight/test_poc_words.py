"""The words of the proof of concept: both languages have all of them, with the same values, and keep apart."""

import re
import string

import pytest

from gradus.insight.examples import KINDS
from gradus.insight.poc_words import LABELS, WORDS, label
from gradus.judgments.split import CELLS
from gradus.settings.cadence import REFRESHES

NAMES = re.compile(
    r"\{\w*\}|gradus [a-z]+(?: [a-z]+)?|\w+\.(?:toml|json|html|xlsx|csv)|\[\[?\w+\]\]?|--\w+|\w+\.\w+|query_id"
    r"|Judged@k|SHA-256|LambdaMART|BM25|PDF|MB|GB|A/B|condensed|evidence|nDCG|[kτρ]"
)
"""What is called the same in every language: commands, files, settings, columns, units, abbreviations."""


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_all_words_with_the_same_values() -> None:
    assert WORDS["en"].keys() == WORDS["ja"].keys()
    for name, english in WORDS["en"].items():
        assert fields(english) == fields(WORDS["ja"][name]), name
        assert english
        assert WORDS["ja"][name]


@pytest.mark.parametrize("name", sorted(WORDS["ja"]))
def test_japanese_is_japanese(name: str) -> None:
    text = NAMES.sub("", WORDS["ja"][name])
    assert not re.search("[A-Za-z]", text), text


def test_english_is_english() -> None:
    for text in WORDS["en"].values():
        assert not re.search("[\u3000-\u30ff\u4e00-\u9fff]", text)


def test_whatever_can_be_named_has_a_word() -> None:
    for language in ("en", "ja"):
        words = WORDS[language]
        assert {f"kind_{kind}" for kind in KINDS} <= words.keys()
        assert {f"split_{cell}" for cell in CELLS} <= words.keys()
        assert {f"mode_{mode}" for mode in REFRESHES} <= words.keys()
    assert set(CELLS) <= LABELS["ja"].keys()
    assert label("in-domain", "ja") == "既知×既知"
    assert label("in-domain", "en") == "in-domain"
    assert label("brand", "ja") == "brand"
