"""The image cache: every image decoded once, resized once, and memory-mapped from then on.

A cache folder holds, for each way of fitting and each side of the square,

- `pixels-….bin`: the images as raw rows of side × side × 3 bytes. A file has one writer, ever, and rows
  that an index has named never change.
- `index.parquet`: the content hash of each row, with the name of the pixel file in its metadata. It is
  replaced by an atomic rename after the pixels have reached the disk, so a crash at any moment leaves the
  old index with the old pixels or the new index with the new ones.
- `files.parquet`: path, size and modification time of each file → its content hash, so that unchanged
  files are not read again.

A process that finds new images copies the pixel file under a new name and goes on there, so two of them
at once cannot disturb each other: the index of the one that ends last stays, and what only the other
knew is decoded again when it is next asked for.
"""

import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray
from PIL import Image

from gradus.catalog.images import decode_image, fit_square
from gradus.catalog.table import ImageSource
from gradus.errors import CatalogError
from gradus.files import atomic_file
from gradus.settings import Settings

_MAKE = "1"
"""Goes up when the same image would give other pixels, so that older caches are not used."""

_PUBLISH_SECONDS = 60.0
"""Time between indexes while a long build runs; a killed build loses no more work than this."""

_FRESH_NS = 2_000_000_000
"""A file changed this recently may change again within one tick of its clock; it is read again next time."""

_ORPHAN_SECONDS = 86_400.0
_CHUNK = 256
_COPY_BYTES = 1 << 24

Fit = Callable[[Image.Image, int], Image.Image]
"""Makes an RGB image of any size a square of the given side."""

Signature = tuple[str, int, int]
"""A file's absolute path, size in bytes, and modification time in nanoseconds."""


@dataclass(frozen=True)
class ImageProblem:
    """An image that cannot be used.

    Attributes:
        row: Which of the values.
        reason: Why, as a sentence's end: "no file images/7.jpg".
    """

    row: int
    reason: str


@dataclass(frozen=True)
class ImageCache:
    """The pixels of a column of images.

    Attributes:
        row: (n,) row of `pixels` for each value; -1 where the value is missing or unusable. Values of equal
            content have the same row.
        pixels: (m, side, side, 3) RGB, padded with white; memory-mapped when the cache has a folder.
        problems: The unusable values, by row.
    """

    row: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    problems: list[ImageProblem]

    @classmethod
    def open(
        cls,
        values: Sequence[ImageSource | None],
        side: int,
        folder: Path | None,
        progress: Callable[[int, int], None] | None = None,
        workers: int = 0,
        fit: Fit = fit_square,
        key: str = "square",
    ) -> "ImageCache":
        """The cache with all usable images of a column in it, decoding those that are new.

        Args:
            values: (n,) images, `None` where there is none.
            side: Side of the square that each image is fitted into.
            folder: Where the pixels stay; `None` keeps them in memory.
            progress: Called with the number of values done and n.
            workers: Threads that read and decode; 0 works in the calling thread.
            fit: Makes an image the square. Any other than `fit_square` is given images decoded at full
                size, and `pixels` holds what it makes of them.
            key: Names `fit` in the folder: different ways of fitting need different keys.

        Raises:
            CatalogError: The folder cannot be written, or its disk is full. An image never raises.
        """
        rows = np.full(len(values), -1, np.int64)
        problems: list[ImageProblem] = []
        try:
            store = _Store(folder / f"{key}-{side}-v{_MAKE}" if folder else None, side, fit)
            try:
                for number, found in enumerate(_in_order(store.look, values, workers)):
                    if isinstance(found, str):
                        problems.append(ImageProblem(number, found))
                    elif found is not None:
                        rows[number] = store.add(found)
                    if progress is not None:
                        progress(number + 1, len(values))
            finally:
                store.close()  # an interrupted build keeps what it has
            return cls(rows, store.pixels(), problems)
        except OSError as error:
            raise CatalogError(f"the image cache {folder} cannot be written: {error}") from None


def cache_folder(settings: Settings) -> Path:
    """Where the decoded images of a project lie: `.gradus/images` beside its `gradus.toml`."""
    return settings.resolve(".gradus/images")


@dataclass(frozen=True)
class _Found:
    """An image that was looked at: its content hash, and its pixels unless the store had them."""

    content: bytes
    pixels: NDArray[np.uint8] | None
    signature: Signature | None


def _in_order(
    look: Callable[[ImageSource | None], _Found | str | None],
    values: Sequence[ImageSource | None],
    workers: int,
) -> Iterator[_Found | str | None]:
    """`look` of every value, in order."""
    if workers == 0:
        yield from map(look, values)
        return
    with ThreadPoolExecutor(workers) as pool:
        # In chunks, or a slow disk would let decoded images pile up in memory.
        for start in range(0, len(values), _CHUNK):
            yield from pool.map(look, values[start : start + _CHUNK])


