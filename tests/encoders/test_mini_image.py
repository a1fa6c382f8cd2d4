"""The image tower of mini: shapes, determinism, augmentation, and that it can be trained."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_models import picture, png
from torch import Tensor

from gradus.encoders.mini_image import MiniImage, augmented

IMAGES = [png(picture(40, 30, seed)) for seed in range(4)]


@pytest.fixture
def tower() -> MiniImage:
    torch.manual_seed(0)
    return MiniImage(32, 24).eval()


def vectors(tower: MiniImage, images: list[bytes | None]) -> Tensor:
    features = tower.prepare(images, None)
    with torch.no_grad():
        return tower(features.batch(np.flatnonzero(features.present), None))


def test_one_finite_vector_per_picture(tower: MiniImage) -> None:
    found = vectors(tower, [*IMAGES])
    assert found.shape == (4, 24)
    assert torch.isfinite(found).all()
    assert len({tuple(row.tolist()) for row in found}) == 4


def test_missing_and_broken_pictures_are_not_present(tower: MiniImage) -> None:
    features = tower.prepare([None, IMAGES[0], b"no picture", IMAGES[1][:60], Path("nowhere.png")], None)
    assert features.present.tolist() == [False, True, False, False, False]


def test_a_row_of_a_batch_does_not_depend_on_the_others(tower: MiniImage) -> None:
    together = vectors(tower, [*IMAGES])
    for row, image in enumerate(IMAGES):
        torch.testing.assert_close(vectors(tower, [image])[0], together[row], rtol=1e-4, atol=1e-5)


def test_the_same_picture_twice_is_the_same_vector(tower: MiniImage) -> None:
    found = vectors(tower, [IMAGES[2], None, IMAGES[2]])
    assert torch.equal(found[0], found[1])


def test_pictures_decoded_to_a_cache_are_the_same(tower: MiniImage, tmp_path: Path) -> None:
    for _ in range(2):  # the second time from the cache
        features = tower.prepare([*IMAGES], tmp_path)
        with torch.no_grad():
            found = tower(features.batch(np.arange(4), None))
        assert torch.equal(found, vectors(tower, [*IMAGES]))
    assert list(tmp_path.iterdir())


def test_augmentation_changes_pictures_and_is_the_same_for_the_same_seed(tower: MiniImage) -> None:
    features, rows = tower.prepare([*IMAGES], None), np.arange(4)

    def pixels(seed: int | None) -> NDArray[np.uint8]:
        batch = features.batch(rows, None if seed is None else np.random.default_rng(seed))
        assert list(batch) == ["pixels"]
        return batch["pixels"].numpy()

    assert np.array_equal(pixels(1), pixels(1))
    assert np.array_equal(pixels(None), pixels(None))
    assert not np.array_equal(pixels(1), pixels(None))
    assert not np.array_equal(pixels(1), pixels(2))


def test_augmentation_leaves_the_pictures_it_was_given_alone() -> None:
    given = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    before = given.copy()
    changed = augmented(given, np.random.default_rng(1))
    assert np.array_equal(given, before)
    assert (changed.shape, changed.dtype) == (given.shape, given.dtype)


def test_an_even_picture_stays_even_in_augmentation() -> None:
    # Moved pictures repeat their edge: no bars of another colour come in.
    given = np.full((3, 16, 16, 3), (255, 255, 255), np.uint8)
    changed = augmented(given, np.random.default_rng(0))
    assert all(len(np.unique(image.reshape(-1, 3), axis=0)) == 1 for image in changed)


@pytest.mark.parametrize("side", [32, 50, 64])
@pytest.mark.parametrize("count", [1, 3])
def test_any_side_and_any_number_of_pictures_train(side: int, count: int) -> None:
    # One picture at the smallest side is the batch with the fewest values per channel to normalise.
    torch.manual_seed(0)
    tower = MiniImage(side, 8).train()
    batch = tower.prepare(IMAGES[:count], None).batch(np.arange(count), np.random.default_rng(0))
    tower(batch).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in tower.parameters() if p.grad is not None)


def test_it_learns_to_tell_red_from_blue() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 90, (16, 32, 32, 3), dtype=np.uint8)
    noise[:8, ..., 0] += 120
    noise[8:, ..., 2] += 120
    label = torch.tensor([0] * 8 + [1] * 8)
    tower = MiniImage(32, 2).train()
    optimizer = torch.optim.Adam(tower.parameters(), 0.003)
    batch = {"pixels": torch.from_numpy(noise).permute(0, 3, 1, 2)}
    for _ in range(12):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(tower(batch), label).backward()
        optimizer.step()
    with torch.no_grad():
        assert (tower(batch).argmax(dim=1) == label).all()


def test_saved_and_loaded_it_gives_the_same_vectors(tower: MiniImage, tmp_path: Path) -> None:
    again = MiniImage.load(tmp_path, tower.save(tmp_path)).eval()
    assert not torch.equal(vectors(again, [*IMAGES]), vectors(tower, [*IMAGES]))
    again.load_state_dict(tower.state_dict())
    assert torch.equal(vectors(again, [*IMAGES]), vectors(tower, [*IMAGES]))
