"""Subwords: text of any script into words, numbers and character n-grams, over a vocabulary of the catalogue.

A text is cut into chunks at spaces and punctuation, and a chunk where letters meet digits, so that
`M8x30` is found by `m8`, by `x30` and by the whole. Each run of letters gives itself and its character
n-grams (robust to typos and inflection); in scripts that write no spaces (Han, Kana, Thai …) a run gives
its n-grams of one to three characters, which need no dictionary. Numbers are exact.

Subwords seen at least twice in training have a row of their own. Every other one is hashed to a row
among `buckets`: two texts that share an unknown part number still meet in the same row.
"""

import json
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.text import normalise
from gradus.errors import ModelError

_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〆ー]+"
)
_NGRAMS, _UNSPACED_NGRAMS = (3, 4, 5), (1, 2, 3)
_UNSPACED_FACTOR = 0.5


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Chunks of a text, and the runs of a chunk.

    Combining marks belong to their letters. They are the vowels of Thai, Devanagari or Tamil, and Python's
    word characters leave them out.
    """
    marks = "".join(chr(c) for c in range(0x300, 0x20000) if unicodedata.category(chr(c)).startswith("M"))
    character = f"[^\\W_]|[{re.escape(marks)}]"
    chunk = re.compile(f"(?:{character})+(?:[.,/×+-]*(?:{character})+)*")
    return chunk, re.compile(rf"\d+(?:[.,]\d+)*|(?:(?!\d)(?:{character}))+")


@lru_cache(maxsize=200_000)
def _pieces_of_run(run: str) -> tuple[tuple[str, float], ...]:
    """The subwords of a run of letters, or a number, with their coefficients."""
    if run[0].isdigit():
        return ((run.replace(",", "."), 1.0),)
    if _UNSPACED.fullmatch(run):
        grams = [run[i : i + n] for n in _UNSPACED_NGRAMS for i in range(len(run) - n + 1)]
        return tuple((gram, _UNSPACED_FACTOR) for gram in grams)
    if _UNSPACED.search(run):
        parts = [part for part in re.split(f"({_UNSPACED.pattern})", run) if part]
        return tuple(piece for part in parts for piece in _pieces_of_run(part))
    marked = f"<{run}>"
    grams = [marked[i : i + n] for n in _NGRAMS for i in range(len(marked) - n + 1) if n < len(marked)]
    return ((marked, 1.0), *((gram, 1.0 / len(grams)) for gram in grams))


def pieces(text: str) -> list[tuple[str, float, int]]:
    """The subwords of a text: (subword, coefficient, which word of the text it belongs to)."""
    found = []
    chunks, in_chunk = _patterns()
    for number, chunk in enumerate(chunks.findall(normalise(text).casefold())):
        runs = in_chunk.findall(chunk)
        if len(runs) > 1:
            found.append((f"={chunk}", 1.0, number))
        found.extend((piece, factor, number) for run in runs for piece, factor in _pieces_of_run(run))
    return found


def rules() -> dict[str, Any]:
    """How `pieces` cuts, for other programs: its regular expressions and the lengths of its n-grams."""
    chunk, run = _patterns()
    return {
        "chunk": chunk.pattern,
        "run": run.pattern,
        "unspaced": _UNSPACED.pattern,
        "ngrams": list(_NGRAMS),
        "unspaced_ngrams": list(_UNSPACED_NGRAMS),
        "unspaced_factor": _UNSPACED_FACTOR,
    }


def terms(text: str) -> list[str]:
    """The exact terms of a text, repeats kept: words, numbers and mixed chunks, each whole.

    They are the subwords without the n-grams that forgive a typo. Where a script writes no spaces, pairs of
    neighbouring characters stand for words.
    """
    found = []
    chunks, in_chunk = _patterns()
    for chunk in chunks.findall(normalise(text).casefold()):
        runs = in_chunk.findall(chunk)
        if len(runs) > 1:
            found.append(f"={chunk}")
        for run in runs:
            for part in _UNSPACED.split(run):
                if part:
                    found.append(part.replace(",", ".") if part[0].isdigit() else f"<{part}>")
            for part in _UNSPACED.findall(run):
                found.extend(part[i : i + 2] for i in range(max(1, len(part) - 1)))
    return found


@dataclass(frozen=True)
class Ragged:
    """Subwords of many texts, end to end.

    Attributes:
        start: (n + 1,) where each text begins in the arrays below.
        row: (t,) rows of the embedding table.
        factor: (t,) coefficients.
        word: (t,) which word of its text a subword belongs to.
    """

    start: NDArray[np.int64]
    row: NDArray[np.int32]
    factor: NDArray[np.float32]
    word: NDArray[np.int32]


@dataclass(frozen=True)
class Subwords:
    """A vocabulary, trained on texts.

    Attributes:
        vocabulary: Subwords with a row of their own, most frequent first.
        frequency: Share of the training texts that hold each of them.
        buckets: Rows that all other subwords share by hash, after those of the vocabulary.
    """

    vocabulary: Sequence[str]
    frequency: Sequence[float]
    buckets: int

    @classmethod
    def train(cls, texts: Iterable[str], size: int, buckets: int = 8192) -> "Subwords":
        """Count the subwords of texts and keep the `size` most frequent, each in two texts or more."""
        counts: Counter[str] = Counter()
        total = 0
        for text in texts:
            total += 1
            counts.update({piece for piece, _, _ in pieces(text)})
        kept = [(piece, count) for piece, count in counts.items() if count > 1]
        kept.sort(key=lambda item: (-item[1], item[0]))
        kept = kept[:size]
        return cls([piece for piece, _ in kept], [count / total for _, count in kept], buckets)

    @property
    def size(self) -> int:
        """Rows of the embedding table."""
        return len(self.vocabulary) + self.buckets

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {piece: row for row, piece in enumerate(self.vocabulary)}

    def row(self, piece: str) -> int:
        """The row of a subword."""
        known = self._row_of.get(piece)
        return (
            known if known is not None else len(self.vocabulary) + zlib.crc32(piece.encode()) % self.buckets
        )

    def encode(self, texts: Sequence[str | None]) -> Ragged:
        """The subwords of texts; `None` and texts without letters or digits have none."""
        start, rows, factors, words = [0], [], [], []
        for text in texts:
            for piece, factor, word in pieces(text) if text else ():
                rows.append(self.row(piece))
                factors.append(factor)
                words.append(word)
            start.append(len(rows))
        return Ragged(
            np.array(start, np.int64),
            np.array(rows, np.int32),
            np.array(factors, np.float32),
            np.array(words, np.int32),
        )

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        content = {
            "buckets": self.buckets,
            "vocabulary": list(self.vocabulary),
            "frequency": [round(value, 8) for value in self.frequency],
        }
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Subwords":
        """Read a vocabulary.

        Raises:
            ModelError: The file is missing or is no vocabulary.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(content["vocabulary"], content["frequency"], content["buckets"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} is not a vocabulary: {error!r}") from None
