"""Augmentation: what training leaves out of rows by chance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_models import picture, png
from torch import Tensor

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.augmentation import Augmentation
from gradus.encoders.encoder import Encoder
from gradus.encoders.mini_image import ImageFeatures, MiniImage
from gradus.encoders.mini_text import MiniText
from gradus.encoders.subwords import Subwords

TITLE, NOTE, KIND, QUERY = Field("title"), Field("note"), Field("kind", "category"), Field("query")
WORDS = "a hex bolt of stainless steel with a flange and a fine thread"


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    tower = MiniText(Subwords.train([WORDS], 100, 64), 16)
    fields = {"query": [QUERY], "document": [TITLE, NOTE, KIND]}
    return Encoder(fields, {"text": tower}, 16, False).eval()


def documents(count: int, **others: list[str | None]) -> Table:
    columns = {"title": [WORDS] * count, "note": ["a hex bolt"] * count, "kind": ["bolt"] * count} | others
    return Table([f"d{row}" for row in range(count)], (TITLE, NOTE, KIND), columns)


def drawing(seed: int, whole_queries: bool = False, field_dropout: float = 0.0) -> Augmentation:
    return Augmentation(np.random.default_rng(seed), whole_queries, field_dropout)


@given(
    present=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=20),
    droppable=st.lists(st.booleans(), min_size=3, max_size=3),
    share=st.sampled_from([0.1, 0.5, 0.9]),
    seed=st.integers(0, 99),
)
def test_what_stays_was_there_and_a_document_never_loses_all(
    present: list[list[bool]], droppable: list[bool], share: float, seed: int
) -> None:
    before, may = np.array(present), np.array(droppable)
    after = drawing(seed, field_dropout=share).kept(before, may)
    assert not (after & ~before).any()
    np.testing.assert_array_equal(after[:, ~may], before[:, ~may])
    np.testing.assert_array_equal(after.any(axis=1), before.any(axis=1))


def test_fields_are_left_out_as_often_as_asked_for() -> None:
    after = drawing(0, field_dropout=0.3).kept(np.ones((40_000, 3), bool), np.array([True, True, False]))
    # Binomial: a standard deviation of √(.3 · .7 / 40,000) = .0023, three categories never.
    np.testing.assert_allclose(after.mean(axis=0), [0.7, 0.7, 1.0], atol=0.01)
    # Each field by its own draw.
    assert (after[:, :2].any(axis=1)).mean() == pytest.approx(1 - 0.3**2, abs=0.01)


def test_a_document_whose_fields_are_left_out_is_embedded_as_one_that_lacks_them(encoder: Encoder) -> None:
    rows = np.arange(12)
    table = documents(12)
    with torch.no_grad():
        found = encoder("document", encoder.prepare("document", table), rows, drawing(1, field_dropout=0.6))
    shown = found.present.numpy()
    assert shown[:, 2].all()
    assert 0 < shown[:, :2].sum() < 24
    lacking = documents(
        12,
        title=[WORDS if there else None for there in shown[:, 0]],
        note=["a hex bolt" if there else None for there in shown[:, 1]],
    )
    # Words are dropped of what is left, so only documents with nothing but their category compare exactly.
    bare = ~shown[:, :2].any(axis=1)
    assert bare.any()
    expected = encoder.embed("document", encoder.prepare("document", lacking))
    np.testing.assert_allclose(found.merged.numpy()[bare], expected[bare], atol=1e-6)
    assert not found.fields[~found.present].any()


def test_whole_queries_keep_their_words_and_documents_lose_some_of_theirs(encoder: Encoder) -> None:
    queries = encoder.prepare("query", Table(["q"], (QUERY,), {"query": [WORDS]}))
    parts = encoder.prepare("document", documents(1))
    row = np.array([0])

    def drawn(side: str, prepared: object, **options: bool) -> list[torch.Tensor]:
        with torch.no_grad():
            return [encoder(side, prepared, row, drawing(seed, **options)).merged for seed in range(6)]

    with torch.no_grad():
        whole = encoder("query", queries, row).merged
    assert all(torch.equal(vector, whole) for vector in drawn("query", queries, whole_queries=True))
    assert not all(torch.equal(vector, whole) for vector in drawn("query", queries))
    assert len({tuple(v[0].tolist()) for v in drawn("document", parts, whole_queries=True)}) > 1


@pytest.mark.parametrize("whole", [False, True])
def test_pictures_of_queries_vary_even_where_words_stay(whole: bool) -> None:
    seen: list[object] = []

    class Noted(MiniImage):
        def prepare(self, values: Sequence[Any], cache: Path | None) -> ImageFeatures:
            features = super().prepare(values, cache)
            batch = features.batch

            def noted(rows: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
                seen.append(rng)
                return batch(rows, rng)

            features.batch = noted  # type: ignore[method-assign]
            return features

    text = MiniText(Subwords.train([WORDS], 100, 64), 16)
    sides = {"query": [QUERY, Field("shown", "image")], "document": [TITLE]}
    encoder = Encoder(sides, {"text": text, "image": Noted(32, 16)}, 16, False)
    table = Table(["q"], tuple(sides["query"]), {"query": [WORDS], "shown": [png(picture(20, 20, 0))]})
    augmentation = drawing(0, whole_queries=whole)
    encoder("query", encoder.prepare("query", table), np.array([0]), augmentation)
    assert seen == [augmentation.rng]


def test_fields_of_queries_are_never_left_out() -> None:
    torch.manual_seed(0)
    tower = MiniText(Subwords.train([WORDS], 100, 64), 16)
    encoder = Encoder({"query": [TITLE, NOTE], "document": [TITLE]}, {"text": tower}, 16, False)
    table = Table(list("abcdefghi"), (TITLE, NOTE), {"title": [WORDS] * 9, "note": [WORDS] * 9})
    found = encoder("query", encoder.prepare("query", table), np.arange(9), drawing(0, field_dropout=0.9))
    assert found.present.all()
