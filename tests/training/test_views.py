"""The views of a batch, each against rows and columns picked by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from tiny_task import tiny_batches, tiny_task
from torch import Tensor
from torch.nn.functional import normalize

from gradus.encoders.encoder import Embedding
from gradus.errors import SettingsError
from gradus.objectives.pairs import Pairs
from gradus.settings import ObjectiveSettings
from gradus.training.views import Views, parse_lengths

BATCH = next(tiny_batches(8).epoch(0, 0))


class Fused:
    """Stands in for an encoder of documents with two texts and a picture, and queries with a text."""

    dimensions = 4

    def __init__(self, query: tuple[str, ...] = ("text",)) -> None:
        kinds = {"query": query, "document": ("text", "image", "text")}
        self.fields = {side: [Typed(t) for t in types] for side, types in kinds.items()}
        self.fusion = dict.fromkeys(kinds, self.fuse)

    def fuse(self, vectors: Tensor, present: Tensor) -> Tensor:
        weights = torch.tensor([1.0, 1.0, 2.0])[: vectors.shape[1]]
        return normalize((present[..., None] * weights[:, None] * vectors).sum(dim=1), dim=1)


class Typed:
    def __init__(self, kind: str) -> None:
        self.type = kind


def embedding(present: list[list[int]], seed: int) -> Embedding:
    shown = torch.tensor(present).bool()
    vectors = torch.randn(*shown.shape, 4, generator=torch.Generator().manual_seed(seed))
    vectors = normalize(vectors, dim=2) * shown[..., None]
    # A merged embedding is more than the fusion of the fields: it has its residual.
    merged = normalize(vectors.sum(dim=1) + 0.1, dim=1)
    return Embedding(merged, vectors, shown, torch.zeros(()), torch.zeros(len(merged), 0))


# Two texts and a picture: all of them, no picture, only the picture, one text and the picture.
DOCUMENTS = embedding([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 1, 1]], 0)
QUERIES = embedding([[1], [1], [1]], 1)
PAIRS = Pairs(
    torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 2, 3]), torch.tensor([1.0, 0.5, 0.25, 0.75]),
    torch.tensor([0, 1]), torch.tensor([3, 2]),
)  # fmt: skip


def views_of(encoder: Any, **settings: Any) -> Views:
    return Views(ObjectiveSettings(**settings), encoder)


def cells(pairs: Pairs) -> tuple[dict[tuple[int, int], float], set[tuple[int, int]]]:
    positive = zip(pairs.query.tolist(), pairs.document.tolist(), pairs.weight.tolist(), strict=True)
    ignored = zip(pairs.ignored_query.tolist(), pairs.ignored_document.tolist(), strict=True)
    return {(i, j): w for i, j, w in positive}, set(ignored)


def test_by_default_there_is_only_what_a_search_compares() -> None:
    (view,) = views_of(Fused())(QUERIES, DOCUMENTS, PAIRS)
    assert view == (1.0, QUERIES.merged, DOCUMENTS.merged, PAIRS)


def test_field_terms_compare_with_each_field_of_the_documents_that_have_it() -> None:
    task = tiny_task(field_terms=0.3)
    queries = task.encoder("query", task.queries, BATCH.queries)
    documents = task.encoder("document", task.documents, BATCH.documents)
    _, *terms = task.views(queries, documents, BATCH.pairs)
    assert not documents.present.all()  # the nuts have no note
    assert len(terms) == 2
    for number, (view, name) in enumerate(zip(terms, ["title", "note"], strict=True)):
        here = [place for place, row in enumerate(BATCH.documents) if task.documents[name].present[row]]
        kept = [p for p, d in enumerate(BATCH.pairs.document.tolist()) if d in here]
        assert view.factor == 0.3
        assert torch.equal(view.queries, queries.merged)
        assert torch.equal(view.documents, documents.fields[here, number])
        assert torch.equal(view.pairs.query, BATCH.pairs.query[kept])
        assert view.pairs.document.tolist() == [here.index(d) for d in BATCH.pairs.document[kept].tolist()]
        assert torch.equal(view.pairs.weight, BATCH.pairs.weight[kept])


def test_modality_terms_compare_merged_text_alone_and_pictures_alone_at_once() -> None:
    encoder = Fused()
    _, view = views_of(encoder, modality_terms=0.2)(QUERIES, DOCUMENTS, PAIRS)
    texts, pictures = torch.tensor([[1, 0, 1]]).bool(), torch.tensor([[0, 1, 0]]).bool()
    both = [0, 3]
    expected = [
        DOCUMENTS.merged,
        *(
            encoder.fuse(DOCUMENTS.fields[both], (DOCUMENTS.present & only)[both])
            for only in (texts, pictures)
        ),
    ]
    assert view.factor == 0.2
    assert torch.equal(view.queries, QUERIES.merged)
    torch.testing.assert_close(view.documents, torch.cat(expected))
    # Documents 0 and 3 come again as 4 and 5, by their texts, and as 6 and 7, by their pictures.
    positive, ignored = cells(view.pairs)
    assert positive == {
        (0, 0): 1.0, (1, 1): 0.5, (2, 2): 0.25, (2, 3): 0.75,
        (0, 4): 1.0, (2, 5): 0.75, (0, 6): 1.0, (2, 7): 0.75,
    }  # fmt: skip
    assert ignored == {(0, 3), (1, 2), (0, 5), (0, 7)}


def test_modality_terms_take_the_modalities_of_queries_too() -> None:
    queries = embedding([[1, 1], [1, 0], [0, 1]], 2)
    _, view = views_of(Fused(("image", "text")), modality_terms=1.0)(queries, DOCUMENTS, PAIRS)
    # Query 0 comes again as 3, by its text, and as 4, by its picture.
    torch.testing.assert_close(view.queries[3:], normalize(queries.fields[0, [1, 0]], dim=1))
    positive, ignored = cells(view.pairs)
    assert {j for i, j in positive if i == 3} == {j for i, j in positive if i == 4} == {0, 4, 6}
    assert {j for i, j in ignored if i == 3} == {3, 5, 7}


def test_where_no_row_has_both_modalities_the_modality_view_is_the_merged_one() -> None:
    documents = embedding([[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1]], 3)
    merged, view = views_of(Fused(), modality_terms=1.0)(QUERIES, documents, PAIRS)
    assert torch.equal(view.documents, merged.documents)
    assert cells(view.pairs) == cells(merged.pairs)


def test_lengths_are_prefixes_at_unit_length() -> None:
    _, two, three = views_of(Fused(), matryoshka=("2", "3=0.5"))(QUERIES, DOCUMENTS, PAIRS)
    assert (two.factor, three.factor) == (1.0, 0.5)
    assert two.pairs is three.pairs is PAIRS
    for view, length in ((two, 2), (three, 3)):
        for part, whole in ((view.queries, QUERIES.merged), (view.documents, DOCUMENTS.merged)):
            prefix = whole.numpy()[:, :length]
            np.testing.assert_allclose(
                part, prefix / np.linalg.norm(prefix, axis=1, keepdims=True), rtol=1e-6
            )


def test_lengths_as_written() -> None:
    assert parse_lengths(["64", "32=0.5", " 16 = 2 "]) == {64: 1.0, 32: 0.5, 16: 2.0}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (("0",), "objective.matryoshka has '0'; write a length, or length=weight"),
        (("-8",), "has '-8'"),
        (("8=0",), "has '8=0'"),
        (("8=inf",), "has '8=inf'"),
        (("8=nan",), "has '8=nan'"),
        (("half",), "has 'half'"),
        (("8:2",), "has '8:2'"),
        (("2", "2=0.5"), "objective.matryoshka has the length 2 twice"),
        (("4",), "objective.matryoshka has 4, but embeddings have 4 dimensions"),
    ],
)
def test_a_wrong_length_is_named(spec: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        views_of(Fused(), matryoshka=spec)
    assert message in str(caught.value)


def test_modality_terms_need_two_modalities() -> None:
    with pytest.raises(SettingsError, match=r"objective\.modality_terms needs queries or documents"):
        tiny_task(modality_terms=0.1)
