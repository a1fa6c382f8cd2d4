"""The truth that a log is made from: how attractive each document really is for each query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.errors import JudgmentsError, LogError
from gradus.judgments.judgments import Judgments

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """Pairs with their true relevance, and what it does to people who look at them.

    Attributes:
        queries: Query texts, each once; `query` points into them.
        documents: Document ids; `document` points into them.
        query: (p,) rows of `queries`, ascending; every query has at least one pair.
        document: (p,) rows of `documents`, ascending within a query; no pair repeats.
        relevance: (p,) in [0, 1], in the middle of the log's time.
        floor: Probability that a document of relevance 0 is clicked when it is examined.
        top: The same of a document of relevance 1.
        trend: (p,) by how much the relevance changes from the start of the log to its end, or `None`.
        appeal: (days, documents) each document's own appeal on each day of the log, which is added to the relevance
            of all its pairs, or `None`.

    Raises:
        JudgmentsError: Arrays that differ in length, pairs out of order or repeated, a query without a pair,
            a relevance outside [0, 1], an appeal of other documents, or 0 ≤ floor ≤ top ≤ 1 broken.
    """

    queries: Sequence[str]
    documents: Sequence[str]
    query: NDArray[np.int64]
    document: NDArray[np.int64]
    relevance: Floats
    floor: float = 0.03
    top: float = 0.6
    trend: Floats | None = None
    appeal: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        columns = [self.query, self.document, self.relevance]
        if len({len(column) for column in columns + ([] if self.trend is None else [self.trend])}) != 1:
            raise JudgmentsError("the columns of a Truth differ in length")
        if not len(self.query) or self.query[0] != 0 or self.query[-1] != len(self.queries) - 1:
            raise JudgmentsError("a Truth needs at least one pair for every query")
        if (np.diff(self.query) > 1).any():
            raise JudgmentsError("a Truth needs at least one pair for every query")
        if self.document.min() < 0 or self.document.max() >= len(self.documents):
            raise JudgmentsError("a pair of a Truth points outside its documents")
        if (np.diff(self._code) <= 0).any():
            raise JudgmentsError("the pairs of a Truth must be sorted by query and document, without repeats")
        if self.appeal is not None and self.appeal.shape[1:] != (len(self.documents),):
            raise JudgmentsError("the appeal of a Truth is not that of its documents")
        if not ((self.relevance >= 0) & (self.relevance <= 1)).all():
            raise JudgmentsError("the relevance of a Truth must lie between 0 and 1")
        if not 0 <= self.floor <= self.top <= 1:
            raise JudgmentsError(f"0 ≤ floor ≤ top ≤ 1 does not hold ({self.floor}, {self.top})")

    def __len__(self) -> int:
        return len(self.query)

    @cached_property
    def attraction(self) -> Floats:
        """(p,) P(click | examined) = floor + (top − floor) · relevance: what estimators are held against."""
        return self.attracting(self.relevance)

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """(q + 1,) where each query's pairs start, and the end of the last."""
        return np.asarray(np.searchsorted(self.query, np.arange(len(self.queries) + 1)), np.int64)

    def attracting(self, relevance: Floats) -> Floats:
        """P(click | examined) of documents of the given relevance, of any shape."""
        return self.floor + (self.top - self.floor) * relevance

    def relevance_at(self, pair: NDArray[np.integer], moment: Floats) -> Floats:
        """The relevance of pairs at moments of the log, 0 being its start and 1 its end.

        Args:
            pair: Rows of the pairs; any shape that `moment` broadcasts to.
            moment: In [0, 1].
        """
        relevance: Floats = self.relevance[pair]
        if self.trend is not None:
            relevance = relevance + self.trend[pair] * (moment - 0.5)
        if self.appeal is not None:
            day = np.minimum((moment * len(self.appeal)).astype(np.int64), len(self.appeal) - 1)
            relevance = relevance + self.appeal[day, self.document[pair]]
        return np.clip(relevance, 0.0, 1.0)

    def attraction_of(self, query: NDArray[np.integer], document: NDArray[np.integer]) -> Floats:
        """(n,) attraction of (query, document) rows, such as a cell's; NaN where the truth lacks the pair."""
        code = np.asarray(query, np.int64) * len(self.documents) + document
        place = np.minimum(np.searchsorted(self._code, code), len(self) - 1)
        return np.where(self._code[place] == code, self.attraction[place], np.nan)

    @cached_property
    def _code(self) -> NDArray[np.int64]:
        return self.query.astype(np.int64) * len(self.documents) + self.document


