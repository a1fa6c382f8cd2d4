"""What the routes of one service share."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from gradus.search.service.feedback import Kind, Record, UbiLog
from gradus.search.service.live import Live
from gradus.search.service.metrics import Metrics
from gradus.search.service.peers import Peers
from gradus.search.service.security import Guard
from gradus.settings import ServiceSettings

Grade = float | str

SCALE: tuple[Grade, ...] = (0.0, 1.0, 2.0, 3.0)
"""Grades where nothing else is said: wrong, related, good, just what was meant."""


@dataclass(frozen=True)
class Desk:
    """What experts judge, and how.

    Attributes:
        queries: Gives the texts that wait to be judged; may take a while.
        scale: The grades, from worst to best.
    """

    queries: Callable[[], Sequence[str]] = tuple
    scale: Sequence[Grade] = SCALE


@dataclass(frozen=True)
class Service:
    """One service.

    Attributes:
        settings: Its bounds.
        live: What answers.
        guard: Who may ask.
        metrics: What is counted.
        log: What is recorded; `None` for nothing.
        desk: What experts judge.
        peers: The other workers; `None` where there is one process.
    """

    settings: ServiceSettings
    live: Live
    guard: Guard
    metrics: Metrics
    log: UbiLog | None
    desk: Desk
    peers: Peers | None = None

    def record(self, kind: Kind, records: Sequence[Record]) -> "Future[int] | None":
        """Append to the log, if there is one, and count what came of it."""
        if self.log is None:
            return None
        future = self.log.add(kind, records)
        future.add_done_callback(lambda done: self._count(kind, len(records), done))
        return future

    def _count(self, kind: Kind, records: int, done: "Future[int]") -> None:
        lost = not done.cancelled() and done.exception() is not None
        (self.metrics.unrecorded if lost else self.metrics.recorded).labels(kind).inc(records)
