"""Business scores: numbers of the business that may move a score a little, and never make one.

Margin, stock or freshness say nothing of whether a document matches, so they are no evidence to fuse. They shift
what the evidence says, last, by at most `business.cap`, and leave what does not match at all where it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.text import normalise
from gradus.errors import JudgmentsError
from gradus.judgments.columns import Columns
from gradus.settings import Settings

Floats = NDArray[np.float64]

_GREATEST_CAP = 0.999


@dataclass(frozen=True)
class Business:
    """The business score b in [0, 1] of documents, or of pairs of a query and a document; ½ moves nothing.

    Attributes:
        score: (query, document) → b; the query is `None` where b holds for every query.
        constant: Columns whose numbers are all the same, and which therefore say nothing.
        cap: Most that b may move a score.
    """

    score: dict[tuple[str | None, str], float]
    constant: tuple[str, ...]
    cap: float

    def of(self, queries: Sequence[str], documents: Sequence[str]) -> Floats:
        """(p,) b of pairs; ½ where nothing is known.

        Raises:
            JudgmentsError: Nothing is known of any of them.
        """
        found = [
            self.score.get((query, document), self.score.get((None, document)))
            for query, document in zip(queries, documents, strict=True)
        ]
        if found and all(each is None for each in found):
            ours = next(document for _, document in self.score)
            raise JudgmentsError(
                f"business.path knows none of the judged documents: it has such as {ours!r}, and they are such as "
                f"{documents[0]!r}; check business.document and business.query"
            )
        return np.array([0.5 if each is None else each for each in found], np.float64)


@dataclass(frozen=True)
class Shift:
    """What business scores did to the scores of evidence.

    Attributes:
        columns: Column → its weight.
        constant: Columns that say nothing, as all their numbers are the same.
        cap: Most that a score may move.
        moved: Pairs whose score moved.
        mean: By how much the scores of those moved, up or down, in the mean.
        most: By how much the one moved that moved most.
    """

    columns: Mapping[str, float]
    constant: tuple[str, ...]
    cap: float
    moved: int
    mean: float
    most: float

    @classmethod
    def of(cls, columns: Mapping[str, float], business: Business, before: Floats, after: Floats) -> "Shift":
        """Of (p,) scores before and after."""
        moved = np.abs(after - before)[after != before]
        mean, most = (float(moved.mean()), float(moved.max())) if len(moved) else (0.0, 0.0)
        return cls(columns, business.constant, business.cap, len(moved), mean, most)


def read_business(settings: Settings, query_form: Callable[[str], str] = normalise) -> Business:
    """Read the business scores that `[business]` describes.

    b is the weighted mean of the columns' ranks, Σ_c |w_c| r_c / Σ_c |w_c|. In a column the rank goes from 0 for the
    lowest number to 1 for the highest (from 1 to 0 where w_c < 0), ties at the mean of their ranks; a cell
    without a number, and a column of equal numbers, stand at ½.

    Args:
        settings: The section business says where and how.
        query_form: Brings a query to the form in which sources are compared, as logs do.

    Raises:
        JudgmentsError: No column named, a missing column, a cell that is not a number, two rows for one
            document (or pair).
        CatalogError: The file cannot be read.
    """
    names = settings.business
    weights = {name: weight for name, weight in names.columns.items() if weight}
    if not weights:
        raise JudgmentsError('business.columns names no column; write for example columns = {"margin" = 1}')
    columns = Columns.read(settings.resolve(names.path), "business.path")
    documents = columns.ids(names.document, "business.document").tolist()
    queries: list[str | None] = [None] * len(documents)
    if names.query in columns:
        queries = [query_form(text) for text in columns.ids(names.query, "business.query")]
    score, constant = np.zeros(len(columns)), []
    for name, weight in weights.items():
        numbers = columns.numbers(name, "business.columns")
        known = numbers[np.isfinite(numbers)]
        if len(known) and known.min() == known.max():
            constant.append(name)
        score += abs(weight) * ranks(np.sign(weight) * numbers)
    score /= sum(abs(weight) for weight in weights.values())
    placed: dict[tuple[str | None, str], float] = {}
    for row, key in enumerate(zip(queries, documents, strict=True)):
        if key in placed:
            noun = f"document {key[1]!r}" + ("" if key[0] is None else f" with query {key[0]!r}")
            raise JudgmentsError(f"{columns.path}, row {row + 1}: {noun} has a row above; keep one")
        placed[key] = float(score[row])
    return Business(placed, tuple(constant), names.cap)


def ranks(numbers: Floats) -> Floats:
    """(n,) ranks from 0 for the lowest number to 1 for the highest; ½ where it is NaN, or where all are the same."""
    known = np.isfinite(numbers)
    distinct, which, times = np.unique(numbers[known], return_inverse=True, return_counts=True)
    result = np.full(len(numbers), 0.5)
    if len(distinct) > 1:
        middle = np.cumsum(times) - (times + 1) / 2
        result[known] = middle[which] / (known.sum() - 1)
    return result


def shifted(score: Floats, business: Floats, cap: float) -> Floats:
    """Scores moved by business scores: logit s' = logit s + 4 artanh(cap) (2b - 1).

    The shift rises with b and keeps the order of s. It is greatest, namely `cap`, where it carries a score
    across ½; scores of 0 and 1 stay what they are.

    Args:
        score: (p,) in [0, 1]; the ends of an interval are moved in the same way.
        business: (p,) b in [0, 1].
        cap: Most that a score may move, in [0, 1].
    """
    odds = np.exp(4 * np.arctanh(min(cap, _GREATEST_CAP)) * (2 * business - 1))
    return np.asarray(score * odds / (1 - score + score * odds))
