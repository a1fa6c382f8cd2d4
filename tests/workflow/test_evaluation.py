"""Evaluation of a saved model: the four cells, from the vectors it gives."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_shop import make_shop, read, write

from gradus.encoders.saving import load_model
from gradus.errors import EvaluationError, ModelError
from gradus.judgments.split import CELLS
from gradus.settings import read_settings
from gradus.workflow.data import load_data
from gradus.workflow.evaluation import evaluate
from gradus.workflow.training import train


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("shop"))
    train(read_settings(folder), folder / "model")
    return folder


def ndcg(gains: list[float], judged: list[float], k: int) -> float:
    def dcg(scores: list[float]) -> float:
        return sum(score / np.log2(rank + 1) for rank, score in enumerate(scores[:k], start=1))

    return dcg(gains) / dcg(sorted(judged, reverse=True))


def test_each_query_is_measured_on_the_documents_of_its_cell(shop: Path) -> None:
    settings = read_settings(shop).with_values({"evaluation.metrics": ("nDCG@3",)})
    evaluation = evaluate(settings, shop / "model")
    assert (evaluation.name, list(evaluation.cells)) == ("model", list(CELLS))
    data, encoder = load_data(settings), load_model(shop / "model")
    judgments = data.judgments
    queries = encoder.embed("query", encoder.prepare("query", judgments.queries))
    documents = encoder.embed("document", encoder.prepare("document", data.documents))
    score = {(q, d): s for q, d, s in zip(judgments.query, judgments.document, judgments.score, strict=True)}
    for cell, result in evaluation.cells.items():
        query_rows, document_rows = data.split.cell(cell)
        expected = {}
        for q in query_rows:
            judged = [score[q, d] for d in document_rows]
            best = sorted(document_rows, key=lambda d: -float(queries[q] @ documents[d]))
            if any(judged):
                expected[judgments.queries.ids[q]] = ndcg([score[q, d] for d in best], judged, 3)
        found = dict(zip(result.query_ids, result.per_query["nDCG@3"], strict=True))
        assert found == pytest.approx(expected)
        assert result.documents == len(document_rows)


def test_cells_that_the_split_leaves_empty_are_left_out(shop: Path) -> None:
    settings = read_settings(shop).with_values({"split.novel_queries": 0.0})
    assert list(evaluate(settings, shop / "model").cells) == ["in-domain", "novel-document"]


def test_data_that_was_read_already_is_used(shop: Path) -> None:
    settings = read_settings(shop)
    data = load_data(settings)
    one, other = evaluate(settings, shop / "model", data=data), evaluate(settings, shop / "model")
    assert one.as_dict() == other.as_dict()


def test_progress_is_told(shop: Path) -> None:
    shutil.rmtree(shop / ".gradus" / "vectors", ignore_errors=True)  # else there is nothing to embed
    told: list[str] = []
    evaluate(read_settings(shop), shop / "model", progress=lambda stage, *_: told.append(stage))
    assert set(told) == {"embedding"}


def test_a_model_of_other_fields_is_refused(shop: Path, tmp_path: Path) -> None:
    other = make_shop(tmp_path, ("picture",))
    with pytest.raises(ModelError, match=r"reads the document fields \['title'\]"):
        evaluate(read_settings(other), shop / "model")


def test_an_unknown_metric_is_refused(shop: Path) -> None:
    with pytest.raises(EvaluationError, match="unknown metric 'nDGC'; did you mean 'nDCG'"):
        evaluate(read_settings(shop).with_values({"evaluation.metrics": ("nDGC@10",)}), shop / "model")


def test_a_cell_without_anything_to_find_is_left_out(shop: Path, tmp_path: Path) -> None:
    # Queries of the novel part have positives among the documents of training only.
    other = make_shop(tmp_path)
    data = load_data(read_settings(other))
    novel = {data.documents.ids[row] for row in np.flatnonzero(data.split.document_part == "novel")}
    asked = {data.judgments.queries.ids[row] for row in np.flatnonzero(data.split.query_part == "novel")}
    rows = read(other / "judgments.csv")
    write(
        other / "judgments.csv",
        [
            row | {"score": "0"} if row["doc_id"] in novel and row["query_id"] in asked else row
            for row in rows
        ],
    )
    evaluation = evaluate(read_settings(other), shop / "model")
    assert list(evaluation.cells) == ["in-domain", "novel-query", "novel-document"]
