"""Hints: what a pipeline's lists say of pairs with few clicks."""

from pathlib import Path

import numpy as np
import pytest
from click_logs import drawn

from gradus.errors import JudgmentsError, SettingsError
from gradus.evaluation.runs import Run
from gradus.judgments.clicks.hints import Hints
from gradus.judgments.clicks.score import ClickScores, score_clicks
from gradus.judgments.simulation.users import PBM
from gradus.settings import ClicksSettings
from gradus.workflow.click_hints import hints_of, score_hinted


def test_a_listed_pair_has_its_score_and_its_rank() -> None:
    # Query 0 lists documents 4 and 2 and one between them that the log never showed; query 3 lists 2 and such a one.
    hints = Hints(np.array([0, 0, 0, 3, 3]), np.array([4, -1, 2, 2, -1]), np.array([9.0, 7.0, 5.0, 3.0, 1.0]))
    told = hints.of(np.array([0, 0, 3, 3, 1, 2]), np.array([2, 4, 2, 4, 2, 4]))
    # Scores 9 7 5 3 1 have the mean 5 and the deviation √8.
    score = np.array([(5 - 5) / 8**0.5, (9 - 5) / 8**0.5, (3 - 5) / 8**0.5])
    rank = -np.log([1, 2, 3, 1, 2])
    rank = ((rank - rank.mean()) / rank.std())[[2, 0, 3]]
    np.testing.assert_allclose(told[:3], np.stack([score, rank], axis=1), atol=1e-12)
    assert np.isnan(told[3:]).all()


def test_a_score_far_out_counts_as_three_deviations() -> None:
    score = np.r_[np.arange(99.0), 1e6][::-1]
    hints = Hints(np.zeros(100, np.int64), np.arange(100), score)
    assert hints.of(np.array([0]), np.array([0]))[0, 0] == 3
    assert np.isnan(Hints(np.array([0]), np.array([-1]), np.ones(1)).of(np.array([0]), np.array([0]))).all()


def told_by(noise: float, share: float = 1.0, scale: float = 1.0) -> tuple[ClickScores, np.ndarray]:
    """Scores of a log with hints from a pipeline that sees attractiveness through noise; and the truth."""
    cells, truth = drawn(PBM(), 100_000)
    rng = np.random.default_rng(1)
    query, document = truth.query, truth.document
    true = truth.attraction_of(query, document)
    raw = scale * (np.log(true) + noise * rng.normal(size=len(true)))
    listed = rng.random(len(truth.queries))[query] < share
    hints = Hints(query[listed], document[listed], raw[listed])
    found = score_clicks(cells, ClicksSettings(), hints=hints if share else None)
    return found, truth.attraction_of(found.scores.query, found.scores.document)


def error(found: ClickScores, true: np.ndarray) -> float:
    thin = found.scores.count < 20
    return float(np.sqrt(np.mean((found.scores.score - true)[thin] ** 2)))


def test_a_pipeline_that_knows_makes_thin_pairs_better_and_intervals_still_hold() -> None:
    plain, true = told_by(0.5, share=0)
    hinted, _ = told_by(0.5)
    assert plain.hinted is None
    assert hinted.hinted == 1
    assert error(hinted, true) < 0.8 * error(plain, true)
    held = (hinted.scores.low <= true) & (true <= hinted.scores.high)
    assert held.mean() > 0.85
    width = [float((found.scores.high - found.scores.low).mean()) for found in (hinted, plain)]
    assert width[0] < 0.9 * width[1]


def test_a_pipeline_that_knows_nothing_changes_next_to_nothing() -> None:
    plain, true = told_by(0.0, share=0)
    useless, _ = told_by(1e6)
    assert error(useless, true) < 1.01 * error(plain, true)
    assert np.abs(useless.scores.score - plain.scores.score).mean() < 0.01


def test_the_unit_of_the_scores_does_not_matter() -> None:
    one, _ = told_by(0.5)
    other, _ = told_by(0.5, scale=1000.0)
    np.testing.assert_allclose(one.scores.score, other.scores.score, atol=1e-6)


def test_pairs_that_are_not_listed_keep_what_exposure_says() -> None:
    plain, true = told_by(0.5, share=0)
    half, _ = told_by(0.5, share=0.5)
    assert half.hinted == pytest.approx(0.5, abs=0.03)
    moved = np.abs(half.scores.score - plain.scores.score)
    assert np.median(moved) < 0.5 * np.quantile(moved, 0.75)  # one half moves, the other hardly
    assert error(half, true) < error(plain, true)


def test_hints_need_the_prior_that_they_join() -> None:
    cells, _ = drawn(PBM(), 20_000)
    hints = Hints(np.array([0]), np.array([0]), np.ones(1))
    with pytest.raises(
        SettingsError, match=r"clicks\.run joins the prior exposure, and clicks\.prior is global"
    ):
        score_clicks(cells, ClicksSettings(prior="global"), hints=hints)


def test_a_run_is_matched_by_name_and_by_what_a_name_means() -> None:
    cells, _ = drawn(PBM(), 20_000)
    row, column = int(cells.query[7]), int(cells.document[7])
    query, own = cells.queries[row], cells.documents[column]
    run = Run("any", ["Spelt Otherwise", "nobody asked"], [[own, "unknown"], [own]], [[2.0, 1.0], [1.0]])
    hints = hints_of(run, cells, lambda name: query if name == "Spelt Otherwise" else name)
    assert hints.query.tolist() == [row, row]
    assert hints.document.tolist() == [column, -1]
    with pytest.raises(JudgmentsError, match=r"lists no pair that was shown in the log \(0 of its 2 queries"):
        score_hinted(cells, ClicksSettings(estimator="pbm"), Path(), run, lambda name: name)
