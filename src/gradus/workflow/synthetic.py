"""Synthetic queries: what people who ask as they asked before might ask for further documents.

A judged query and the document that is best for it show which words people pick. For each word w of a document,

    p(w) = (k_w + κ p₀) / (n_w + κ)

where n_w judged queries had a best document with w, k_w of them used it, and p₀ is the share over all words. A
synthetic query is made of a training document's words, drawn by p without replacement, in a random order, as many as a
random judged query has. So attributes that people name are named, and a word that no query had so far stands a chance
where such words are asked for at all. Nobody has judged such a query: it is for a pipeline to say what is good for it.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.catalog.text import normalise
from gradus.encoders.encoder import modality
from gradus.encoders.words import as_text
from gradus.errors import SettingsError
from gradus.judgments.judgments import Judgments

KAPPA = 2.0
"""κ, how many queries the common share stands for."""

LONGEST = 24
"""Characters of a word; what is longer is a sentence of a script without spaces, or no word."""

TRIES = 20
"""Draws per query that is wanted: a small catalogue holds no more than it holds."""

_WORD = re.compile(r"[^\s,;:/()\[\]{}\"'|、。・「」()]+")


def synthetic_queries(judgments: Judgments, documents: NDArray[np.int64], count: int, seed: int) -> Table:
    """Queries that nobody has asked yet.

    Args:
        judgments: Of the training part.
        documents: (m,) rows of the training documents.
        count: How many; fewer come back from a catalogue that has no more.
        seed: Seed of the draws.

    Raises:
        SettingsError: Queries have no text field, or no document's words are known.
    """
    queries = judgments.queries
    field = next((f for f in queries.encoded if modality(f) == "text"), None)
    if field is None:
        raise SettingsError("synthetic queries are texts, and query.fields has no text field")
    asked = _words(queries)
    held = _words(judgments.documents)
    lengths, chance = _learned(judgments, asked, held)
    sources = [row for row in documents.tolist() if held[row]]
    if not sources or not lengths:
        raise SettingsError(
            "there is nothing to make synthetic queries of: no judged query, or no document, has a word"
        )
    rng = np.random.default_rng(seed)
    taken = {frozenset(words) for words in asked}
    texts: list[str] = []
    for _ in range(TRIES * count):
        words = held[sources[rng.integers(len(sources))]]
        size = min(lengths[rng.integers(len(lengths))], len(words))
        weight = np.array([chance(word) for word in words])
        drawn = [
            words[place] for place in rng.choice(len(words), size, replace=False, p=weight / weight.sum())
        ]
        if frozenset(drawn) not in taken:
            taken.add(frozenset(drawn))
            texts.append(" ".join(drawn))
        if len(texts) == count:
            break
    ids = [f"synthetic-{seed}-{number}" for number in range(len(texts))]
    columns = {name: texts if name == field.name else [None] * len(texts) for name in queries.columns}
    return Table(ids, queries.fields, columns)


class _Chance:
    """p(w), above 0."""

    def __init__(self, held: Counter[str], used: Counter[str]) -> None:
        self.held, self.used = held, used
        self.common = (used.total() + 1) / (held.total() + 1)

    def __call__(self, word: str) -> float:
        return (self.used[word] + KAPPA * self.common) / (self.held[word] + KAPPA)


def _learned(
    judgments: Judgments, asked: Sequence[Sequence[str]], held: Sequence[Sequence[str]]
) -> tuple[list[int], _Chance]:
    """Lengths of the judged queries with words, and what they pick from the document that is best for them."""
    order = np.lexsort((-judgments.score, judgments.query))
    _, first = np.unique(judgments.query[order], return_index=True)
    held_by, used = Counter[str](), Counter[str]()
    lengths = []
    for pair in order[first].tolist():
        words, source = asked[judgments.query[pair]], held[judgments.document[pair]]
        if words:
            lengths.append(len(words))
            held_by.update(source)
            used.update(set(words).intersection(source))
    return lengths, _Chance(held_by, used)


def _words(table: Table) -> list[list[str]]:
    """(n,) the distinct words of each row's texts, categories and numbers, in their order."""
    rows: list[dict[str, None]] = [{} for _ in range(len(table))]
    for field in table.encoded:
        if modality(field) == "text":
            for row, value in zip(rows, as_text(field, table.columns[field.name]), strict=True):
                if value is not None:
                    found = (word.strip(".") for word in _WORD.findall(normalise(str(value)).casefold()))
                    row.update(dict.fromkeys(word for word in found if 0 < len(word) <= LONGEST))
    return [list(row) for row in rows]
