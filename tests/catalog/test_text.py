import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.text import looks_mis_encoded, normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  M6 ×\t20\r\nbolt ", "M6 × 20 bolt"),
        ("Ｍ６ ボルト", "M6 ボルト"),  # full-width letters
        ("ﾎﾞﾙﾄ", "ボルト"),  # half-width kana with a separate voicing mark
        ("六角\u3000ボルト", "六角 ボルト"),  # ideographic space
        ("a\x00b\x1b\ufeffc\u200bd\xade", "abcde"),
        ("a\x1fb\x85c", "a b c"),  # separators are space
        ("e\x00\u0301", "é"),  # composes across a removed character
        ("\ud800x", "x"),  # half a surrogate pair
        ("می\u200cخواهم", "می\u200cخواهم"),  # a joiner that carries meaning
        ("\x00 \u3000", ""),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(st.text(st.characters()))
def test_normalise_is_idempotent_and_clean(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.strip()
    assert "  " not in once
    assert unicodedata.is_normalized("NFKC", once)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in once)
    once.encode("utf-8")


FINE = ["café", "CAFÉ™", "Größe 10 µm", "Ålesund", "naïve – “yes”", "六角ボルト M6", "縺れた糸", "Привет", "São João", "価格：１００円"]  # fmt: skip


@pytest.mark.parametrize("text", FINE)
def test_right_text_is_not_suspected(text: str) -> None:
    assert looks_mis_encoded(text) is None


@pytest.mark.parametrize("text", ["café", "Größe", "ボルト", "it’s – “so”", "Привет", "价格", "한국어", "🙂"])
@pytest.mark.parametrize("wrong", ["latin-1", "cp1252"])
def test_utf8_read_as_latin_is_suspected(text: str, wrong: str) -> None:
    # Windows-1252 has five holes, which browsers and spreadsheets fill from Latin-1.
    read = "".join(
        bytes([b]).decode(wrong) if wrong == "latin-1" or b not in b"\x81\x8d\x8f\x90\x9d" else chr(b)
        for b in text.encode()
    )
    assert "Latin-1" in (looks_mis_encoded(read) or "")


def test_other_signs_of_a_wrong_encoding() -> None:
    assert "U+FFFD" in (looks_mis_encoded("caf\ufffd") or "")
    assert "NUL" in (looks_mis_encoded("c\x00a\x00f\x00") or "")
    assert "private-use" in (looks_mis_encoded("logo \ue001") or "")
    assert "Shift-JIS" in (
        looks_mis_encoded("ボルトとナット".encode().decode("cp932", "replace").replace("\ufffd", "")) or ""
    )