def truth_of(judgments: Judgments, floor: float = 0.03, top: float = 0.6) -> Truth:
    """Take the scores of judgments for the true relevance.

    A query is named by its text, as a log names it, or by its id where it has none. Queries of the same text
    are one; where they judge a document differently, its relevance is the mean.

    Raises:
        JudgmentsError: No judgments.
    """
    if not len(judgments):
        raise JudgmentsError("there are no judgments to take for the truth")
    names = query_names(judgments.queries)
    queries = list(dict.fromkeys(names[place] for place in np.unique(judgments.query)))
    row = {name: place for place, name in enumerate(queries)}
    query = np.array([row.get(name, -1) for name in names], np.int64)[judgments.query]
    width = len(judgments.documents)
    code, pair, count = np.unique(query * width + judgments.document, return_inverse=True, return_counts=True)
    relevance = np.clip(np.bincount(pair, judgments.score) / count, 0.0, 1.0)
    return Truth(queries, list(judgments.documents.ids), code // width, code % width, relevance, floor, top)


def random_truth(queries: int, documents_per_query: int, seed: int) -> Truth:
    """A made-up truth: for every query a few good documents among many poor ones.

    Relevance is Beta(0.4, 1.6), which has mean 0.2 and a density that falls from 0 to 1; a query's own ease
    moves all of its documents a little, as some queries have many good answers and some have none. A document
    belongs to several queries.

    Args:
        queries: How many.
        documents_per_query: Pairs of each.
        seed: Equal seeds give equal truths.
    """
    rng = np.random.default_rng(seed)
    documents = max(documents_per_query, queries * documents_per_query // 4)
    ease = rng.normal(0, 0.05, queries)
    relevance = rng.beta(0.4, 1.6, (queries, documents_per_query)) + ease[:, None]
    # A stride that steps through the documents keeps those of one query apart without a draw per query.
    first = rng.integers(0, documents, queries)
    document = (
        first[:, None] + np.arange(documents_per_query) * (documents // documents_per_query)
    ) % documents
    return Truth(
        [f"query {row}" for row in range(queries)],
        [f"d{row}" for row in range(documents)],
        np.repeat(np.arange(queries), documents_per_query),
        np.sort(document, axis=1).ravel(),
        np.clip(relevance, 0, 1).ravel(),
    )


def drifting(truth: Truth, amount: float, seed: int) -> Truth:
    """The truth with relevance that rises or falls steadily over the log, by N(0, `amount`²) for each pair.

    Raises:
        LogError: An amount that is negative or not finite.
    """
    if not 0 <= amount < np.inf:
        raise LogError(f"the drift's standard deviation is {amount}; it must be at least 0 and finite")
    trend = np.random.default_rng([seed, 5]).normal(0, amount, len(truth))
    return replace(truth, trend=trend)


def wandering(truth: Truth, amount: float, renewal: float, days: int, seed: int) -> Truth:
    """The truth with documents whose own appeal comes and goes, as fashions, seasons and stock do.

    The appeal of a document is a stationary autoregression, drawn for each on its own:

        a(t + 1) = ρ a(t) + √(1 − ρ²) ε,   a(0), ε ~ N(0, `amount`²),   ρ⁷ = 1 − `renewal`

    with t in days, so that appeals w weeks apart are correlated by (1 − `renewal`)^w.

    Args:
        truth: The relevance without it.
        amount: Standard deviation of the appeal, on the scale of relevance.
        renewal: Share of it that is new after a week, from 0 (it never changes) to 1.
        days: Length of the log.
        seed: Equal seeds give equal appeals.

    Raises:
        LogError: An amount that is negative or not finite, or a renewal outside [0, 1].
    """
    if not 0 <= amount < np.inf:
        raise LogError(f"the appeal's standard deviation is {amount}; it must be at least 0 and finite")
    if not 0 <= renewal <= 1:
        raise LogError(f"the renewal of appeal is {renewal}; it must be between 0 and 1")
    rng = np.random.default_rng([seed, 6])
    kept = (1 - renewal) ** (1 / 7)
    appeal = rng.normal(0, amount, (days, len(truth.documents))).astype(np.float32)
    for day in range(1, days):
        appeal[day] = kept * appeal[day - 1] + np.sqrt(1 - kept**2) * appeal[day]
    return replace(truth, appeal=appeal)


def query_names(queries: Table) -> list[str]:
    """What a log calls each query: its text, or its id where it has none, as a query by picture."""
    texts = [queries.columns[field.name] for field in queries.fields if field.type == "text"]
    return [
        next((text for text in row if text), name) for name, *row in zip(queries.ids, *texts, strict=True)
    ]
