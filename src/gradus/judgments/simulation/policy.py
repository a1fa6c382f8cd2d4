"""The logging policy: which documents fill a page, in which order, and how likely that was."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError
from gradus.judgments.simulation.truth import Truth

Floats = NDArray[np.float64]
Rows = NDArray[np.int32]


@dataclass(frozen=True)
class Policy:
    """A ranker of limited quality, and what is done on purpose to its order.

    The ranker sorts a query's documents by relevance + noise. The noise is drawn once for each pair, so the
    documents sit still: such a log holds no pair at two positions, and position bias cannot be told from
    relevance. Three things move them: new noise from time to time (releases, A/B tests), swaps of
    neighbours (FairPairs, Radlinski & Joachims 2006), and pages in random order.

    Attributes:
        noise: Standard deviation of the ranker's error, on the scale of relevance.
        epochs: How many times the noise is drawn, each holding for an equal share of the log.
        swaps: Probability that a couple of neighbours changes places. On each page either positions
            1 and 2, 3 and 4 … or 2 and 3, 4 and 5 … are the couples.
        randomised: Share of the pages that show the same documents in uniformly random order. Where it is
            above 0, the propensity of each document at its position is logged.

    Raises:
        LogError: A noise that is negative or not finite, fewer than 1 epoch, or a probability outside [0, 1].
    """

    noise: float = 0.3
    epochs: int = 1
    swaps: float = 0.0
    randomised: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.noise < np.inf:
            raise LogError(f"the ranker's noise is {self.noise}; it must be at least 0 and finite")
        if self.epochs < 1:
            raise LogError(f"there are {self.epochs} epochs; there must be at least 1")
        for name in ("swaps", "randomised"):
            if not 0 <= getattr(self, name) <= 1:
                raise LogError(f"{name} is {getattr(self, name)}; it must be between 0 and 1")


class Ranker:
    """A policy at work on a truth.

    Args:
        policy: What is done.
        truth: What is ranked.
        page: Positions on a page.
        rng: Where the noise comes from.
    """

    def __init__(self, policy: Policy, truth: Truth, page: int, rng: np.random.Generator) -> None:
        self.policy, self.truth, self.page = policy, truth, page
        self._order = np.empty((policy.epochs, len(truth)), np.int32)
        for epoch in range(policy.epochs):
            score = truth.relevance + rng.normal(0, policy.noise, len(truth))
            self._order[epoch] = np.lexsort((-score, truth.query))
        self._size = np.minimum(np.diff(truth.start), page)

    def shown(self) -> NDArray[np.int64]:
        """(q,) documents on a page of each query."""
        return self._size

    def fill(
        self, query: NDArray[np.integer], moment: Floats, rng: np.random.Generator
    ) -> tuple[Rows, Floats | None]:
        """Fill pages.

        Args:
            query: (n,) query of each page.
            moment: (n,) when, in [0, 1) of the log's length.
            rng: Where the chance of swaps and random orders comes from.

        Returns:
            (n, k) pairs of the truth, −1 below the last document; and (n, k) the probability with which the
            policy shows the document at this position, NaN below the last, or `None` where it is not logged.
        """
        size = self._size[query][:, None]
        rank = np.broadcast_to(np.arange(self.page, dtype=np.int32), (len(query), self.page)).copy()
        if self.policy.swaps:
            self._swap(rank, size, rng)
        if self.policy.randomised:
            self._shuffle(rank, size, rng)
        epoch = np.minimum((moment * self.policy.epochs).astype(np.int64), self.policy.epochs - 1)
        # Below the last document `place` may lie behind the end of the pairs; those are overwritten by −1.
        place = np.minimum(self.truth.start[query][:, None] + rank, len(self.truth) - 1)
        empty = np.arange(self.page) >= size
        pair = np.where(empty, np.int32(-1), self._order[epoch[:, None], place])
        if not self.policy.randomised:
            return pair, None
        return pair, np.where(empty, np.nan, self._propensity(rank, size))

    def _swap(self, rank: Rows, size: NDArray[np.int64], rng: np.random.Generator) -> None:
        offset = rng.integers(0, 2, len(rank))
        chance = rng.random(rank.shape)
        for upper in range(self.page - 1):
            swapped = (
                (offset == upper % 2) & (chance[:, upper] < self.policy.swaps) & (upper + 1 < size[:, 0])
            )
            rank[swapped, upper : upper + 2] = rank[swapped, upper : upper + 2][:, ::-1]

    def _shuffle(self, rank: Rows, size: NDArray[np.int64], rng: np.random.Generator) -> None:
        rows = np.flatnonzero(rng.random(len(rank)) < self.policy.randomised)
        key = rng.random((len(rows), self.page))
        key[np.arange(self.page) >= size[rows]] = 2.0
        rank[rows] = np.take_along_axis(rank[rows], np.argsort(key, axis=1), axis=1)

    def _propensity(self, rank: Rows, size: NDArray[np.int64]) -> Floats:
        """P(position | rank): swaps move a document by one place, random pages anywhere."""
        position = np.arange(self.page)
        half = self.policy.swaps / 2
        staying = 1 - half * (rank > 0) - half * (rank + 1 < size)
        ranked = np.where(rank == position, staying, np.where(np.abs(rank - position) == 1, half, 0.0))
        return (1 - self.policy.randomised) * ranked + self.policy.randomised / size
