"""The sample catalogue as files: the same bytes by seed, whole or not at all, readable by its own settings."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradus.catalog.read import open_catalog, open_queries
from gradus.catalog.samples import drawings, write_drawings
from gradus.catalog.samples.kinds import KINDS
from gradus.errors import CatalogError
from gradus.settings import read_settings


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digest(folder: Path) -> dict[str, str]:
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    }


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "drawings"
    return folder, write_drawings(folder, documents=240, seed=5, processes=1)


def test_the_same_seed_gives_the_same_bytes_on_one_process_or_two(tmp_path):
    write_drawings(tmp_path / "one", documents=30, seed=1, queries=40, processes=1)
    write_drawings(tmp_path / "two", documents=30, seed=1, queries=40, processes=2)
    write_drawings(tmp_path / "other", documents=30, seed=2, queries=40, processes=1)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    one, other = digest(tmp_path / "one"), digest(tmp_path / "other")
    assert one["images/d00000.png"] != other["images/d00000.png"]
    assert one["judgments.csv"] != other["judgments.csv"]


def test_the_catalogue_has_its_columns_and_pictures(sample):
    folder, summary = sample
    documents = rows(folder / "catalog.csv")
    assert list(documents[0]) == [
        "doc_id",
        "title_en",
        "title_ja",
        "image",
        "kind",
        "material",
        "finish",
        "standard",
        "family",
        "diameter_mm",
        "bore_mm",
        "length_mm",
        "width_mm",
        "thickness_mm",
        "pitch_mm",
        "count",
        "mass_g",
    ]
    assert len(documents) == summary.documents == len({d["doc_id"] for d in documents}) == 240
    assert {d["kind"] for d in documents} <= set(KINDS)
    for d in documents:
        with Image.open(folder / d["image"]) as image:
            image.load()
            assert image.size == (320, 240)
        assert float(d["mass_g"]) > 0
        assert all(value == "" or float(value) > 0 for name, value in d.items() if name.endswith("_mm"))


def test_no_two_drawings_are_the_same_picture(sample):
    folder, _ = sample
    pictures = [hashlib.sha256(f.read_bytes()).digest() for f in (folder / "images").iterdir()]
    assert len(set(pictures)) == len(pictures)


def test_queries_have_words_or_a_picture_that_decodes(sample):
    folder, summary = sample
    queries = rows(folder / "queries.csv")
    assert list(queries[0]) == ["query_id", "query", "image"]
    assert len(queries) == summary.queries == 120
    assert all(q["query"] or q["image"] for q in queries)
    pictured = [q for q in queries if q["image"]]
    assert len(pictured) == summary.picture_queries > 0
    for q in pictured:
        with Image.open(folder / q["image"]) as image:
            image.load()


def test_judgments_are_graded_and_split_four_ways(sample):
    folder, summary = sample
    judged = rows(folder / "judgments.csv")
    assert len(judged) == summary.judgments
    assert list(judged[0]) == [
        "query_id",
        "doc_id",
        "score",
        "low",
        "high",
        "source",
        "query_split",
        "doc_split",
    ]
    family = {d["doc_id"]: d["family"] for d in rows(folder / "catalog.csv")}
    query_ids = {q["query_id"] for q in rows(folder / "queries.csv")}
    sides, query_sides, best, depth = {}, {}, {}, {}
    for j in judged:
        score, low, high = (float(j[name]) for name in ("score", "low", "high"))
        assert 0 <= low <= score <= high <= 1
        assert score > 0
        assert j["source"] == "truth"
        assert sides.setdefault(family[j["doc_id"]], j["doc_split"]) == j["doc_split"]
        assert query_sides.setdefault(j["query_id"], j["query_split"]) == j["query_split"]
        best[j["query_id"]] = max(best.get(j["query_id"], 0), score)
        key = (j["query_id"], j["doc_split"])
        depth.setdefault(key, []).append(score)
    assert {(j["query_split"], j["doc_split"]) for j in judged} == {
        (q, d) for q in ("train", "novel") for d in ("train", "novel")
    }
    assert set(best) == query_ids
    assert set(best.values()) == {1.0}
    assert all(len(s) <= 40 and s == sorted(s, reverse=True) for s in depth.values())
    assert len({round(float(j["score"]), 1) for j in judged}) >= 9


def test_its_settings_read_it(sample):
    folder, _ = sample
    settings = read_settings(folder)
    assert len(open_catalog(settings)) == 240
    assert len(open_queries(settings)) == 120
    with (folder / "catalog.csv").open(encoding="utf-8") as file:
        columns = set(next(csv.reader(file)))
    assert set(settings.catalog.fields) | {settings.catalog.id} == columns


def test_progress_counts_up_to_all_pictures(tmp_path):
    calls = []
    summary = write_drawings(
        tmp_path / "d", documents=60, queries=30, progress=lambda *c: calls.append(c), processes=1
    )
    total = 60 + summary.picture_queries
    assert [done for done, _ in calls] == [25, 50, total]
    assert {of for _, of in calls} == {total}


@pytest.mark.parametrize("processes", [1, 2])
def test_an_interrupted_write_leaves_the_old_folder_and_nothing_else(tmp_path, processes):
    folder = tmp_path / "d"
    write_drawings(folder, documents=30, queries=20, processes=1)
    before = digest(folder)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_drawings(folder, documents=60, seed=9, queries=20, progress=stop, processes=processes)
    assert digest(folder) == before
    assert [f.name for f in tmp_path.iterdir()] == ["d"]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drawings, "_write_csv", full)
    with pytest.raises(OSError, match="No space left"):
        write_drawings(tmp_path / "d", documents=3, queries=3, processes=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"documents": 0}, "documents is 0"),
        ({"queries": 0}, "queries is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"processes": 0}, "processes is 0"),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path, arguments, named):
    with pytest.raises(CatalogError, match=named):
        write_drawings(tmp_path / "d", **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("documents", [1, 7])
def test_a_tiny_catalogue_is_complete(tmp_path, documents):
    summary = write_drawings(tmp_path / "d", documents=documents, processes=1)
    assert (summary.documents, summary.queries) == (documents, 60)
    assert np.isfinite([float(j["score"]) for j in rows(tmp_path / "d" / "judgments.csv")]).all()
