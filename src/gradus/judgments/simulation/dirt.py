"""Dirt: what goes wrong between a page and its log, each fault with a switch of its own."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError

IMPRESSION, CLICK, CART, PURCHASE = range(4)
"""What a row of a log says; a row of an impression with a click counts as a click."""

JUMPS = np.array([-86_400, 86_400, 10 * 365 * 86_400]) * np.timedelta64(1000, "ms")
"""By how much a clock is wrong: a day behind, a day ahead, ten years ahead."""

_DOUBLE_CLICK_MS = 1000
"""A double click follows the first within this time."""


@dataclass(frozen=True)
class Rows:
    """Rows of a log, as they point into a part of its pages.

    Attributes:
        page: (m,) row of the part.
        place: (m,) place on the page, from 0: which document the row is about.
        action: (m,) `IMPRESSION`, `CLICK`, `CART` or `PURCHASE`.
        position: (m,) the position as it is logged.
        time: (m,) datetime64[ms], as it is logged.
    """

    page: NDArray[np.int64]
    place: NDArray[np.int64]
    action: NDArray[np.int8]
    position: NDArray[np.int64]
    time: NDArray[np.datetime64]

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "Rows":
        """The given rows (or those of a mask)."""
        return Rows(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True)
class Dirt:
    """What goes wrong.

    Attributes:
        dropped: Share of the impressions that are lost; rows that say what people did are not.
        zero_based: Whether positions count from 0.
        double_clicks: Share of the clicks that are logged twice, the second within a second.
        duplicates: Share of the rows that are written twice.
        clock_jumps: Share of the pages whose clock is wrong: a day behind, a day ahead, or ten years ahead.

    Raises:
        LogError: A share outside [0, 1].
    """

    dropped: float = 0.0
    zero_based: bool = False
    double_clicks: float = 0.0
    duplicates: float = 0.0
    clock_jumps: float = 0.0

    def __post_init__(self) -> None:
        for name in ("dropped", "double_clicks", "duplicates", "clock_jumps"):
            if not 0 <= getattr(self, name) <= 1:
                raise LogError(f"{name} is {getattr(self, name)}; it must be between 0 and 1")

    def on(self, rows: Rows, pages: int, rng: np.random.Generator) -> Rows:
        """The rows with their faults; repeated rows stand below the first.

        Args:
            rows: Clean rows of one part of the log.
            pages: How many pages the part has.
            rng: Where chance comes from.
        """
        rows = rows.take((rows.action != IMPRESSION) | (rng.random(len(rows.page)) >= self.dropped))
        wrong = rng.random(pages) < self.clock_jumps
        jump = np.where(wrong, rng.choice(JUMPS, pages), np.timedelta64(0, "ms"))
        rows = Rows(
            rows.page, rows.place, rows.action, rows.position - self.zero_based, rows.time + jump[rows.page]
        )
        twice = (rows.action == CLICK) & (rng.random(len(rows.page)) < self.double_clicks)
        rows, again = _repeated(rows, twice)
        rows.time[again] += rng.integers(50, _DOUBLE_CLICK_MS, int(again.sum())) * np.timedelta64(1, "ms")
        return _repeated(rows, rng.random(len(rows.page)) < self.duplicates)[0]


def _repeated(rows: Rows, twice: NDArray[np.bool_]) -> tuple[Rows, NDArray[np.bool_]]:
    """The rows with some of them twice, and which of them are the second ones."""
    index = np.repeat(np.arange(len(twice)), 1 + twice)
    return rows.take(index), np.r_[False, index[1:] == index[:-1]]
