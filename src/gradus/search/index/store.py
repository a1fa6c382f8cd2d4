"""The store: documents in a folder, changed without ever being half-changed.

`index.json` names everything else: the base, which is columns in immutable files that are mapped into memory
(`vectors-N.npy`, `documents-N.arrow`; `cells-N.npz` where it is ordered by cells, `parts-N.npy` where vectors' parts
are kept, `bm25-N.npz` where words count), and the journal of what changed since (`journal-N.log`). A change is acknowledged once it is in the journal. When there is much in it, a new base is written
beside the old one, and `index.json` is replaced. A process killed at any moment leaves one or the other.
"""

import fcntl
import json
import logging
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.bm25 import Bm25, joined
from gradus.errors import SearchError
from gradus.files import atomic_file, atomic_folder
from gradus.search.index.block import Block, GrowingBlock
from gradus.search.index.checks import checked_documents
from gradus.search.index.columns import change_of, read_columns, record_of, write_columns
from gradus.search.index.index import Documents, Schema, Vectors, require_new
from gradus.search.index.journal import Journal, cut, read_records

FORMAT = 1
MANIFEST = "index.json"
LOCK = "lock"
REMEDY = "restore a snapshot, or build the index anew"

_FEWEST_CHANGES = 10_000
_SHARE_OF_CHANGES = 0.25
"""A new base is written when the documents added since, or gone from it, exceed both."""

_ROWS = 1 << 16  # copied at a time

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cells:
    """Parts of a base whose vectors are near each other, and lie together.

    Attributes:
        centres: (C, D).
        offsets: (C + 1,) the row where each cell begins, and the one after the last.
    """

    centres: Vectors
    offsets: NDArray[np.int64]


Picked = Callable[[NDArray[np.int64]], Vectors]
"""Vectors (m, D) at m places."""


@dataclass(frozen=True)
class Layout:
    """How a base is ordered.

    Attributes:
        arrange: From the vectors and their number the order in which they are written, and their cells.
        fewest: Smaller bases keep the order in which documents came, and have no cells.
    """

    arrange: Callable[[Picked, int], tuple[NDArray[np.int64], Cells]]
    fewest: int


@dataclass(frozen=True)
class State:
    """What a search sees: the base, what came since, the base's cells if it has any, and BM25's statistics of it."""

    base: Block
    recent: Block
    cells: Cells | None
    words: Bm25 | None = None

    @property
    def blocks(self) -> tuple[Block, Block]:
        """All documents."""
        return self.base, self.recent


