"""Evidence by time: the judgments that were to be had at a moment of the past, and those of a window after it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.read import open_catalog, open_queries
from gradus.catalog.table import Table
from gradus.errors import LogError, SettingsError
from gradus.judgments.clicks.score import score_clicks
from gradus.judgments.judgments import Judgments
from gradus.judgments.logs.cells import Cells
from gradus.judgments.scores import Scores
from gradus.judgments.scores_file import as_judgments, query_table
from gradus.judgments.split import make_split
from gradus.progress import Progress
from gradus.settings import Settings
from gradus.workflow.data import Data
from gradus.workflow.log_cells import read_cells

_COUNTS = (
    "impressions", "clicks", "above_last", "last", "utility", "utility_square", "propensity", "logged",
)  # fmt: skip


@dataclass(frozen=True)
class DatedEvidence:
    """A log cut into windows of some days each, from its first day on; days after the last whole one are left out.

    Attributes:
        settings: How it is judged.
        documents: The catalogue.
        queries: All queries of the log.
        cells: The log, by day.
        start: Its first day.
        windows: How many whole windows it has.
    """

    settings: Settings
    documents: Table
    queries: Table
    cells: Cells
    start: date
    windows: int

    @property
    def day(self) -> NDArray[np.int64]:
        """(n,) the day of each cell, the first being 0."""
        first = np.datetime64(self.start)
        days = (self.cells.windows.astype("datetime64[D]") - first).astype(np.int64)
        return np.asarray(days[self.cells.window])

    def begins(self, window: int) -> date:
        """The first day of a window."""
        return self.start + timedelta(days=window * self.settings.cadence.window_days)

    def before(self, window: int) -> Data:
        """What could be trained on when a window began: `cadence.history` windows of evidence before it.

        Judged as `gradus judge` would have done it on that day, age discounted by `log.half_life`. Queries that had
        not been asked yet count as novel, so that not even their words are known.

        Raises:
            LogError: The evidence cannot be judged; the message says why, and what would help.
        """
        chosen = self.settings.cadence
        end = window * chosen.window_days
        first = end - chosen.history * chosen.window_days if chosen.history else 0
        here = (self.day >= first) & (self.day < end)
        cells = self.cells.take(here)
        if self.settings.log.half_life:
            cells = _discounted(cells, 0.5 ** ((end - 1 - self.day[here]) / self.settings.log.half_life))
        with _saying(f"what was known on {self.begins(window)} (a greater cadence.history knows more)"):
            # Without `clicks.run`, whose pipeline may know what people did later.
            scores = score_clicks(cells, self.settings.clicks, self.settings.root).scores
        judgments = self._bound(scores)
        split = make_split(judgments, replace(self.settings.split, novel_queries=0.0, novel_documents=0.0))
        asked = np.isin(np.arange(len(self.queries)), judgments.query)
        split = replace(split, query_part=np.where(asked, split.query_part, "novel").astype(object))
        return Data(self.documents, judgments, split)

    def within(self, windows: list[int]) -> dict[int, Judgments]:
        """Window → its judgments, by what happened in it alone.

        A window may hold too little to tell attention from attraction, but how people read a page does not change
        from week to week. So the pairs of all windows are scored at once, each window's apart from the others': they
        share the click model, and nothing else.

        Args:
            windows: Which.

        Raises:
            LogError: The evidence cannot be judged; the message says why, and what would help.
        """
        number = self.day // self.settings.cadence.window_days
        whole = number < self.windows
        cells, number = self.cells.take(whole), number[whole]
        code = number * len(cells.queries) + cells.query
        codes, query = np.unique(code, return_inverse=True)
        apart = replace(cells, queries=[str(each) for each in codes], query=query.astype(np.int32))
        # The interval of the curve, which resampling makes, plays no part here.
        with _saying("each window by itself (a greater cadence.window_days holds more)"):
            clicks = replace(self.settings.clicks, bootstrap=20)
            scores = score_clicks(apart, clicks, self.settings.root).scores
        own_window, own_query = np.divmod(codes, len(cells.queries))
        found = {}
        for window in windows:
            rows = own_window[scores.query] == window
            found[window] = self._bound(
                Scores(
                    scores.source, cells.queries, cells.documents, own_query[scores.query[rows]],
                    scores.document[rows], scores.score[rows], scores.low[rows], scores.high[rows],
                    scores.count[rows],
                )
            )  # fmt: skip
        return found

    def _bound(self, scores: Scores) -> Judgments:
        return as_judgments(scores, [scores.source] * len(scores), self.documents, self.queries)[0]


def read_dated(settings: Settings, now: datetime, progress: Progress) -> DatedEvidence:
    """Read the log that the settings name, day by day.

    Raises:
        SettingsError: They name none.
        GradusError: An input cannot be used; the type and the message say which and why.
    """
    if not settings.log.path:
        raise SettingsError("there is no dated evidence: name a log in log.path, as for gradus judge")
    documents = open_catalog(settings)
    queries = open_queries(settings) if settings.query.path else None
    by_day = replace(settings, log=replace(settings.log, window="day", half_life=0.0))
    with tempfile.TemporaryDirectory() as work:
        cells = read_cells(by_day, Path(work), queries, now, progress).cells
    first, last = (
        end.astype("datetime64[D]").astype(date) for end in (min(cells.windows), max(cells.windows))
    )
    windows = ((last - first).days + 1) // settings.cadence.window_days
    table = query_table(cells.queries, settings) if queries is None else queries
    return DatedEvidence(settings, documents, table, cells, first, windows)


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Say of a refusal which part of the log it is about."""
    try:
        yield
    except LogError as refusal:
        raise LogError(f"judging {what}: {refusal}") from None


def _discounted(cells: Cells, factor: NDArray[np.float64]) -> Cells:
    """Cells whose counts are multiplied by (n,) factors."""
    counts = {name: getattr(cells, name) * factor for name in _COUNTS}
    return replace(cells, **counts, actions={name: n * factor for name, n in cells.actions.items()})
