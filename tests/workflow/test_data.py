"""The data of a search, read once, and the name it goes by."""

from pathlib import Path

import pytest
from tiny_shop import make_shop, read, write

from gradus.errors import JudgmentsError
from gradus.settings import read_settings
from gradus.workflow.data import load_data


def fingerprint(shop: Path, **values: object) -> str:
    settings = read_settings(shop).with_values(values)
    return load_data(settings).fingerprint(settings)


def test_everything_is_read_and_split(tmp_path: Path) -> None:
    data = load_data(read_settings(make_shop(tmp_path)))
    assert (len(data.documents), len(data.judgments.queries), len(data.judgments)) == (24, 24, 24 * 24)
    assert [list(data.split.query_part).count(part) for part in ("train", "validation", "novel")] == [
        16,
        2,
        6,
    ]
    assert [list(data.split.document_part).count(part) for part in ("train", "validation", "novel")] == [
        16,
        2,
        6,
    ]


def test_the_fingerprint_names_settings_scores_pairs_ids_and_split(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    first = fingerprint(shop)
    assert fingerprint(shop) == first
    changed = [
        fingerprint(shop, **{"training.seed": 1}),
        fingerprint(shop, **{"split.seed": 1}),
        fingerprint(shop, **{"objective.weight": "constant"}),
    ]
    rows = read(shop / "judgments.csv")
    for edit in (
        [rows[0] | {"score": "0.75"}, *rows[1:]],
        rows[1:],
        [row | {"query_id": f"{row['query_id']}!"} for row in rows],
    ):
        write(shop / "judgments.csv", edit)
        changed.append(fingerprint(shop))
    assert len({first, *changed}) == 1 + 6


def test_a_split_that_leaves_nothing_to_train_on_says_what_to_do(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    rows = read(shop / "judgments.csv")
    data = load_data(read_settings(shop))
    novel = {data.documents.ids[row] for row, part in enumerate(data.split.document_part) if part != "train"}
    write(
        shop / "judgments.csv", [row | {"score": "0"} if row["doc_id"] not in novel else row for row in rows]
    )
    with pytest.raises(JudgmentsError, match=r"judgments\.csv.*lower split\.novel_queries"):
        load_data(read_settings(shop))
