"""A base: documents as columns in immutable files, which are mapped into memory.

`vectors-N.npy` and `documents-N.arrow`; `cells-N.npz` where they are ordered by cells, `parts-N.npy` where vectors'
parts are kept, `bm25-N.npz` where words count. Every byte that is read is held to the checksum that it was written
with.
"""

import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.bm25 import Bm25, joined
from gradus.errors import SearchError
from gradus.search.index.block import Block
from gradus.search.index.columns import read_columns, write_columns
from gradus.search.index.index import Schema, Vectors

REMEDY = "restore a snapshot, or build the index anew"

_ROWS = 1 << 16  # copied at a time


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
class Base:
    """What the files hold: the documents, their cells if they have any, and BM25's statistics of them."""

    block: Block
    cells: Cells | None
    words: Bm25 | None


def write_base(
    folder: Path, generation: int, schema: Schema, blocks: tuple[Block, ...], layout: Layout | None
) -> dict[str, Any]:
    """Write what is alive to new files on the disk; what `read_base` has to be told of them, for JSON."""
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
    for path in files:
        _flush(path)
    return {
        "files": {path.name: _facts(path) for path in files},
        "cells": None if cells is None else cells_file.name,
        "parts": None if parts is None else parts.name,
        "bm25": None if words is None else words.name,
    }


def read_base(folder: Path, written: Mapping[str, Any], schema: Schema) -> Base:
    """The base that `write_base` wrote.

    Raises:
        SearchError: A file is not as it was written.
        FileNotFoundError: One is missing.
    """
    for name, facts in written["files"].items():
        if _facts(folder / name) != facts:
            raise SearchError(f"{folder / name} is damaged: it is not what was written; {REMEDY}")
    words = None if written.get("bm25") is None else Bm25.load(folder / written["bm25"])
    return Base(_read_block(folder, written, schema, words), _read_cells(folder, written["cells"]), words)


def _read_block(folder: Path, written: Mapping[str, Any], schema: Schema, words: Bm25 | None) -> Block:
    vectors_name, documents_name = list(written["files"])[:2]
    ids, categories, numbers, texts = read_columns(folder / documents_name, schema)
    vectors = _mapped(folder / vectors_name) if len(ids) else np.zeros((0, schema.dimensions), np.float32)
    parts = None
    if schema.parts is not None:
        nothing = np.zeros((0, schema.parts.count, schema.parts.dimensions), np.float32)
        parts = _mapped(folder / written["parts"]) if len(ids) else nothing
    alive = np.ones(len(ids), bool)
    gains = None if words is None else words.scores
    return Block(ids, vectors, categories, numbers, alive, texts, parts, gains)


def _read_cells(folder: Path, name: str | None) -> Cells | None:
    if name is None:
        return None
    with np.load(folder / name, allow_pickle=False) as arrays:
        return Cells(arrays["centres"], arrays["offsets"])


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
