"""The true relevance against arithmetic on paper and a loop over documents."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.samples.kinds import KINDS
from gradus.catalog.samples.parts import MATERIALS, Part
from gradus.catalog.samples.plan import plan_parts
from gradus.catalog.samples.queries import build_queries
from gradus.catalog.samples.relevance import (
    DEPTH,
    FLOOR,
    Wanted,
    attributes,
    best_judged,
    draw_appeal,
    match,
    relevance,
    scores,
    size_match,
)


def part(kind="hex bolt", material="SUS304", finish="plain", standard="ISO 4017", **dims):
    return Part(kind, standard, material, finish, "", "", dims)


def test_match_is_the_arithmetic_of_its_equation():
    documents = attributes(
        [
            part(diameter=8.0, length=30.0),
            part(diameter=10.0, length=30.0, material="SUS316", finish="passivated"),
            part(kind="stud", diameter=8.0, length=60.0, material="S45C"),
            part(kind="washer", diameter=8.0),
        ]
    )
    wanted = Wanted("hex bolt", material="SUS304", finish="plain", sizes={"diameter": 8.0, "length": 30.0})
    size_2 = (math.exp(-math.log(10 / 8) / 0.2) + 1) / 2
    size_3 = (1 + math.exp(-math.log(60 / 30) / 0.2)) / 2
    expected = [
        0.4 + 0.6 * (2 * 1 + 1 + 1) / 4,
        0.4 + 0.6 * (2 * size_2 + 0.5 + 0) / 4,
        0.35 * (0.4 + 0.6 * (2 * size_3 + 0 + 1) / 4),
        0.0,
    ]
    assert match(wanted, documents) == pytest.approx(expected)


def test_a_group_of_materials_and_a_standard_count_once_each():
    documents = attributes([part(), part(material="SUS316", standard="ISO 4014"), part(material="S45C")])
    wanted = Wanted("hex bolt", material_group="stainless", standard="ISO 4017")
    assert match(wanted, documents) == pytest.approx([1.0, 0.4 + 0.6 * 1 / 2, 0.4 + 0.6 * 1 / 2])


def test_a_kind_alone_is_met_in_full():
    assert match(Wanted("hex bolt"), attributes([part(), part(kind="set screw")])) == pytest.approx(
        [1.0, 0.35]
    )


@given(st.floats(0.1, 500), st.floats(0.1, 500), st.floats(0.01, 100))
def test_size_match_depends_on_the_ratio_alone_and_is_symmetric(a, b, unit):
    ahead, back, scaled = (
        float(size_match(x, np.array([y]))[0]) for x, y in ((a, b), (b, a), (a * unit, b * unit))
    )
    assert 0 <= ahead <= 1
    assert ahead == pytest.approx(back)
    assert ahead == pytest.approx(scaled, abs=1e-9)


def test_a_missing_size_matches_nothing():
    assert size_match(8.0, np.array([np.nan, 0.0, 8.0])).tolist() == [0.0, 0.0, 1.0]


def test_relevance_and_scores_are_visible_arithmetic():
    relevant = relevance(np.array([1.0, 1.0, 0.5, 0.2]), np.array([0.8, 0.2, 0.6, 1.0]))
    assert relevant == pytest.approx([1 * 0.9, 1 * 0.6, 0.5 * 0.8, 0.2 * 1.0])
    span = 0.9 - FLOOR
    assert scores(relevant) == pytest.approx([1.0, (0.6 - FLOOR) / span, (0.4 - FLOOR) / span, 0.0])


def test_nothing_above_the_floor_is_nothing_judged():
    score = scores(np.array([FLOOR, 0.1]))
    assert score.tolist() == [0.0, 0.0]
    assert best_judged(score, np.array([True, True])).size == 0


def test_the_best_of_a_part_come_first_and_at_most_forty():
    score = np.linspace(0, 1, 101)
    even = np.arange(101) % 2 == 0
    assert best_judged(score, even).tolist() == list(range(100, 100 - 2 * DEPTH, -2))


def test_match_agrees_with_a_loop_over_documents():
    parts = plan_parts(300, np.random.default_rng(3))
    documents = attributes(parts)
    for query in build_queries(parts, 60, np.random.default_rng(4)):
        assert match(query.wanted, documents) == pytest.approx([slow_match(query.wanted, p) for p in parts])


def slow_match(wanted, p):
    kind = 1.0 if p.kind == wanted.kind else 0.35 if KINDS[p.kind].group == KINDS[wanted.kind].group else 0.0
    top = bottom = 0.0
    if wanted.sizes:
        each = []
        for name, asked in wanted.sizes.items():
            actual = p.dims.get(name, 0.0)
            each.append(math.exp(-abs(math.log(actual / asked)) / 0.2) if actual > 0 else 0.0)
        top, bottom = top + 2 * sum(each) / len(each), bottom + 2
    if wanted.material:
        same = MATERIALS[p.material].group == MATERIALS[wanted.material].group
        top, bottom = top + (1.0 if p.material == wanted.material else 0.5 if same else 0.0), bottom + 1
    if wanted.material_group:
        top, bottom = top + (MATERIALS[p.material].group == wanted.material_group), bottom + 1
    for asked, actual in ((wanted.finish, p.finish), (wanted.standard, p.standard)):
        if asked:
            top, bottom = top + (asked == actual), bottom + 1
    return kind * (0.4 + 0.6 * (top / bottom if bottom else 1.0))


def test_attributes_explain_half_of_the_preference():
    parts = plan_parts(1500, np.random.default_rng(0))
    appeal = np.stack([draw_appeal(attributes(parts), np.random.default_rng(i)) for i in range(20)], axis=1)
    logit = np.log(appeal / (1 - appeal))
    columns = [
        np.array([getattr(p, name) for p in parts]) for name in ("kind", "material", "finish", "standard")
    ]
    design = np.hstack([c[:, None] == np.unique(c)[None, :] for c in columns]).astype(float)
    fitted = design @ np.linalg.lstsq(design, logit, rcond=None)[0]
    assert np.mean(fitted.var(axis=0) / logit.var(axis=0)) == pytest.approx(0.5, abs=0.08)
