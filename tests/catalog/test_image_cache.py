import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from gradus.catalog import image_cache
from gradus.catalog.fields import Field
from gradus.catalog.image_cache import ImageCache, ImageProblem, cache_folder
from gradus.catalog.images import decode_image, fit_square
from gradus.catalog.read import read_table
from gradus.errors import CatalogError
from gradus.files import atomic_file
from gradus.settings import from_mapping

SIDE = 16


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Five images, the last of the same content as the first, last changed an hour ago."""
    paths = []
    for number, shade in enumerate([0, 50, 100, 150, 0]):
        path = tmp_path / f"{number}.png"
        path.write_bytes(png(shade))
        age(path, 3600)
        paths.append(path)
    return paths


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.fixture
def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Once called, decoding anything fails the test."""

    def fail(*_: object) -> None:
        raise AssertionError("decoded again")

    return lambda: monkeypatch.setattr(image_cache, "decode_image", fail)


def expect(cache: ImageCache, values: list[Path | bytes | None]) -> None:
    """The cache has the right pixels for every value."""
    for row, value in zip(cache.row, values, strict=True):
        if value is None:
            assert row == -1
        else:
            assert (cache.pixels[row] == np.asarray(fit_square(decode_image(value), SIDE))).all()


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("on_disk", [True, False])
def test_pixels_of_every_value(workers: int, on_disk: bool, files: list[Path], tmp_path: Path) -> None:
    values = [files[2], None, png(7), *files]
    seen: list[tuple[int, int]] = []
    cache = ImageCache.open(
        values, SIDE, tmp_path / "cache" if on_disk else None, lambda *at: seen.append(at), workers
    )
    expect(cache, values)
    assert cache.problems == []
    assert cache.pixels.shape == (5, SIDE, SIDE, 3)  # 100, 7, 0, 50, 150: each content once
    assert cache.row.tolist() == [0, -1, 1, 2, 3, 0, 4, 2]
    assert seen == [(done, 8) for done in range(1, 9)]
    assert isinstance(cache.pixels, np.memmap) == on_disk


def test_unusable_images_are_problems_and_never_raise(files: list[Path], tmp_path: Path) -> None:
    values = [files[0], tmp_path / "lost.png", b"nothing", png(9)[:50], tmp_path, Path("nul\x00.png")]
    cache = ImageCache.open(values, SIDE, tmp_path / "cache")
    assert cache.row.tolist() == [0, -1, -1, -1, -1, -1]
    assert [problem.row for problem in cache.problems] == [1, 2, 3, 4, 5]
    assert cache.problems[0] == ImageProblem(1, f"no file {tmp_path / 'lost.png'}")
    assert "not an image" in cache.problems[1].reason
    assert "cut short" in cache.problems[2].reason
    assert "not a file" in cache.problems[3].reason


def test_nothing_usable_gives_no_pixels(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "cache"):
        cache = ImageCache.open([None, b"x"], SIDE, folder)
        assert cache.pixels.shape == (0, SIDE, SIDE, 3)
        assert cache.row.tolist() == [-1, -1]


def test_a_second_open_decodes_and_reads_nothing(
    files: list[Path], tmp_path: Path, forbid_decoding: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ImageCache.open(files, SIDE, tmp_path / "cache")
    forbid_decoding()
    expected = np.array(first.pixels)
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: pytest.fail("read again") if path in files else read(path)
    )
    second = ImageCache.open(files[::-1], SIDE, tmp_path / "cache")
    assert second.row.tolist() == first.row[::-1].tolist()
    assert (second.pixels == expected).all()


def test_content_counts_not_the_name(
    files: list[Path], tmp_path: Path, forbid_decoding: Callable[[], None]
) -> None:
    ImageCache.open(files, SIDE, tmp_path / "cache")
    forbid_decoding()
    moved = files[1].rename(tmp_path / "moved.png")
    values = [moved, png(100)]
    assert ImageCache.open(values, SIDE, tmp_path / "cache").row.tolist() == [1, 2]


def test_a_changed_file_is_decoded_again(files: list[Path], tmp_path: Path) -> None:
    before = ImageCache.open(files, SIDE, tmp_path / "cache")
    old = np.array(before.pixels[before.row[1]])
    files[1].write_bytes(png(222))
    after = ImageCache.open(files, SIDE, tmp_path / "cache")
    expect(after, list(files))
    assert not (after.pixels[after.row[1]] == old).all()
    assert (before.pixels[before.row[1]] == old).all()  # an open cache keeps its pixels


