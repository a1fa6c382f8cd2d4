import json

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.residual import FILE, Residual, query_keys
from gradus.errors import ModelError


def residual(vectors: list[list[float]], shrinkage: float = 0.5) -> Residual:
    made = Residual(["a", "b"][: len(vectors)], 2, shrinkage)
    with torch.no_grad():
        made.vectors.copy_(torch.tensor(vectors))
    return made


def test_the_residual_is_added_to_the_content_and_the_sum_has_unit_length():
    content = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    vectors, penalty = residual([[0.0, 1.0], [3.0, -1.0]])(content, np.array([0, 1]), None)
    # (1, 0) + (0, 1) = (1, 1), of length √2; (0, 1) + (3, −1) = (3, 0), of length 3.
    assert torch.allclose(vectors, torch.tensor([[1 / 2**0.5, 1 / 2**0.5], [1.0, 0.0]]))
    # λ · mean(‖(0, 1)‖², ‖(3, −1)‖²) = 0.5 · (1 + 10) / 2
    assert penalty.item() == pytest.approx(0.5 * (1 + 10) / 2)


def test_a_document_without_evidence_is_its_content():
    content = normalize(torch.randn(3, 2), dim=1)
    made = residual([[5.0, 5.0]])
    rows = made.rows(["unknown", "a", "other"])
    assert rows.tolist() == [-1, 0, -1]
    vectors, penalty = made(content, rows, None)
    assert torch.allclose(vectors[[0, 2]], content[[0, 2]])
    assert not torch.allclose(vectors[1], content[1])
    assert penalty.item() == pytest.approx(0.5 * 50 / 3)


def test_more_evidence_shrinks_less():
    """A pair's pull against λ: with n pulls of strength 1 the optimum of n·(r − 1)² + λ·r² is n / (n + λ)."""
    found = {}
    for pulls in (1, 10):
        made = Residual(["a"], 1, shrinkage=1.0)
        optimizer = torch.optim.SGD([made.vectors], lr=0.02)
        for _ in range(500):
            _, penalty = made(torch.zeros(1, 1), np.array([0]), None)
            loss = pulls * (made.vectors - 1).square().sum() + penalty
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found[pulls] = made.vectors.item()
    assert found[1] == pytest.approx(1 / 2, abs=1e-4)
    assert found[10] == pytest.approx(10 / 11, abs=1e-4)


def test_saved_ids_come_back(tmp_path):
    made = Residual(["六角", "b 1"], 4, 0.25)
    made.save(tmp_path / FILE)
    again = Residual.load(tmp_path / FILE, 4)
    assert (again.ids, again.shrinkage, again.vectors.shape) == (made.ids, 0.25, (2, 4))


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"ids": 3, "shrinkage": 1})])
def test_a_damaged_list_of_ids_is_named(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(ModelError, match=FILE):
        Residual.load(tmp_path / FILE, 4)


def test_a_query_is_known_by_what_was_asked():
    fields = (Field("text"), Field("brand", "category"), Field("shown", "image"), Field("note", weight=0.0))
    rows = {
        "text": ["M8  Bolt", "m8 bolt", "m8 bolt", "m8 bolt", None, None],
        "brand": [None, None, "acme", None, "m8 bolt", None],
        "shown": [None, None, None, b"picture", None, None],
        "note": ["a", "b", None, None, None, "x"],
    }
    queries = Table([f"q{n}" for n in range(6)], fields, rows)
    keys = query_keys(queries, queries.encoded)
    assert keys[0] == keys[1]
    assert len({keys[0], keys[2], keys[4]}) == 3
    assert keys[3] == keys[5] == ""
