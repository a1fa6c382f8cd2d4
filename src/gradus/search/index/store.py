"""The store: documents in a folder, changed without ever being half-changed.

`index.json` names everything else: the files of the base, and the journal of what changed since (`journal-N.log`). A
change is acknowledged once it is in the journal. When there is much in it, a new base is written beside the old one,
and `index.json` is replaced. A process killed at any moment leaves one or the other.
"""

import fcntl
import json
import logging
import os
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.bm25 import Bm25
from gradus.errors import SearchError
from gradus.files import atomic_file, atomic_folder
from gradus.search.index.base import REMEDY, Cells, Layout, read_base, write_base
from gradus.search.index.block import Block, GrowingBlock
from gradus.search.index.checks import checked_documents
from gradus.search.index.columns import change_of, record_of
from gradus.search.index.index import Documents, Schema, require_new
from gradus.search.index.journal import Journal, cut, read_records

FORMAT = 1
MANIFEST = "index.json"
LOCK = "lock"

_FEWEST_CHANGES = 10_000
_SHARE_OF_CHANGES = 0.25
"""A new base is written when the documents added since, or gone from it, exceed both."""

_log = logging.getLogger(__name__)


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
            _write(aside, 1, schema, (block.view(np.ones(len(documents), bool)),), layout)
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
            base = read_base(self.folder, self._manifest, self._schema)
            bodies, end, torn = read_records(self.folder / self._manifest["journal"])
        except FileNotFoundError as error:
            if attempts > 1:
                return self._load(attempts - 1)
            raise SearchError(f"{error.filename} is missing; {REMEDY}") from None
        self._recent = GrowingBlock(self._schema, base.words)
        self.state = State(base.block, self._recent.view(np.zeros(0, bool)), base.cells, base.words)
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
            _log.warning("%s: no new base could be written: %s", self.folder, error)

    def _compact(self) -> None:
        journal, generation = self._writable(), self._manifest["generation"] + 1
        try:
            _write(self.folder, generation, self._schema, self.state.blocks, self._layout)
        except OSError:
            if _read_manifest(self.folder)["generation"] == generation:
                journal.close()  # `index.json` names another one: what came into this one now would be lost
            else:
                self._remove_leftovers()
            raise
        journal.close()
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


def _write(
    folder: Path, generation: int, schema: Schema, blocks: tuple[Block, ...], layout: Layout | None
) -> None:
    """Write what is alive as a new base with an empty journal; `index.json`, written last, makes it count."""
    written = write_base(folder, generation, schema, blocks, layout)
    journal = folder / f"journal-{generation}.log"
    Journal.create(journal).close()
    manifest = {
        "format": FORMAT,
        "schema": schema.as_dict(),
        "generation": generation,
        **written,
        "journal": journal.name,
    }
    with atomic_file(folder / MANIFEST) as aside:
        aside.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), "utf-8")


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
