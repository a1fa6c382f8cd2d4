import json
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gradus.catalog.infer import infer_settings
from gradus.catalog.read import open_catalog
from gradus.errors import CatalogError
from gradus.settings import Settings, read_settings


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inferred(path: str, judgments: str | None = None) -> Settings:
    """What `read_settings` makes of the proposed text, saved as gradus.toml."""
    text = infer_settings(Path(path), Path(judgments) if judgments else None)
    Path("gradus.toml").write_text(text, encoding="utf-8")
    return read_settings(Path("gradus.toml"))


def write_jsonl(name: str, rows: list[dict[str, Any]]) -> str:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return name


def part(n: int) -> dict[str, Any]:
    return {
        "name": f"part-{n}",
        "doc_id": f"d{n}",
        "title": f"六角ボルト number {n}",
        "material": ["steel", "brass", "A2-70"][n % 3],
        "diameter": n / 2,
        "image": f"images/{n}.png",
        "thumb": f"https://example.com/{n}.png",
        "ean": 4006381333931 + n,
        "added": f"2024-01-{n % 28 + 1:02d}",
        "currency": "EUR",
        "note": None,
        "in_stock": n % 2 == 0,
        "thread_series": ["coarse", "fine"][n % 2],
        "product_family": f"family {n // 4}",
        'odd "name"\n': f"words {n} of their own",
        "rare": "seldom" if n == 7 else None,
    }


def test_each_kind_of_column_is_told(here: Path) -> None:
    path = write_jsonl("parts/catalog.jsonl", [part(n) for n in range(120)])
    settings = inferred(path)
    assert (settings.catalog.path, settings.catalog.id) == ("parts/catalog.jsonl", "doc_id")
    assert settings.encoder.exact_terms == 512
    assert settings.encoder.prior == 2.0
    assert settings.catalog.fields == {
        "name": {"type": "text", "weight": 1.0},
        "title": {"type": "text", "weight": 1.0},
        "material": {"type": "category", "weight": 0.3},
        "diameter": {"type": "number", "weight": 0.3},
        "image": {"type": "image", "weight": 1.0},
        "in_stock": {"type": "category", "weight": 0.0},
        "thread_series": {"type": "category", "weight": 0.3},
        "product_family": {"type": "category", "weight": 0.0},
        'odd "name"\n': {"type": "text", "weight": 1.0},
    }
    assert settings.split.document_group == "product_family"
    assert settings.query.fields == {"query": {"type": "text", "weight": 1.0}}
    text = Path("gradus.toml").read_text(encoding="utf-8")
    for line in ("# thumb: left out; web addresses; download", "# ean: left out; ids", "# added: left out; dates",
                 "# currency: left out; the same wherever it is filled: EUR", "# note: left out; empty",
                 "# rare: left out; filled in 0.83%"):  # fmt: skip
        assert line in text
    assert len(open_catalog(settings)) == 120


def test_queries_come_from_the_judgments_beside_the_catalogue(here: Path) -> None:
    write_jsonl("parts/catalog.jsonl", [part(n) for n in range(9)])
    (here / "parts" / "judgments.csv").write_text(
        "query_id,query,query_image,doc_id,grade,query_split\n"
        "q1,bolt,q/1.png,d1,3,train\nq1,bolt,q/1.png,d2,1,train\nq2,ナット,,d1,0,novel\n",
        encoding="utf-8",
    )
    settings = inferred("parts/catalog.jsonl")
    assert settings.query.fields == {
        "query": {"type": "text", "weight": 1.0},
        "query_image": {"type": "image", "weight": 1.0},
    }
    assert settings.judgments.path == "parts/judgments.csv"
    assert (settings.judgments.score, settings.judgments.scale) == ("grade", 3.0)


def test_given_judgments_in_qrels_form_ask_for_the_texts(here: Path) -> None:
    path = write_jsonl("catalog.jsonl", [part(n) for n in range(9)])
    (here / "test.qrels").write_text("q1 0 d1 3\n")
    settings = inferred(path, "test.qrels")
    assert (settings.judgments.path, settings.query.path) == ("test.qrels", "queries.csv")
    assert settings.judgments.scale == 3
    (here / "queries.csv").write_text("query_id,words\nq1,bolt\n")
    assert list(inferred(path, "test.qrels").query.fields) == ["words"]
    (here / "test.qrels").write_text("q1 d1 3\n")
    with pytest.raises(CatalogError, match=r"test\.qrels is not of the form of TREC qrels"):
        infer_settings(Path(path), Path("test.qrels"))


