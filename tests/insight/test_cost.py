"""The cost model against two examples worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import EvaluationError
from gradus.insight.cost import FEWER, FEWER_LINES, HOURS_A_MONTH, LINES, Input, cost_of, costs

SMALL = {
    "load": 100.0,
    "availability": 0.999,
    "freshness_days": 365.25 / 12 / 4,
    "months": 24.0,
    "instance_price": 0.2,
    "rerank_price": 1.0,
    "training_price": 2.0,
    "utilisation": 0.5,
    "instance_availability": 0.99,
    "one_throughput": 80.0,
    "rerank_throughput": 25.0,
    "one_training_hours": 3.0,
    "rerank_training_hours": 1.0,
    "one_embedding_hours": 2.0,
    "person_price": 50.0,
    "labelling_hours": 10.0,
    "one_upkeep_hours": 4.0,
    "rerank_upkeep_hours": 20.0,
    "switch_hours": 100.0,
}


def test_hours_of_a_month() -> None:
    assert HOURS_A_MONTH == 365.25 * 24 / 12 == 730.5


def test_every_line_of_a_small_shop_by_hand() -> None:
    by_hand = {
        "refreshes": 4,
        # 100 / (80 · .5) = 2.5 → 3; .99³ = .970299 < .999, so one to spare.
        "one_needed": 3,
        "one_replicas": 3 + 1,
        "one_available": 0.99**4 + 4 * 0.99**3 * 0.01,
        "two_needed": 3,
        "two_replicas": 3 + 1,
        # 100 / (25 · .5) = 8.
        "rerank_needed": 8,
        "rerank_replicas": 8 + 1,
        "two_available": (0.99**4 + 4 * 0.99**3 * 0.01) * (0.99**9 + 9 * 0.99**8 * 0.01),
        "one_serving": 4 * 0.2 * 730.5,
        "one_refreshing": (3 + 2) * 2 * 4,
        "labelling": 10 * 50,
        "one_upkeep": 4 * 50,
        "one_month": 584.4 + 40 + 500 + 200,
        "two_serving": 4 * 0.2 * 730.5,
        "two_refreshing": (3 + 2) * 2 * 4,
        "two_upkeep": 4 * 50,
        "rerank_serving": 9 * 1 * 730.5,
        "rerank_refreshing": 1 * 2 * 4,
        "rerank_upkeep": 20 * 50,
        "rerank_month": 6574.5 + 8 + 1000,
        "two_month": 584.4 + 40 + 500 + 200 + 7582.5,
        "rerank_share": 7582.5 / 8906.9,
        "switching": 100 * 50,
        "one_total": 24 * 1324.4 + 5000,
        "two_total": 24 * 8906.9,
        "saving_month": 7582.5,
        "saving": 24 * 7582.5 - 5000,
        "payback": 5000 / 7582.5,
        "roi": (24 * 7582.5 - 5000) / 5000,
    }
    assert list(by_hand) == [line.name for line in LINES]
    found = costs(SMALL)
    for name, value in by_hand.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-12), name


def test_every_line_of_re_ranking_fewer_by_hand() -> None:
    # Its re-ranker is four times as fast, its first stage that of the one stage but for an hour more of training.
    fewer = {FEWER: 30.0, "fewer_rerank_throughput": 100.0, "fewer_first_training_hours": 4.0}
    by_hand = {
        "fewer_first_needed": 3,
        "fewer_first_replicas": 3 + 1,
        # 100 / (100 · .5) = 2, and .99² = .9801 < .999.
        "fewer_rerank_needed": 2,
        "fewer_rerank_replicas": 2 + 1,
        "fewer_available": (0.99**4 + 4 * 0.99**3 * 0.01) * (0.99**3 + 3 * 0.99**2 * 0.01),
        "fewer_serving": 4 * 0.2 * 730.5,
        "fewer_refreshing": (4 + 2) * 2 * 4,
        "fewer_upkeep": 4 * 50,
        "fewer_rerank_serving": 3 * 1 * 730.5,
        "fewer_rerank_refreshing": 1 * 2 * 4,
        "fewer_rerank_upkeep": 20 * 50,
        "fewer_rerank_month": 2191.5 + 8 + 1000,
        "fewer_month": 584.4 + 48 + 500 + 200 + 3199.5,
        "fewer_switching": 30 * 50,
        "fewer_total": 24 * 4531.9 + 1500,
        # Two stages cost 8,906.90 a month.
        "fewer_saving_month": 4375,
        "fewer_saving": 24 * 4375 - 1500,
        "fewer_payback": 1500 / 4375,
        "fewer_roi": (24 * 4375 - 1500) / 1500,
    }
    assert list(by_hand) == [line.name for line in FEWER_LINES]
    found, before = costs(SMALL | fewer), costs(SMALL)
    for name, value in by_hand.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-12), name
    assert {name: found[name] for name in before} == before
    # What nobody knows of it is as in use: nothing but the switch is gained, and that is a loss.
    known = costs(SMALL | {FEWER: 30.0})
    assert float(known["fewer_saving"]) == -30 * 50
    assert math.isinf(known["fewer_payback"])


def test_a_first_stage_of_its_own_changes_two_stages_only() -> None:
    # A lexical first stage: neither trained nor embedded, four times as fast, an hour of upkeep.
    own = {
        "two_throughput": 320.0,
        "two_training_hours": 0.0,
        "two_embedding_hours": 0.0,
        "two_upkeep_hours": 1.0,
    }
    found, before = costs(SMALL | own), costs(SMALL)
    assert found["one_month"] == before["one_month"]
    # 100 / (320 · .5) = .625 → 1, and one to spare.
    expected = 2 * 0.2 * 730.5 + 0 + 500 + 1 * 50 + 7582.5
    assert float(found["two_month"]) == pytest.approx(expected)


def test_a_whole_number_of_instances_is_not_rounded_up_by_dust() -> None:
    # 92.4 / (33 · .7) is 4, and 4.000000000000001 in floats.
    found = costs(SMALL | {"load": 92.4, "one_throughput": 33.0, "utilisation": 0.7})
    assert float(found["one_needed"]) == 4


def test_no_spare_where_the_instances_alone_are_up_enough() -> None:
    found = costs(SMALL | {"availability": 0.97})
    # .99³ = .970299 is enough, .99⁸ = .923 is not.
    assert float(found["one_replicas"]) == 3
    assert float(found["one_available"]) == pytest.approx(0.99**3)
    assert float(found["rerank_replicas"]) == 9


def test_a_switch_that_saves_nothing_never_pays_back() -> None:
    free = {"rerank_price": 0.0, "rerank_training_hours": 0.0, "rerank_upkeep_hours": 0.0}
    found = costs(SMALL | free)
    assert float(found["saving_month"]) == 0
    assert math.isinf(found["payback"])
    assert float(found["roi"]) == pytest.approx(-1)
    assert float(costs(SMALL | {"switch_hours": 0.0})["payback"]) == 0


def test_arrays_are_computed_as_their_numbers_are() -> None:
    loads = np.array([1.0, 40.0, 100.0, 1000.0])
    together = costs(SMALL | {"load": loads})
    for row, load in enumerate(loads):
        alone = costs(SMALL | {"load": load})
        for name, value in together.items():
            assert np.broadcast_to(value, 4)[row] == pytest.approx(float(alone[name]), rel=1e-12), name


@given(st.floats(0.01, 100))
def test_in_another_currency_money_scales_and_the_rest_stays(rate: float) -> None:
    prices = {name: rate * value for name, value in SMALL.items() if name.endswith("price")}
    before, after = costs(SMALL), costs(SMALL | prices)
    for line in LINES:
        factor = rate if line.unit.startswith("money") else 1
        assert float(after[line.name]) == pytest.approx(factor * float(before[line.name]), rel=1e-9), (
            line.name
        )


@given(st.floats(1, 1000), st.floats(1, 1000))
def test_more_load_never_costs_less(one: float, other: float) -> None:
    low, high = (costs(SMALL | {"load": load}) for load in sorted((one, other)))
    assert float(low["one_total"]) <= float(high["one_total"])
    assert float(low["two_total"]) <= float(high["two_total"])


def test_inputs_lie_in_their_ranges() -> None:
    entries = {name: Input(value, value, value, "", "measured") for name, value in SMALL.items()}
    assert cost_of(entries) == {name: float(value) for name, value in costs(SMALL).items()}
    for value, low, high in ((1, 2, 3), (3, 1, 2), (1, -1, 2), (math.inf, 0, math.inf), (math.nan, 0, 1)):
        with pytest.raises(EvaluationError, match="between its low and its high"):
            Input(value, low, high, "hours", "gradus.toml")