class Store:
    """An open folder of documents."""

    def __init__(self, folder: Path, layout: Layout | None, read_only: bool) -> None:
        self.folder = folder
        self._layout = layout
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._writers = None if read_only else _claim(folder)
        self._rows: dict[str, int] | None = None
        try:
            self._load(attempts=3 if read_only else 1)
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, folder: Path, schema: Schema, documents: Documents, layout: Layout | None) -> Self:
        """A new folder with documents, opened for writing."""
        require_new(folder)
        block = GrowingBlock(schema)
        block.append(checked_documents(schema, documents))
        with atomic_folder(folder) as aside:
            _write_base(aside, 1, schema, (block.view(np.ones(len(documents), bool)),), layout)
        return cls(folder, layout, read_only=False)

    @property
    def schema(self) -> Schema:
        """What it holds of each document."""
        return self._schema

    def upsert(self, documents: Documents) -> None:
        """Add or replace checked documents."""
        with self._lock:
            journal = self._writable()
            if len(documents) == 0:
                return
            journal.append(record_of(documents, self._schema))
            self._put(documents)
            self._compact_if_due()

    def delete(self, ids: list[str]) -> int:
        """Remove documents by checked ids; how many were there."""
        with self._lock:
            journal = self._writable()
            rows = self._row_of()
            there = [doc_id for doc_id in ids if doc_id in rows]
            if there:
                journal.append(record_of(there, self._schema))
                self._drop(there)
                self._compact_if_due()
            return len(there)

    def compact(self) -> None:
        """Write a new base of all that is alive, and start an empty journal."""
        with self._lock:
            self._writable()
            self._compact()

    def snapshot(self, folder: Path) -> None:
        """Copy the files to a new folder, as they are between two changes."""
        require_new(folder)
        with self._lock, atomic_folder(folder) as aside:
            names = [MANIFEST, *self._manifest["files"]]
            try:
                for name in names:
                    shutil.copyfile(self.folder / name, aside / name)
                with (self.folder / self._manifest["journal"]).open("rb") as file:
                    (aside / self._manifest["journal"]).write_bytes(file.read(self._end))
            except FileNotFoundError:
                raise SearchError(f"{self.folder} was changed by another process; open it anew") from None

    def close(self) -> None:
        """Let go of the files; what readers hold stays readable."""
        with self._lock:
            if self._journal is not None:
                self._journal.close()
                self._journal = None
            if self._writers is not None:
                os.close(self._writers)
                self._writers = None

    @property
    def _end(self) -> int:
        return self._journal.end if self._journal is not None else self._read_to

    def _writable(self) -> Journal:
        if self._journal is None:
            raise SearchError(f"{self.folder} was opened for reading, or is closed; open it for writing")
        return self._journal

    def _load(self, attempts: int) -> None:
        """Read the folder; a reader tries again where a writer replaced the base meanwhile."""
        self._manifest = _read_manifest(self.folder)
        try:
            self._schema = Schema.from_dict(self._manifest["schema"])
            # Every byte is held to the checksum that it was written with.
            for name, facts in self._manifest["files"].items():
                if _facts(self.folder / name) != facts:
                    raise SearchError(
                        f"{self.folder / name} is damaged: it is not what was written; {REMEDY}"
                    )
            words = self._read_words()
            base = _read_base(self.folder, self._manifest, self._schema, words)
            cells = self._read_cells()
            bodies, end, torn = read_records(self.folder / self._manifest["journal"])
        except FileNotFoundError as error:
            if attempts > 1:
                return self._load(attempts - 1)
            raise SearchError(f"{error.filename} is missing; {REMEDY}") from None
        self._recent = GrowingBlock(self._schema, words)
        self.state = State(base, self._recent.view(np.zeros(0, bool)), cells, words)
        for body in bodies:
            change = change_of(body, self._schema)
            if isinstance(change, Documents):
                self._put(change)
            else:
                self._drop(change)
        self._read_to = end
        if self._writers is not None:
            path = self.folder / self._manifest["journal"]
            if torn:
                _log.warning("%s: cut off %d bytes at the end, which are no whole change", path, torn)
                cut(path, end)
            self._journal = Journal(path, end)
            self._remove_leftovers()
        return None

    def _read_cells(self) -> Cells | None:
        name = self._manifest["cells"]
        if name is None:
            return None
        with np.load(self.folder / name, allow_pickle=False) as arrays:
            return Cells(arrays["centres"], arrays["offsets"])

    def _read_words(self) -> Bm25 | None:
        name = self._manifest.get("bm25")
        return None if name is None else Bm25.load(self.folder / name)

    def place_of(self, doc_id: str) -> tuple[Block, int] | None:
        """The block that a document is in, and its row there; `None` where there is no such document."""
        with self._lock:
            row, base, recent = self._row_of().get(doc_id), *self.state.blocks
        if row is None:
            return None
        return (base, row) if row < len(base.alive) else (recent, row - len(base.alive))

    def _row_of(self) -> dict[str, int]:
        """The row of each document that is alive; rows of recent documents come after the base's."""
        if self._rows is None:
            self._rows, start = {}, 0
            for block in self.state.blocks:
                for row in np.flatnonzero(block.alive):
                    self._rows[block.ids[int(row)]] = start + int(row)
                start += len(block.alive)
        return self._rows

    def _put(self, documents: Documents) -> None:
        base, recent = self._left(documents.ids)
        start = len(base.alive) + len(self._recent)
        self._recent.append(documents)
        alive = np.concatenate([recent.alive, np.ones(len(documents), bool)])
        self._row_of().update((doc_id, start + place) for place, doc_id in enumerate(documents.ids))
        # At once, so that nobody sees a document gone that is only being replaced.
        self.state = replace(self.state, base=base, recent=self._recent.view(alive))

    def _drop(self, ids: Sequence[str]) -> None:
        base, recent = self._left(ids)
        self.state = replace(self.state, base=base, recent=recent)

    def _left(self, ids: Sequence[str]) -> tuple[Block, Block]:
        """The blocks without documents of these ids, which lose their rows."""
        rows = self._row_of()
        gone = np.array([rows.pop(doc_id) for doc_id in ids if doc_id in rows], np.int64)
        count = len(self.state.base.alive)
        base, recent = gone[gone < count], gone[gone >= count] - count
        return _without(self.state.base, base), _without(self.state.recent, recent)

    def _compact_if_due(self) -> None:
        base = self.state.base.alive
        changed = len(self.state.recent.alive) + len(base) - int(np.count_nonzero(base))
        if changed <= max(_FEWEST_CHANGES, _SHARE_OF_CHANGES * len(base)):
            return
        try:
            self._compact()
        except OSError as error:
            # The change itself is on the disk.
            _log.warning("%s: no new base could be written, the journal grows on: %s", self.folder, error)
            self._remove_leftovers()

    def _compact(self) -> None:
        generation = self._manifest["generation"] + 1
        _write_base(self.folder, generation, self._schema, self.state.blocks, self._layout)
        if self._journal is not None:
            self._journal.close()
        self._rows = None
        self._load(attempts=1)

    def _remove_leftovers(self) -> None:
        """Remove files of other generations: the one before, or one whose writer was killed."""
        kept = {MANIFEST, LOCK, self._manifest["journal"], *self._manifest["files"]}
        for path in self.folder.iterdir():
            if path.name not in kept and path.is_file():
                path.unlink()


def _claim(folder: Path) -> int:
    """Become the folder's only writer until the handle is closed or the process ends."""
    if not (folder / MANIFEST).is_file():
        raise SearchError(f"there is no index at {folder}; build one with: gradus index build MODEL")
    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise SearchError(
            f"another process writes to {folder}; close it there, or open the index for reading"
        ) from None
    return handle


