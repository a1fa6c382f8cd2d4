"""Parts: sizes from the tables, every kind drawn, lines where the geometry says."""

import math

import numpy as np
import pytest

from gradus.catalog.samples.kinds import KINDS
from gradus.catalog.samples.kinds.shapes import hexagon, minor
from gradus.catalog.samples.parts import COLUMNS, FINISHES_JA, MATERIALS, mass
from gradus.catalog.samples.pen import THICK, Line, Pen, lettering, save_png
from gradus.catalog.samples.plan import plan_parts, split_families
from gradus.catalog.samples.render import draw_query, draw_sheet
from gradus.catalog.samples.sheet import (
    BLOCK_HEIGHT,
    BLOCK_WIDTH,
    HEIGHT,
    MARGIN,
    SCALES,
    WIDTH,
    Box,
    Heading,
    Look,
    Sheet,
    scale_text,
)
from gradus.catalog.samples.tables import (
    BEARING,
    HEXAGON,
    KEY,
    O_RING_ISO,
    O_RING_JIS,
    PITCH,
    SCREW_LENGTHS,
    SOCKET,
    key_width,
)


@pytest.fixture(scope="module")
def parts():
    return plan_parts(1200, np.random.default_rng(7))


def of_kind(parts, name):
    found = [p for p in parts if p.kind == name]
    assert found
    return found


def test_there_are_enough_kinds_and_all_turn_up(parts):
    assert len(KINDS) >= 14
    assert {p.kind for p in parts} == set(KINDS)


def test_threads_heads_and_lengths_are_those_of_the_standards(parts):
    for p in of_kind(parts, "hex bolt"):
        d = int(p.dims["diameter"])
        assert (p.dims["pitch"], p.dims["flats"], p.dims["head"]) == (PITCH[d], *HEXAGON[d][:2])
        assert p.dims["length"] in SCREW_LENGTHS
        assert p.dims["thread"] <= p.dims["length"]
    for p in of_kind(parts, "socket screw"):
        assert p.dims["head_d"] == SOCKET[int(p.dims["diameter"])][0]


def test_a_bolt_everybody_knows():
    """ISO 4014 M10×80: 26 mm of thread, 16 mm across flats, head 6.4 mm, pitch 1.5 mm."""
    kind = KINDS["hex bolt"]
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(5000):
        dims = kind.nominal(rng, "ISO 4014")
        dims |= kind.vary(dims, rng)
        if dims["diameter"] == 10 and dims["length"] == 80:
            found.add((dims["thread"], dims["flats"], dims["head"], dims["pitch"]))
    assert found == {(2 * 10 + 6, 16, 6.4, 1.5)}


def test_bearings_keys_and_o_rings_are_in_their_tables(parts):
    for p in of_kind(parts, "ball bearing"):
        assert BEARING[int(p.dims["code"])] == (p.dims["bore"], p.dims["diameter"], p.dims["width"])
    for p in of_kind(parts, "key"):
        height, low, high, _, _ = KEY[int(p.dims["width"])]
        assert p.dims["thickness"] == height
        assert low <= p.dims["length"] <= high
    for p in of_kind(parts, "o-ring"):
        table = O_RING_JIS if p.standard == "JIS B 2401" else O_RING_ISO
        assert table[p.size] == (p.dims["bore"], p.dims["thickness"])
    assert [key_width(d) for d in (8, 17, 18, 30, 31, 50)] == [2, 5, 6, 8, 10, 14]


def test_bores_fit_into_their_parts(parts):
    for p in parts:
        if p.dims.get("bore") and "diameter" in p.dims:
            assert p.dims["bore"] < p.dims["diameter"], p
        assert p.finish in MATERIALS[p.material].finishes
        assert p.material in KINDS[p.kind].materials
        assert p.finish in FINISHES_JA
        assert p.finish != "hard chrome" or KINDS[p.kind].group in ("shaft", "drive", "pin")
        assert all(math.isfinite(v) and v >= 0 for v in p.dims.values()), p
        assert set(COLUMNS) & set(p.dims)
        assert mass(KINDS[p.kind], p) > 0


def test_masses_are_those_a_scale_would_show():
    """Spot checks: a 6204 weighs 106 g by maker's catalogue, an M8 nut about 5 g, a Ø10×40 pin 24.7 g."""
    rng = np.random.default_rng(0)
    ball = {"bore": 20.0, "diameter": 47.0, "width": 14.0}
    assert KINDS["ball bearing"].volume(ball) * 7.83 / 1000 == pytest.approx(106, rel=0.1)
    assert KINDS["parallel pin"].volume({"diameter": 10.0, "length": 40.0}) == pytest.approx(
        math.pi * 25 * 40
    )
    nut = KINDS["hex nut"].nominal(rng, "ISO 4032") | {"diameter": 8.0, "flats": 13.0, "thickness": 6.8}
    assert KINDS["hex nut"].volume(nut) * 7.85 / 1000 == pytest.approx(5.2, rel=0.1)


def test_no_two_parts_are_equal_and_families_share_what_they_must(parts):
    keys = {(p.kind, p.standard, p.material, p.finish, *sorted(p.dims.items())) for p in parts}
    assert len(keys) == len(parts)
    families = {}
    for p in parts:
        assert families.setdefault(p.family, (p.kind, p.standard, p.material)) == (
            p.kind,
            p.standard,
            p.material,
        )
    assert 1.5 < len(parts) / len(families) < 6


