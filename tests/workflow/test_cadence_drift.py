"""The back-test finds the drift that was planted, whatever it is that ranks."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.insight.cadence import FRESH, Losses, Reading, Refresh, measure_losses, plan
from gradus.judgments.judgments import Judgments
from gradus.judgments.scores_file import query_table
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation, simulate_cells
from gradus.judgments.simulation.traffic import Traffic
from gradus.judgments.simulation.truth import random_truth, wandering
from gradus.judgments.simulation.users import PBM
from gradus.settings import Settings
from gradus.workflow.dated_evidence import DatedEvidence

WEEKS, AGES = 14, (1, 2, 4, 8)
SETTINGS = Settings().with_values(
    {
        "cadence.history": 1,
        "clicks.estimator": "ctr",  # these people look at everything
        "clicks.prior": "none",
    }
)


def evidence(renewal: float, seed: int = 0) -> DatedEvidence:
    """A log of documents that differ in nothing but an appeal that comes and goes."""
    truth = random_truth(200, 10, 0)
    truth = replace(truth, relevance=np.full(len(truth), 0.5))
    truth = wandering(truth, 0.12, renewal, 7 * WEEKS, seed)
    cells = simulate_cells(
        Simulation(
            truth, PBM(0), Policy(), traffic=Traffic(7 * WEEKS, zipf=0), impressions=1_000_000, seed=seed
        ),
        by_day=True,
    )
    documents = Table(list(truth.documents), (Field("title"),), {"title": list(truth.documents)})
    return DatedEvidence(
        SETTINGS, documents, query_table(cells.queries, SETTINGS), cells, date(2026, 1, 5), WEEKS
    )


def mean_scores(judgments: Judgments) -> Mapping[tuple[int, int], float]:
    """The stand-in for a model: what it answers is what it was trained on."""
    pairs = zip(judgments.query.tolist(), judgments.document.tolist(), strict=True)
    return dict(zip(pairs, judgments.score.tolist(), strict=True))


def gain(model: Mapping[tuple[int, int], float], judged: Judgments) -> dict[str, float]:
    """The metric: of each query, the covariance of what the model says with what came to pass."""
    values = {}
    for query in np.unique(judged.query).tolist():
        rows = judged.query == query
        said = np.array([model[query, document] for document in judged.document[rows].tolist()])
        values[judged.queries.ids[query]] = float(np.cov(said, judged.score[rows])[0, 1])
    return values


@cache
def measured(renewal: float) -> Losses:
    log = evidence(renewal)
    windows = list(range(WEEKS - 4, WEEKS))
    judged = log.within(windows)
    models = {t: mean_scores(log.before(t).judgments) for t in {w - a for w in windows for a in (0, *AGES)}}
    readings = [
        Reading(str(age) if age else FRESH, window, gain(models[window - age], judged[window]))
        for window in windows
        for age in (0, *AGES)
    ]
    return measure_losses(readings)


@pytest.mark.parametrize("renewal", [0.03, 0.08, 0.2])
def test_the_planted_drift_is_recovered(renewal: float) -> None:
    """Appeals w weeks apart correlate by (1 − renewal)^w, and so do the gains: a model of age a keeps the share
    (1 − renewal)^(1 + a) / (1 − renewal)^1 of a fresh one's."""
    losses = measured(renewal)
    planted = {age: 1 - (1 - renewal) ** age for age in AGES}
    for age, loss in planted.items():
        found = losses.interval(str(age))
        assert found.low - 0.02 <= loss <= found.high + 0.02
        assert found.high - found.low < 0.2
    per_window, _ = plan([Refresh("full", losses.interval("1"), 1.0, 1)], AGES, losses, 0.1)
    expected = sum(age * loss for age, loss in planted.items()) / sum(age**2 for age in AGES)
    assert per_window.low > 0
    assert per_window.mean == pytest.approx(expected, rel=0.2)


def test_without_drift_no_loss_is_found() -> None:
    losses = measured(0.0)
    per_window, (full,) = plan([Refresh("full", losses.interval("1"), 1.0, 1)], AGES, losses, 0.1)
    assert per_window.low < 0 < per_window.high
    assert abs(per_window.mean) < 0.005
    assert full.every == max(AGES)


def test_faster_drift_asks_for_more_refreshes() -> None:
    cadences = []
    for renewal in (0.0, 0.03, 0.08, 0.2):
        losses = measured(renewal)
        _, (full,) = plan([Refresh("full", losses.interval("1"), 1.0, 1)], AGES, losses, 0.15)
        cadences.append(full.every)
    assert cadences == sorted(cadences, reverse=True)
    assert cadences[0] == 8
    assert cadences[-1] < cadences[1]
