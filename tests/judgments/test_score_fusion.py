import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_calibration import source

from gradus.errors import JudgmentsError
from gradus.judgments.business import Business
from gradus.judgments.calibration import IDENTITY
from gradus.judgments.fusion import _between, _combined, fuse
from gradus.judgments.scores import Scores, Z


def _pairs(fused):
    return {
        (fused.queries[q], fused.documents[d]): row
        for row, (q, d) in enumerate(zip(fused.query, fused.document, strict=True))
    }


def test_a_lone_source_passes_unchanged():
    log = source("log", [0.1, 0.5, 1.0], 0.2)
    fused = fuse([log])
    rows = [
        _pairs(fused)[(log.queries[q], log.documents[d])]
        for q, d in zip(log.query, log.document, strict=True)
    ]
    for name in ("score", "low", "high"):
        np.testing.assert_allclose(getattr(fused, name)[rows], getattr(log, name), atol=1e-12)
    assert fused.source == ["log"] * 3
    assert fused.between == 0


def test_the_union_keeps_sources_and_counts():
    grades, log = source("grades", [0.2, 0.4, 0.6]), source("log", [0.3, 0.5, 0.7], 0.1, start=2)
    fused = fuse([log, grades])
    place = _pairs(fused)
    assert len(fused) == 5
    assert fused.reference == "grades"
    assert fused.calibrations["grades"] is IDENTITY
    assert fused.calibrations["log"].method == "identity"
    assert [fused.source[place[("q0", f"d{i}")]] for i in range(5)] == [
        "grades", "grades", "log+grades", "log", "log",
    ]  # fmt: skip
    assert fused.count[place[("q0", "d2")]].tolist() == [1, 1]
    assert fused.evidence[place[("q0", "d2")]] == 2
    assert fused.count[place[("q0", "d0")]].tolist() == [0, 1]


def test_two_sources_by_hand():
    # σ 0.1 and 0.2 without τ: weights 100 and 25; score (100 · 0.4 + 25 · 0.6)/125, variance 1/125.
    x, sd = np.array([[0.4, 0.6]]), np.array([[0.1, 0.2]])
    score, low, high = _combined(x, sd, sd, sd, 0.0)
    assert score[0] == pytest.approx((100 * 0.4 + 25 * 0.6) / 125)
    # Q = 100 · 0.04² + 25 · 0.16² = 0.8 < 1: no widening.
    assert high[0] - low[0] == pytest.approx(2 * Z * np.sqrt(1 / 125))
    # With τ = 0.2: variances 0.05 and 0.08, weights 20 and 12.5.
    score, low, high = _combined(x, sd, sd, sd, 0.2)
    assert score[0] == pytest.approx((20 * 0.4 + 12.5 * 0.6) / 32.5)
    assert high[0] - low[0] == pytest.approx(2 * Z * np.sqrt(1 / 32.5))


def test_sources_that_disagree_widen_the_interval():
    sd = np.array([[0.05, 0.05]])

    def width(a, b):
        _, low, high = _combined(np.array([[a, b]]), sd, sd, sd, 0.0)
        return high[0] - low[0]

    assert width(0.5, 0.5) == pytest.approx(2 * Z * 0.05 / np.sqrt(2))
    # Q = 2 · (0.2/0.05)² = 32, so the deviation is √32 times as large: 0.2, half the distance.
    assert width(0.3, 0.7) == pytest.approx(2 * Z * 0.2)
    widths = [width(0.5 - d, 0.5 + d) for d in np.linspace(0, 0.2, 9)]
    assert widths == sorted(widths)


def test_a_prior_that_two_sources_hold_is_counted_once():
    # Weights 100 and 25, of which 15 are the prior of both: 1/(100 + 25 − 15). The score stays.
    x, sd = np.array([[0.4, 0.6]]), np.array([[0.1, 0.2]])
    score, low, high = _combined(x, sd, sd, sd, 0.0, 15.0)
    assert score[0] == pytest.approx((100 * 0.4 + 25 * 0.6) / 125)
    assert high[0] - low[0] == pytest.approx(2 * Z * np.sqrt(1 / 110))
    # However much is taken off, both know as much as the surer one.
    _, low, high = _combined(x, sd, sd, sd, 0.0, 80.0)
    assert high[0] - low[0] == pytest.approx(2 * Z * 0.1)


