import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradus.catalog.fields import Field
from gradus.catalog.read import read_table
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.judgments import Judgments
from gradus.judgments.marqo_gs import read_marqo_corpora, read_marqo_gs, write_marqo_catalog, write_marqo_gs
from gradus.judgments.read import read_judgments_file
from gradus.judgments.split import Split, make_split
from gradus.settings import from_mapping

IMAGES = Path("/images")


@pytest.fixture
def tiny():
    """Five queries × four documents, all judged but for one pair, with a split."""
    queries = Table(
        [f"q{i}" for i in range(5)], (Field("query"),), {"query": [f"shoe, {i}" for i in range(5)]}
    )
    documents = Table(
        [f"p{i}" for i in range(4)],
        (Field("photo", "image"), Field("name")),
        {"photo": [IMAGES / f"{i}.jpg" for i in range(4)], "name": ["red shoe", 'a "b"', "靴", "boot"]},
    )
    query, document = np.divmod(np.arange(20), 4)
    keep = np.arange(20) != 7
    score = np.random.default_rng(0).permutation(20)[keep] / 20
    judgments = Judgments(
        queries, documents, query[keep], document[keep], score, score, score, np.full(19, "x", object)
    )
    split = Split(
        np.array(["train", "train", "validation", "novel", "novel"], object),
        np.array(["train", "train", "novel", "novel"], object),
    )
    return judgments, split


def _scores(judgments):
    return {
        (judgments.queries.ids[q], judgments.documents.ids[d]): s
        for q, d, s in zip(judgments.query, judgments.document, judgments.score, strict=True)
    }


def test_relative_images_are_found_from_anywhere(tmp_path, tiny, monkeypatch):
    judgments, split = tiny
    photos = {"photo": [Path("images") / f"{i}.jpg" for i in range(4)], "name": list("abcd")}
    documents = Table(judgments.documents.ids, judgments.documents.fields, photos)
    monkeypatch.chdir(tmp_path)
    write_marqo_gs(tmp_path / "gs", replace(judgments, documents=documents), split)
    monkeypatch.chdir("/")
    images = read_marqo_corpora(tmp_path / "gs").columns["image_local"]
    assert images == [tmp_path / "images" / f"{i}.jpg" for i in range(4)]


def test_writing_and_reading_gives_the_same(tmp_path, tiny):
    judgments, split = tiny
    write_marqo_gs(tmp_path / "gs", judgments, split)
    back = read_marqo_gs(tmp_path / "gs")
    assert _scores(back.judgments) == pytest.approx(_scores(judgments), abs=1e-12)
    assert dict(
        zip(back.judgments.queries.ids, back.judgments.queries.columns["query"], strict=True)
    ) == dict(zip(judgments.queries.ids, judgments.queries.columns["query"], strict=True))
    assert back.judgments.documents.ids == ["p0", "p1", "p2", "p3"]
    assert back.judgments.documents.columns["title"] == judgments.documents.columns["name"]
    assert back.judgments.documents.columns["image_local"] == judgments.documents.columns["photo"]
    part_of = dict(zip(back.judgments.queries.ids, back.query_part, strict=True))
    assert part_of == {"q0": "train", "q1": "train", "q2": "train", "q3": "novel", "q4": "novel"}
    assert list(back.document_part) == ["train", "train", "novel", "novel"]
    assert set(back.judgments.source) == {f"query_{q}_product_id_{d}" for q in (0, 1) for d in (0, 1)}


