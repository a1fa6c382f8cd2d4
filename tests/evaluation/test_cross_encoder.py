"""A cross-encoder as the second stage, with a model made on the spot."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

import torch
from tiny_models import text_options, tokenizer

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import MissingExtraError, ModelError
from gradus.evaluation.rerankers.cross_encoder import CrossEncoder

QUERIES = Table(["q0", "q1"], (Field("query"),), {"query": ["red bolt", None]})
DOCUMENTS = Table(
    ["a", "b", "c"],
    (Field("title"), Field("size", "number")),
    {"title": ["red hex bolt", "blue nut", "steel washer long"], "size": [8.0, None, 10.0]},
)


def save(folder: Path, labels: int = 1) -> str:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    options = text_options(num_labels=labels, max_position_embeddings=32)
    BertForSequenceClassification(BertConfig(**options)).eval().save_pretrained(folder)
    tokenizer(model_max_length=32).save_pretrained(folder)
    return str(folder)


def test_scores_are_the_models_logits_of_both_texts(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    name = save(tmp_path)
    model = CrossEncoder(name, QUERIES, DOCUMENTS, batch=2)
    listed = np.array([[2, 0, 1]])
    scores = model(np.array([0]), listed)
    words, network = (
        AutoTokenizer.from_pretrained(name),
        AutoModelForSequenceClassification.from_pretrained(name),
    )
    for place, text in enumerate(["steel washer long 10 size", "red hex bolt 8 size", "blue nut"]):
        with torch.no_grad():
            logit = network.eval()(**words("red bolt", text, return_tensors="pt")).logits.item()
        assert scores[0, place] == pytest.approx(logit, abs=1e-5)
    assert len(set(scores[0].tolist())) == 3
    assert model.nbytes == sum(4 * part.numel() for part in network.parameters())


def test_a_query_without_text_keeps_its_list(tmp_path: Path) -> None:
    model = CrossEncoder(save(tmp_path), QUERIES, DOCUMENTS)
    listed = np.array([[2, 0, 1], [1, 2, 0]])
    both = model(np.array([1, 0]), listed)
    assert both[0].tolist() == [0, -1, -2]
    np.testing.assert_allclose(both[1:], model(np.array([0]), listed[1:]), atol=1e-6)
    assert model(np.array([1]), np.zeros((1, 0), np.int64)).shape == (1, 0)


def test_what_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="has 3 outputs"):
        CrossEncoder(save(tmp_path / "three", labels=3), QUERIES, DOCUMENTS)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ModelError, match="nothing"):
        CrossEncoder(str(tmp_path / "nothing"), QUERIES, DOCUMENTS)
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"gradus\[hf\]"):
        CrossEncoder(str(tmp_path), QUERIES, DOCUMENTS)
