"""BM25 over exact terms: the search without a model, beside one, or as a feature of a re-ranker.

    s(q, d) = Σ_t idf(t) · f_td / (f_td + k₁ (1 − b + b |d| / mean |d|)),    idf(t) = ln(1 + (N − n_t + ½) / (n_t + ½))

over the terms t of the query, repeats included, as Lucene computes it (Robertson and Zaragoza, "The
Probabilistic Relevance Framework", 2009; Kamphuis et al., "Which BM25 do you mean?", 2020). Terms are those
of `gradus.encoders.subwords.terms`, so Japanese is searched in pairs of characters.

What a term adds to each text that has it is computed once, so that a query costs a sum over the texts that share
a term with it.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.encoders.subwords import terms
from gradus.encoders.words import as_text

Scores = NDArray[np.float32]

K1, B = 1.2, 0.75


class Bm25:
    """An index of texts.

    Args:
        texts: (n,) texts; `None` holds no terms.
        k1: How fast repeats of a term saturate.
        b: How much long texts are discounted, 0 to 1.
    """

    def __init__(self, texts: Sequence[str | None], k1: float = K1, b: float = B) -> None:
        self.size, self.k1, self.b = len(texts), float(k1), float(b)
        self._term_of: dict[str, int] = {}
        found, lengths = [], np.zeros(len(texts))
        for row, text in enumerate(texts):
            own = [self._term_of.setdefault(term, len(self._term_of)) for term in terms(text or "")]
            lengths[row] = len(own)
            found.append(np.array(own, np.int64))
        self.mean = float(lengths.mean()) if lengths.any() else 1.0
        # Each pair of a term and a text as one number, so that sorting puts the texts of a term together.
        pairs = np.repeat(np.arange(len(texts)), lengths.astype(np.int64))
        pairs += np.concatenate([np.zeros(0, np.int64), *found]) * max(1, len(texts))
        pairs, counts = np.unique(pairs, return_counts=True)
        term, holder = np.divmod(pairs, max(1, len(texts)))
        self._holders: NDArray[np.int64] = np.bincount(term, minlength=len(self._term_of))
        self._starts: NDArray[np.int64] = np.concatenate([[0], np.cumsum(self._holders)])
        self._rows: NDArray[np.int32] = holder.astype(np.int32)
        idf = np.log1p((self.size - self._holders + 0.5) / (self._holders + 0.5))
        self._gains: Scores = (idf[term] * self._saturated(counts, lengths[holder])).astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of the postings and of the terms."""
        postings = self._starts.nbytes + self._rows.nbytes + self._gains.nbytes
        return postings + sum(len(term.encode()) for term in self._term_of)

    def scores(self, query: str | None) -> Scores:
        """(n,) the score of every text; 0 where it shares no term with the query."""
        scores = np.zeros(self.size, np.float32)
        for term in terms(query or ""):
            number = self._term_of.get(term)
            if number is not None:
                held = slice(self._starts[number], self._starts[number + 1])
                scores[self._rows[held]] += self._gains[held]
        return scores

    def most(self, query: str | None) -> float:
        """Σ_t idf(t): what no score for a query reaches; 0 for a query without terms."""
        return sum(self.idf(term) for term in terms(query or ""))

    def idf(self, term: str) -> float:
        """How rare a term is; one that no text has is the rarest."""
        number = self._term_of.get(term)
        holders = 0 if number is None else int(self._holders[number])
        return log(1 + (self.size - holders + 0.5) / (holders + 0.5))

    def gain(self, term: str, count: int, length: int) -> float:
        """What a term adds to the score of a text, in this index or not, that has it `count` times in `length`."""
        return self.idf(term) * float(self._saturated(np.array(count), np.array(length)))

    def _saturated(self, counts: NDArray[np.int64], lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        long = 1 - self.b + self.b * lengths / self.mean
        saturated: NDArray[np.float64] = counts / (counts + self.k1 * long)
        return saturated

    def save(self, path: Path) -> None:
        """Write the index; a file of NumPy's, without pickles."""
        words = np.frombuffer("\n".join(self._term_of).encode(), np.uint8)
        facts = np.array([self.size, self.k1, self.b, self.mean])
        with path.open("wb") as file:
            np.savez(
                file,
                facts=facts,
                words=words,
                holders=self._holders,
                rows=self._rows,
                gains=self._gains,
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote."""
        loaded = cls.__new__(cls)
        with np.load(path, allow_pickle=False) as arrays:
            size, loaded.k1, loaded.b, loaded.mean = arrays["facts"].tolist()
            loaded.size = int(size)
            words = arrays["words"].tobytes().decode()
            loaded._holders, loaded._rows, loaded._gains = (
                arrays["holders"],
                arrays["rows"],
                arrays["gains"],
            )
        loaded._term_of = {word: n for n, word in enumerate(words.split("\n"))} if words else {}
        loaded._starts = np.concatenate([[0], np.cumsum(loaded._holders)])
        return loaded


class LaterTexts:
    """Texts that came after an index was made, scored by its statistics; for one writer and many readers.

    Args:
        index: Whose frequencies and mean length count.
    """

    def __init__(self, index: Bm25) -> None:
        self._index = index
        self._count = 0
        self._holders: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)

    def append(self, texts: Sequence[str | None]) -> None:
        """Add texts behind those that are there."""
        for row, text in enumerate(texts, self._count):
            own = terms(text or "")
            for term in dict.fromkeys(own):
                self._holders[term].append((row, self._index.gain(term, own.count(term), len(own))))
        self._count += len(texts)

    def scores(self, query: str | None, count: int) -> Scores:
        """(count,) the scores of the first texts."""
        scores = np.zeros(count, np.float32)
        for term in terms(query or ""):
            for row, gain in self._holders.get(term, ()):
                if row < count:  # a writer may have added more meanwhile
                    scores[row] += gain
        return scores


def field_texts(table: Table) -> dict[str, Sequence[str | None]]:
    """Every encoded field but pictures → (n,) its values as text."""
    return {
        field.name: as_text(field, table.columns[field.name])
        for field in table.encoded
        if field.type != "image"
    }


def joined_texts(table: Table) -> list[str]:
    """(n,) all of `field_texts` of each row, one after the other."""
    columns = field_texts(table).values()
    return [joined(values) for values in zip(*columns, strict=True)] or [""] * len(table)


def joined(texts: Sequence[str | None]) -> str:
    """The texts of one row's fields as one."""
    return " ".join(text for text in texts if text)