def test_files_and_numbers_of_the_layout(tmp_path, tiny):
    judgments, split = tiny
    write_marqo_gs(tmp_path / "gs", judgments, split)
    stems = [f"query_{q}_product_id_{d}" for q in (0, 1) for d in (0, 1)]
    beside = [".csv", "_queries.json", "_gt_dev.json", "_gt_test.json"]
    names = {f"{stem}{end}" for stem in stems for end in beside} | {"corpus_1.json", "corpus_2.json"}
    assert {path.name for path in (tmp_path / "gs").iterdir()} == names
    with (tmp_path / "gs/query_1_product_id_0.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["query_id"] == "q3"]
    scores = _scores(judgments)
    best, other = sorted(("p0", "p1"), key=lambda p: -scores["q3", p])
    assert [(row["product_id"], row["position"]) for row in rows] == [(best, "1"), (other, "2")]
    assert float(rows[0]["score_linear"]) == pytest.approx(100 * scores["q3", best])
    rank = 1 + sum(scores["q3", p] > scores["q3", best] for p in ("p0", "p1", "p2", "p3"))
    assert float(rows[0]["score_reciprocal"]) == pytest.approx(100 / rank)
    dev, test = (
        json.loads((tmp_path / f"gs/query_1_product_id_0_gt_{use}.json").read_text())
        for use in ("dev", "test")
    )
    assert set(dev) == {"q3"}
    assert set(test) == {"q4"}
    assert dev["q3"] == {p: 1 + round(99 * scores["q3", p]) for p in ("p0", "p1")}


def test_an_empty_cell_is_an_empty_file(tmp_path, tiny):
    judgments, _ = tiny
    train = Split(np.full(5, "train", object), np.full(4, "train", object))
    write_marqo_gs(tmp_path / "gs", judgments, train)
    back = read_marqo_gs(tmp_path / "gs")
    assert _scores(back.judgments) == pytest.approx(_scores(judgments), abs=1e-12)
    assert set(back.query_part) == set(back.document_part) == {"train"}


def test_through_the_settings_with_a_written_catalogue(tmp_path, tiny):
    judgments, split = tiny
    write_marqo_gs(tmp_path / "gs", judgments, split)
    write_marqo_catalog(tmp_path / "gs", tmp_path / "catalog.csv")
    documents = read_table(
        tmp_path / "catalog.csv", "doc_id", (Field("title"), Field("image_local", "image"))
    )
    settings = from_mapping({"judgments": {"path": "gs", "score": "score_reciprocal"}}, tmp_path)
    file = read_judgments_file(settings, documents)
    best = {
        q: max(s for (other, _), s in _scores(file.judgments).items() if other == q) for q in ("q0", "q4")
    }
    assert best == {"q0": 1, "q4": 1}
    chosen = make_split(file.judgments, settings.split, file.query_part, file.document_part)
    assert list(chosen.document_part == "novel") == list(split.document_part == "novel")


def _folder(tmp_path, rows, corpora=({"a": {"title": "A"}}, {"b": {"title": "B"}})):
    """A folder with only what reading needs; rows are (q, d, query, product_id, score_linear)."""
    for place, corpus in enumerate(corpora, 1):
        (tmp_path / f"corpus_{place}.json").write_text(json.dumps(corpus))
    for q, d, *cells in rows:
        path = tmp_path / f"query_{q}_product_id_{d}.csv"
        if not path.exists():
            path.write_text("query,product_id,score_linear\n")
        with path.open("a") as file:
            file.write(",".join(map(str, cells)) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("scores", "expected"), [((100, 1), (1, 0.01)), ((0.5, 1), (0.5, 1)), ((50, 0.5), (0.5, 0.005))]
)
def test_scores_count_to_a_hundred_where_any_exceeds_one(tmp_path, scores, expected):
    folder = _folder(tmp_path, [(0, 0, "shoe", "a", scores[0]), (1, 1, "boot", "b", scores[1])])
    assert _scores(read_marqo_gs(folder).judgments) == {
        ("shoe", "a"): expected[0],
        ("boot", "b"): expected[1],
    }


def test_corpora_label_documents_that_no_pair_mentions(tmp_path):
    corpora = ({"a": {}, "b": {"title": None}}, {"c": {"title": "C", "image_local": "c.png"}})
    file = read_marqo_gs(_folder(tmp_path, [(0, 0, "shoe", "a", 1)], corpora))
    assert list(file.document_part) == ["train", "train", "novel"]
    documents = read_marqo_corpora(tmp_path)
    assert documents.columns == {"image_local": [None, None, tmp_path / "c.png"], "title": [None, None, "C"]}


def test_a_catalogue_without_images_can_be_written(tmp_path):
    write_marqo_catalog(_folder(tmp_path, []), tmp_path / "catalog.csv")
    rows = list(csv.reader((tmp_path / "catalog.csv").read_text(encoding="utf-8").splitlines()))
    assert rows == [["doc_id", "title", "image_local"], ["a", "A", ""], ["b", "B", ""]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "is not of the Marqo-GS layout"),
        (
            [(0, 0, "shoe", "a", 1), (1, 1, "boot", "x", 1)],
            r"query_1_product_id_1\.csv, row 1: 1 document id",
        ),
        ([(0, 0, "shoe", "a", 1), (0, 0, "boot", "a", "much")], r"id_0\.csv, row 2, column 'score_linear'"),
        ([(0, 0, "shoe", "a", 1), (1, 1, "shoe", "b", 1)], "query 'shoe' is novel here and train above"),
        (
            [(0, 0, "shoe", "a", 1), (0, 1, "shoe", "b", 1), (0, 1, "shoe", "b", 0)],
            r"query_0_product_id_1\.csv, row 1 and .*query_0_product_id_1\.csv, row 2 judge",
        ),
    ],
)
def test_faults_name_the_file_and_row(tmp_path, rows, message):
    with pytest.raises(JudgmentsError, match=message):
        read_marqo_gs(_folder(tmp_path, rows))


def test_faults_of_the_corpora(tmp_path):
    with pytest.raises(JudgmentsError, match=r"corpus_1\.json cannot be read"):
        read_marqo_corpora(tmp_path)
    with pytest.raises(JudgmentsError, match="document 'a' is in corpus_1"):
        read_marqo_corpora(_folder(tmp_path, [], ({"a": {}}, {"a": {}})))
    with pytest.raises(JudgmentsError, match=r"corpus_2\.json must map product ids"):
        read_marqo_corpora(_folder(tmp_path, [], ({"a": {}}, ["a"])))
    (tmp_path / "corpus_1.json").write_text("{")
    with pytest.raises(JudgmentsError, match=r"corpus_1\.json is not JSON"):
        read_marqo_corpora(tmp_path)


def test_what_the_layout_cannot_hold(tmp_path, tiny):
    judgments, _ = tiny
    one, row = np.ones(1), np.zeros(1, np.int64)
    parts = Split(np.array(["train"], object), np.array(["train"], object))

    def single(queries, documents):
        return Judgments(queries, documents, row, row, one, one, one, np.array(["x"], object))

    photo = Table(["d"], (Field("photo", "image"),), {"photo": [b"bytes"]})
    with pytest.raises(JudgmentsError, match="paths of images, not images"):
        write_marqo_gs(tmp_path / "gs", single(judgments.queries.take([0]), photo), parts)
    with pytest.raises(JudgmentsError, match="needs a text for every query"):
        write_marqo_gs(tmp_path / "gs", single(photo, judgments.documents.take([0])), parts)
    assert list(tmp_path.iterdir()) == []
