import numpy as np
import pytest

from gradus.encoders import patches
from gradus.encoders.patches import CENTROIDS, GRID, PATCH, STRIDE, WIDTH, PatchDictionary

SIDE = 32


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Half with upright stripes, half with level ones, shifted and coloured at random."""
    rng = np.random.default_rng(0)
    wave = (np.sin((np.arange(SIDE) + rng.integers(0, 9, (40, 1))) * 1.5) * 100 + 120)[:, None, :, None]
    made = np.broadcast_to(wave, (40, SIDE, SIDE, 3)).copy()
    made[20:] = made[20:].transpose(0, 2, 1, 3)
    return (
        (made * rng.uniform(0.7, 1, (40, 1, 1, 3)) + rng.normal(0, 4, made.shape))
        .clip(0, 255)
        .astype(np.uint8)
    )


@pytest.fixture(scope="module")
def dictionary(pictures) -> PatchDictionary:
    made = PatchDictionary()
    made.fit(pictures, np.random.default_rng(1))
    return made


def described(dictionary: PatchDictionary, picture: np.ndarray) -> np.ndarray:
    """The same from the definition, patch by patch."""
    filters = dictionary.filters.numpy().astype(np.float64)
    offsets = dictionary.offsets.numpy().astype(np.float64)
    count = (SIDE - PATCH) // STRIDE + 1
    maps = np.zeros((count, count, CENTROIDS + 3))
    for i in range(count):
        for j in range(count):
            patch = picture[i * STRIDE : i * STRIDE + PATCH, j * STRIDE : j * STRIDE + PATCH].astype(float)
            level = (patch - patch.mean()) / np.sqrt(patch.var() + 100)
            products = (filters * level.transpose(2, 0, 1)).sum(axis=(1, 2, 3)) - offsets
            maps[i, j, :CENTROIDS] = np.maximum(products - products.mean(), 0)
            maps[i, j, CENTROIDS:] = patch.mean(axis=(0, 1)) / 16 - 8
    cells = np.zeros((CENTROIDS + 3, GRID, GRID))
    for a in range(GRID):
        for b in range(GRID):
            rows = slice(a * count // GRID, -(-(a + 1) * count // GRID))
            columns = slice(b * count // GRID, -(-(b + 1) * count // GRID))
            cells[:, a, b] = maps[rows, columns].mean(axis=(0, 1))
    return (np.sign(cells) * np.sqrt(np.abs(cells))).reshape(-1)


def test_a_description_is_what_the_definition_says(dictionary, pictures):
    found = dictionary.describe(pictures, np.array([3, 30]))
    assert found.shape == (2, WIDTH)
    for row, picture in zip(found, pictures[[3, 30]], strict=True):
        assert np.abs(row - described(dictionary, picture)).max() < 2e-2  # kept in half precision


def test_pictures_of_one_kind_are_described_alike(dictionary, pictures):
    found = dictionary.describe(pictures, np.arange(40)).astype(np.float64)
    found = found.reshape(40, CENTROIDS + 3, -1)[:, :CENTROIDS].reshape(40, -1)  # without colour
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    alike = found @ found.T - 2 * np.eye(40)
    nearest = alike.argmax(axis=1)
    assert ((nearest < 20) == (np.arange(40) < 20)).sum() >= 38


def test_brightness_and_contrast_change_only_the_colour(dictionary, pictures):
    picture = pictures[:1].astype(float)
    darker = (picture * 0.5 + 20).astype(np.uint8)
    a, b = (dictionary.describe(p.astype(np.uint8), np.array([0])).astype(float) for p in (picture, darker))
    active = np.s_[: CENTROIDS * GRID * GRID]
    assert np.corrcoef(a[0, active], b[0, active])[0, 1] > 0.97


def test_the_same_seed_gives_the_same_dictionary(dictionary, pictures):
    again = PatchDictionary()
    again.fit(pictures, np.random.default_rng(1))
    assert np.array_equal(again.filters.numpy(), dictionary.filters.numpy())


def test_centroids_are_unit_directions_that_points_chose():
    points = np.repeat(np.eye(3, dtype=np.float32), 200, axis=0) + 0.01
    centroids = patches._spherical_kmeans(points, np.random.default_rng(0))
    assert np.linalg.norm(centroids, axis=1) == pytest.approx(1, abs=1e-5)
    assert {int(c.argmax()) for c in centroids} == {0, 1, 2}


def test_blank_pictures_can_be_learned_from():
    blank = np.full((3, SIDE, SIDE, 3), 255, np.uint8)
    made = PatchDictionary()
    made.fit(blank, np.random.default_rng(0))
    assert np.isfinite(made.describe(blank, np.array([0, 1]))).all()
