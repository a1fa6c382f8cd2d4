"""Search: the nearest documents of the catalogue, and the query that was asked."""

from pathlib import Path

import numpy as np
import pytest
from tiny_shop import draw, make_shop

from gradus.catalog.read import open_catalog
from gradus.catalog.table import Table
from gradus.encoders.encoder import Encoder
from gradus.encoders.saving import load_model
from gradus.errors import CatalogError, ModelError
from gradus.search.engine import Hit
from gradus.search.query import as_query
from gradus.settings import Settings, read_settings
from gradus.workflow.searching import search
from gradus.workflow.training import train


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("shop"), ("title", "picture"), "both")
    train(read_settings(folder).with_values({"training.epochs": 8}), folder / "model")
    return folder


@pytest.fixture(scope="module")
def settings(shop: Path) -> Settings:
    return read_settings(shop)


@pytest.fixture(scope="module")
def encoder(shop: Path) -> Encoder:
    return load_model(shop / "model")


def test_it_finds_what_a_full_sort_of_dot_products_finds(
    shop: Path, settings: Settings, encoder: Encoder
) -> None:
    documents = open_catalog(settings)
    vectors = encoder.embed("document", encoder.prepare("document", documents))
    query = Table(["q"], encoder.fields["query"], {"query": ["赤いナット"], "shown": [None]})
    scores = vectors @ encoder.embed("query", encoder.prepare("query", query))[0]
    hits = search(settings, shop / "model", "赤いナット", k=5)
    assert [hit.doc_id for hit in hits] == [
        documents.ids[row] for row in np.argsort(-scores, kind="stable")[:5]
    ]
    assert [hit.score for hit in hits] == pytest.approx(sorted(scores, reverse=True)[:5], abs=1e-5)
    first = hits[0].doc_id
    assert hits[0].fields == {"title": first.replace("-", " "), "picture": shop / f"{first}.png"}


def test_no_more_documents_come_back_than_there_are(shop: Path, settings: Settings) -> None:
    assert len(search(settings, shop / "model", "赤", k=1000)) == 24


def test_a_catalogue_grown_since_training_is_searched_as_it_is(
    shop: Path, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "other.csv").write_text("doc_id,title,picture\nnew,red nut,\n", encoding="utf-8")
    grown = settings.with_values({"catalog.path": str(tmp_path / "other.csv")})
    assert [hit.doc_id for hit in search(grown, shop / "model", "赤いナット")] == ["new"]


def test_text_goes_to_text_fields_and_a_picture_to_image_fields(encoder: Encoder, tmp_path: Path) -> None:
    picture = tmp_path / "mine.png"
    draw("red", "nut", 20).save(picture)
    assert as_query(encoder, " ナット ", None).values == {"query": "ナット", "shown": None}
    assert as_query(encoder, None, picture).values == {"query": None, "shown": picture}
    assert as_query(encoder, "ナット", picture).values == {"query": "ナット", "shown": picture}
    # Full-width letters and half-width kana as people type them.
    assert as_query(encoder, "ﾅｯﾄ Ｍ８", None).values["query"] == "ナット M8"


def test_a_picture_that_cannot_be_read_is_an_error_and_not_a_missing_field(
    encoder: Encoder, tmp_path: Path
) -> None:
    (tmp_path / "half.png").write_bytes(b"\x89PNG")
    for name in ("half.png", "nowhere.png"):
        with pytest.raises(CatalogError):
            as_query(encoder, "ナット", tmp_path / name)


@pytest.mark.parametrize("text", [None, "", " \t"])
def test_nothing_to_look_for_is_an_error(encoder: Encoder, text: str | None) -> None:
    with pytest.raises(ModelError, match="search for a text, a picture"):
        as_query(encoder, text, None)


def test_hits_as_json_hold_no_bytes() -> None:
    hit = Hit("a", 0.123456789, {"title": "nut", "picture": Path("a.png"), "drawing": b"PNG", "price": 2.5})
    assert hit.as_dict() == {
        "doc_id": "a",
        "score": 0.123457,
        "fields": {"title": "nut", "picture": "a.png", "drawing": True, "price": 2.5},
    }