def test_what_was_regressed_on_gold_does_not_agree_with_itself():
    # Two logs miss the truth by as much as it varies, each by chance of its own. Regressed on gold, both are drawn
    # to its mean, and err alike by half their variance.
    rng = np.random.default_rng(0)
    truth = np.clip(rng.normal(0.5, 0.15, 4000), 0, 1)
    one, other = (
        source(name, np.clip(truth + rng.normal(0, 0.15, 4000), 0, 1), 0.02) for name in ("log", "hierarchy")
    )
    fused = fuse([one, other], source("gold", truth[:1000], 0.02))
    place = _pairs(fused)
    rows = np.array([place[(f"q{i // 10}", f"d{i}")] for i in range(1000, 4000)])
    assert fused.calibrations["log"].variance == pytest.approx(0.15**2, rel=0.1)
    held = (fused.low[rows] <= truth[1000:]) & (truth[1000:] <= fused.high[rows])
    assert 0.87 <= held.mean() <= 0.93
    errors = fused.calibrated[rows][:, 1:] - truth[1000:, None]
    assert np.corrcoef(errors.T)[0, 1] == pytest.approx(0.5, abs=0.05)


def test_both_sides_of_an_interval_are_kept():
    below, above = np.array([[0.02, 0.02]]), np.array([[0.2, 0.2]])
    score, low, high = _combined(np.array([[0.3, 0.3]]), below, above, np.array([[0.11, 0.11]]), 0.0)
    assert score[0] - low[0] == pytest.approx(Z * 0.02 / np.sqrt(2))
    assert high[0] - score[0] == pytest.approx(Z * 0.2 / np.sqrt(2))


cells = st.none() | st.tuples(st.floats(0, 1), st.floats(0.02, 0.5))
tables = st.lists(st.lists(cells, min_size=3, max_size=3).filter(any), min_size=1, max_size=6)


@given(tables)
def test_fusion_against_loops(table):
    x = np.array([[np.nan if cell is None else cell[0] for cell in row] for row in table])
    sd = np.array([[np.nan if cell is None else cell[1] for cell in row] for row in table])
    above, below = 0.0, 0.0
    for row in table:
        present = [cell for cell in row if cell is not None]
        if len(present) < 2:
            continue
        w = [1 / s**2 for _, s in present]
        mean = sum(a * v for a, (v, _) in zip(w, present, strict=True)) / sum(w)
        above += sum(a * (v - mean) ** 2 for a, (v, _) in zip(w, present, strict=True)) - (len(present) - 1)
        below += sum(w) - sum(a * a for a in w) / sum(w)
    tau = np.sqrt(max(above / below, 0)) if below else 0.0
    assert _between(x, sd**2) == pytest.approx(tau)
    score, low, high = _combined(x, sd, sd, sd, tau)
    for row, s, lo, hi in zip(table, score, low, high, strict=True):
        present = [cell for cell in row if cell is not None]
        w = [1 / (deviation**2 + tau**2) for _, deviation in present]
        mean = sum(a * v for a, (v, _) in zip(w, present, strict=True)) / sum(w)
        q = sum(a * (v - mean) ** 2 for a, (v, _) in zip(w, present, strict=True))
        half = Z * np.sqrt(max(1, q / max(len(present) - 1, 1)) / sum(w))
        assert s == pytest.approx(mean)
        assert lo == pytest.approx(max(mean - half, 0))
        assert hi == pytest.approx(min(mean + half, 1))


def _with(scores, **values):
    fields = {name: getattr(scores, name) for name in Scores.__dataclass_fields__}
    return Scores(**(fields | values))


