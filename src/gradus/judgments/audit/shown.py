"""What a log showed, pair by pair, and the pairs of it that deserve a look."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradus.errors import JudgmentsError
from gradus.judgments.audit.ranks import Rows, ranks
from gradus.judgments.clicks.score import ClickScores
from gradus.judgments.fusion import Fused
from gradus.judgments.logs.cells import Cells
from gradus.judgments.scores import Floats

OFTEN = 20
"""Impressions from which on a pair's raw click rate says something; below, it is mostly chance and often zero."""
LISTED = 25
"""Rows of each list of pairs."""


@dataclass(frozen=True)
class Shown:
    """The pairs of a log: how they were shown, and which judgment each became.

    Attributes:
        queries: Query texts, as the log has them.
        documents: Document ids.
        query: (p,) rows of `queries`.
        document: (p,) rows of `documents`.
        impressions: (p,) how often each was shown.
        position: (p,) mean position.
        rate: (p,) clicks per impression, nothing corrected.
        judged: (p,) rows of the judgments.
    """

    queries: Sequence[str]
    documents: Sequence[str]
    query: Rows
    document: Rows
    impressions: Floats
    position: Floats
    rate: Floats
    judged: Rows

    def __len__(self) -> int:
        return len(self.query)

    def often(self) -> "Shown":
        """The pairs that were shown at least `OFTEN` times."""
        rows = self.impressions >= OFTEN
        columns = {
            name: getattr(self, name)[rows]
            for name in ("query", "document", "impressions", "position", "rate", "judged")
        }
        return replace(self, **columns)


@dataclass(frozen=True)
class ShownPair:
    """A pair of the log, with its query as the log has it; `position` is a mean and `rate` clicks per impression."""

    query: str
    document: str
    impressions: float
    position: float
    rate: float
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Moved:
    """A pair whose place changed among the pairs of its query that were shown often.

    Attributes:
        pair: The pair.
        before: Its place by raw click rate, 1 being the best; equals share a mean place.
        after: Its place by score.
        of: Pairs of the query that were shown often.
    """

    pair: ShownPair
    before: float
    after: float
    of: int


def find_shown(cells: Cells, log: ClickScores, fused: Fused) -> Shown:
    """Sum cells to pairs, and find the judgment of each.

    Args:
        cells: The cells that `log` comes from.
        log: Names the queries and documents of the cells as the judgments do; a query's text and its name differ
            where judgments call queries by their ids.
        fused: The judgments.

    Returns:
        The log's pairs that are judged; those of documents that a catalogue lacks are not.

    Raises:
        JudgmentsError: No pair of the log is among the judgments.
    """
    width = len(cells.documents)
    key, pair = np.unique(cells.pair, return_inverse=True)
    query, document = key // width, key % width
    impressions, clicks, depth = (
        np.bincount(pair, values, len(key)).astype(np.float64)
        for values in (cells.impressions, cells.clicks, cells.impressions * cells.position)
    )
    total = np.maximum(impressions, 1e-300)
    query_rows = {name: row for row, name in enumerate(fused.queries)}
    document_rows = {name: row for row, name in enumerate(fused.documents)}
    of_query = np.array([query_rows.get(name, -1) for name in log.scores.queries], np.int64)[query]
    of_document = np.array([document_rows.get(name, -1) for name in log.scores.documents], np.int64)[document]
    wanted = of_query * len(fused.documents) + of_document
    keys = fused.query * len(fused.documents) + fused.document
    order = np.argsort(keys, kind="stable")
    judged = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    lost = (of_query < 0) | (of_document < 0) | (keys[judged] != wanted)
    if lost.all():
        raise JudgmentsError(
            f"none of the {len(lost):,} pairs of the log are among the judgments: "
            "audit judgments together with the scores that they were fused from"
        )
    return Shown(
        cells.queries, cells.documents, query[~lost], document[~lost], impressions[~lost],
        (depth / total)[~lost], (clicks / total)[~lost], judged[~lost],
    )  # fmt: skip


def find_uncertain(fused: Fused, shown: Shown) -> tuple[ShownPair, ...]:
    """Of the tenth of the pairs with the widest intervals those that are shown most."""
    width = (fused.high - fused.low)[shown.judged]
    rows = np.flatnonzero(width >= np.quantile(width, 0.9))
    worst = rows[np.lexsort((-width[rows], -shown.impressions[rows]))[:LISTED]]
    return tuple(_pair(fused, shown, row) for row in worst.tolist())


def find_moved(fused: Fused, shown: Shown) -> tuple[Moved, ...]:
    """The pairs whose place within their query is most unlike that by raw click rate, of those shown often."""
    shown = shown.often()
    before, after = ranks(-shown.rate, shown.query), ranks(-fused.score[shown.judged], shown.query)
    places = np.abs(before - after)
    of = np.bincount(shown.query)[shown.query]
    rows = np.flatnonzero(places > 0)
    most = rows[np.lexsort((-shown.impressions[rows], -places[rows]))[:LISTED]]
    return tuple(
        Moved(_pair(fused, shown, row), float(before[row]), float(after[row]), int(of[row]))
        for row in most.tolist()
    )


def _pair(fused: Fused, shown: Shown, row: int) -> ShownPair:
    judged = shown.judged[row]
    numbers = (shown.impressions[row], shown.position[row], shown.rate[row])
    ends = (fused.score[judged], fused.low[judged], fused.high[judged])
    return ShownPair(
        shown.queries[shown.query[row]], shown.documents[shown.document[row]], *map(float, numbers + ends)
    )
