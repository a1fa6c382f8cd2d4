"""Batches as the objective asks for them, from settings and files."""

from pathlib import Path

import pytest
from tiny_shop import failure, make_shop, output, read, write

from gradus.errors import SettingsError
from gradus.objectives.registry import OBJECTIVES
from gradus.settings import Settings, read_settings
from gradus.training.batches import Batch, ManyToManyBatches, PairBatches
from gradus.workflow.data import load_data
from gradus.workflow.training import make_batches


def with_copies(folder: Path) -> Settings:
    """A shop that lists every part twice, judged once."""
    shop = make_shop(folder)
    parts = read(shop / "catalog.csv")
    write(shop / "catalog.csv", parts + [part | {"doc_id": f"{part['doc_id']}-again"} for part in parts])
    rows = read(shop / "judgments.csv")
    # The copy is judged with one query only, so that batches hold it.
    rows += [r | {"doc_id": f"{r['doc_id']}-again"} for r in rows if r["query_id"] == "q-red-bolt"]
    write(shop / "judgments.csv", rows)
    settings = read_settings(shop)
    return settings.with_values({"training.batch": 500, "split.novel_documents": 0, "split.novel_queries": 0})


def first_batch(settings: Settings) -> Batch:
    return next(make_batches(load_data(settings), settings).epoch(0, 0))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_objective_says_what_a_batch_is(tmp_path: Path, name: str) -> None:
    settings = read_settings(make_shop(tmp_path / "shop")).with_values({"objective.name": name})
    expected = {"pairs": PairBatches, "many-to-many": ManyToManyBatches}[OBJECTIVES[name].batches]
    assert type(make_batches(load_data(settings), settings)) is expected


def test_copies_of_a_judged_document_are_no_negatives(tmp_path: Path) -> None:
    settings = with_copies(tmp_path / "shop")
    data = load_data(settings)
    batch = first_batch(settings)
    ids, asked = data.documents.ids, data.judgments.queries.ids
    pairs = batch.pairs
    positive = {
        (asked[batch.queries[i]], ids[batch.documents[j]])
        for i, j in zip(pairs.query.tolist(), pairs.document.tolist(), strict=True)
    }
    ignored = {
        (asked[batch.queries[i]], ids[batch.documents[j]])
        for i, j in zip(pairs.ignored_query.tolist(), pairs.ignored_document.tolist(), strict=True)
    }
    originals = {(q, d.removesuffix("-again")) for q, d in positive}
    both = {(q, f"{d}{again}") for q, d in originals for again in ("", "-again")}
    present = {ids[row] for row in batch.documents}
    assert ignored == {(q, d) for q, d in both - positive if d in present}
    assert len(ignored) > 10
    judged = first_batch(settings.with_values({"objective.masked": "judged"}))
    assert len(judged.pairs.ignored_query) == 0


def test_in_batches_of_pairs_judged_pairs_are_masked_unless_told_otherwise(tmp_path: Path) -> None:
    settings = read_settings(make_shop(tmp_path / "shop")).with_values({"objective.name": "pairwise"})
    assert len(first_batch(settings).pairs.ignored_query) > 0
    plain = first_batch(settings.with_values({"objective.masked": "nothing"}))
    assert len(plain.pairs.ignored_query) == 0


def test_an_option_of_another_objective_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    settings = read_settings(shop).with_values({"objective.ranks": 3})
    with pytest.raises(SettingsError, match=r"objective\.ranks is 3"):
        make_batches(load_data(settings), settings)
    line = failure(
        *("train", "--settings", str(shop / "gradus.toml"), "--out", str(tmp_path / "out")),
        *("--objective.name", "cosent", "--objective.directions", "query"),
    )
    assert "objective.directions is 'query', which objective.name = 'cosent' does not take" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--objective.matryoshka", "8,16=0.5"),
            "objective.matryoshka has 16, but embeddings have 16 dimensions",
        ),
        (("--objective.matryoshka", "8,x"), "objective.matryoshka has 'x'"),
        (("--objective.modality_terms", "0.1"), "objective.modality_terms needs queries or documents"),
    ],
)
def test_views_that_do_not_fit_the_search_are_refused(
    tmp_path: Path, flags: tuple[str, ...], words: str
) -> None:
    shop = make_shop(tmp_path / "shop")
    line = failure("train", "--settings", str(shop / "gradus.toml"), "--out", str(tmp_path / "out"), *flags)
    assert words in line


def test_a_training_with_all_shared_options(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", ("title", "picture"), "both")
    output(
        *("train", "--settings", str(shop / "gradus.toml"), "--out", str(tmp_path / "out")),
        *("--objective.name", "sigmoid", "--objective.confidence", "--objective.field_terms", "0.1"),
        *("--objective.modality_terms", "0.1", "--objective.matryoshka", "8,4=0.5", "--training.epochs", "1"),
    )
    assert (tmp_path / "out" / "model").is_dir()