class _Store:
    """The pixels in a folder, or in memory, and the ways to find them."""

    def __init__(self, folder: Path | None, side: int, fit: Fit) -> None:
        self.folder = folder
        self.fit = fit
        self.shape = (side, side, 3)
        self.row_bytes = side * side * 3
        self.row_of: dict[bytes, int] = {}
        self.signatures: dict[str, tuple[int, int, bytes]] = {}
        self.parts: list[NDArray[np.uint8]] = []  # in memory only
        self.file: BinaryIO | None = None  # what the index named, or this process's own file
        self.writer: BinaryIO | None = None
        self.signatures_changed = False
        self.published = time.monotonic()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._load(folder)

    def look(self, value: ImageSource | None) -> _Found | str | None:
        """Read and decode what is not known yet; the reason where that fails. Changes nothing."""
        if value is None:
            return None
        try:
            if isinstance(value, bytes):
                return self._look_into(value, None)
            signature = _signature(value)
            size, mtime, content = self.signatures.get(signature[0], (0, 0, b""))
            if (size, mtime) == signature[1:] and content in self.row_of:
                return _Found(content, None, None)
            return self._look_into(value.read_bytes(), signature)
        except FileNotFoundError as error:
            return f"no file {error.filename}"
        except (CatalogError, OSError, ValueError) as error:
            return str(error)

    def add(self, found: _Found) -> int:
        """The row of an image, written if it is new."""
        row = self.row_of.get(found.content)
        if row is None:
            row = len(self.row_of)
            assert found.pixels is not None  # noqa: S101 - rows never go away, so `look` has decoded it
            if self.folder is None:
                self.parts.append(found.pixels)
            else:
                self._writer(self.folder).write(found.pixels.tobytes())
            self.row_of[found.content] = row
        if found.signature is not None:
            path, size, mtime = found.signature
            if time.time_ns() - mtime > _FRESH_NS:
                self.signatures[path] = (size, mtime, found.content)
                self.signatures_changed = True
        if self.writer is not None and time.monotonic() - self.published > _PUBLISH_SECONDS:
            self._publish()
        return row

    def close(self) -> None:
        """Bring everything to the disk and make it known."""
        if self.writer is not None:
            self._publish()
            self.writer.close()
            self.writer = None
        if self.folder is not None and self.signatures_changed:
            paths = list(self.signatures)
            sizes, times, contents = zip(*self.signatures.values(), strict=True)
            table = pa.table({"path": paths, "size": sizes, "mtime_ns": times, "content": contents})
            with atomic_file(self.folder / "files.parquet") as aside:
                pa.parquet.write_table(table, aside)

    def pixels(self) -> NDArray[np.uint8]:
        """(m, side, side, 3) all images of the store."""
        if self.file is not None:
            with self.file:
                return np.memmap(self.file, np.uint8, "r", shape=(len(self.row_of), *self.shape))
        return np.stack(self.parts) if self.parts else np.zeros((0, *self.shape), np.uint8)

    def _look_into(self, data: bytes, signature: Signature | None) -> _Found:
        content = blake2b(data, digest_size=16).digest()
        if content in self.row_of:
            return _Found(content, None, signature)
        side = self.shape[0]
        image = decode_image(data, side if self.fit is fit_square else None)
        return _Found(content, np.asarray(self.fit(image, side)), signature)

    def _load(self, folder: Path) -> None:
        """Take over what an earlier index names, if its pixel file is there and long enough."""
        try:
            index = _read_whole(folder / "index.parquet")
            contents = index["content"].to_pylist()
            # Opened at once: another process may replace and remove it, and the open file stays good.
            file = (folder / index.schema.metadata[b"pixels"].decode()).open("rb")
            if file.seek(0, os.SEEK_END) < len(contents) * self.row_bytes:
                file.close()
                return
        except (OSError, KeyError, TypeError, pa.ArrowException):
            return  # none yet, or not whole: images are decoded afresh
        self.file = file
        self.row_of = {content: row for row, content in enumerate(contents)}
        try:
            files = _read_whole(folder / "files.parquet").to_pydict()
            known = zip(files["size"], files["mtime_ns"], files["content"], strict=True)
            self.signatures = dict(zip(files["path"], known, strict=True))
        except (OSError, KeyError, pa.ArrowException):
            return

    def _writer(self, folder: Path) -> BinaryIO:
        """The pixel file of this process, beginning with the rows of the one it found."""
        if self.writer is None:
            own = folder / f"pixels-{uuid.uuid4().hex}.bin"
            writer = own.open("xb")
            if self.file is not None:
                with self.file as earlier:
                    earlier.seek(0)
                    shutil.copyfileobj(earlier, writer, _COPY_BYTES)
                # The earlier file's writer may have been ahead of its index.
                writer.truncate(len(self.row_of) * self.row_bytes)
                writer.seek(0, os.SEEK_END)
            self.file = own.open("rb")
            self.writer = writer  # now that it holds what an index may name
        return self.writer

    def _publish(self) -> None:
        """Flush the pixels, then name them in the index."""
        assert self.writer is not None  # noqa: S101
        assert self.folder is not None  # noqa: S101
        self.writer.flush()
        os.fsync(self.writer.fileno())
        own = Path(self.writer.name)
        contents = pa.array(list(self.row_of), pa.binary())
        table = pa.table({"content": contents}).replace_schema_metadata({"pixels": own.name})
        with atomic_file(self.folder / "index.parquet") as aside:
            pa.parquet.write_table(table, aside)
        self.published = time.monotonic()
        _remove_orphans(self.folder.glob("pixels-*.bin"), own)


def _read_whole(path: Path) -> pa.Table:
    """A Parquet file as it was at one moment.

    Given a path, Arrow opens the file once for the schema and again for the rows, and another process may
    replace it in between: the rows of one index with the pixel file of another.
    """
    return pa.parquet.read_table(pa.BufferReader(path.read_bytes()))


def _remove_orphans(files: Iterable[Path], current: Path) -> None:
    """Remove pixel files that no index names any more and that nobody has written to for a day."""
    now = time.time()
    for file in files:
        try:
            if file != current and now - file.stat().st_mtime > _ORPHAN_SECONDS:
                file.unlink()
        except OSError:
            continue  # gone already, or mapped by a process on a system that holds on to such files


def _signature(path: Path) -> Signature:
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        raise ValueError(f"{path} is not a file")
    return str(path.absolute()), info.st_size, info.st_mtime_ns