def test_fused_intervals_cover_the_truth_and_scores_are_nearer():
    rng = np.random.default_rng(0)
    truth = rng.beta(2, 2, 3000)
    # The log's scale is its own, and it misses by more than it says; the grades cover a third of the pairs.
    log = source("log", 0.5 * truth**1.5 + rng.normal(0, 0.04, 3000), 0.02)
    grades = source("grades", truth[:1000] + rng.normal(0, 0.1, 1000), 0.1)
    fused = fuse([log, grades])
    place = _pairs(fused)
    rows = np.array([place[(f"q{i // 10}", f"d{i}")] for i in range(3000)])
    covered = (fused.low[rows] <= truth) & (truth <= fused.high[rows])
    assert fused.calibrations["log"].method == "isotonic"
    assert 0.85 <= covered[:1000].mean() <= 0.96
    assert 0.85 <= covered[1000:].mean() <= 0.96

    def error(score, of):
        return np.sqrt(np.mean((score - of) ** 2))

    both = error(fused.score[rows[:1000]], truth[:1000])
    assert both < 0.9 * error(grades.score, truth[:1000])
    assert both < error(log.score[:1000], truth[:1000])


def test_gold_is_the_reference_and_is_fused():
    rng = np.random.default_rng(0)
    truth = rng.random(200)
    fused = fuse([source("log", truth / 2, 0.01)], gold=source("mine", truth[:50]))
    assert (fused.sources, fused.reference) == (("gold", "log"), "gold")
    assert fused.calibrations["log"].pairs == 50
    place = _pairs(fused)
    scores = fused.score[[place[(f"q{i // 10}", f"d{i}")] for i in range(200)]]
    np.testing.assert_allclose(scores, truth, atol=0.06)


def test_conflicts_by_their_z():
    grades = source("grades", [0.1, 0.5, 0.9, 0.5], 0.1)
    log = source("log", [0.9, 0.55, 0.8, 0.5], 0.1)
    fused = fuse([grades, log], reference="log")
    worst = fused.conflicts()
    assert [conflict.document for conflict in worst] == ["d0", "d2", "d1", "d3"]
    first = worst[0]
    assert (first.sources, first.query) == (("grades", "log"), "q0")
    assert first.scores == pytest.approx((0.1, 0.9))
    row = _pairs(fused)[("q0", "d0")]
    variance = (fused.deviations[row] ** 2).sum() + 2 * fused.between**2
    assert first.z == pytest.approx((0.1 - 0.9) / np.sqrt(variance))
    assert len(fused.conflicts(2)) == 2


def test_business_moves_what_there_is_and_adds_nothing():
    fused = fuse([source("log", [0.0, 0.5, 0.5, 1.0], 0.05)])
    boost = {(None, "d0"): 1.0, (None, "d1"): 1.0, ("q0", "d2"): 0.0, (None, "d77"): 1.0}
    moved = fused.moved_by(Business(boost, (), 0.2))
    assert len(moved) == len(fused)
    change = dict(zip(moved.documents, moved.score - fused.score, strict=True))
    assert change["d0"] == 0
    assert 0 < change["d1"] <= 0.2
    assert change["d2"] == pytest.approx(-change["d1"])
    assert change["d3"] == 0
    assert ((moved.low <= moved.score) & (moved.score <= moved.high)).all()
    row = moved.documents.index("d1")
    assert moved.low[row] > fused.low[row]


def test_names_that_do_not_do():
    log = source("log", [0.5])
    with pytest.raises(JudgmentsError, match="different names"):
        fuse([log, log])
    with pytest.raises(JudgmentsError, match="different names"):
        fuse([])
    with pytest.raises(JudgmentsError, match=r"fusion\.reference is 'grades'; the sources are log"):
        fuse([log], reference="grades")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0, 1)), min_size=1,
                unique_by=lambda row: row[:2]),
       st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0, 1)), min_size=1,
                unique_by=lambda row: row[:2]))  # fmt: skip
def test_the_order_of_sources_does_not_matter(one, other):
    def scores(name, rows):
        q, d, s = (np.array(column) for column in zip(*rows, strict=True))
        return Scores(
            name, ["q0", "q1", "q2"], ["d0", "d1", "d2"], q, d, s, s * 0.9, np.minimum(s + 0.1, 1), s * 0 + 1
        )

    a, b = scores("grades", one), scores("log", other)
    forth, back = fuse([a, b]), fuse([b, a])
    assert len(forth) == len({row[:2] for row in [*one, *other]})
    np.testing.assert_allclose(forth.score, back.score)
    np.testing.assert_allclose(forth.high, back.high)
    assert ((forth.low <= forth.score) & (forth.score <= forth.high)).all()
