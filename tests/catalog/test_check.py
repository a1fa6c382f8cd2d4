import csv
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gradus.catalog import fix
from gradus.catalog.check import CheckReport, check_catalog, write_fixed
from gradus.catalog.read import open_catalog, read_arrow
from gradus.errors import CatalogError
from gradus.settings import Settings, from_mapping

FIELDS: dict[str, Any] = {
    "title": {"type": "text"},
    "size": {"type": "number", "weight": 0.3},
    "image": {"type": "image"},
}
ROWS = [
    ("a", "bolt", "1", "images/a.png", "kept"),
    ("b", "bolt", "1", "images/copy.png", ""),  # the content of a
    ("a", "bolt", "1", "images/a.png", ""),  # the id of a
    ("", "pin", "3", "", ""),
    ("c", "cafÃ©", "3 mm", "images/lost.png", ""),
    ("d", "", "", "images/cut.png", ""),  # nothing usable
    ("e", "gear", "4,5", "images/huge.png", ""),
    ("f", "ばね", "1,200", "", ""),
]


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 30), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def messy(tmp_path: Path) -> Settings:
    """A catalogue with one of each thing that can be wrong."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    huge = bytearray(png(0))
    huge[16:24] = (9000).to_bytes(4, "big") * 2  # width and height in the header, then its checksum
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    for name, content in [("a", png(1)), ("copy", png(1)), ("cut", png(2)[:60]), ("huge", bytes(huge))]:
        (folder / "images" / f"{name}.png").write_bytes(content)
    with (folder / "catalog.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("doc_id", "title", "size", "image", "extra"), *ROWS])
    return from_mapping({"catalog": {"path": "data/catalog.csv", "fields": FIELDS}}, tmp_path)


def by_code(report: CheckReport) -> dict[str, tuple[str, list[str], int]]:
    return {f.code: (f.severity, f.ids, f.count) for f in report.findings}


def test_everything_wrong_is_reported_at_once(messy: Settings) -> None:
    report = check_catalog(messy)
    assert by_code(report) == {
        "empty-id": ("error", [""], 1),
        "duplicate-id": ("error", ["a"], 1),
        "bad-number": ("error", ["c", "e"], 2),
        "missing-image": ("error", ["c"], 1),
        "unusable-image": ("error", ["d"], 1),
        "huge-image": ("error", ["e"], 1),
        "empty-document": ("warning", ["d"], 1),
        "duplicate-document": ("warning", ["b"], 1),
        "mis-encoded": ("warning", ["c"], 1),
        "constant-field": ("warning", [], 3),  # the images left are all the same
    }
    reasons = {finding.code: finding.reasons for finding in report.findings}
    assert "'3 mm' is not a number" in reasons["bad-number"][0]
    assert reasons["missing-image"][0].endswith("lost.png")
    assert "9000 × 9000" in reasons["huge-image"][0]
    assert reasons["duplicate-document"] == ["same as 'a'"]
    documents = next(f for f in report.findings if f.code == "duplicate-document")
    assert documents.message == "documents equal to an earlier one in all fields: 1"
    assert report.errors == report.findings[:6]
    with pytest.raises(CatalogError):
        open_catalog(messy)


def test_fields_are_described(messy: Settings) -> None:
    report = check_catalog(messy)
    assert report.rows == 8
    title, size, image = report.fields
    assert (title.filled, title.fill_rate, title.distinct) == (7, 7 / 8, 5)
    assert title.examples[0] == "bolt"
    assert (size.filled, size.distinct, size.minimum, size.maximum) == (5, 3, 1.0, 1200.0)
    assert (image.filled, image.distinct) == (3, 1)  # a, its copy, and a again
    assert json.loads(json.dumps(report.as_dict()))["fields"][1]["maximum"] == 1200.0


def test_progress_counts_images(messy: Settings) -> None:
    seen: list[tuple[int, int]] = []
    check_catalog(messy, lambda done, total: seen.append((done, total)))
    assert seen == [(done, 8) for done in range(1, 9)]


def test_fields_that_say_little(tmp_path: Path) -> None:
    rows = "".join(f"{n},part {n},,{'rare' if n == 0 else ''},steel\n" for n in range(50))
    (tmp_path / "catalog.csv").write_text("doc_id,title,empty,rare,same\n" + rows)
    fields: dict[str, Any] = {name: {} for name in ("title", "empty", "rare", "same")}
    report = check_catalog(from_mapping({"catalog": {"fields": fields}}, tmp_path))
    assert by_code(report) == {
        "empty-field": ("warning", [], 50),
        "low-fill": ("warning", [], 1),
        "constant-field": ("warning", [], 50),
    }


def test_a_clean_catalogue_has_no_findings(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text("doc_id,title\na,bolt\nb,ボルト\n", encoding="utf-8")
    settings = from_mapping({"catalog": {"fields": {"title": {}}}}, tmp_path)
    assert check_catalog(settings).findings == []


def test_ids_are_listed_up_to_twenty(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text("doc_id,n\n" + "".join(f"{n},x\n" for n in range(50)))
    settings = from_mapping({"catalog": {"fields": {"n": {"type": "number"}}}}, tmp_path)
    finding = check_catalog(settings).findings[0]
    assert (len(finding.ids), len(finding.reasons), finding.count) == (20, 20, 50)


def test_what_cannot_be_read_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text("doc_id,title\n")
    with pytest.raises(CatalogError, match="no rows"):
        check_catalog(from_mapping({"catalog": {"fields": {"title": {}}}}, tmp_path))
    (tmp_path / "catalog.csv").write_text("doc_id,name\na,b\n")
    with pytest.raises(CatalogError, match="no column 'title'"):
        check_catalog(from_mapping({"catalog": {"fields": {"title": {}}}}, tmp_path))


def as_csv(settings: Settings) -> tuple[Settings, str]:
    return settings, ".csv"


def as_jsonl(settings: Settings) -> tuple[Settings, str]:
    table = read_arrow(settings.resolve("data/catalog.csv"))
    lines = [json.dumps({k: v for k, v in row.items() if v}, ensure_ascii=False) for row in table.to_pylist()]
    settings.resolve("data/catalog.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return settings.with_values({"catalog.path": "data/catalog.jsonl"}), ".jsonl"


def as_parquet(settings: Settings) -> tuple[Settings, str]:
    pq.write_table(read_arrow(settings.resolve("data/catalog.csv")), settings.resolve("data/catalog.parquet"))
    return settings.with_values({"catalog.path": "data/catalog.parquet"}), ".parquet"


def as_folder(settings: Settings) -> tuple[Settings, str]:
    text = settings.resolve("data/catalog.csv").read_text(encoding="utf-8")
    settings.resolve("data/metadata.csv").write_text(
        text.replace("image,", "file_name,", 1), encoding="utf-8"
    )
    settings.resolve("data/catalog.csv").unlink()
    return settings.with_values({"catalog.path": "data"}), ".csv.gz"


@pytest.mark.parametrize("form", [as_csv, as_jsonl, as_parquet, as_folder])
@pytest.mark.parametrize("place", ["data", "elsewhere/deep"])
def test_the_fixed_copy_is_clean_and_complete(
    form: Callable[[Settings], tuple[Settings, str]], place: str, messy: Settings
) -> None:
    settings, suffix = form(messy)
    summary = write_fixed(settings, settings.resolve(f"{place}/clean{suffix}"))
    assert (summary.kept, summary.dropped, summary.emptied) == (6, 2, 5)
    fixed = settings.with_values({"catalog.path": f"{place}/clean{suffix}"})
    table = open_catalog(fixed)
    assert table.ids == ["a", "b", "c", "d", "e", "f"]
    assert table.columns["title"] == ["bolt", "bolt", "cafÃ©", None, "gear", "ばね"]
    assert table.columns["size"] == [1.0, 1.0, None, None, None, 1200.0]
    images = table.columns["image"]
    assert [image and image.resolve() for image in images] == [
        settings.resolve("data/images/a.png").resolve(),
        settings.resolve("data/images/copy.png").resolve(),
        *[None] * 4,
    ]
    assert read_arrow(fixed.resolve(fixed.catalog.path))["extra"].to_pylist()[0] == "kept"
    assert check_catalog(fixed).errors == []
    with summary.rejects.open(encoding="utf-8", newline="") as file:
        rejects = [(r["row"], r["id"], r["column"], r["value"]) for r in csv.DictReader(file)]
    assert summary.rejects.name == "clean.rejects.csv"
    assert sorted(rejects) == [
        ("3", "a", "doc_id", "a"),
        ("4", "", "doc_id", ""),
        ("5", "c", "image", "images/lost.png"),
        ("5", "c", "size", "3 mm"),
        ("6", "d", "image", "images/cut.png"),
        ("7", "e", "image", "images/huge.png"),
        ("7", "e", "size", "4,5"),
    ]


def test_image_paths_stay_where_the_settings_name_their_folder(messy: Settings) -> None:
    settings = messy.with_values({"catalog.images": "data"})
    write_fixed(settings, settings.resolve("clean.csv"))
    fixed = settings.with_values({"catalog.path": "clean.csv"})
    assert open_catalog(fixed).columns["image"][0] == settings.resolve("data/images/a.png")


def test_embedded_images_are_emptied_or_kept(tmp_path: Path) -> None:
    images = [{"bytes": png(1), "path": None}, {"bytes": b"broken", "path": "x.png"}]
    source = pa.table({"doc_id": ["a", "b"], "image": images}).replace_schema_metadata({"huggingface": "{}"})
    pq.write_table(source, tmp_path / "c.parquet")
    settings = from_mapping(
        {"catalog": {"path": "c.parquet", "fields": {"image": {"type": "image"}}}}, tmp_path
    )
    write_fixed(settings, tmp_path / "elsewhere" / "clean.parquet")
    fixed = read_arrow(tmp_path / "elsewhere" / "clean.parquet")
    assert fixed["image"].to_pylist() == [images[0], None]
    assert fixed.schema.equals(source.schema, check_metadata=True)


def test_a_fix_keeps_to_its_format_and_off_its_source(messy: Settings) -> None:
    with pytest.raises(CatalogError, match=r"must end in \.csv"):
        write_fixed(messy, messy.resolve("clean.parquet"))
    with pytest.raises(CatalogError, match="the catalogue itself"):
        write_fixed(messy, messy.resolve("data/catalog.csv"))


def test_a_failing_fix_leaves_no_half_file(messy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(fix, "write_arrow", fail)
    with pytest.raises(OSError, match="disk full"):
        write_fixed(messy, messy.resolve("out/clean.csv"))
    assert sorted(path.name for path in messy.resolve("out").iterdir()) == ["clean.rejects.csv"]


def test_without_fields_the_remedy_is_said(messy: Settings) -> None:
    bare = from_mapping({"catalog": {"path": "data/catalog.csv"}}, messy.root)
    with pytest.raises(CatalogError, match=r"names no \[catalog\.fields\]; `gradus init` writes them"):
        check_catalog(bare)
