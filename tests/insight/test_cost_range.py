"""Costs over the ranges of their inputs."""

import math

import numpy as np
import pytest

from gradus.errors import EvaluationError
from gradus.insight.cost import LINES, Input, costs
from gradus.insight.cost_inputs import cost_inputs
from gradus.insight.cost_range import Bar, draw_inputs, spread_costs, tornado
from gradus.insight.cost_words import cost_sentences, show_money
from gradus.settings import CostSettings, SlaSettings

INPUTS = cost_inputs(CostSettings(), SlaSettings(queries_per_second=2000))


def test_draws_have_the_moments_of_pert() -> None:
    entry = Input(3, 1, 11, "hours", "gradus.toml")
    drawn = draw_inputs({"x": entry, "fixed": Input(5, 5, 5, "", "measured")}, 100_000)
    assert (drawn["fixed"] == 5).all()
    assert 1 <= drawn["x"].min() < drawn["x"].max() <= 11
    mean = (1 + 4 * 3 + 11) / 6
    # A beta distribution on [1, 11] with α + β = 6: variance (mean - low)(high - mean) / 7.
    deviation = math.sqrt((mean - 1) * (11 - mean) / 7)
    assert drawn["x"].mean() == pytest.approx(mean, abs=4 * deviation / math.sqrt(100_000))
    assert drawn["x"].std() == pytest.approx(deviation, rel=0.02)
    counts, edges = np.histogram(drawn["x"], 40)
    assert abs(edges[counts.argmax()] - 3) < 1


def test_a_seed_draws_the_same_and_inputs_do_not_move_together() -> None:
    one, again, other = (draw_inputs(INPUTS, 2000, seed) for seed in (1, 1, 2))
    assert all((one[name] == again[name]).all() for name in one)
    assert (one["instance_price"] != other["instance_price"]).any()
    assert abs(np.corrcoef(one["instance_price"], one["rerank_price"])[0, 1]) < 0.1


def test_spreads_are_quantiles_of_the_model_at_each_draw() -> None:
    drawn = draw_inputs(INPUTS, 200, seed=3)
    naive: dict[str, list[float]] = {line.name: [] for line in LINES}
    for row in range(200):
        for name, value in costs({key: values[row] for key, values in drawn.items()}).items():
            naive[name].append(float(value))
    for name, spread in spread_costs(INPUTS, 200, seed=3).items():
        values = sorted(naive[name])
        # The 5 %, 50 % and 95 % of 0 … 199 lie nearest to 10, 100 (or 99) and 189.
        assert spread.low == pytest.approx(values[10]), name
        assert spread.median in (pytest.approx(values[99]), pytest.approx(values[100])), name
        assert spread.high == pytest.approx(values[189]), name
        assert spread.positive == np.mean([value > 0 for value in values]), name


def test_without_ranges_nothing_spreads() -> None:
    fixed = {name: Input(e.value, e.value, e.value, e.unit, e.source) for name, e in INPUTS.items()}
    spread = spread_costs(fixed, 50)["saving"]
    assert spread.low == spread.median == spread.high
    assert tornado(fixed) == []


def test_a_tornado_by_hand() -> None:
    # Each line of the model that `switching` is made of: hours times the price of an hour.
    inputs = INPUTS | {
        "switch_hours": Input(100, 50, 400, "hours", "gradus.toml"),
        "person_price": Input(80, 60, 90, "money per hour", "gradus.toml"),
    }
    assert tornado(inputs, "switching") == [
        Bar("switch_hours", 50 * 80, 400 * 80),
        Bar("person_price", 100 * 60, 100 * 90),
    ]


def test_a_tornado_is_ordered_and_each_bar_is_the_model_with_one_input_changed() -> None:
    bars = tornado(INPUTS)
    assert len(bars) > 3
    assert [bar.swing for bar in bars] == sorted((bar.swing for bar in bars), reverse=True)
    values = {name: entry.value for name, entry in INPUTS.items()}
    for bar in bars:
        assert bar.at_low == float(costs(values | {bar.name: INPUTS[bar.name].low})["saving"])
        assert bar.at_high == float(costs(values | {bar.name: INPUTS[bar.name].high})["saving"])
    # Both pipelines pay for these alike.
    assert not {"labelling_hours", "one_upkeep_hours", "one_training_hours"} & {bar.name for bar in bars}


def test_bad_requests() -> None:
    with pytest.raises(EvaluationError, match="samples"):
        draw_inputs(INPUTS, 0)
    with pytest.raises(EvaluationError, match="no line 'savings'"):
        tornado(INPUTS, "savings")


def said(language: str, fewer: bool = False, **changes: float) -> str:
    inputs = cost_inputs(CostSettings(**changes), SlaSettings(), fewer=fewer)  # type: ignore[arg-type]
    values = {name: float(v) for name, v in costs({n: e.value for n, e in inputs.items()}).items()}
    spreads = spread_costs(inputs, 500)
    return " ".join(cost_sentences(values, spreads, 36, 0.999, "EUR", language))  # type: ignore[arg-type]


def test_sentences_say_saving_loss_and_what_never_pays() -> None:
    assert "one stage saves" in said("en")
    assert "回収できます" in said("ja")
    cheap = {"rerank_price": 0.0, "rerank_upkeep_hours": 0.0, "rerank_training_hours": 0.0}
    # 160 hours at 80 an hour, and nothing saved.
    assert "costs 12,800 EUR more" in said("en", **cheap)
    assert "does not pay back" in said("en", **cheap)
    assert "12,800 EUR高く" in said("ja", **cheap)
    # 12,800 at 0.52 a month: 24,000 months.
    hardly = cheap | {"rerank_upkeep_hours": 0.0065}
    assert "more than a century" in said("en", **hardly)
    assert "100年以上" in said("ja", **hardly)
    # Re-ranking fewer with nothing known of it saves nothing, and takes a week of 80 an hour.
    for language, text in (
        ("en", "re-ranking fewer documents costs 3,200 EUR more"),
        ("ja", "3,200 EUR高く"),
    ):
        assert text in said(language, fewer=True)
    low = said("en", instance_availability=0.5)
    assert "availability of one stage reaches 75 %, less than the 99.9 % asked for" in low


def test_where_all_is_free_the_re_ranker_is_no_share_of_it() -> None:
    prices = ("instance_price", "rerank_price", "training_price", "person_price")
    assert "0.00 EUR with two, of which 0 % is the re-ranker's part" in said(
        "en", **dict.fromkeys(prices, 0.0)
    )


def test_money_is_shown_with_three_digits() -> None:
    shown = [show_money(x) for x in (12345.6, -999.6, 12.34, 0.126, math.inf)]
    assert shown == ["12,300", "−1,000", "12.3", "0.13", "∞"]
