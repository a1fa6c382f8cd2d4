"""Queries typed differently are one."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import LogError
from gradus.judgments.logs.queries import Normaliser, normalise, read_synonyms, singular


@pytest.mark.parametrize(
    ("typed", "form"),
    [
        ("Wood  Screw ", "wood screw"), ("Ｍ８　ＢＯＬＴ", "m8 bolt"), ("STRASSE", "strasse"), ("Straße", "strasse"),
        ("ﬁtting", "fitting"), ("ﾈｼﾞ", "ネジ"), ("cafe\u0301", "café"), ("\u3000 ", ""), ("10²", "102"),
    ],
)  # fmt: skip
def test_normal_forms(typed: str, form: str) -> None:
    assert normalise(typed) == form


@given(st.text(st.characters(codec="utf-8", max_codepoint=0x2FFFF), max_size=12))
def test_a_normal_form_has_no_spare_space_and_does_not_depend_on_composition(text: str) -> None:
    form = normalise(text)
    assert form == " ".join(form.split())
    assert normalise(unicodedata.normalize("NFD", text)) == form


@pytest.mark.parametrize(
    ("word", "one"),
    [
        ("screws", "screw"), ("batteries", "battery"), ("boxes", "boxe"), ("box", "box"), ("glass", "glass"),
        ("status", "status"), ("shoes", "shoe"), ("trees", "tree"), ("bus", "bus"), ("gas", "gas"), ("m8s", "m8s"),
    ],
)  # fmt: skip
def test_plurals(word: str, one: str) -> None:
    assert singular(word) == one


def test_stems_and_synonyms_bring_queries_together() -> None:
    normaliser = Normaliser(stem=True, synonyms={"tv": "televisions"})
    distinct, codes = normaliser.codes(["TV", "television ", "screws", "\t", "Televisions"])
    assert (distinct, codes) == (["screw", "television"], [1, 1, 0, -1, 1])


def test_a_synonym_with_two_meanings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "synonyms.csv"
    path.write_text("tv,television\n\ntv,teevee\n", "utf-8")
    with pytest.raises(LogError, match=r"row 3: 'tv' already stands for 'television'"):
        read_synonyms(path)
    path.write_text("tv\n", "utf-8")
    with pytest.raises(LogError, match="row 1"):
        read_synonyms(path)
