"""The audit's numbers, on a log of five pairs by visible arithmetic, and on simulated logs against the truth."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from audit_evidence import FAULT, SUMMARY, WARNING, hand_audit, hand_fused, hand_grades, hand_log
from click_logs import cells_of, drawn
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import JudgmentsError
from gradus.judgments.audit import Audit, audit, percent
from gradus.judgments.audit.ranks import rank_correlation, ranks
from gradus.judgments.audit.shown import find_shown
from gradus.judgments.clicks.score import score_clicks
from gradus.judgments.fusion import fuse
from gradus.judgments.scores import Z
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.users import PBM
from gradus.settings import ClicksSettings


def of_the_log(estimator: str = "pbm", documents: int = 8) -> Audit:
    cells, log = hand_log(estimator=estimator)
    return audit(hand_fused(), documents=documents, log=log, cells=cells)


def test_coverage():
    found = of_the_log().coverage
    assert (found.pairs, found.queries, found.documents, found.catalogue) == (5, 2, 4, 8)
    assert found.share == 4 / 8
    # One query has 2 judgments, one has 3; quantiles lie between them.
    assert (found.per_query_low, found.per_query, found.per_query_high) == pytest.approx((2.1, 2.5, 2.9))
    assert found.wide == 2 / 5


@pytest.mark.parametrize("worth", [0.5, 0.25])
def test_an_interval_that_spans_all_scores_is_too_wide_whatever_a_click_is_worth(worth):
    # Scores from .22 to .82 span .6, and the widest interval is .72; no interval is wider than .5 once they shrink.
    fused = hand_fused()
    less = replace(fused, score=fused.score * worth, low=fused.low * worth, high=fused.high * worth)
    cells, log = hand_log()
    found = audit(less, documents=8, log=log, cells=cells)
    assert found.coverage.limit == pytest.approx(0.6 * worth)
    assert found.coverage.wide == 1 / 5
    assert [band.wide for band in found.bands if band.pairs] == [0, 1 / 2]


def test_bands_of_traffic():
    # q0 has 100 of 110 impressions, so it is the head; q1 begins at 100, beyond 90 % of 110, so it is the tail.
    head, torso, tail = of_the_log().bands
    assert (head.name, head.queries, head.pairs, head.impressions) == ("head", 1, 3, 100)
    assert (head.width, head.wide) == (pytest.approx((0.12 + 0.12 + 0.42) / 3), 0)
    assert (torso.queries, torso.pairs, torso.impressions) == (0, 0, 0)
    assert math.isnan(torso.width)
    assert (tail.name, tail.queries, tail.pairs, tail.impressions) == ("tail", 1, 2, 10)
    assert (tail.width, tail.wide) == (pytest.approx((0.52 + 0.72) / 2), 1)


def test_bands_end_where_half_and_nine_tenths_of_the_impressions_are_reached():
    # 50, 25, 15, 10 of 100 impressions: the second begins at 50, the fourth at 90.
    cells = cells_of([(q, 0, 1, 0, n, 1) for q, n in enumerate((15, 50, 10, 25))])
    log = score_clicks(cells, ClicksSettings(estimator="ctr"))
    bands = audit(fuse([log.scores]), documents=1, log=log, cells=cells).bands
    assert [(band.name, band.queries, band.impressions) for band in bands] == [
        ("head", 1, 50), ("torso", 2, 40), ("tail", 1, 10),
    ]  # fmt: skip


def test_judged_queries_that_the_log_lacks_have_a_band_of_their_own():
    cells, log = hand_log()
    grades = hand_grades(["q0", "q7"])
    found = audit(fuse([grades.scores, log.scores]), documents=8, log=log, cells=cells)
    last = found.bands[-1]
    assert (last.name, last.queries, last.pairs, last.impressions) == ("not in the log", 1, 1, 0)
    assert sum(band.pairs for band in found.bands) == found.coverage.pairs == 6


def test_histograms():
    found = of_the_log()
    assert {place: n for place, n in enumerate(found.scores) if n} == {4: 1, 8: 1, 10: 1, 12: 1, 16: 1}
    assert {place: n for place, n in enumerate(found.widths) if n} == {2: 2, 8: 1, 10: 1, 14: 1}
    assert len(found.scores) == len(found.widths) == 20


def test_position_bias():
    # Only q0 has pairs that were shown 20 times: at 1.25 (30 at 1, 10 at 2), 2 and 3, with click rates 14/40, 3/30 and
    # 6/30. Ranks 1 2 3 against 3 1 2: 1 - 6 (4 + 1 + 1)/(3 · 8) = -.5. Scores rank 2 1 3: 1 - 6 (1 + 1)/24 = .5.
    found = of_the_log().position
    assert (found.queries, found.before, found.after) == (1, pytest.approx(-0.5), pytest.approx(0.5))
    assert (found.estimator, found.supported) == ("pbm", False)
    assert "1 of 5 pairs were shown at several positions" in found.reason
    assert "random order" in found.remedy


def test_a_query_counts_by_its_pairs_less_one():
    # ρ of rates is -1 in q0 (3 pairs), 1 in q1 and -1 in q3 (2 pairs): (2 · -1 + 1 · 1 + 1 · -1)/4. q2 has no clicks,
    # and q4 but one pair that was shown 20 times: they have no ρ.
    places = [(q, d, d + 1) for q, pairs in enumerate((3, 2, 2, 2, 2)) for d in range(pairs)]
    shown = [100, 100, 100, 100, 100, 100, 100, 20, 20, 20, 19]
    clicks = [30, 20, 10, 10, 20, 0, 0, 4, 2, 2, 4]
    cells = cells_of(
        ((*place, 0, *n) for place, *n in zip(places, shown, clicks, strict=True)), utility=clicks
    )
    log = score_clicks(cells, ClicksSettings(estimator="ctr", prior="none"))
    found = audit(fuse([log.scores]), documents=3, log=log, cells=cells).position
    assert (found.queries, found.before) == (3, pytest.approx(-2 / 4))


def test_the_curve_has_intervals_where_it_is_told():
    first, second, third = of_the_log().position.curve
    assert (first.position, first.impressions, first.rate) == (1, 39, pytest.approx(15 / 39))
    assert (first.examination, first.low, first.high) == (1, 1, 1)
    assert (second.impressions, second.rate) == (41, pytest.approx(6 / 41))
    assert second.low == pytest.approx(0.5 * math.exp(-0.2 * Z))
    assert second.high == pytest.approx(0.5 * math.exp(0.2 * Z))
    # θ is a number there, but its deviation is infinite.
    assert np.isnan([third.examination, third.low, third.high]).all()
    assert third.rate == 6 / 30


def test_popularity_bias():
    # Impressions 49, 30, 30, 1 of d0 … d3, centred ranks 1.5 0 0 -1.5. Mean click rates (14/40 + 3/9)/2, .1, .2, 1 have
    # centred ranks .5 -1.5 -.5 1.5; mean scores .47, .22, .62, .82 have -.5 -1.5 .5 1.5.
    found = of_the_log().popularity
    assert found.before == pytest.approx((0.75 - 2.25) / math.sqrt(4.5 * 5))
    assert found.after == pytest.approx((-0.75 - 2.25) / math.sqrt(4.5 * 5))
    assert (found.documents, found.most_shown) == (4, 1)
    assert (found.impressions, found.pairs) == (pytest.approx(49 / 110), pytest.approx(2 / 5))
    assert found.rates == pytest.approx((14 / 40 + 3 / 9) / (14 / 40 + 3 / 9 + 0.1 + 0.2 + 1))
    assert found.scores == pytest.approx((0.52 + 0.42) / (0.52 + 0.42 + 0.22 + 0.62 + 0.82))


def test_worst_rows():
    found = of_the_log()
    # The 90 % quantile of the widths .12 .12 .42 .52 .72 is .52 + .6 · .2 = .64.
    (worst,) = found.uncertain
    assert (worst.query, worst.document, worst.impressions, worst.position, worst.rate) == (
        "q1",
        "d3",
        1,
        2,
        1,
    )
    assert (worst.score, worst.low, worst.high) == pytest.approx((0.82, 0.28, 1.0))
    # By click rate d0 d2 d1, by score d2 d0 d1; of equal moves the pair that is shown more comes first.
    assert [(row.pair.document, row.before, row.after, row.of) for row in found.moved] == [
        ("d0", 1, 2, 3), ("d2", 2, 1, 3),
    ]  # fmt: skip
    assert found.moved[0].pair.position == 1.25


def test_the_say_of_sources_is_their_share_of_the_weight():
    cells, log = hand_log()
    fused = fuse([hand_grades().scores, log.scores])
    grades, of_log = audit(fused, documents=8, log=log, cells=cells).sources
    shares = []
    for row in fused.deviations:
        weights = [0 if math.isnan(sd) else 1 / (sd**2 + fused.between**2) for sd in row]
        shares.append([weight / sum(weights) for weight in weights])
    assert (grades.say, of_log.say) == pytest.approx(tuple(np.mean(shares, axis=0)))
    assert (grades.name, grades.pairs, grades.evidence, grades.reference) == ("grades", 3, 6, True)
    assert (of_log.name, of_log.pairs, of_log.evidence, of_log.reference) == ("log", 5, 110, False)
    assert (of_log.method, of_log.shared) == ("identity", 3)
    assert of_log.becomes == pytest.approx((0, 0.25, 0.5, 0.75, 1))


def test_conflicts_raters_and_rows_are_handed_on():
    found = hand_audit()
    consensus = hand_grades()
    assert found.raters.raters == consensus.raters
    assert found.raters.disagreements == tuple(consensus.disagreements())
    assert found.raters.disagreements[0].document == "d1"
    assert {conflict.document for conflict in found.conflicts} == {"d0", "d1", "d3"}
    log = found.log
    assert log.read == log.used + sum(log.filtered.values()) + sum(log.rejected.values()) == 130
    assert log.days == (("2026-01-01", 50, 12), ("2026-01-02", 40, 10), ("2026-01-04", 20, 5))
    assert (log.start, log.end) == ("2026-01-01T08:00:00", "2026-01-04T20:00:00")
    assert "days" in found.position.remedy or "day " in found.position.remedy


def test_pairs_are_found_by_the_names_that_the_judgments_use():
    cells, log = hand_log(["bolt", "nut"])
    log = replace(log, scores=replace(log.scores, queries=["17", "18"]))
    found = audit(fuse([log.scores]), documents=8, log=log, cells=cells)
    assert found.position.after == pytest.approx(0.5)
    assert [row.pair.query for row in found.moved] == ["bolt", "bolt"]
    with pytest.raises(JudgmentsError, match="none of the 5 pairs of the log are among the judgments"):
        audit(hand_fused(), documents=8, log=log, cells=cells)


def test_queries_are_listed_by_the_names_that_people_use():
    found = of_the_log()
    named = found.with_names({"q0": "hex bolt"})
    for rows, others in ((found.uncertain, named.uncertain), (found.conflicts, named.conflicts)):
        assert [row.query.replace("q0", "hex bolt") for row in rows] == [row.query for row in others]
    assert any(row.query == "hex bolt" for row in named.uncertain + tuple(row.pair for row in named.moved))
    assert replace(named, uncertain=found.uncertain, moved=found.moved, conflicts=found.conflicts) == found


def test_cells_and_scores_come_together():
    with pytest.raises(JudgmentsError, match="or neither"):
        audit(hand_fused(), documents=8, cells=hand_log()[0])


def test_without_a_log_there_is_no_bias_to_tell():
    grades = hand_grades()
    found = audit(fuse([grades.scores]), documents=3, consensus=grades)
    assert (found.position, found.popularity, found.log, found.bands, found.moved) == (
        None,
        None,
        None,
        (),
        (),
    )
    assert found.verdict.endswith("pairs, by grades alone; it says too little about the other 67 %") or (
        found.verdict.endswith("pairs, by grades alone")
    )


@pytest.mark.parametrize(
    ("estimator", "supported", "caveat"),
    [
        ("pbm", True, ", with position bias taken out"),
        (
            "pbm",
            False,
            ", with position bias taken out as the model pbm assumes, which this log cannot check",
        ),
        ("ips", True, ", with position bias taken out"),
        ("ips", False, ", with position bias taken out at the positions that the propensities tell"),
        ("cascade", True, ", with position bias taken out as the model cascade assumes"),
        ("ctr", True, ", with position bias still in it"),
    ],
)
def test_the_verdict_says_what_the_model_rests_on(estimator, supported, caveat):
    found = of_the_log(estimator)
    found = replace(found, position=replace(found.position, supported=supported))
    assert found.verdict == (
        f"The evidence supports a score for 60 % of 5 pairs{caveat}; "
        "it says too little about the other 40 % and nothing about 50 % of the catalogue"
    )


def test_nothing_missing_is_not_spoken_of():
    cells, log = hand_log()
    log = replace(log, scores=replace(log.scores, low=log.scores.score, high=log.scores.score))
    found = audit(fuse([log.scores]), documents=4, log=log, cells=cells)
    assert found.verdict.startswith("The evidence supports a score for 100 % of 5 pairs, with position bias")
    assert ";" not in found.verdict


def test_faults_come_first_in_the_verdict():
    found = hand_audit(findings=(FAULT, WARNING))
    assert found.faults == [FAULT]
    assert "would be wrong (missing impressions)" in found.verdict
    assert not hand_audit().faults


def test_json_holds_it_all():
    found = hand_audit()
    plain = found.as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert next(iter(plain)) == "verdict"
    assert plain["bands"][1]["width"] is None
    assert plain["position"]["curve"][2]["high"] is None
    assert plain["findings"][0]["numbers"] == {"empty": 1}
    assert plain["log"]["filtered"] == SUMMARY.filtered
    assert plain["coverage"]["pairs"] == found.coverage.pairs


def test_shares_in_words():
    shares = (0, 0.001, 0.25, 0.999, 1, math.nan)
    assert [percent(share) for share in shares] == ["0 %", "under 1 %", "25 %", "over 99 %", "100 %", "–"]


groups = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


@given(groups)
def test_ranks_and_correlations_against_loops(rows):
    group, x, y = np.array(rows, np.int64).T
    x, y = x / 3, y / 7
    found, correlation = ranks(x, group), rank_correlation(x, y, group)

    def naive(values, row):
        others = [v for v, g in zip(values, group, strict=True) if g == group[row]]
        return 1 + sum(v < values[row] for v in others) + (sum(v == values[row] for v in others) - 1) / 2

    assert found == pytest.approx([naive(x, row) for row in range(len(rows))])
    for place, rho in enumerate(correlation):
        members = np.flatnonzero(group == place)
        a, b = ([naive(values, row) for row in members] for values in (x, y))
        if len(set(a)) > 1 and len(set(b)) > 1:
            assert rho == pytest.approx(np.corrcoef(a, b)[0, 1])
        else:
            assert np.isnan(rho)


def test_on_a_simulated_log_scores_lose_the_position_bias_and_keep_the_merit():
    # A ranker that knows little, so that what position does to clicks is hardly deserved.
    cells, truth = drawn(PBM(), 400_000, Policy(noise=3.0, epochs=20, swaps=0.2))

    def measured(estimator):
        log = score_clicks(cells, ClicksSettings(estimator=estimator))
        fused = fuse([log.scores])
        return audit(fused, documents=10_000, log=log, cells=cells), find_shown(cells, log, fused).often()

    found, often = measured("auto")
    rho = rank_correlation(often.position, truth.attraction_of(often.query, often.document), often.query)
    told, weight = np.isfinite(rho), np.bincount(often.query) - 1
    true = np.average(rho[told], weights=weight[told])
    assert found.position.before < -0.2
    assert abs(found.position.after - true) < 0.5 * abs(found.position.before - true)
    # Where position is left in, the audit shows it.
    raw, _ = measured("ctr")
    assert raw.position.after < found.position.before
    assert "with position bias still in it" in raw.verdict
