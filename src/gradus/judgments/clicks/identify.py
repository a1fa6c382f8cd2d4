"""Identifiability: whether a log can tell position from attractiveness.

Only a pair that was shown at several positions can. How well position k is told from the first is the deviation of
log θ_k that `gradus.judgments.clicks.harvest` finds; it is infinite where no chain of swaps leads to the first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.clicks.by_position import position_trials
from gradus.judgments.clicks.fit import Curve, Fit
from gradus.judgments.clicks.harvest import harvest
from gradus.judgments.logs.cells import Cells

Floats = NDArray[np.float64]

TOLERANCE = 0.25
"""Largest deviation of log θ at which a position counts as told: θ is then known to within 40 %, 9 times in 10."""
COVERED = 0.8
"""Share of the impressions that must be at such positions."""
_WANTED = 0.1
"""Deviation of log θ that an experiment is planned for."""
_SHARE = 0.1
"""Share of the result pages that an experiment would randomise."""


@dataclass(frozen=True)
class Identifiability:
    """What a log can support.

    Attributes:
        pairs: Pairs in the log.
        moved: Pairs that were shown at several positions.
        moved_share: Share of the impressions that are theirs.
        swaps: (positions, positions) clicks of pairs shown at both positions.
        curve: Examination by position, as the swaps have it.
        told: (positions,) whether it is at most `TOLERANCE`.
        told_share: Share of the impressions at such positions.
        pages: Result pages that would have to be shuffled to tell all positions.
    """

    pairs: int
    moved: int
    moved_share: float
    swaps: Floats
    curve: Curve
    told: NDArray[np.bool_]
    told_share: float
    pages: int

    @property
    def supported(self) -> bool:
        """Whether position bias can be taken out of this log."""
        return self.told_share >= COVERED

    def reason(self) -> str:
        """In a sentence, why it can or cannot."""
        moved = f"{self.moved:,} of {self.pairs:,} pairs were shown at several positions"
        if len(self.told) < 2:
            return "everything was shown at one position, so there is no position bias to tell"
        if not self.moved:
            return "no pair was shown at two positions, so position cannot be told from attractiveness"
        return f"{moved}; {told_in_words(self.told, self.told_share)}"

    def remedy(self, pages_per_day: float | None = None) -> str:
        """In a sentence, what would make it possible.

        Args:
            pages_per_day: Result pages that the search serves, where the log says so.
        """
        deepest = len(self.told)
        if not pages_per_day:
            return f"show the top {deepest} in random order on {self.pages:,} result pages"
        days = max(1, int(np.ceil(self.pages / (pages_per_day * _SHARE))))
        return (
            f"show the top {deepest} in random order on {_SHARE:.0%} of the result pages for {days:,} "
            f"day{'s' if days > 1 else ''} ({self.pages:,} pages)"
        )


def identify(cells: Cells) -> Identifiability:
    """Find out what the log's swaps can tell."""
    trials = position_trials(cells)
    found = harvest(trials)
    levels = trials.per_pair((trials.shown > 0).astype(float))
    seen = trials.per_level(trials.shown)
    told, told_share = told_by(found.deviation, seen)
    return Identifiability(
        pairs=len(trials),
        moved=int((levels > 1).sum()),
        moved_share=float(trials.per_pair(trials.shown)[levels > 1].sum() / seen.sum()),
        swaps=found.swaps,
        curve=Curve(found.theta, found.deviation),
        told=told,
        told_share=told_share,
        pages=_pages(trials.per_level(trials.clicks), seen),
    )


def told_by(deviation: Floats, shown: Floats) -> tuple[NDArray[np.bool_], float]:
    """Which positions are told well enough, and the share of the impressions that are there.

    Args:
        deviation: (positions,) standard deviation of log θ.
        shown: (positions,) impressions.
    """
    told = (deviation <= TOLERANCE) & (shown > 0)
    return told, float(shown[told].sum() / shown.sum())


def told_of(fit: Fit) -> tuple[NDArray[np.bool_], float]:
    """The same of a model whose levels are positions."""
    return told_by(fit.deviation, fit.trials.per_level(fit.trials.shown))


def told_in_words(told: NDArray[np.bool_], share: float) -> str:
    """At which positions examination is told, and how much of the log that is."""
    where = ", ".join(_runs(np.flatnonzero(told) + 1))
    if not where:
        return "examination is told at no position"
    return f"examination is told at positions {where}: {share:.0%} of the impressions"


def _pages(clicks: Floats, seen: Floats) -> int:
    """Shuffled pages after which log θ of the least clicked position has the deviation that is wanted.

    Its variance is the sum of the inverse numbers of clicks at that position and at the first; both positions are
    shown once a page. Shuffled, deep positions get better documents than they have now, so the number is an upper bound.
    """
    rate = (clicks + 0.5) / (seen + 1.0)
    return int(np.ceil((1 / rate[seen > 0].min() + 1 / rate[0]) / _WANTED**2))


def _runs(numbers: NDArray[np.integer]) -> list[str]:
    """1, 2, 3, 7 as 1–3, 7."""
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [str(part[0]) if len(part) == 1 else f"{part[0]}–{part[-1]}" for part in parts if len(part)]
