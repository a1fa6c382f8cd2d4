"""How much log is enough: train on judgments made from logs of growing size, measure against the truth.

The judgments of a search are taken for the truth. People are simulated who search the part of it that training may
see; what they click becomes judgments, by one estimator or another, and a model is trained on those. It is measured
on the truth, between a floor, the model that takes every clicked pair of the same log for equally relevant, and a
ceiling, the model that knows all true scores.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError
from gradus.evaluation.runs import Run
from gradus.judgments.clicks.estimators import needed_propensities
from gradus.judgments.judgments import Judgments
from gradus.judgments.logs.cells import Cells
from gradus.judgments.scores import Scores
from gradus.judgments.simulation.habits import Habits
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation, simulate_cells
from gradus.judgments.simulation.traffic import Traffic
from gradus.judgments.simulation.truth import Truth, query_names, truth_of
from gradus.judgments.simulation.users import PBM, Users
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.training.loop import Clock
from gradus.workflow.click_hints import score_hinted
from gradus.workflow.data import Data, load_data
from gradus.workflow.evaluation import evaluate
from gradus.workflow.training import train

ENDS = FLOOR, CEILING = "constant", "perfect"

LEAST_GAIN = 0.01
"""Of perfect scores over constant ones, so that it means something which share of it survives."""


@dataclass(frozen=True)
class Habit:
    """How the simulated people click, what they are shown, and what else is in the log.

    Robots' pages stay in: they are those that no filter has found.
    """

    users: Users = field(default_factory=PBM)
    policy: Policy = field(default_factory=lambda: Policy(epochs=6, swaps=0.2))
    habits: Habits = field(default_factory=Habits)
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True)
class Point:
    """One model of the study.

    Attributes:
        estimator: Its judgments' estimator; `constant` is the floor, `perfect` the ceiling.
        impressions: Size of its log; 0 for the ceiling.
        pairs: Pairs it was trained on.
        means: Cell of the split → mean of the leading metric; empty where the estimator refused.
        refusal: Why the estimator refused the log, else empty.
    """

    estimator: str
    impressions: int
    pairs: int
    means: dict[str, float]
    refusal: str = ""


@dataclass(frozen=True)
class NoiseStudy:
    """All models of a study.

    Attributes:
        metric: The leading metric, which `means` hold.
        points: The ceiling, then for each size the floor and one per estimator.
    """

    metric: str
    points: tuple[Point, ...]

    @property
    def ceiling(self) -> Point:
        """The model that knows all true scores."""
        return self.points[0]

    def of(self, estimator: str) -> list[Point]:
        """The points of an estimator that refused nothing, by growing size."""
        return [point for point in self.points if point.estimator == estimator and point.means]

    def survival(self, point: Point) -> dict[str, float]:
        """Cell → share of the gain of the ceiling over the floor of its log that a point keeps.

        NaN where the gain is below `LEAST_GAIN`: a share of next to nothing is chance.
        """
        floor = next(p for p in self.points if p.estimator == FLOOR and p.impressions == point.impressions)
        return {
            cell: (mean - floor.means[cell]) / gain
            if (gain := self.ceiling.means[cell] - floor.means[cell]) >= LEAST_GAIN
            else np.nan
            for cell, mean in point.means.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def study_noise(
    settings: Settings,
    out: Path,
    habit: Habit | None = None,
    impressions: Sequence[int] = (10_000, 100_000, 1_000_000),
    estimators: Sequence[str] = ("auto", "ctr"),
    *,
    progress: Progress = silent,
    clock: Clock = time.monotonic,
) -> NoiseStudy:
    """Run the study; models are trained as `settings` say and left in `out`.

    Args:
        settings: The search; its judgments are the truth.
        out: Folder for the models.
        habit: People and policy.
        impressions: Sizes of the log.
        estimators: Names as `clicks.estimator` takes them.
        progress: Told about each model.
        clock: What `training.minutes` is measured with.

    Raises:
        GradusError: An input cannot be used; the type and the message say which and why. An estimator that
            refuses a log is no error but a finding.
    """
    if "ips" in estimators:  # before anything is trained
        needed_propensities(Path(settings.clicks.propensities) if settings.clicks.propensities else None)
    data = load_data(settings)
    known = seen_by_training(data)
    truth = truth_of(known)
    metric = settings.evaluation.metrics[0]
    jobs = [(CEILING, 0), *((name, size) for size in sorted(impressions) for name in (FLOOR, *estimators))]
    points = []
    for number, (name, size) in enumerate(jobs):
        progress("models", number, len(jobs), f"{name} {size:,}" if size else name)
        try:
            judgments, how = study_judgments(settings, known, truth, habit or Habit(), name, size)
        except LogError as refusal:
            points.append(Point(name, size, 0, {}, str(refusal)))
            continue
        run = out / (f"{name}-{size}" if size else name)
        train(how, run, data=replace(data, judgments=judgments), clock=clock)
        cells = evaluate(how, run, data=data).cells
        means = {cell: float(part.intervals[metric].mean) for cell, part in cells.items()}
        points.append(Point(name, size, int(data.split.training(judgments).sum()), means))
    progress("models", len(jobs), len(jobs), "")
    return NoiseStudy(metric, tuple(points))


def seen_by_training(data: Data) -> Judgments:
    """The judgments of queries and documents that training or validation may see."""
    return data.judgments.take(
        (data.split.query_part != "novel")[data.judgments.query]
        & (data.split.document_part != "novel")[data.judgments.document]
    )


def study_judgments(
    settings: Settings,
    known: Judgments,
    truth: Truth,
    habit: Habit,
    name: str,
    size: int,
    run: Run | None = None,
) -> tuple[Judgments, Settings]:
    """What one model of the study is trained on, and how.

    Args:
        settings: The search.
        known: The judgments that are taken for the truth, as far as people can search it.
        truth: What `truth_of` makes of them.
        habit: People and policy.
        name: `FLOOR`, `CEILING` or an estimator.
        size: Impressions of the log.
        run: Lists of a pipeline that an estimator may take hints from, queries by the ids of `known`.

    Raises:
        LogError: The estimator refuses the log.
    """
    if name == CEILING:
        return known, settings
    cells = simulate_cells(
        Simulation(
            truth, habit.users, habit.policy, habit.habits, habit.traffic, size, seed=settings.clicks.seed
        )
    )
    if name == FLOOR:
        constant = settings.with_values({"objective.weight": "constant"})
        return as_judgments(_clicked(cells), known), constant
    clicks = replace(settings.clicks, estimator=name)
    text = dict(zip(known.queries.ids, query_names(known.queries), strict=True))
    found = score_hinted(cells, clicks, settings.root, run, text.__getitem__)
    return as_judgments(found.scores, known), settings


def _clicked(cells: Cells) -> Scores:
    """The pairs that were clicked at all, each with the score 1."""
    wide = len(cells.documents)
    pair, row = np.unique(cells.pair, return_inverse=True)
    count = np.bincount(row, cells.clicks).astype(np.float64)
    pair, count = pair[count > 0], count[count > 0]
    one = np.ones(len(pair))
    return Scores(FLOOR, cells.queries, cells.documents, pair // wide, pair % wide, one, one, one, count)


def as_judgments(scores: Scores, like: Judgments) -> Judgments:
    """Scores of a log as judgments over the tables of others; the greatest score becomes 1.

    Queries of the same text share their scores, since a log cannot tell them apart.
    """
    row = {text: place for place, text in enumerate(scores.queries)}
    names = query_names(like.queries)
    order = np.argsort(scores.query, kind="stable")
    start = np.searchsorted(scores.query[order], np.arange(len(scores.queries) + 1))
    query: list[NDArray[np.int64]] = []
    taken: list[NDArray[np.int64]] = []
    for place in np.unique(like.query):
        at = row[names[place]]
        rows = order[start[at] : start[at + 1]]
        taken.append(rows)
        query.append(np.full(len(rows), place))
    rows = np.concatenate(taken)
    document = np.array([like.documents.row_of[name] for name in scores.documents], np.int64)
    top = max(float(scores.score[rows].max()), 1e-9)
    return Judgments(
        like.queries,
        like.documents,
        np.concatenate(query),
        document[scores.document[rows]],
        scores.score[rows] / top,
        scores.low[rows] / top,
        np.minimum(scores.high[rows] / top, 1.0),
        np.full(len(rows), scores.source, object),
    )
