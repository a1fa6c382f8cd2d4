"""Text as the rest of the package sees it: one normal form, and a nose for wrong encodings."""

import re
import unicodedata

_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\ufeff\ud800-\udfff]")
"""Controls that are not whitespace, soft hyphen, zero-width space, byte order mark, lone surrogates.

Joiners (U+200C, U+200D) stay: they carry meaning in Persian, in Indic scripts and in emoji.
"""

_PRIVATE_USE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")

_HIGH = "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in range(0x80, 0xC0))
"""What bytes 80 to BF, the continuation bytes of UTF-8, look like when read as Windows-1252."""

_TAIL = f"[{re.escape(_HIGH)}\x80-\x9f]"

_UTF8_AS_LATIN = re.compile(
    f"[ÂÃ]{_TAIL}"  # U+0080 to U+00FF: é, °, ü
    f"|(?:[Ä-ßÐ]{_TAIL}){{2}}"  # Latin extended, Greek, Cyrillic; two in a row, as one may be CAFÉ™
    f"|[à-ï]{_TAIL}{_TAIL}"  # three bytes: kana, kanji, hangul
    "|ã[\x80-\x83€‚ƒ]"  # the first two bytes of any kana
    "|â€|ð[\x9fŸ]"  # typographic quotes and dashes; emoji
)
_UTF8_AS_SHIFT_JIS = re.compile("[縺繧繝].*[縺繧繝]", re.DOTALL)
"""Kana in UTF-8 begin with bytes E3 81 to E3 83, which Shift-JIS shows as these rare kanji."""


def normalise(text: str) -> str:
    """Unicode NFKC without control characters, whitespace collapsed to single spaces and stripped.

    Full-width Latin letters become plain, half-width kana full; `normalise` of its own result changes
    nothing.
    """
    # Removing comes first: what stood on both sides of a removed character may compose.
    return " ".join(unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).split())


def scripts_of(text: str) -> set[str]:
    """The scripts of a text's letters, as the first words of their Unicode names: LATIN, KATAKANA, CJK."""
    return {unicodedata.name(char, "").partition(" ")[0] for char in text if char.isalpha()}


def has_kana(text: str) -> bool:
    """Whether a text holds hiragana or katakana, and so is Japanese."""
    return not {"HIRAGANA", "KATAKANA"}.isdisjoint(scripts_of(text))


def looks_mis_encoded(text: str) -> str | None:
    """Why the text seems to have been read in the wrong encoding, or `None`.

    Args:
        text: The text as it was read, before `normalise`.
    """
    if "\x00" in text:
        return "holds NUL characters, as UTF-16 read as something else does"
    if "\ufffd" in text:
        return "holds U+FFFD, which stands for bytes lost in a conversion"
    if text.isascii():
        return None
    if _UTF8_AS_LATIN.search(text):
        return "looks like UTF-8 that was read as Latin-1 or Windows-1252"
    if _UTF8_AS_SHIFT_JIS.search(text):
        return "looks like UTF-8 that was read as Shift-JIS"
    if _PRIVATE_USE.search(text):
        return "holds private-use characters, which have no common meaning"
    return None
