"""Each click model by hand, and against the people it describes."""

import numpy as np
import pytest
from click_logs import MOVING, cells_of, drawn

from gradus.errors import GradusError, LogError, SettingsError
from gradus.judgments.clicks.browsing import fit_browsing
from gradus.judgments.clicks.cascade import fit_cascade
from gradus.judgments.clicks.coec import fit_coec
from gradus.judgments.clicks.ctr import fit_ctr
from gradus.judgments.clicks.dbn import fit_dbn, fit_sdbn
from gradus.judgments.clicks.estimators import ESTIMATORS, fit
from gradus.judgments.clicks.identify import identify
from gradus.judgments.clicks.ips import fit_ips, read_propensities
from gradus.judgments.clicks.logged import fit_logged
from gradus.judgments.clicks.pbm import fit_pbm
from gradus.judgments.clicks.posterior import attractiveness
from gradus.judgments.clicks.score import score_clicks
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation, simulate_cells
from gradus.judgments.simulation.truth import random_truth
from gradus.judgments.simulation.users import DBN, PBM, Cascade
from gradus.settings import ClicksSettings

# Two documents of a query at two positions; the second column of a page is below a click now and then.
ROWS = [(0, 0, 1, 0, 100, 40), (0, 1, 2, 0, 60, 12), (0, 1, 2, 1, 40, 4)]


def test_ctr_counts_every_impression():
    found = fit_ctr(cells_of(ROWS))
    assert found.trials.shown.tolist() == [100, 100]
    assert found.trials.clicks.tolist() == [40, 16]
    assert found.theta.tolist() == [1]


def test_coec_takes_the_click_rate_of_a_position_for_its_examination():
    found = fit_coec(cells_of(ROWS))
    assert found.theta[1] == pytest.approx((16.5 / 101) / (40.5 / 101))
    assert found.deviation[1] == pytest.approx((1 / 16.5 + 1 / 40.5) ** 0.5)


def test_the_cascade_ends_at_the_first_click():
    found = fit_cascade(cells_of(ROWS))
    assert found.trials.shown.tolist() == [100, 60]
    assert found.trials.clicks.tolist() == [40, 12]


def test_sdbn_counts_down_to_the_last_click():
    found = fit_sdbn(cells_of(ROWS, above_last=[52, 12, 4], last=[36, 12, 4]))
    assert found.trials.shown.tolist() == [52, 16]
    assert found.trials.clicks.tolist() == [40, 16]


