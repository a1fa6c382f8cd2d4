"""Cells: what is left of a log once it is aggregated, and all that the estimators see."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Counts of the impressions of a log that share query, document, position, previous click and window.

    `previous` is the position of the nearest click above the impression on the same result page, 0 where there
    is none. With it the cells suffice for every click model in which examination depends on the position and on
    the click before (position-based, cascade, user browsing), and with `above_last` and `last` for dynamic
    Bayesian networks. Counts are floats, since age may discount them.

    Attributes:
        queries: Normalised query texts; `query` points into them.
        documents: Document ids; `document` points into them.
        windows: Start of each time window, as datetime64[s]; `window` points into them. One when not windowed.
        query: (n,) rows of `queries`.
        document: (n,) rows of `documents`.
        position: (n,) rank on the page, from 1.
        previous: (n,) position of the nearest click above, 0 without one.
        window: (n,) rows of `windows`.
        impressions: (n,) how often the document was shown so.
        clicks: (n,) impressions with at least one action that counts.
        above_last: (n,) impressions at or above the page's last click; 0 on pages without a click.
        last: (n,) impressions that hold the page's last click.
        utility: (n,) sum over impressions of the greatest weight among the actions taken, each in [0, 1].
        utility_square: (n,) the same, squared before summing.
        propensity: (n,) sum over impressions of 1 / logged propensity, and 0 where none was logged.
        logged: (n,) impressions with a logged propensity.
        actions: Action name → (n,) impressions on which it was taken; for the audit.

    Raises:
        LogError: Arrays that differ in length, a row that points outside its list, a position below 1,
            a previous click not above its impression, or more clicks than impressions.
    """

    queries: Sequence[str]
    documents: Sequence[str]
    windows: NDArray[np.datetime64]
    query: NDArray[np.int32]
    document: NDArray[np.int32]
    position: NDArray[np.int16]
    previous: NDArray[np.int16]
    window: NDArray[np.int16]
    impressions: Floats
    clicks: Floats
    above_last: Floats
    last: Floats
    utility: Floats
    utility_square: Floats
    propensity: Floats
    logged: Floats
    actions: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self._columns().values()}
        if len(lengths) > 1:
            raise LogError(f"the columns of Cells differ in length: {sorted(lengths)}")
        if not len(self):
            return
        for name, rows in (("query", self.queries), ("document", self.documents), ("window", self.windows)):
            column = getattr(self, name)
            if column.min() < 0 or column.max() >= len(rows):
                raise LogError(f"a cell points outside its {name} list")
        if self.position.min() < 1:
            raise LogError("a cell has a position below 1; positions count from 1")
        if (self.previous < 0).any() or (self.previous >= self.position).any():
            raise LogError("a cell's previous click is not above it on the page")
        if (self.clicks > self.impressions * (1 + 1e-9)).any():
            raise LogError("a cell has more clicks than impressions")

    def __len__(self) -> int:
        return len(self.query)

    @property
    def pair(self) -> NDArray[np.int64]:
        """(n,) a number for each cell's (query, document), ascending by query, then by document."""
        return self.query.astype(np.int64) * len(self.documents) + self.document

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "Cells":
        """The cells of the given rows (or mask), over the same lists."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "actions"}
        taken = {name: column if name in _LISTS else column[rows] for name, column in own.items()}
        return Cells(**taken, actions={name: column[rows] for name, column in self.actions.items()})

    def _columns(self) -> dict[str, NDArray[Any]]:
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _LISTS}
        return own | {f"actions.{name}": column for name, column in self.actions.items()}


_LISTS = ("queries", "documents", "windows", "actions")