def test_a_folder_of_judgments_is_named(here: Path) -> None:
    path = write_jsonl("catalog.jsonl", [part(n) for n in range(9)])
    (here / "gs").mkdir()
    assert inferred(path, "gs").judgments.path == "gs"


def test_the_id_is_found_by_name_then_by_form(here: Path) -> None:
    rows = [{"label": f"a word {n}", "title": f"t{n}", "SKU": f"s{n}", "same": "x"} for n in range(4)]
    assert inferred(write_jsonl("a.jsonl", rows)).catalog.id == "SKU"
    unnamed = [{key: row[key] for key in ("label", "title")} for row in rows]
    assert inferred(write_jsonl("b.jsonl", unnamed)).catalog.id == "title"
    with pytest.raises(CatalogError, match="no column is filled and different"):
        infer_settings(Path(write_jsonl("c.jsonl", [{"a": 1}, {"a": 1}])))


def test_the_id_is_the_column_that_the_judgments_speak_of(here: Path) -> None:
    rows = [{"id": n, "sku": f"s{n}", "file": f"{n}.png", "title": f"t{n}"} for n in range(4)]
    path = write_jsonl("catalog.jsonl", rows)
    assert inferred(path).catalog.id == "id"
    (here / "judgments.csv").write_text("query,doc_id,score\nbolt,s1,1\nnut,s3,0\nnut,gone,0\n")
    assert inferred(path).catalog.id == "sku"
    (here / "judgments.csv").write_text("query,sku,score\nbolt,s1,1\n")
    settings = inferred(path)
    assert (settings.catalog.id, settings.judgments.doc_id) == ("sku", "sku")
    (here / "judgments.csv").write_text("query,doc_id,score\nbolt,other,1\n")
    assert (inferred(path).catalog.id, inferred(path).judgments.doc_id) == ("id", "doc_id")


def test_ids_may_look_like_names_of_pictures(here: Path) -> None:
    rows = [{"title": f"t{n}", "doc_id": f"{n}.png", "picture": f"p/{n}.png"} for n in range(4)]
    settings = inferred(write_jsonl("a.jsonl", rows))
    assert settings.catalog.id == "doc_id"
    assert settings.catalog.fields["picture"]["type"] == "image"


def test_a_folder_of_images(here: Path) -> None:
    (here / "pictures").mkdir()
    for n in range(3):
        (here / "pictures" / f"{n}.jpg").touch()
    settings = inferred("pictures")
    assert (settings.catalog.path, settings.catalog.id) == ("pictures", "doc_id")
    assert settings.catalog.fields == {"image": {"type": "image", "weight": 1.0}}


def test_embedded_images(here: Path) -> None:
    images = [{"bytes": b"x", "path": None}, {"bytes": b"y", "path": None}]
    pq.write_table(pa.table({"id": ["a", "b"], "image": images}), "train.parquet")
    settings = inferred("train.parquet")
    assert settings.catalog.fields == {"image": {"type": "image", "weight": 1.0}}
    assert settings.encoder.exact_terms == 0  # no text to find terms in
    assert settings.encoder.prior == 0.0


def test_vectors_are_no_text(here: Path) -> None:
    rows = [
        {"id": f"a{n}", "title": f"t{n}", "embedding": [n / 7, 0.5], "sizes": [n, n + 1]} for n in range(9)
    ]
    assert list(inferred(write_jsonl("c.jsonl", rows)).catalog.fields) == ["title", "sizes"]


def test_nothing_to_encode_is_an_error(here: Path) -> None:
    path = write_jsonl("c.jsonl", [{"id": "a", "url": "https://a.b/c"}, {"id": "b", "url": "https://a.b/d"}])
    with pytest.raises(CatalogError, match=r"no text, image, category or number .*url: web addresses"):
        infer_settings(Path(path))


def test_real_catalogues(shared_data: Path) -> None:
    fashion = tomllib.loads(infer_settings(shared_data / "fashion" / "products.csv"))["catalog"]
    assert fashion["id"] == "id"
    kinds = {name: field["type"] for name, field in fashion["fields"].items()}
    categories = ("gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "usage")
    assert kinds == {
        **dict.fromkeys(categories, "category"),
        "year": "number",
        "productDisplayName": "text",
        "image": "image",
    }
    drawings = tomllib.loads(infer_settings(shared_data / "kicad_footprints" / "items.csv"))["catalog"]
    assert {"name", "descr", "tags", "pads"} < set(drawings["fields"])
    assert "path" not in drawings["fields"]
