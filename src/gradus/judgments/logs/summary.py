"""What became of the rows of a log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from gradus.errors import LogError


@dataclass(frozen=True)
class Day:
    """The usable impressions of one day, and those with a click; `day` is null for a log without times."""

    day: date | None
    impressions: int
    clicks: int


@dataclass(frozen=True)
class LogSummary:
    """The counts of an aggregation, in rows of the log.

    A row that lists several documents counts once for each of them.

    Attributes:
        read: Rows that were read.
        used: Rows behind the cells.
        filtered: Reason → sound rows that were not used.
        rejected: Reason → broken rows.
        ignored: Name of an event → how often it was left out because `log.actions` does not name it; the
            commonest.
        first: The log's first position, 0 or 1.
        start: Time of the first usable impression; null for a log without times.
        end: Time of the last.
        sessions: Sessions with usable impressions; 0 for a log that knows neither sessions nor users.
        pages: Result pages with usable impressions.
        days: Usable impressions day by day, before repeats are folded.

    Raises:
        LogError: read = used + filtered + rejected does not hold.
    """

    read: int
    used: int
    filtered: Mapping[str, int]
    rejected: Mapping[str, int]
    ignored: Mapping[str, int]
    first: int
    start: datetime | None
    end: datetime | None
    sessions: int
    pages: int
    days: tuple[Day, ...]

    def __post_init__(self) -> None:
        filtered, rejected = sum(self.filtered.values()), sum(self.rejected.values())
        if self.read != self.used + filtered + rejected:
            raise LogError(
                f"the counts of the log do not reconcile: {self.read:,} rows read, but {self.used:,} used, "
                f"{filtered:,} filtered and {rejected:,} rejected; please report this"
            )

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """Times of the first and the last usable impression; `None` for a log without times."""
        return None if self.start is None or self.end is None else (self.start, self.end)

    def in_words(self, where: str = "") -> Iterator[str]:
        """Lines of how many rows were used, and what became of the others.

        Args:
            where: Where the rejected ones are, to be said behind them.
        """
        filtered, rejected = sum(self.filtered.values()), sum(self.rejected.values())
        yield (
            f"{self.read:,} rows read = {self.used:,} used + {filtered:,} filtered + {rejected:,} rejected"
        )
        for fate, counts, more in (("filtered", self.filtered, ""), ("rejected", self.rejected, where)):
            if counts:
                ordered = sorted(counts.items(), key=lambda item: -item[1])
                yield f"{fate}: {', '.join(f'{reason} ({rows:,})' for reason, rows in ordered)}{more}"