def test_families_never_straddle_and_half_is_novel(parts):
    novel = split_families(parts, np.random.default_rng(0))
    sides = {}
    for p, side in zip(parts, novel, strict=True):
        assert sides.setdefault(p.family, bool(side)) == bool(side)
    assert novel.mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_draws_in_all_its_variants(name):
    kind, rng = KINDS[name], np.random.default_rng(11)
    pictures = set()
    for i in range(40):
        standard = kind.standards[i % len(kind.standards)]
        dims = kind.nominal(rng, standard)
        dims |= kind.vary(dims, rng)
        heading = Heading(kind.en[0].upper(), kind.label(dims), "S45C", "plain", standard, f"GR-{i:05d}")
        sheet = Sheet(heading, Look())
        kind.draw(sheet, dims)
        image = np.asarray(sheet.pen.finish())
        assert image.shape == (HEIGHT, WIDTH)
        ink = image < 128
        assert ink.sum() > 500
        assert ink.mean() < 0.35
        # The views keep inside the border and off the title block, neither of which is drawn yet.
        inside = np.zeros_like(ink)
        inside[MARGIN + 1 : HEIGHT - MARGIN - 1, MARGIN + 1 : WIDTH - MARGIN - 1] = True
        inside[HEIGHT - MARGIN - BLOCK_HEIGHT :, WIDTH - MARGIN - BLOCK_WIDTH :] = False
        assert not (ink & ~inside).any(), (dims, standard)
        pictures.add(image.tobytes())
    assert len(pictures) > 15


def test_projection_follows_the_standard():
    """From the left: on the left in third angle (JIS), on the right in first angle (ISO)."""
    box = Box(0, -5, 20, 5)
    side = Box(-5, -5, 5, 5)
    for standard, sign in (("JIS B 1180", -1), ("ISO 4017", 1)):
        sheet = Sheet(Heading("", "", "", "", standard, ""), Look())
        front, left = sheet.beside(box, side)
        assert np.sign(left.at(0, 0)[0] - front.at(10, 0)[0]) == sign
        assert left.at(0, 0)[1] == front.at(0, 0)[1]
        sheet = Sheet(Heading("", "", "", "", standard, ""), Look())
        front, plan = sheet.stacked(box, Box(0, -3, 20, 3))
        assert np.sign(plan.at(0, 0)[1] - front.at(0, 0)[1]) == sign
        assert plan.at(0, 0)[0] == front.at(0, 0)[0]


def test_sheets_keep_to_standard_scales(parts):
    for p in parts[:100]:
        kind = KINDS[p.kind]
        sheet = Sheet(Heading("", p.size, p.material, p.finish, p.standard, ""), Look())
        kind.draw(sheet, p.dims)
        assert sheet.scale in SCALES, p
    assert [scale_text(s) for s in (5, 2.5, 1, 0.5, 1 / 1.5)] == ["5:1", "2.5:1", "1:1", "1:2", "1:1.5"]


def test_thread_and_hexagon_geometry():
    assert minor(8, 1.25) == pytest.approx(6.466, abs=1e-3)  # ISO 724, M8 external d3
    corners = hexagon(0, 0, 13)
    assert max(y for _, y in corners) == pytest.approx(13 / math.sqrt(3))
    assert max(x for x, _ in corners) == pytest.approx(13 / 2)


def test_a_stroke_inks_its_line_and_dashes_leave_gaps():
    solid, dashed = Pen(60, 20), Pen(60, 20)
    solid.stroke([(10, 10), (50, 10)], THICK)
    dashed.stroke([(10, 10), (50, 10)], Line(1.6, (5, 5)))
    row = np.asarray(solid.finish())[10] < 128
    assert row[11:49].all()
    assert not row[:9].any()
    assert not row[52:].any()
    gaps = np.asarray(dashed.finish())[10] < 128
    assert gaps[11:14].all()
    assert not gaps[16:19].any()
    assert gaps.sum() == pytest.approx(20, abs=4)


def test_hatching_keeps_to_its_face():
    pen = Pen(60, 60)
    pen.hatch(
        [(10, 10), (50, 10), (50, 50), (10, 50)], [[(25, 25), (35, 25), (35, 35), (25, 35)]], 4, left=False
    )
    ink = np.asarray(pen.finish()) < 200
    assert ink[12:24, 12:48].mean() > 0.1
    assert not ink[:, :9].any()
    assert not ink[26:34, 26:34].any()
    rows, columns = np.nonzero(ink[11:24, 11:49])
    # 45°: along a line, row + column stays constant; its remainders by the spacing cluster.
    phase = np.exp(2j * np.pi * (rows + columns) / (4 * math.sqrt(2)))
    assert abs(phase.mean()) > 0.5


def test_lettering_has_the_signs_the_bundled_face_lacks():
    assert lettering("Ø20", 9).width > lettering("20", 9).width
    assert lettering("Ø", 9).getbbox() is not None
    assert lettering("×", 9).tobytes() != lettering("Ø", 9).tobytes()


def test_saved_drawings_are_small_and_keep_their_greys(tmp_path, parts):
    from PIL import Image

    image = draw_sheet(parts[0], 0, Look())
    save_png(image, str(tmp_path / "a.png"))
    with Image.open(tmp_path / "a.png") as loaded:
        grey = np.asarray(loaded.convert("L"), int)
    assert np.abs(grey - np.asarray(image, int)).max() <= 255 / 15 / 2 + 1
    assert (tmp_path / "a.png").stat().st_size < 12_000


def test_pictures_in_queries_differ_from_the_catalogue(parts):
    for i, p in enumerate(parts[:40]):
        rng = np.random.default_rng(i)
        image = draw_query(p, 0, i % 2 == 0, rng)
        assert min(image.size) >= 10
        assert image.size != (WIDTH, HEIGHT)
        assert (np.asarray(image) < 128).any()
