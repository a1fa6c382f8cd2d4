"""Late interaction as the second stage, with a model made on the spot."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

import torch
from tiny_models import save_bert, save_late_interaction, save_sentence, tokenizer

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import MissingExtraError, ModelError
from gradus.evaluation.rerankers.late_interaction import LateInteraction

QUERIES = Table(["q0", "q1", "q2"], (Field("query"),), {"query": ["red bolt", None, "a long blue nut"]})
DOCUMENTS = Table(
    ["a", "b", "c", "d"],
    (Field("title"), Field("size", "number")),
    {
        "title": ["red hex bolt", "blue nut", "steel washer long", None],
        "size": [8.0, None, 10.0, None],
    },
)
TEXTS = ["red hex bolt 8 size", "blue nut", "steel washer long 10 size", ""]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    folder = tmp_path_factory.mktemp("late")
    return str(folder / "late"), save_late_interaction(folder)


def best_matches(query: np.ndarray, document: np.ndarray) -> float:
    return sum(max(float(mine @ its) for its in document) for mine in query)


def test_scores_are_sums_of_best_matches(saved: tuple[str, Any]) -> None:
    name, library = saved
    model = LateInteraction(name, QUERIES, DOCUMENTS, batch=2)
    listed = np.array([[2, 0, 3, 1], [1, 1, 0, 2]])
    scores = model(np.array([2, 0]), listed)
    assert scores.dtype == np.float32
    for place, query in enumerate(["a long blue nut", "red bolt"]):
        mine = library.encode_query(query, convert_to_numpy=True)
        its = [library.encode_document(TEXTS[row], convert_to_numpy=True) for row in listed[place]]
        # Each word, the start, the end and the prompt; the mask leaves "nut" out of documents.
        assert [len(mine), len(its[0])] == [[4 + 3, 5 + 3], [2 + 3, 1 + 3]][place]
        # What half precision rounds of each match is at most 2⁻¹¹ of it.
        naive = [best_matches(mine, document) for document in its]
        np.testing.assert_allclose(scores[place], naive, atol=len(mine) / 2048)
    assert np.ptp(scores[0]) > 1
    assert scores[1, 0] == scores[1, 1]
    assert model.nbytes == sum(4 * part.numel() for part in library.parameters())


def test_a_document_is_embedded_once(saved: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model = LateInteraction(saved[0], QUERIES, DOCUMENTS)
    read: list[str] = []
    encode = model._model.encode_document

    def noted(texts: list[str], **options: Any) -> Any:
        read.extend(texts)
        return encode(texts, **options)

    monkeypatch.setattr(model._model, "encode_document", noted)
    first = model(np.array([0]), np.array([[0, 2, 0]]))
    assert read == [TEXTS[0], TEXTS[2]]
    np.testing.assert_array_equal(model(np.array([0]), np.array([[0, 2, 0]])), first)
    assert read == [TEXTS[0], TEXTS[2]]
    model.keep(np.array([[1, 0], [2, 1]]))
    assert read[2:] == [TEXTS[1]]
    vectors = model.embed(np.array([3, 1]))
    assert [(each.dtype, each.shape) for each in vectors] == [(np.float16, (3, 6)), (np.float16, (4, 6))]


def test_a_query_without_text_keeps_its_list(saved: tuple[str, Any]) -> None:
    model = LateInteraction(saved[0], QUERIES, DOCUMENTS)
    listed = np.array([[2, 0, 1], [1, 2, 0]])
    both = model(np.array([1, 0]), listed)
    assert both[0].tolist() == [0, -1, -2]
    np.testing.assert_allclose(both[1:], model(np.array([0]), listed[1:]), atol=1e-6)
    assert model(np.array([0]), np.zeros((1, 0), np.int64)).shape == (1, 0)


def test_what_it_refuses(saved: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One vector of a text, and a network without any head: the library would add random numbers.
    save_sentence(tmp_path)
    for name in ("sentence", "bert"):
        with pytest.raises(ModelError, match=f"{name}' is no late-interaction model"):
            LateInteraction(str(tmp_path / name), QUERIES, DOCUMENTS)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ModelError, match=r"cannot read the pretrained model .*nothing"):
        LateInteraction(str(tmp_path / "nothing"), QUERIES, DOCUMENTS)
    library = save_late_interaction(tmp_path)
    torch.save(library[1].state_dict(), tmp_path / "late/1_Dense/pytorch_model.bin")
    (tmp_path / "late/1_Dense/model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"late' has no 1_Dense/model\.safetensors"):
        LateInteraction(str(tmp_path / "late"), QUERIES, DOCUMENTS)
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"gradus\[hf\]"):
        LateInteraction(saved[0], QUERIES, DOCUMENTS)


def test_a_model_of_colbert_itself_is_read(tmp_path: Path) -> None:
    """Its projection lies beside the network's weights, and its classes are named in no list of modules."""
    from safetensors.torch import load_file, save_file

    save_bert(tmp_path)
    tokenizer(mask_token="thread").save_pretrained(tmp_path)  # noqa: S106 - no password
    (tmp_path / "artifact.metadata").write_text('{"query_maxlen": 8}')
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["HF_ColBERT"]}))
    weights = load_file(tmp_path / "model.safetensors")
    weights |= {"linear.weight": torch.randn(6, 16, generator=torch.Generator().manual_seed(0))}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    model = LateInteraction(str(tmp_path), QUERIES, DOCUMENTS)
    assert model.embed(np.array([1]))[0].shape[1] == 6
    # A query is filled up to 8 tokens of unit length.
    scores = model(np.array([0]), np.array([[2, 0, 1]]))
    assert ((scores > -8) & (scores < 8)).all()
