import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_raters import grades_of, simulate

from gradus.errors import JudgmentsError
from gradus.judgments.grades.agreement import krippendorff, pairwise
from gradus.judgments.grades.consensus import MODELS, judge_grades
from gradus.judgments.grades.interval import mean_and_interval
from gradus.judgments.grades.ordinal import fit_ordinal
from gradus.judgments.grades.patterns import Patterns
from gradus.judgments.grades.read import read_grades
from gradus.settings import from_mapping

BIAS = np.array([-0.12, -0.03, 0.05, 0.1])
NOISE = np.array([0.06, 0.1, 0.14, 0.2])
TRUTHS = {
    "even": lambda rng, n: rng.random(n),
    "bell": lambda rng, n: rng.beta(2, 2, n),
    "mostly ends": lambda rng, n: rng.beta(0.3, 0.3, n),
    "half irrelevant": lambda rng, n: np.where(rng.random(n) < 0.5, 0, rng.random(n)),
}


def _covered(truth, fit):
    return ((fit.low - 1e-9 <= truth) & (truth <= fit.high + 1e-9)).mean()


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
@pytest.mark.parametrize("levels", [3, 5, 11])
def test_the_ordinal_model_covers_and_recovers(truth, levels):
    true = truth(np.random.default_rng(levels), 800)
    fit = fit_ordinal(simulate(true, BIAS, NOISE, 0.03, levels, 3, seed=1))
    assert 0.85 <= _covered(true, fit) <= 0.96
    np.testing.assert_allclose(fit.bias, BIAS, atol=0.025)
    # Noise well below the distance of levels leaves few traces.
    np.testing.assert_allclose(fit.noise, NOISE, atol=0.045 if levels > 3 else 0.09)
    assert np.argmax(fit.noise) == 3


def test_it_is_nearer_to_the_truth_than_the_mean():
    true = np.random.default_rng(0).random(800)
    grades = simulate(true, BIAS, NOISE, 0.03, 5, 3, seed=0)
    error = {name: np.sqrt(np.mean((fit(grades).score - true) ** 2)) for name, fit in MODELS.items()}
    assert error["ordinal"] < 0.9 * error["mean"]


def test_slips_are_told_from_noise():
    true = np.random.default_rng(0).random(1500)
    fit = fit_ordinal(simulate(true, np.zeros(3), np.full(3, 0.08), np.array([0, 0.1, 0.3]), 5, 3, seed=0))
    np.testing.assert_allclose(fit.slips, [0, 0.1, 0.3], atol=0.05)
    np.testing.assert_allclose(fit.noise, 0.08, atol=0.03)


def test_the_likelihood_of_grades_falls_nowhere_far_from_the_fit():
    # The fit is a maximum: with the rater's parameters moved, the same pairs are less likely.
    from gradus.judgments.grades import ordinal

    grades = simulate(np.random.default_rng(3).random(400), BIAS, NOISE, 0.05, 4, 3, seed=3)
    fit = fit_ordinal(grades)
    theta = np.stack(
        [fit.bias, np.log(fit.noise * np.sqrt(3) / np.pi), np.log(fit.slips / (1 - fit.slips))], 1
    )
    state = np.r_[0.0, (np.arange(50) + 0.5) / 50, 1.0]
    overall = np.bincount(grades.level) / len(grades)
    patterns = Patterns.of(grades)
    prior = ordinal._Prior(state)
    for _ in range(200):
        posterior = patterns.posterior(_log_table(ordinal, theta, grades, overall, state), prior.log_density)
        prior.update(patterns.times @ posterior)
    mean, deviation = np.array([ordinal._BIAS, ordinal._SCALE, ordinal._SLIPS]).T

    def objective(theta):
        table = _log_table(ordinal, theta, grades, overall, state)
        joint = np.array(
            [
                np.log(np.exp(prior.log_density + table[grades.rater * 4 + grades.level][grades.pair == pair].sum(0)).sum())
                for pair in range(len(grades.query))
            ]
        )  # fmt: skip
        return joint.sum() - (((theta - mean) / deviation) ** 2).sum() / 2

    best = objective(theta)
    for column, width in enumerate((0.05, 0.4, 1.0)):
        for sign in (-1, 1):
            moved = theta.copy()
            # Biases move against each other, as their mean is fixed.
            moved[:, column] += sign * width * (np.array([1, -1, 0, 0]) if column == 0 else np.ones(4))
            assert objective(moved) < best


def _log_table(ordinal, theta, grades, overall, state):
    probability = ordinal._probabilities(theta, grades.values, overall, state)[0]
    np.testing.assert_allclose(probability.sum(1), 1)
    return np.log(probability).reshape(-1, len(state))


