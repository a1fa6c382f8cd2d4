"""Queries as they are compared: the same words typed differently are one query."""

import csv
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from gradus.errors import LogError


def normalise(text: str) -> str:
    """Unicode form NFKC, no case, single spaces: `"Ｗood  SCREW "` is `"wood screw"`."""
    if text.isascii():
        folded = text.lower()
    else:
        # Folding can leave a form that composes again, so the form is taken last.
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def singular(word: str) -> str:
    """An English word without its plural ending, by Harman's three rules.

    `batteries` → `battery`, `boxes` → `boxe`, `screws` → `screw`; `glass`, `status` and `bus` stay. It serves
    to compare: both forms of a word end alike, whether or not that is a word.
    """
    if len(word) < 4 or not word.isascii():
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return f"{word[:-3]}y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss", "is")):
        return word[:-1]
    return word


class Normaliser:
    """Brings queries to the form in which they are compared.

    Args:
        stem: Whether plurals are taken for their singular.
        synonyms: Query → the query that it stands for, both as people type them.
    """

    def __init__(self, stem: bool = False, synonyms: Mapping[str, str] | None = None) -> None:
        self._stem = stem
        self._synonyms = {self._form(one): self._form(other) for one, other in (synonyms or {}).items()}

    def __call__(self, text: str) -> str:
        """The normal form; empty where the text holds nothing but space."""
        form = self._form(text)
        return self._synonyms.get(form, form)

    def codes(self, texts: Iterable[str]) -> tuple[list[str], list[int]]:
        """The distinct normal forms, sorted, and for each text its row among them, -1 where it is empty."""
        forms = [self(text) for text in texts]
        distinct = sorted(set(forms) - {""})
        row_of = {form: row for row, form in enumerate(distinct)}
        return distinct, [row_of.get(form, -1) for form in forms]

    def _form(self, text: str) -> str:
        form = normalise(text)
        return " ".join(map(singular, form.split())) if self._stem else form


def read_synonyms(path: Path) -> dict[str, str]:
    """A CSV file of two columns without a heading: a query, and the query that it stands for.

    Raises:
        LogError: No such file, a row that has not two columns, or a query that stands for two others.
    """
    if not path.is_file():
        raise LogError(f"no file {path} (log.synonyms in gradus.toml)")
    synonyms: dict[str, str] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if not row:
                continue
            if len(row) != 2 or not all(cell.strip() for cell in row):
                raise LogError(f"{path}, row {number}: a row is a query and what it stands for, not {row}")
            query, stands_for = row
            if synonyms.setdefault(query, stands_for) != stands_for:
                raise LogError(f"{path}, row {number}: {query!r} already stands for {synonyms[query]!r}")
    return synonyms
