"""Condensed lists: what nobody judged is neither good nor bad."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradus.errors import EvaluationError
from gradus.evaluation.condensed import condense
from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.scoring import Ranked

NAN = np.nan


def ranked(gains: list[list[float]], judged: list[list[float]]) -> Ranked:
    return Ranked(np.array(gains), np.array([len(row) for row in gains]), np.array(judged))


def test_golden_values() -> None:
    lists = ranked([[NAN, 1.0, NAN, 0.5]], [[1.0, 0.5, 0.25]])
    short = condense(lists)
    np.testing.assert_array_equal(short.gains, [[1.0, 0.5, NAN, NAN]])
    assert short.lengths.tolist() == [2]
    log3, ideal = np.log2(3), 1 + 0.5 / np.log2(3)
    assert parse_metric("nDCG@2")(lists) == pytest.approx(1 / log3 / ideal)
    assert parse_metric("condensed nDCG@2")(lists) == pytest.approx(1)
    assert parse_metric("condensed Judged@10")(lists) == pytest.approx(1)
    assert parse_metric("condensed R@1")(lists) == pytest.approx(1 / 3)


@given(arrays(float, (3, 5), elements=st.sampled_from([NAN, 0.0, 0.5, 1.0])))
def test_nothing_changes_where_all_is_judged_and_order_always_stays(gains: np.ndarray) -> None:
    lists = Ranked(gains, np.full(3, 5), np.full((3, 1), 1.0))
    short = condense(lists)
    for before, after, length in zip(gains, short.gains, short.lengths, strict=True):
        kept = before[~np.isnan(before)]
        np.testing.assert_array_equal(after[:length], kept)
        assert np.isnan(after[length:]).all()
    whole = Ranked(np.nan_to_num(gains), np.full(3, 5), np.full((3, 1), 1.0))
    for name in ("nDCG@3", "RBP(p=0.9)", "RR", "MAP"):
        np.testing.assert_array_equal(parse_metric(f"condensed {name}")(whole), parse_metric(name)(whole))


def test_names() -> None:
    metric = parse_metric("condensed NDCG(gain=exp)@10")
    assert str(metric) == "condensed nDCG(gain=exp)@10"
    assert parse_metric(str(metric)) == metric
    assert metric.higher_is_better
    assert not parse_metric("condensed RankOfBest@5").higher_is_better
    for wrong in ("condensed", "condensed condensed nDCG@10", "condensed nope@3"):
        with pytest.raises(EvaluationError):
            parse_metric(wrong)
