"""Traffic: who asks what, when, in which session."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError

START = np.datetime64("2026-01-05T00:00:00", "ms")
"""When a simulated log begins: a Monday."""

_PAUSE = {"people": 60.0, "robots": 1.0}
"""Mean seconds between two searches of a session."""

_ROBOT_PAGES = 200
"""Searches in a robot's session."""

_VISITS = 3
"""Mean number of sessions of one user."""

_LONGEST = 3_653
"""Days of a log, ten years: documents may have an appeal for each."""


@dataclass(frozen=True)
class Traffic:
    """How searches come in.

    Attributes:
        days: Length of the log; the hours of a day follow a daily rhythm.
        zipf: The query of popularity rank r is asked with probability ∝ 1 / r^zipf.
        session: Mean number of searches in a session; lengths are geometric.
        robots: Share of the pages that robots ask for, in long and fast sessions.

    Raises:
        LogError: Days outside 1 to 3,653, less than 1 search a session, a negative zipf, or a share outside [0, 1).
    """

    days: int = 14
    zipf: float = 1.0
    session: float = 2.0
    robots: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.days <= _LONGEST:
            raise LogError(f"the log has {self.days:,} days; it must have 1 to {_LONGEST:,}")
        if not 1 <= self.session < np.inf:
            raise LogError(f"a session has {self.session} searches; it must have at least one")
        if not 0 <= self.zipf < np.inf:
            raise LogError(f"zipf is {self.zipf}; it must be at least 0 and finite")
        if not 0 <= self.robots < 1:
            raise LogError(f"the share of robots is {self.robots}; it must be at least 0 and below 1")

    def popularity(self, queries: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(queries,) probability that each is asked; which of them are popular is drawn."""
        rank = rng.permutation(queries) + 1.0
        weight = np.exp(-self.zipf * np.log(rank))
        return np.asarray(weight / weight.sum(), np.float64)


@dataclass(frozen=True)
class Searches:
    """Searches in the order of time.

    Attributes:
        query: (n,) what was asked.
        session: (n,) number of the session.
        user: (n,) number of the user.
        robot: (n,) whether the user is a robot.
        final: (n,) whether the session ends here.
        moment: (n,) when the session began, in [0, 1) of the log's searches.
        time: (n,) datetime64[ms].
    """

    query: NDArray[np.int32]
    session: NDArray[np.int64]
    user: NDArray[np.int64]
    robot: NDArray[np.bool_]
    final: NDArray[np.bool_]
    moment: NDArray[np.float64]
    time: NDArray[np.datetime64]


def draw_searches(
    traffic: Traffic,
    popularity: NDArray[np.float64],
    part: tuple[int, int, int],
    rng: np.random.Generator,
) -> Searches:
    """Draw the searches of one part of the log; parts follow each other in time, and no session straddles two.

    Args:
        traffic: How they come in.
        popularity: (q,) probability of each query.
        part: The first search, the one behind the last, and how many the whole log has.
        rng: Where chance comes from.
    """
    first, end, total = part
    n = end - first
    by_robots = int(n * traffic.robots)
    session = np.repeat(np.arange(n), rng.geometric(1 / traffic.session, n))[: n - by_robots]
    by_people = int(session[-1]) + 1
    session = np.r_[session, by_people + np.arange(by_robots) // _ROBOT_PAGES]
    sessions = int(session[-1]) + 1
    robot = np.arange(sessions) >= by_people
    begins = np.r_[True, session[1:] != session[:-1]]

    people = max(1, round(total / (traffic.session * _VISITS)))
    user = np.where(robot, people + first + np.arange(sessions), rng.integers(0, people, sessions))
    moment = (first + rng.random(sessions) * n) / total
    pause = rng.exponential(1.0, n) * np.where(robot[session], _PAUSE["robots"], _PAUSE["people"])
    waited = np.cumsum(np.where(begins, 0.0, pause))
    since = waited - waited[begins][session]
    seconds = _clock(traffic.days, moment)[session] + since
    cumulative = np.cumsum(popularity)
    query = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")

    order = np.argsort(seconds, kind="stable")
    return Searches(
        query=query[order].astype(np.int32),
        session=(first + session)[order],
        user=user[session][order],
        robot=robot[session][order],
        final=np.r_[begins[1:], True][order],
        moment=moment[session][order],
        time=START + (seconds[order] * 1000).astype("timedelta64[ms]"),
    )


def _clock(days: int, moment: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds since the start at which a share `moment` of the traffic has come in: busiest at 16, least at 4."""
    hour = np.arange(days * 24 + 1)
    busy = 1 - 0.8 * np.cos((hour[:-1] + 0.5 - 4) * np.pi / 12)
    share = np.r_[0.0, np.cumsum(busy)] / busy.sum()
    return np.asarray(np.interp(moment, share, hour * 3600.0), np.float64)