def test_derivatives_of_the_ordinal_model():
    from gradus.judgments.grades import ordinal

    theta = np.array([[0.05, -2.5, -3.0], [-0.1, -1.5, -1.0]])
    values, overall, state = np.array([0, 0.2, 0.6, 1]), np.array([0.4, 0.3, 0.2, 0.1]), np.linspace(0, 1, 7)
    _, *slopes = ordinal._probabilities(theta, values, overall, state)
    for column, slope in enumerate(slopes):
        ahead, behind = theta.copy(), theta.copy()
        ahead[:, column] += 1e-6
        behind[:, column] -= 1e-6
        difference = (
            ordinal._probabilities(ahead, values, overall, state)[0]
            - ordinal._probabilities(behind, values, overall, state)[0]
        )
        np.testing.assert_allclose(slope, difference / 2e-6, atol=1e-7)


def test_an_interval_is_no_narrower_than_the_standard_deviation():
    # The rows: 4 % at 0 beside 96 % at 1; one state alone; quantiles that are wider apart than ± 1.645 sd.
    state = np.array([0, 0.5, 1])
    posterior = np.array([[0.04, 0, 0.96], [0, 1, 0], [0.06, 0.88, 0.06]])
    quantiles = np.array([1, 0.5, 0]), np.array([1, 0.5, 1])
    mean, low, high = mean_and_interval(posterior, state, *quantiles)
    np.testing.assert_allclose(mean, [0.96, 0.5, 0.5])
    np.testing.assert_allclose(low, [0.96 - 1.6448536 * np.sqrt(0.04 * 0.96), 0.5, 0])
    np.testing.assert_allclose(high, [1, 0.5, 1])


@pytest.mark.parametrize("model", MODELS)
def test_nobody_is_certain_where_raters_differ(model):
    # Truths at the ends of the scale and slips: of 3 3 0 the ordinal model is more than 95 % sure to be 3.
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 400).astype(float)
    grades = simulate(
        true, np.array([0, 0.02, -0.02]), np.full(3, 0.09), np.array([0.1, 0.14, 0.18]), 4, 3, 0
    )
    scores = judge_grades(grades, model).scores
    differ = grades.dense().min(1) < grades.dense().max(1)
    held = (scores.low - 1e-9 <= true) & (true <= scores.high + 1e-9)
    assert 100 < differ.sum() < 300
    assert held[differ].mean() > 0.85
    assert (scores.high - scores.low)[differ].min() > 0.03
    # All agree: little is left to doubt, but not nothing.
    assert held[~differ].mean() > 0.95
    assert 0.02 < (scores.high - scores.low)[~differ].min() < 0.2


def test_a_lone_grade_has_a_wide_interval():
    lone = fit_ordinal(grades_of(np.arange(5).repeat(20)[:, None]))
    three = fit_ordinal(grades_of(np.arange(5).repeat(20)[:, None] * [1, 1, 1]))
    inner = slice(20, 80)
    assert (lone.high - lone.low)[inner].min() > 1.5 * (three.high - three.low)[inner].max()
    assert lone.bias == pytest.approx([0])


def test_dawid_skene_finds_who_confuses_what():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 600)
    good = np.where(rng.random((600, 2)) < 0.9, true[:, None], rng.integers(0, 3, (600, 2)))
    # The third never gives the middle level: it becomes the best one.
    bad = np.where(true == 1, 2, true)
    consensus = judge_grades(grades_of(np.column_stack([good, bad])), "dawid-skene")
    level = np.rint(consensus.scores.score * 2)
    assert (level == true).mean() > 0.96
    assert (level == true).mean() > (np.rint(np.column_stack([good, bad]).mean(1)) == true).mean() + 0.02
    assert consensus.raters[2].bias == pytest.approx(0.5 / 3, abs=0.03)
    assert abs(consensus.raters[0].bias) < 0.03
    assert _covered(true / 2, consensus.scores) >= 0.9


