"""The text tower of mini: what is near to what before any training, and that it can be trained."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gradus.encoders.mini_text import MiniText
from gradus.encoders.subwords import Subwords

TEXTS = [
    "hex bolt M8x30 zinc plated", "hex bolt M10x40 steel", "hex nut M8 zinc plated", "flange nut M10 steel",
    "deep groove bearing 6204", "deep groove bearing 6205", "spring washer M8", "flat washer M10 steel",
    "六角ボルト M8 亜鉛", "六角ボルト M10 鋼", "六角ナット M8", "平座金 M10 鋼",
]  # fmt: skip


@pytest.fixture
def tower() -> MiniText:
    torch.manual_seed(0)
    return MiniText(Subwords.train(TEXTS, 1000, 512), 64).eval()


def vectors(tower: MiniText, *texts: str) -> Tensor:
    with torch.no_grad():
        return normalize(tower(tower.prepare(texts, None).batch(np.arange(len(texts)), None)), dim=1)


def nearest(tower: MiniText, query: str, *texts: str) -> str:
    return texts[int((vectors(tower, *texts) @ vectors(tower, query)[0]).argmax())]


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("hex blt zinc", ("hex bolt zinc", "flange nut steel", "spring washer")),
        ("bearng", ("bearing", "bolt", "washer")),
        ("六角ボル", ("六角ボルト", "平座金", "hex nut")),
        ("平座", ("平座金 鋼", "六角ナット", "六角ボルト")),
        ("Ｍ８ｘ３０", ("M8x30", "M10x40", "6204")),
        # Neither part number was seen in training; the other digits are shared by none of them.
        ("QX-77431", ("clamp QX-77431", "clamp QX-77432", "clamp RX-11431")),
    ],
)
def test_before_training_a_query_is_nearest_to_what_it_means(
    tower: MiniText, query: str, texts: tuple[str, ...]
) -> None:
    assert nearest(tower, query, *texts) == texts[0]


def test_a_missing_text_is_not_present(tower: MiniText) -> None:
    features = tower.prepare([None, "bolt", "", " -- ", "六角"], None)
    assert features.present.tolist() == [False, True, False, False, True]


def test_a_row_of_a_batch_does_not_depend_on_the_others(tower: MiniText) -> None:
    together = vectors(tower, *TEXTS)
    for row, text in enumerate(TEXTS):
        torch.testing.assert_close(vectors(tower, text)[0], together[row], rtol=0, atol=1e-6)


def test_rows_come_in_the_order_asked(tower: MiniText) -> None:
    features = tower.prepare([None, *TEXTS], None)
    rows = np.array([5, 1, 5, 12])
    with torch.no_grad():
        picked = normalize(tower(features.batch(rows, None)), dim=1)
    torch.testing.assert_close(picked, vectors(tower, *(TEXTS[row - 1] for row in rows)), rtol=0, atol=1e-6)


def test_augmentation_changes_texts_and_is_the_same_for_the_same_seed(tower: MiniText) -> None:
    features, rows = tower.prepare(TEXTS, None), np.arange(len(TEXTS))

    def batch(seed: int | None) -> dict[str, Tensor]:
        return features.batch(rows, None if seed is None else np.random.default_rng(seed))

    def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
        return all(
            one[name].shape == other[name].shape and bool((one[name] == other[name]).all()) for name in one
        )

    assert same(batch(1), batch(1))
    assert same(batch(None), batch(None))
    assert not same(batch(1), batch(None))
    assert not same(batch(1), batch(2))


def test_a_text_of_one_word_stays_finite_in_training(tower: MiniText) -> None:
    # Whatever augmentation takes from it, even all of it.
    features = tower.train().prepare(["bolt"], None)
    rng = np.random.default_rng(0)
    for _ in range(50):
        tower.zero_grad()
        vector = normalize(tower(features.batch(np.array([0]), rng)), dim=1)
        vector[0, 0].backward()
        assert torch.isfinite(vector).all()
        assert all(torch.isfinite(p.grad).all() for p in tower.parameters() if p.grad is not None)


def test_two_words_without_a_letter_in_common_can_be_brought_together(tower: MiniText) -> None:
    query, wanted, other = "ナット", "hex nut M8", "flat washer M10"
    rows = np.arange(3)
    features = tower.train().prepare([query, wanted, other], None)
    optimizer = torch.optim.Adam(tower.parameters(), 0.01)
    for _ in range(20):
        q, w, o = normalize(tower(features.batch(rows, None)), dim=1)
        optimizer.zero_grad()
        (q @ o - q @ w).backward()
        optimizer.step()
    q, w, o = vectors(tower.eval(), query, wanted, other)
    assert q @ w > q @ o + 0.5


def test_it_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def made(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return vectors(MiniText(Subwords.train(TEXTS, 100, 64), 16).eval(), *TEXTS)

    assert torch.equal(made(1), made(1))
    assert not torch.equal(made(1), made(2))


def test_without_any_vocabulary_it_still_tells_texts_apart() -> None:
    torch.manual_seed(0)
    tower = MiniText(Subwords.train([], 100, 4096), 32).eval()
    assert nearest(tower, "hex bolt", "bolt hex", "flat washer") == "bolt hex"


def test_saved_and_loaded_it_gives_the_same_vectors(tower: MiniText, tmp_path: Path) -> None:
    again = MiniText.load(tmp_path, tower.save(tmp_path)).eval()
    assert not torch.equal(vectors(again, *TEXTS), vectors(tower, *TEXTS))
    again.load_state_dict(tower.state_dict())
    assert torch.equal(vectors(again, *TEXTS), vectors(tower, *TEXTS))
    assert again.size == tower.size == 64