def test_a_file_just_written_is_not_trusted_by_its_time(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    Image.new("RGB", (8, 8), (1, 1, 1)).save(path)
    ImageCache.open([path], SIDE, tmp_path / "cache")
    stamp = path.stat().st_mtime_ns
    Image.new("RGB", (8, 8), (2, 2, 2)).save(path)  # same size, within the same tick
    os.utime(path, ns=(stamp, stamp))
    expect(ImageCache.open([path], SIDE, tmp_path / "cache"), [path])


def test_sides_are_kept_apart(files: list[Path], tmp_path: Path) -> None:
    ImageCache.open(files, SIDE, tmp_path / "cache")
    assert ImageCache.open(files, 32, tmp_path / "cache").pixels.shape == (4, 32, 32, 3)
    expect(ImageCache.open(files, SIDE, tmp_path / "cache"), list(files))


class Crash(BaseException):
    """Ends the process, as far as the code can tell."""


@pytest.mark.parametrize("moment", ["decode_image", "atomic_file", "copyfileobj", "fsync"])
def test_a_crash_never_leaves_wrong_pixels(
    moment: str, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    expect(ImageCache.open(files[:2], SIDE, folder), list(files[:2]))
    place = {"copyfileobj": image_cache.shutil, "fsync": image_cache.os}.get(moment, image_cache)

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(place, moment, crash)
        with pytest.raises(Crash):
            ImageCache.open(files, SIDE, folder)
    expect(ImageCache.open(files, SIDE, folder), list(files))


def test_a_pixel_file_cut_short_or_lost_is_made_anew(files: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    for damage in ("cut", "lost", "index"):
        ImageCache.open(files, SIDE, folder)
        inner = next(folder.iterdir())
        for pixel_file in inner.glob("pixels-*.bin"):
            if damage == "cut":
                pixel_file.write_bytes(pixel_file.read_bytes()[:-1])
            elif damage == "lost":
                pixel_file.unlink()
        if damage == "index":
            (inner / "index.parquet").write_bytes(b"PAR1")
        expect(ImageCache.open(files, SIDE, folder), list(files))


def test_what_a_killed_build_wrote_beyond_its_index_is_not_used(files: list[Path], tmp_path: Path) -> None:
    ImageCache.open(files[:2], SIDE, tmp_path / "cache")
    with next((tmp_path / "cache").glob("*/pixels-*.bin")).open("ab") as file:
        file.write(b"half a row")
    expect(ImageCache.open(files, SIDE, tmp_path / "cache"), list(files))


def test_long_builds_are_published_on_the_way(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_cache, "_PUBLISH_SECONDS", -1.0)
    inner: list[ImageCache] = []

    def look(done: int, _: int) -> None:
        if done == 3:  # as another process sees the folder while this build is running
            inner.append(ImageCache.open(files[1:4], SIDE, tmp_path / "cache"))

    cache = ImageCache.open(files, SIDE, tmp_path / "cache", look)
    expect(cache, list(files))
    expect(inner[0], list(files[1:4]))
    assert inner[0].row.tolist() == [1, 2, 3]  # after the three that were published


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def test_builders_at_once_do_not_disturb_each_other(tmp_path: Path, restless: None) -> None:
    values = [png(shade) for shade in range(60)]

    def build(task: int) -> None:
        folder, start = divmod(task, 5)
        mine = values[start * 10 : start * 10 + 20]
        expect(ImageCache.open(mine, SIDE, tmp_path / str(folder)), list(mine))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(build, range(60)))
    expect(ImageCache.open(values, SIDE, tmp_path / "0"), list(values))


def test_an_index_is_read_as_of_one_moment(tmp_path: Path, restless: None) -> None:
    """Rows and metadata belong together although another thread replaces the file all the time."""
    path, stop = tmp_path / "index.parquet", threading.Event()

    def write(version: int) -> None:
        table = pa.table({"version": [version] * 50}).replace_schema_metadata({"version": str(version)})
        with atomic_file(path) as aside:
            pa.parquet.write_table(table, aside)

    def keep_writing() -> None:
        version = 0
        while not stop.is_set():
            version += 1
            write(version)

    write(0)
    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for _ in range(1500):
            table = image_cache._read_whole(path)
            assert {str(version) for version in table["version"].to_pylist()} == {
                table.schema.metadata[b"version"].decode()
            }
    finally:
        stop.set()
        writer.join()


def test_pixel_files_nobody_needs_are_removed(files: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    ImageCache.open(files[:2], SIDE, folder)
    old = next(folder.glob("*/pixels-*.bin"))
    age(old, 2 * 86_400)
    expect(ImageCache.open(files, SIDE, folder), list(files))
    assert not old.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(CatalogError, match=r"image cache .*cache cannot be written"):
        ImageCache.open([png(1)], SIDE, tmp_path / "cache")


def test_the_folder_lies_beside_the_settings(tmp_path: Path) -> None:
    assert cache_folder(from_mapping({}, tmp_path)) == tmp_path / ".gradus" / "images"


def test_real_photographs(shared_data: Path, tmp_path: Path) -> None:
    fashion = read_table(
        shared_data / "fashion" / "products.csv", "id", [Field("productDisplayName"), Field("image", "image")]
    ).take(range(200))
    cache = ImageCache.open(fashion.columns["image"], 64, tmp_path, workers=2)
    assert cache.problems == []
    assert (cache.row >= 0).all()
    assert (cache.pixels.std(axis=(1, 2, 3)) > 5).all()  # photographs, not blank squares
    whole = fit_square(decode_image(fashion.columns["image"][17]), 64)
    assert np.abs(cache.pixels[cache.row[17]] - np.asarray(whole, int)).mean() < 2