def test_dawid_skene_by_loops():
    table = np.array([[0, 0, 1], [1, 1, -1], [0, 1, 1], [0, 0, 0], [-1, 1, 1], [1, 0, 1]])
    posterior = np.array([[np.mean(row[row >= 0] == level) for level in range(2)] for row in table])
    for _ in range(1000):
        prevalence = posterior.sum(0) + 1
        prevalence /= prevalence.sum()
        confusion = np.array(
            [
                [[(3 if j == k else 1) + posterior[table[:, r] == k, j].sum() for k in range(2)] for j in range(2)]
                for r in range(3)
            ]
        )  # fmt: skip
        confusion /= confusion.sum(2, keepdims=True)
        joint = np.array(
            [
                [
                    prevalence[j] * np.prod([confusion[r, j, row[r]] for r in range(3) if row[r] >= 0])
                    for j in range(2)
                ]
                for row in table
            ]
        )
        posterior = joint / joint.sum(1, keepdims=True)
    score = judge_grades(grades_of(table), "dawid-skene").scores.score
    np.testing.assert_allclose(score, posterior[:, 1], atol=1e-4)


def test_dawid_skene_refuses_long_scales():
    with pytest.raises(JudgmentsError, match="20 grades or fewer, not 30; use ordinal"):
        judge_grades(grades_of([[0, 29], [3, 4]]), "dawid-skene")


def test_the_mean_by_hand():
    # Levels 0 ½ 1. Means ¼ and 1; squared errors 2/16 and 0; v = (1/8 + 2 · 0.15²)/(4 - 2 + 2), to which each
    # pair's own squared errors are drawn as two grades are: (1/8 + 2 v)/(2 - 1 + 2) and (0 + 2 v)/(2 - 1 + 2).
    fit = MODELS["mean"](grades_of([[0, 1], [2, 2]]))
    assert list(fit.score) == [0.25, 1]
    v = (1 / 8 + 2 * 0.15**2) / 4
    differing, same = 1.6448536 * np.sqrt((1 / 8 + 2 * v) / 3 / 2), 1.6448536 * np.sqrt(2 * v / 3 / 2)
    np.testing.assert_allclose(fit.high - fit.score, [differing, 0])
    np.testing.assert_allclose(fit.score - fit.low, [min(differing, 0.25), same])
    np.testing.assert_allclose(fit.bias, [-1 / 8, 1 / 8])
    np.testing.assert_allclose(fit.noise, [1 / 8, 1 / 8])


tables = st.lists(
    st.lists(st.integers(-1, 3), min_size=3, max_size=3).filter(lambda row: max(row) >= 0),
    min_size=1, max_size=12,
)  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=30)
@given(table=tables)
def test_any_grades_give_scores(model, table):
    # Scores checks order and range of every interval; a rater without grades does not occur in a file.
    table = np.array([*table, [0, 1, 2]])
    consensus = judge_grades(grades_of(table, 4), model)
    assert list(consensus.scores.count) == [(row >= 0).sum() for row in table]
    assert all(np.isfinite([rater.bias, rater.noise, rater.slips]).all() for rater in consensus.raters)


@pytest.mark.parametrize("model", MODELS)
def test_the_order_of_raters_and_pairs_does_not_matter(model):
    table = simulate(np.random.default_rng(0).random(60), BIAS, NOISE, 0.05, 4, 3, seed=0).dense()
    one = MODELS[model](grades_of(table, 4))
    rows, columns = np.random.default_rng(1).permutation(60), [2, 0, 3, 1]
    other = MODELS[model](grades_of(table[rows][:, columns], 4))
    np.testing.assert_allclose(other.score, one.score[rows], atol=1e-6)
    np.testing.assert_allclose(other.high, one.high[rows], atol=1e-6)
    np.testing.assert_allclose(other.noise, one.noise[columns], atol=1e-6)


def test_disagreements_beyond_bias():
    # The third rater is two levels above the others, always; what stands out is the pair where that fails.
    rng = np.random.default_rng(0)
    base = rng.integers(0, 3, 60)
    table = np.column_stack([base, base, base + 2])
    table[7] = [0, 0, 4]
    table[8] = [0, 4, 2]
    table[30] = [2, 2, 2]
    consensus = judge_grades(grades_of(table, 5), "mean")
    worst = consensus.disagreements(3)
    assert [item.query for item in worst] == ["q8", "q7", "q30"]
    assert worst[0].grades == {"r0": "0", "r1": "4", "r2": "2"}
    # Alone, the pair where all agree would look fine and every other one would not.
    assert worst[2].spread == pytest.approx(0.5, abs=0.05)


