"""Queries: both languages, slips of the fingers, and nothing asked that the words do not say."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.samples.kinds import KINDS
from gradus.catalog.samples.parts import FINISHES_JA, MATERIALS
from gradus.catalog.samples.plan import plan_parts
from gradus.catalog.samples.queries import build_queries, split_queries
from gradus.catalog.samples.sheet import number
from gradus.catalog.samples.tables import BEARING
from gradus.catalog.samples.titles import title_en, title_ja
from gradus.catalog.samples.wording import full_width, half_width, misspell


@pytest.fixture(scope="module")
def parts():
    return plan_parts(1000, np.random.default_rng(1))


@pytest.fixture(scope="module")
def queries(parts):
    return build_queries(parts, 1500, np.random.default_rng(2))


def test_words_and_pictures_come_in_the_promised_shares(queries):
    words = [q for q in queries if q.picture < 0]
    pictures = [q for q in queries if q.picture >= 0]
    assert 0.05 <= len(pictures) / len(queries) <= 0.08
    assert {bool(q.text) for q in pictures} == {True, False}
    assert all(q.text for q in words)
    assert len({q.text for q in words}) == len(words)
    japanese = sum(not q.text.isascii() for q in words) / len(words)
    assert 0.4 <= japanese <= 0.6


def test_sizes_asked_for_stand_in_the_words(queries):
    for q in queries:
        if q.picture >= 0 or q.wanted.kind == "ball bearing":
            continue
        plain = unicodedata.normalize("NFKC", q.text)
        for value in q.wanted.sizes.values():
            assert number(value) in plain, q


def test_exact_materials_and_standards_stand_in_the_words(queries):
    exact = [q for q in queries if q.picture < 0 and q.wanted.standard]
    assert len(exact) > 200
    for q in exact:
        assert q.wanted.standard.lower() in unicodedata.normalize("NFKC", q.text).lower()
        assert q.wanted.material in MATERIALS


def test_a_bearing_number_asks_for_its_dimensions(queries):
    asked = 0
    for q in queries:
        found = re.search(r"(?<!\d)6[0-3]\d\d(?!\d)", unicodedata.normalize("NFKC", q.text))
        if q.wanted.kind == "ball bearing" and found:
            bore, outer, width = BEARING[int(found[0])]
            assert q.wanted.sizes == {"bore": bore, "diameter": outer, "width": width}
            asked += 1
    assert asked > 5


def test_queries_for_the_same_thing_share_their_split(queries):
    novel = split_queries(queries, np.random.default_rng(0))
    sides = {}
    for q, side in zip(queries, novel, strict=True):
        w = q.wanted
        key = (w.kind, w.material, w.material_group, w.finish, w.standard, tuple(sorted(w.sizes.items())))
        assert sides.setdefault(key, bool(side)) == bool(side)
    assert novel.mean() == pytest.approx(0.2, abs=0.05)


def test_a_tiny_catalogue_still_gives_all_its_queries():
    parts = plan_parts(1, np.random.default_rng(0))
    assert len(build_queries(parts, 200, np.random.default_rng(0))) == 200


def test_titles_name_what_the_columns_say(parts):
    rng = np.random.default_rng(0)
    for p in parts[:200]:
        english, japanese = title_en(p, rng), title_ja(p, rng)
        for title in (english, japanese):
            assert p.size in title
            assert p.material in title
            assert p.standard in title
        assert p.finish.lower() in english.lower()
        assert FINISHES_JA[p.finish] in japanese
        assert any(name.lower() in english.lower() for name in KINDS[p.kind].en)
        assert any(name in japanese for name in KINDS[p.kind].ja)


def test_full_and_half_width_forms():
    assert full_width("M8x30 六角") == "Ｍ８ｘ３０ 六角"
    assert half_width("ボルト プーリー 六角") == "ﾎﾞﾙﾄ ﾌﾟｰﾘｰ 六角"


@given(st.text(alphabet="ボルトプーリガギグヴ平座金M8x30 ", max_size=20))
def test_width_forms_normalise_back(text):
    assert unicodedata.normalize("NFKC", half_width(text)) == text
    assert unicodedata.normalize("NFKC", full_width(text)) == text


def test_a_slip_spares_sizes_and_hits_one_word():
    seen = {misspell("flange M20x2.5 SUS304", np.random.default_rng(i)) for i in range(60)}
    assert {"flnage M20x2.5 SUS304", "fange M20x2.5 SUS304", "fllange M20x2.5 SUS304"} <= seen
    assert all(text.endswith(" M20x2.5 SUS304") and text[0] == "f" for text in seen)
    assert misspell("プーリー", np.random.default_rng(0)) == "プリー"
    assert misspell("M8 6204", np.random.default_rng(0)) == "M8 6204"
