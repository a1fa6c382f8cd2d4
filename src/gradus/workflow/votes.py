"""Votes: which of two models people prefer, summed up with an interval."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradus.errors import SearchError
from gradus.evaluation.bootstrap import bootstrap_interval
from gradus.files import log_lines
from gradus.settings import Settings


@dataclass(frozen=True)
class Preference:
    """What the votes on two models come to.

    Attributes:
        first: One of the models: its folder's name and its version.
        second: The other one.
        wins: Votes for the first.
        ties: Votes for neither.
        losses: Votes for the second.
        queries: Queries that were voted on.
        share: Mean over queries of the share of votes for the first, a tie as half.
        low: Lower end of its 95 % bootstrap interval over queries; NaN with fewer than two queries.
        high: Upper end.
        left: Share of the votes that went to the list on the left, ties set aside: far from a half, people did not
            look at both. NaN without such votes.
    """

    first: str
    second: str
    wins: int
    ties: int
    losses: int
    queries: int
    share: float
    low: float
    high: float
    left: float


def read_preferences(settings: Settings) -> list[Preference]:
    """Sum up the votes in the log of the service, for each pair of models; most votes first.

    Raises:
        SearchError: There are none, or a line is not one.
    """
    folder = settings.resolve(settings.service.log) / "votes"
    votes = []
    for path, number, line in log_lines(folder):
        try:
            votes.append(_Vote.read(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            raise SearchError(f"{path}: line {number} is no vote") from None
    if not votes:
        raise SearchError(f"no votes in {folder}; people vote on the page /compare of gradus serve")
    return summarise(votes)


@dataclass(frozen=True)
class _Vote:
    """A vote.

    Attributes:
        models: Names of the models, in order of their names.
        points: For the first of them: 1, a half for a tie, or 0.
        left: 1 where the list on the left was chosen, 0 where the one on the right, `None` for a tie.
    """

    query: str
    rater: str
    time: str
    models: tuple[str, str]
    points: float
    left: int | None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> "_Vote":
        names = [f"{row[side]['name']} ({row[side]['version']})" for side in ("left", "right")]
        left = {"left": 1, "right": 0, "tie": None}[row["choice"]]
        first, second = sorted(names)
        points = 0.5 if left is None else float((names[0] == first) == (left == 1))
        return cls(row["query"], row["rater"], row["timestamp"], (first, second), points, left)


def summarise(votes: Iterable[_Vote]) -> list[Preference]:
    """Preferences of votes; of one rater's votes on one query and two models, the last counts."""
    last: dict[tuple[Any, ...], _Vote] = {}
    for vote in sorted(votes, key=lambda vote: vote.time):
        last[vote.models, vote.query, vote.rater] = vote
    by_models: defaultdict[tuple[str, str], list[_Vote]] = defaultdict(list)
    for vote in last.values():
        by_models[vote.models].append(vote)
    return [
        _preference(models, by_models[models])
        for models in sorted(by_models, key=lambda m: -len(by_models[m]))
    ]


def _preference(models: tuple[str, str], votes: list[_Vote]) -> Preference:
    by_query: defaultdict[str, list[float]] = defaultdict(list)
    for vote in votes:
        by_query[vote.query].append(vote.points)
    counts = Counter(vote.points for vote in votes)
    interval = bootstrap_interval([np.mean(points) for points in by_query.values()])
    sides = [vote.left for vote in votes if vote.left is not None]
    return Preference(
        first=models[0],
        second=models[1],
        wins=counts[1.0],
        ties=counts[0.5],
        losses=counts[0.0],
        queries=len(by_query),
        share=interval.mean,
        low=interval.low,
        high=interval.high,
        left=float(np.mean(sides)) if sides else float("nan"),
    )
