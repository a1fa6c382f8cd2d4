"""Where the cost model's inputs come from."""

import math

import pytest

from gradus.errors import EvaluationError, SettingsError
from gradus.insight.cost import TWINS, costs
from gradus.insight.cost_inputs import Measured, cost_inputs, throughput_of_reranking
from gradus.settings import CostSettings, SlaSettings


def test_every_default_says_that_it_is_one_and_makes_a_whole_model() -> None:
    inputs = cost_inputs(CostSettings(), SlaSettings())
    assert all(entry.source.startswith("default: ") for entry in inputs.values())
    costs({name: entry.value for name, entry in inputs.items()})
    assert not set(inputs) & set(TWINS)


def test_the_file_goes_over_defaults_and_measurements_over_the_file() -> None:
    cost, sla = CostSettings(rerank_price=1.2, first_throughput=50), SlaSettings(queries_per_second=7)
    inputs = cost_inputs(
        cost, sla, {"one_throughput": Measured(64, 60, 70), "two_training_hours": Measured(0)}
    )
    assert (inputs["rerank_price"].value, inputs["rerank_price"].source) == (1.2, "gradus.toml")
    assert (inputs["load"].value, inputs["load"].low, inputs["load"].source) == (7, 7, "gradus.toml")
    one = inputs["one_throughput"]
    assert (one.value, one.low, one.high, one.source) == (64, 60, 70, "measured")
    own = inputs["two_training_hours"]
    assert (own.value, own.low, own.high, own.unit) == (0, 0, 0, "hours")


def test_ranges_are_in_proportion_unless_they_are_given() -> None:
    usual = cost_inputs(CostSettings(instance_price=1.0), SlaSettings())["instance_price"]
    assert (usual.low, usual.high) == (0.6, 1.4)
    given = CostSettings(instance_price=1.0, low={"instance_price": 0.9}, high={"instance_price": 3})
    entry = cost_inputs(given, SlaSettings())["instance_price"]
    assert (entry.low, entry.high) == (0.9, 3)
    assert cost_inputs(CostSettings(utilisation=0.9), SlaSettings())["utilisation"].high == 1


def test_the_share_of_re_ranking_by_hand() -> None:
    # 10 ms a query for the first stage, 50 ms for both: 40 ms for re-ranking, 25 queries a second.
    assert throughput_of_reranking(both=20, first=100) == pytest.approx(25)
    with pytest.raises(EvaluationError, match="slower than the first"):
        throughput_of_reranking(both=100, first=100)


def test_mistakes_are_named() -> None:
    with pytest.raises(EvaluationError, match="no input 'speed'"):
        cost_inputs(CostSettings(), SlaSettings(), {"speed": Measured(1)})
    with pytest.raises(SettingsError, match=r"cost\.low\.instance_prise is the range of nothing"):
        cost_inputs(CostSettings(low={"instance_prise": 0.1}), SlaSettings())
    with pytest.raises(EvaluationError, match="between its low and its high"):
        cost_inputs(CostSettings(), SlaSettings(), {"one_throughput": Measured(5, 6, 7)})
    said = r"cost\.instance_price is 0\.2, .* 0\.12 to 0\.1 does not hold; set cost\.low\.instance_price"
    with pytest.raises(SettingsError, match=said):
        cost_inputs(CostSettings(high={"instance_price": 0.1}), SlaSettings())
    with pytest.raises(SettingsError, match=r"cost\.months"):
        cost_inputs(CostSettings(low={"months": math.nan}), SlaSettings())
    with pytest.raises(SettingsError, match=r"divides by cost\.first_throughput"):
        cost_inputs(CostSettings(low={"first_throughput": 0}), SlaSettings())
