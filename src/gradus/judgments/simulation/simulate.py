"""Simulation: from a truth, a logging policy and people to pages, part by part, and to cells."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError
from gradus.judgments.logs.cells import Cells
from gradus.judgments.simulation.aggregate import aggregate
from gradus.judgments.simulation.habits import Habits, dwell_seconds, robot_clicks
from gradus.judgments.simulation.pages import Pages
from gradus.judgments.simulation.policy import Policy, Ranker
from gradus.judgments.simulation.traffic import Searches, Traffic, draw_searches
from gradus.judgments.simulation.truth import Truth
from gradus.judgments.simulation.users import PBM, Users

_PART = 50_000
"""Pages that are drawn at once. Each part has a seed of its own, so another size gives another log."""

_NOISE, _ASKED, _PAGES = 1, 2, 3
"""What keeps the streams of chance of one seed apart; dirt has 4, drift 5 and appeal 6."""


@dataclass(frozen=True)
class Simulation:
    """All that a simulated log depends on.

    Attributes:
        truth: How attractive each document really is.
        users: How people read a page.
        policy: What is shown.
        habits: What people do besides.
        traffic: Who asks what, when.
        impressions: How many documents are shown in all; on average, where some queries have fewer documents
            than a page.
        page: Positions on a page.
        seed: Equal simulations of equal seed give equal logs.

    Raises:
        LogError: Fewer than 1 impression, or a page outside 1 to 1,000.
    """

    truth: Truth
    users: Users = field(default_factory=PBM)
    policy: Policy = field(default_factory=Policy)
    habits: Habits = field(default_factory=Habits)
    traffic: Traffic = field(default_factory=Traffic)
    impressions: int = 1_000_000
    page: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.impressions < 1:
            raise LogError(f"{self.impressions} impressions are asked for; ask for at least 1")
        if not 1 <= self.page <= 1000:
            raise LogError(f"a page has {self.page} positions; it must have 1 to 1,000")


def simulate(simulation: Simulation) -> Iterator[Pages]:
    """Yield the log's pages, part by part; parts follow each other in time.

    Satisfaction, where the click model asks for it, is the relevance.
    """
    truth, seed = simulation.truth, simulation.seed
    ranker = Ranker(simulation.policy, truth, simulation.page, np.random.default_rng([seed, _NOISE]))
    popularity = simulation.traffic.popularity(len(truth.queries), np.random.default_rng([seed, _ASKED]))
    total = max(1, round(simulation.impressions / float(popularity @ ranker.shown())))
    for first in range(0, total, _PART):
        end = min(first + _PART, total)
        rng = np.random.default_rng([seed, _PAGES, first])
        searches = draw_searches(simulation.traffic, popularity, (first, end, total), rng)
        pair, propensity = ranker.fill(searches.query, searches.moment, rng)
        yield _act(simulation, np.arange(first, end), searches, pair, propensity, rng)


def simulate_cells(simulation: Simulation, *, by_day: bool = False) -> Cells:
    """The log aggregated, without a file between.

    The cells point into the lists of the truth: `simulation.truth.attraction_of(cells.query, cells.document)`
    is what an estimator of a cell's attractiveness should find.

    Args:
        simulation: What the log depends on.
        by_day: Keep counts by day, so that age can discount them.
    """
    return aggregate(simulation.truth, simulate(simulation), simulation.page, by_day=by_day)


def _act(
    simulation: Simulation,
    number: NDArray[np.int64],
    searches: Searches,
    pair: NDArray[np.int32],
    propensity: NDArray[np.float64] | None,
    rng: np.random.Generator,
) -> Pages:
    """What is done on pages that are filled."""
    truth, habits = simulation.truth, simulation.habits
    shown = pair >= 0
    relevance = np.where(shown, truth.relevance_at(pair, searches.moment[:, None]), 0.0)
    attraction = np.where(shown, habits.trusting(truth.attracting(relevance)), 0.0)
    click = simulation.users.clicks(attraction, relevance, rng)
    if habits.abandoned:
        click &= habits.seen(searches.final, simulation.page, rng)
    cart, purchase = habits.carts(click, relevance, rng)
    dwell = dwell_seconds(click, relevance, rng)
    if simulation.traffic.robots:
        robot = searches.robot[:, None]
        click = np.where(robot, robot_clicks(shown, searches.session, rng), click)
        cart, purchase = cart & ~robot, purchase & ~robot
        dwell = np.where(robot, np.float32(0), dwell)
    return Pages(
        number=number,
        query=searches.query,
        session=searches.session,
        user=searches.user,
        robot=searches.robot,
        time=searches.time,
        pair=pair,
        propensity=propensity,
        click=click,
        cart=cart,
        purchase=purchase,
        dwell=dwell,
    )
