"""How people type: misspelt words, full-width digits and letters, half-width katakana."""

import unicodedata

import numpy as np

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def full_width(text: str) -> str:
    """Return `text` with its ASCII characters in full-width forms: M8 becomes Ｍ８."""
    return text.translate(_FULL_WIDTH)


def half_width(text: str) -> str:
    """Return `text` with its katakana in half-width forms: ボルト becomes ﾎﾞﾙﾄ."""
    narrow = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF66, 0xFF9E)}
    marks = {"\u3099": "\uff9e", "\u309a": "\uff9f"}
    result = []
    for char in text:
        if not ("\u30a0" <= char <= "\u30ff"):
            result.append(char)
            continue
        decomposed = unicodedata.normalize("NFD", char)
        result.append("".join(narrow.get(c, marks.get(c, c)) for c in decomposed))
    return "".join(result)


def misspell(text: str, rng: np.random.Generator) -> str:
    """Return `text` with one slip of the fingers in its longest word without digits.

    Latin words have two neighbouring letters swapped, one dropped or one doubled; Japanese words lose a
    character or their long-vowel mark. The first letter stays; words under four letters (three for
    Japanese) are left alone, and so are sizes and codes, where a slip would ask for something else.
    """
    words = text.split(" ")
    at = max(range(len(words)), key=lambda i: 0 if any(c.isdigit() for c in words[i]) else len(words[i]))
    word = words[at]
    if any(c.isdigit() for c in word):
        return text
    if word.isascii():
        if len(word) < 4:
            return text
        i = int(rng.integers(1, len(word) - 1))
        slips = (
            word[:i] + word[i + 1] + word[i] + word[i + 2 :],
            word[:i] + word[i + 1 :],
            word[: i + 1] + word[i:],
        )
        words[at] = slips[int(rng.integers(3))]
    elif "ー" in word:
        words[at] = word.replace("ー", "", 1)
    elif len(word) >= 3:
        i = int(rng.integers(1, len(word)))
        words[at] = word[:i] + word[i + 1 :]
    return " ".join(words)