def test_ips_takes_what_it_is_given_and_no_more(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("propensity,position\n0.2,2\n0.8,1\n")
    theta = read_propensities(path)
    assert theta.tolist() == [1, 0.25]
    found = fit_ips(cells_of([*ROWS, (0, 2, 3, 0, 5, 1)]), theta)
    assert found.theta[:2].tolist() == [1, 0.25]
    assert np.isnan(found.theta[2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rank,propensity\n1,1\n", "no column 'position'.*clicks.propensities"),
        ("position,propensity\n1,1\n3,.5\n", "must be 1, 2"),
        ("position,propensity\n1,1\n2,0\n", r"p\.csv, row 2, column 'propensity' is not above 0"),
        (
            "position,propensity\n1,1\n2,half\n",
            r"p\.csv, row 2, column 'propensity': 'half' is not a finite number",
        ),
        ("position,propensity\n1,1\n2,\n", r"row 2, column 'propensity' is not above 0"),
        ("position,propensity\n1,1\n1.5,1\n", "must be 1, 2"),
    ],
)
def test_unusable_propensities_are_named(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(GradusError, match=message):
        read_propensities(tmp_path / "p.csv")


def test_logged_impressions_are_weighted_by_their_inverse_propensity():
    # Shown at 1 with probability ¾ (weight 4/3) and at 2 with ¼ (weight 4): as if 120 times at each.
    rows = [(0, 0, 1, 0, 90, 45), (0, 0, 2, 0, 30, 5), (1, 1, 2, 0, 1000, 900)]
    cells = cells_of(rows, propensity=[90 * 4 / 3, 30 * 4, 0], logged=[90, 30, 0])
    assert fit_logged(cells).theta[1] == pytest.approx((5 * 4 / 120) / (45 * 4 / 3 / 120))


def test_without_propensities_logged_is_an_error():
    with pytest.raises(LogError, match=r"log\.columns\.propensity"):
        fit_logged(cells_of(ROWS))


def test_pbm_is_at_a_maximum_of_the_posterior():
    cells, _ = drawn(PBM(), 20_000)
    found = fit_pbm(cells)
    trials, theta = found.trials, found.theta

    def log_posterior(theta):
        """Of the clicks, each pair at its best attractiveness, by brute force over a grid."""
        grid = np.linspace(1e-4, 0.999, 400)
        log = np.zeros((len(trials), len(grid)))
        for pair in range(len(trials)):
            log[pair] = np.log(grid) + 9 * np.log1p(
                -grid
            )  # Beta(2, 10) up to a constant: its mode is the update's
            for row in range(*trials.start[pair : pair + 2]):
                rate = theta[trials.level[row]] * grid
                log[pair] += trials.clicks[row] * np.log(rate)
                log[pair] += (trials.shown[row] - trials.clicks[row]) * np.log1p(-np.minimum(rate, 0.999))
        return log.max(axis=1).sum()

    best = log_posterior(theta)
    for level in (1, 4):
        for factor in (0.8, 1.25):
            moved = theta.copy()
            moved[level] *= factor
            assert log_posterior(moved) < best


def test_dbn_finds_how_people_go_on():
    cells, _ = drawn(DBN(0.8), 300_000)
    theta = fit_dbn(cells).theta.reshape(2, -1)
    assert theta[0, 0] == 1
    # After an unclicked first document, γ (1 − ā) / (1 − ā) = γ.
    assert theta[0, 1] == pytest.approx(0.8, abs=0.06)
    assert theta[1, 0] < theta[0, 1]  # a click contents some


def test_browsing_becomes_the_cascade_where_people_stop():
    cells, _ = drawn(Cascade(), 300_000)
    theta = fit_browsing(cells).theta.reshape(10, -1)
    np.testing.assert_allclose(theta[:6, 0], 1, atol=0.12)
    assert theta[1, -1] < 0.2


def test_browsing_becomes_position_based_where_clicks_change_nothing():
    cells, _ = drawn(PBM(), 600_000)
    theta = fit_browsing(cells).theta.reshape(10, -1)
    for place in (1, 2, 4):
        told = theta[place, [0, *range(6 - min(place, 5), 6)]]
        np.testing.assert_allclose(told, 1 / (place + 1), rtol=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("users", [PBM(), Cascade(), DBN()], ids=lambda users: type(users).__name__)
def test_auto_comes_close_to_the_best_model_for_any_people(users):
    cells, truth = drawn(users, 300_000, seed=2)
    order = {}
    for name in ("auto", "ctr", "coec", "all-pairs", "pbm", "cascade", "sdbn", "dbn"):
        model = fit(cells, name, identify(cells))
        true = truth.attraction_of(model.trials.query, model.trials.document)
        found = attractiveness(model.trials, model.theta, model.deviation)
        order[name] = np.sqrt(((found.mean - true) ** 2).mean())
    assert order.pop("auto") <= min(order.values()) + 0.01


def test_auto_refuses_a_log_whose_documents_sit_still():
    cells, _ = drawn(PBM(), 50_000, Policy())
    with pytest.raises(LogError, match=r"no pair was shown at two positions.*random order on 10% of .* days"):
        fit(cells, "auto", identify(cells), pages_per_day=2000)
    assert fit(cells, "cascade", identify(cells)).estimator == "cascade"


def test_auto_takes_logged_propensities_where_no_query_comes_twice():
    # Each document of 60 queries was shown once for its query, at a random one of two positions; half as many look
    # at the second. Nothing moved, so that swaps tell nothing.
    rows = [(q, q, 1 + q % 2, 0, 100, 20 if q % 2 else 40) for q in range(60)]
    known = {"propensity": [200.0] * 60, "logged": [100.0] * 60}
    cells = cells_of(rows, **known, utility=[row[5] for row in rows], utility_square=[row[5] for row in rows])
    found = score_clicks(cells, ClicksSettings())
    assert (found.fit.estimator, found.fit.theta.tolist()) == ("logged", [1.0, 0.5])
    assert not found.identifiability.supported
    assert found.supported
    assert found.reason == (
        "by the propensities that the log carries, examination is told at positions 1–2: 100% of the impressions"
    )
    scant = cells_of(
        [(q, q, 1 + q % 2, 0, 1, 1 - q % 2) for q in range(8)], propensity=[2.0] * 8, logged=[1.0] * 8
    )
    with pytest.raises(
        LogError, match="by the propensities that it carries, examination is told at positions 1: 50%"
    ):
        fit(scant, "auto", identify(scant))


def test_with_one_position_there_is_nothing_to_take_out():
    rows = [(0, d, 1, 0, 100, clicks) for d, clicks in enumerate((10, 20, 60))]
    cells = cells_of(rows, utility=[10, 20, 60], utility_square=[10, 20, 60])
    found = score_clicks(cells, ClicksSettings(bootstrap=20))
    assert found.supported
    assert "no position bias" in found.reason
    np.testing.assert_allclose(found.scores.score, [0.1, 0.2, 0.6], atol=0.05)


def test_ips_says_how_far_its_propensities_reach(tmp_path):
    (tmp_path / "p.csv").write_text("position,propensity\n1,1\n")
    cells = cells_of(ROWS, utility=[40, 12, 4], utility_square=[40, 12, 4])
    found = score_clicks(cells, ClicksSettings(estimator="ips", propensities="p.csv"), tmp_path)
    assert not found.supported
    assert found.reason.endswith(
        "by clicks.propensities, examination is told at positions 1: 50% of the impressions"
    )


def test_ips_needs_propensities():
    cells = cells_of(ROWS)
    with pytest.raises(SettingsError, match=r"clicks\.propensities"):
        fit(cells, "ips", identify(cells))


def test_identifiability_counts_what_moved():
    rows = [(0, 0, 1, 0, 40, 20), (0, 0, 2, 0, 20, 5), (0, 1, 2, 0, 30, 3), (1, 2, 3, 0, 10, 1)]
    found = identify(cells_of(rows))
    assert (found.pairs, found.moved, found.moved_share) == (3, 1, 0.6)
    # 25 clicks, of which positions 1 and 2 are expected to get 4/5 and 1/5: deviation (25 · .8 · .2)^−½ = .5.
    assert found.curve.deviation[1] == pytest.approx(0.5, rel=1e-2)
    assert found.told.tolist() == [True, False, False]
    assert found.told_share == 0.4
    assert not found.supported


def test_an_experiment_of_the_advised_size_is_enough():
    still, _ = drawn(PBM(), 100_000, Policy())
    pages = identify(still).pages
    cells, _ = drawn(PBM(), pages * 10, Policy(randomised=1.0))
    assert identify(cells).supported
    assert identify(cells).curve.deviation.max() < 0.15


def test_every_name_fits():
    cells, _ = drawn(PBM(), 30_000, MOVING)
    for name, estimator in ESTIMATORS.items():
        if name != "logged":
            assert estimator(cells).estimator == name


SCANT = {
    "everything at the top is clicked": [(0, 0, 1, 0, 3, 3), (0, 1, 2, 1, 3, 0), (0, 2, 3, 1, 3, 0)],
    "nothing is clicked": [(0, 0, 1, 0, 3, 0), (0, 1, 2, 0, 3, 0)],
    "everything is clicked": [(0, 0, 1, 0, 3, 3), (0, 1, 2, 1, 3, 3), (1, 1, 1, 0, 2, 2), (1, 0, 2, 1, 2, 2)],
    "one impression": [(0, 0, 1, 0, 1, 1)],
    "nothing at the top": [(0, 0, 2, 0, 3, 1), (0, 1, 3, 2, 1, 0), (0, 1, 3, 0, 2, 1)],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("prior", ["exposure", "global", "none"])
@pytest.mark.parametrize("estimator", sorted({*ESTIMATORS} - {"logged"}))
@pytest.mark.parametrize("log", SCANT)
def test_scant_logs_get_scores_and_no_warnings(log, estimator, prior):
    shown, clicks = ([row[column] for row in SCANT[log]] for column in (4, 5))
    cells = cells_of(SCANT[log], above_last=shown, utility=clicks, utility_square=clicks)
    scores = score_clicks(cells, ClicksSettings(estimator=estimator, prior=prior, bootstrap=20)).scores
    assert len(scores) == len({row[:2] for row in SCANT[log]})
    assert (scores.high - scores.low > 0.1).all()


def test_a_handful_of_impressions_promises_nothing():
    held = []
    for seed in range(100):
        truth = random_truth(2, 8, seed)
        log = Simulation(truth, users=Cascade(), policy=MOVING, impressions=20, seed=seed)
        trials = fit_cascade(simulate_cells(log)).trials
        found = attractiveness(trials, np.ones(1))
        true = truth.attraction_of(trials.query, trials.document)
        held.append(((found.low <= true) & (true <= found.high)).mean())
    assert 0.85 < np.mean(held) < 0.95