def test_the_table_of_disagreements_is_whole():
    # On 60 pairs two raters differ by a step, on two by the whole scale; on 19 they agree, and one has a lone grade.
    # Neither has a bias.
    table = np.array([*([[0, 1], [1, 0]] * 30), [3, 0], [0, 3], *([[2, 2]] * 19), [1, -1]])
    consensus = judge_grades(grades_of(table, 4), "mean")
    header, *rows = consensus.disagreement_table()
    assert header == ["query", "doc_id", "r0", "r1", "difference", "score", "low", "high"]
    assert len(rows) == 62
    assert rows[0][:6] == ["q60", "d", "3", "0", 1.0, 0.5]
    assert rows[1][:6] == ["q61", "d", "0", "3", 1.0, 0.5]
    assert rows[2][:6] == ["q0", "d", "0", "1", round(1 / 3, 4), round(1 / 6, 4)]
    assert all(row[6] <= row[5] <= row[7] for row in rows)
    assert [item.query for item in consensus.disagreements(2)] == ["q60", "q61"]


def test_a_grade_that_was_not_given_is_empty_in_the_table():
    table = [[0, -1, 2], [2, -1, 0], [1, 1, 1]]
    rows = judge_grades(grades_of(table, 3), "mean").disagreement_table()
    assert [row[:5] for row in rows[1:]] == [["q0", "d", "0", "", "2"], ["q1", "d", "2", "", "0"]]


def test_differences_stay_on_the_scale():
    # The second rater is generous. That the first gives 2 to what the second gives 0 is no more than the whole scale.
    consensus = judge_grades(grades_of([*([[0, 1], [1, 2]] * 20), [2, 0]], 3), "mean")
    assert consensus.raters[0].bias < -0.1 < 0.1 < consensus.raters[1].bias
    assert consensus.disagreements(1)[0].grades == {"r0": "2", "r1": "0"}
    assert consensus.disagreements(1)[0].spread == 1


def test_patterns_stand_for_pairs():
    table = np.array([[0, 1], [0, 1], [1, -1], [-1, 1], [0, 1]])
    patterns = Patterns.of(grades_of(table, 2))
    assert list(patterns.of_pair) == [0, 0, 1, 2, 0]
    assert list(patterns.times) == [3, 1, 1]
    # Codes: rater · 2 + level.
    assert list(patterns.code) == [0, 3, 1, 3]
    posterior = np.array([[0.5, 0.5], [1, 0], [0.25, 0.75]])
    expected = [[1.5, 1.5], [1, 0], [0, 0], [1.5 + 0.25, 1.5 + 0.75]]
    np.testing.assert_allclose(patterns.expected_counts(posterior, 4), expected)


def test_three_raters_of_a_shop(shared_data):
    folder = shared_data / "chorus_icecat"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    raters = [f"agent_{number}_rating" for number in (1, 2, 3)]
    section = {"path": "Broad_Query_Set_individual_ratings.csv", "document": "docid", "raters": raters}
    grades = read_grades(from_mapping({"grades": section}, folder))
    assert (len(grades.query), len(grades)) == (3188, 3 * 3188)
    assert grades.levels == ["0", "1", "2", "3"]
    alpha = {
        metric: krippendorff(grades, metric, samples=50) for metric in ("nominal", "ordinal", "interval")
    }
    assert {metric: round(found.alpha, 3) for metric, found in alpha.items()} == {
        "nominal": 0.643, "ordinal": 0.770, "interval": 0.771,
    }  # fmt: skip
    assert [(round(p.same, 3), round(p.kappa, 3)) for p in pairwise(grades)] == [
        (0.822, 0.799), (0.797, 0.776), (0.771, 0.737),
    ]  # fmt: skip
    consensus = judge_grades(grades, "ordinal")
    slips = [rater.slips for rater in consensus.raters]
    assert slips == sorted(slips)
    worst = consensus.disagreements(None)
    # The biases are too small to part those who give the same grade.
    assert len(worst) == sum(len(set(item.grades.values())) > 1 for item in worst) == 910
    assert max(item.spread for item in worst) == 1
    # 3 of the strictest against 0 of the most generous differ most.
    strict, generous = np.argsort([rater.bias for rater in consensus.raters])[[0, -1]]
    assert [worst[0].grades[grades.raters[rater]] for rater in (strict, generous)] == ["3", "0"]
    unanimous = (grades.dense() == grades.dense()[:, :1]).all(1)
    width = consensus.scores.high - consensus.scores.low
    # Unanimity leaves less than a tenth of a step of the scale open, a difference more than a step on average.
    step = 1 / 3
    assert 0.05 * step < width[unanimous].min() < width[unanimous].mean() < 0.1 * step
    assert width[~unanimous].mean() > step
    # Of 3 3 0 and the like the posterior leaves less than 5 % to other scores, which is not nothing.
    assert width[~unanimous].min() > 0.1 * step
    assert np.abs(consensus.scores.score - grades.values[grades.dense()[:, 0]])[unanimous].max() < 0.1
