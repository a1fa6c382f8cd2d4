"""The image tower of mini: shapes, determinism, and that it can be trained."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import picture, png
from torch import Tensor

from gradus.catalog.image_cache import ImageCache
from gradus.encoders.mini_image import Halved, MiniImage

IMAGES = [png(picture(40, 30, seed)) for seed in range(4)]


def made(cache: Path | None = None, side: int = 32, size: int = 24) -> MiniImage:
    torch.manual_seed(0)
    tower = MiniImage(side, size)
    tower.fit(IMAGES, cache)
    return tower.eval()


@pytest.fixture(scope="module")
def fitted() -> MiniImage:
    return made()


@pytest.fixture
def tower(fitted: MiniImage) -> MiniImage:
    return copy.deepcopy(fitted)


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
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_pictures_decoded_to_a_cache_are_the_same(tower: MiniImage, tmp_path: Path) -> None:
    for _ in range(2):  # the second time from the cache
        features = tower.prepare([*IMAGES], tmp_path)
        with torch.no_grad():
            found = tower(features.batch(np.arange(4), None))
        assert torch.equal(found, vectors(tower, [*IMAGES]))
    assert list(tmp_path.iterdir())


def test_a_batch_is_the_same_for_the_same_seeds(tower: MiniImage) -> None:
    features, rows = tower.train().prepare([*IMAGES], None), np.arange(4)

    def drawn(seed: int) -> Tensor:
        torch.manual_seed(seed)
        with torch.no_grad():
            return tower(features.batch(rows, np.random.default_rng(seed)))

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_what_is_learned_before_training_does_not_depend_on_the_cache(tmp_path: Path) -> None:
    # Pictures lie in a cache in the order in which they were first asked for, by whatever command.
    ImageCache.open(IMAGES[::-1], 32, tmp_path)
    assert torch.equal(vectors(made(tmp_path), [*IMAGES]), vectors(made(None), [*IMAGES]))


@pytest.mark.parametrize(("side", "count"), [(32, 1), (50, 3)])
def test_any_side_and_any_number_of_pictures_train(side: int, count: int) -> None:
    tower = made(side=side, size=8).train()
    batch = tower.prepare(IMAGES[:count], None).batch(np.arange(count), np.random.default_rng(0))
    tower(batch).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in tower.parameters() if p.grad is not None)


def test_without_any_picture_to_learn_from_it_still_trains(tower: MiniImage) -> None:
    tower = MiniImage(32, 8)
    tower.fit([], None)
    tower.fit([b"no picture"], None)
    assert torch.isfinite(vectors(tower.eval(), [*IMAGES])).all()


def test_it_learns_to_tell_red_from_blue(tower: MiniImage) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 90, (16, 32, 32, 3), dtype=np.uint8)
    noise[:8, ..., 0] += 120
    noise[8:, ..., 2] += 120
    label = torch.tensor([0] * 8 + [1] * 8)
    features = tower.train().prepare([png(Image.fromarray(pixels)) for pixels in noise], None)
    optimizer = torch.optim.Adam(tower.parameters(), 0.003)
    for _ in range(12):
        optimizer.zero_grad()
        batch = features.batch(np.arange(16), rng)
        torch.nn.functional.cross_entropy(tower(batch)[:, :2], label).backward()
        optimizer.step()
    with torch.no_grad():
        found = tower.eval()(features.batch(np.arange(16), None))[:, :2].argmax(dim=1)
    assert torch.equal(found, label)


def test_saved_and_loaded_it_gives_the_same_vectors(tower: MiniImage, tmp_path: Path) -> None:
    again = MiniImage.load(tmp_path, tower.save(tmp_path)).eval()
    assert not torch.equal(vectors(again, [*IMAGES]), vectors(tower, [*IMAGES]))
    again.load_state_dict(tower.state_dict())
    assert torch.equal(vectors(again, [*IMAGES]), vectors(tower, [*IMAGES]))


def test_a_coin_is_tossed_for_each_number_in_training_only() -> None:
    halved, numbers = Halved(), torch.rand(123, 457) + 1
    torch.manual_seed(0)
    thrown = halved(numbers)
    kept = thrown != 0
    assert torch.equal(thrown, torch.where(kept, 2 * numbers, 0.0))
    assert kept.float().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / numbers.numel() ** 0.5)
    # Neither a place within a random word nor a column is thrown more often than others.
    assert kept.flatten()[: 64 * 878].view(878, 64).float().mean(0).sub(0.5).abs().max() < 0.09
    torch.manual_seed(0)
    assert torch.equal(halved(numbers), thrown)
    assert not torch.equal(halved(numbers), thrown)
    assert torch.equal(halved.eval()(numbers), numbers)


def test_what_is_thrown_away_gets_no_gradient() -> None:
    numbers = torch.ones(3, 7, dtype=torch.bfloat16, requires_grad=True)
    thrown = Halved()(numbers)
    assert thrown.dtype == torch.bfloat16
    assert torch.equal(*torch.autograd.grad(thrown.sum(), numbers), thrown.detach())