def _without(block: Block, rows: NDArray[np.int64]) -> Block:
    if len(rows) == 0:
        return block
    alive = block.alive.copy()  # readers keep the old one
    alive[rows] = False
    return replace(block, alive=alive)


def _write_base(
    folder: Path, generation: int, schema: Schema, blocks: tuple[Block, ...], layout: Layout | None
) -> None:
    """Write what is alive as a new base with an empty journal; `index.json`, written last, makes it count."""
    count = sum(int(np.count_nonzero(block.alive)) for block in blocks)
    vectors_file = folder / f"vectors-{generation}.npy"
    documents_file = folder / f"documents-{generation}.arrow"
    files = [vectors_file, documents_file]
    picked, order, cells = _picker(blocks, (schema.dimensions,), "vectors"), np.arange(count), None
    if layout is not None and count >= layout.fewest:
        order, cells = layout.arrange(picked, count)
        files.append(cells_file := folder / f"cells-{generation}.npz")
        np.savez(cells_file, centres=cells.centres, offsets=cells.offsets)
    _write_vectors(vectors_file, order, (schema.dimensions,), picked)
    write_columns(documents_file, schema, blocks, order)
    parts = words = None
    if schema.parts is not None:
        shape = schema.parts.count, schema.parts.dimensions
        files.append(parts := folder / f"parts-{generation}.npy")
        _write_vectors(parts, order, shape, _picker(blocks, shape, "parts"))
    if schema.hybrid:
        files.append(words := folder / f"bm25-{generation}.npz")
        texts = read_columns(documents_file, schema)[3].values()
        Bm25([joined(row) for row in zip(*texts, strict=True)]).save(words)
    journal = folder / f"journal-{generation}.log"
    Journal.create(journal).close()
    manifest = {
        "format": FORMAT,
        "schema": schema.as_dict(),
        "generation": generation,
        "files": {path.name: _facts(path) for path in files},
        "cells": None if cells is None else cells_file.name,
        "parts": None if parts is None else parts.name,
        "bm25": None if words is None else words.name,
        "journal": journal.name,
    }
    for path in files:
        _flush(path)
    with atomic_file(folder / MANIFEST) as aside:
        aside.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), "utf-8")


def _picker(blocks: tuple[Block, ...], shape: tuple[int, ...], name: Literal["vectors", "parts"]) -> Picked:
    """Gives vectors, or their parts, by their places among what is alive, one block after the other."""
    alive = [np.flatnonzero(block.alive) for block in blocks]

    def picked(places: NDArray[np.int64]) -> Vectors:
        vectors, start = np.empty((len(places), *shape), np.float32), 0
        for block, rows in zip(blocks, alive, strict=True):
            here = (places >= start) & (places < start + len(rows))
            vectors[here] = getattr(block, name)[rows[places[here] - start]]
            start += len(rows)
        return vectors

    return picked


def _write_vectors(path: Path, order: NDArray[np.int64], shape: tuple[int, ...], picked: Picked) -> None:
    """Write vectors in an order, some at a time."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(order), *shape)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, len(order), _ROWS):
            file.write(picked(order[first : first + _ROWS]).tobytes())


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
        known = manifest["format"] == FORMAT
        _ = manifest["schema"]["dimensions"], manifest["files"], manifest["journal"], manifest["cells"]
    except FileNotFoundError:
        raise SearchError(
            f"there is no index at {folder}; build one with: gradus index build MODEL"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise SearchError(f"{path} is damaged; {REMEDY}") from None
    if not known:
        raise SearchError(f"{path} is of format {manifest['format']}, this Gradus reads {FORMAT}; {REMEDY}")
    return manifest


def _read_base(folder: Path, manifest: Mapping[str, Any], schema: Schema, words: Bm25 | None) -> Block:
    """The base of files that are as they were written."""
    vectors_name, documents_name = list(manifest["files"])[:2]
    ids, categories, numbers, texts = read_columns(folder / documents_name, schema)
    vectors = _mapped(folder / vectors_name) if len(ids) else np.zeros((0, schema.dimensions), np.float32)
    parts = None
    if schema.parts is not None:
        nothing = np.zeros((0, schema.parts.count, schema.parts.dimensions), np.float32)
        parts = _mapped(folder / manifest["parts"]) if len(ids) else nothing
    alive = np.ones(len(ids), bool)
    gains = None if words is None else words.scores
    return Block(ids, vectors, categories, numbers, alive, texts, parts, gains)


def _mapped(path: Path) -> Vectors:
    # A plain array over the mapping: NumPy's own class for it costs microseconds at every use.
    return np.asarray(np.load(path, mmap_mode="r"))


def _facts(path: Path) -> dict[str, int]:
    checksum = 0
    with path.open("rb") as file:
        while part := file.read(1 << 22):
            checksum = zlib.crc32(part, checksum)
    return {"bytes": path.stat().st_size, "crc32": checksum}


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
