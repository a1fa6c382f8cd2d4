"""The log of searches and feedback: append-only JSON lines, those of people at work in the words of UBI.

    <folder>/queries/2026-05-04.jsonl   a line per search
    <folder>/events/2026-05-04.jsonl    a line per event
    <folder>/grades/2026-05-04.jsonl    a line per grade that an expert gave
    <folder>/votes/2026-05-04.jsonl     a line per vote on two versions

`gradus judge` reads it with `log.format = "ubi"`, `log.path` the events, `log.queries` the queries, and
`grades.path` the grades; `gradus votes` sums the votes up.

One thread writes. It takes all records that wait, appends them, has the disk confirm them once, and only then tells
those who asked. Records are written in the order in which they came, so that an event that is confirmed never lacks
its search.
"""

import errno
import fcntl
import itertools
import json
import logging
import os
import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

Kind = Literal["query", "event", "grade", "vote"]
FOLDERS: Mapping[Kind, str] = {"query": "queries", "event": "events", "grade": "grades", "vote": "votes"}

Record = Mapping[str, Any]

_LOG = logging.getLogger("gradus.service")

_BLOCK = 1 << 16

MOST_WAITING = 10_000
"""Requests' records that may wait for the disk; more are refused, since a stuck disk must not fill the memory."""


class _DayFile:
    """A file of one day that this process alone appends to."""

    def __init__(self, folder: Path, day: str) -> None:
        self.day = day
        folder.mkdir(parents=True, exist_ok=True)
        for number in itertools.count():
            path = folder / (f"{day}.{number}.jsonl" if number else f"{day}.jsonl")
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            if _lock(handle):
                break
            os.close(handle)  # another service writes there
        self._handle = handle
        cut_torn_tail(handle)
        _flush_folder(folder)

    def append(self, lines: Sequence[bytes]) -> None:
        """Add lines and have the disk confirm them, or leave the file as it was and raise an OSError."""
        before = os.fstat(self._handle).st_size
        data = memoryview(b"".join(lines))
        try:
            while data:
                data = data[os.write(self._handle, data) :]
            os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, before)
            raise

    def close(self) -> None:
        """Close the file, which frees it for others."""
        os.close(self._handle)


@dataclass(frozen=True)
class _Waiting:
    """Lines that are to be written, and who waits for them."""

    kind: Kind
    lines: list[bytes]
    written: "Future[int]"


class UbiLog:
    """Writes searches, events, grades and votes.

    Args:
        folder: Where.

    Attributes:
        folder: Where.
        failing: Whether the last attempt to write failed.

    Raises:
        OSError: There is no such folder, and none can be made.
    """

    def __init__(self, folder: Path) -> None:
        self.failing = False
        self.folder = folder
        self._files: dict[Kind, _DayFile] = {}
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        folder.mkdir(parents=True, exist_ok=True)
        for name in FOLDERS.values():
            repair(folder / name)
        self._thread = threading.Thread(target=self._run, name="gradus-log", daemon=True)
        self._thread.start()

    def add(self, kind: Kind, records: Sequence[Record]) -> "Future[int]":
        """Append records.

        Returns:
            How many, once they are on the disk; an OSError when they could not be written, and none of them was.
        """
        waiting = _Waiting(kind, [_line(record) for record in records], Future())
        if self._queue.qsize() < MOST_WAITING:
            self._queue.put(waiting)
        else:
            waiting.written.set_exception(OSError(errno.EBUSY, "the disk does not keep up"))
        return waiting.written

    def close(self) -> None:
        """Write what waits, and end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, ends = [first], False
            while not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    ends = True
                    break
                batch.append(item)
            self._commit(batch)
            if ends:
                break
        self._close_files()

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Write a batch, searches before events, and tell those who still wait."""
        day = datetime.now(UTC).date().isoformat()
        failed: OSError | None = None
        for kind in FOLDERS:
            mine = [item for item in batch if item.kind == kind]
            if not mine:
                continue
            waited_for = [item for item in mine if item.written.set_running_or_notify_cancel()]
            try:
                if failed is not None:
                    raise failed  # no event without its search
                self._file(kind, day).append([line for item in mine for line in item.lines])
            except OSError as error:
                if failed is None:
                    _LOG.error("cannot write to %s: %s", self.folder / FOLDERS[kind], error.strerror)
                failed = error
            self.failing = failed is not None
            for item in waited_for:
                if failed is None:
                    item.written.set_result(len(item.lines))
                else:
                    item.written.set_exception(failed)
        if failed is not None:
            self._close_files()  # the next attempt opens, and mends, them anew

    def _file(self, kind: Kind, day: str) -> _DayFile:
        file = self._files.get(kind)
        if file is None or file.day != day:
            if file is not None:
                del self._files[kind]
                file.close()
            file = self._files[kind] = _DayFile(self.folder / FOLDERS[kind], day)
        return file

    def _close_files(self) -> None:
        while self._files:
            self._files.popitem()[1].close()


def repair(folder: Path) -> int:
    """Cut the torn tails that a killed process left in a folder's files; how many bytes that were.

    Nothing in a torn tail was ever confirmed. Files that another process is writing to are left alone.
    """
    cut = 0
    for path in sorted(folder.glob("*.jsonl")):
        handle = os.open(path, os.O_RDWR)
        try:
            if _lock(handle):
                cut += cut_torn_tail(handle)
        finally:
            os.close(handle)
    return cut


def cut_torn_tail(handle: int) -> int:
    """Cut an open file behind its last line break; how many bytes that were."""
    size = end = os.fstat(handle).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        block = os.pread(handle, end - start, start)
        found = block.rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)
        os.fsync(handle)
    return size - end


def moment(time: datetime | None = None) -> str:
    """A time with a zone (now, when `None`) as UBI writes it: UTC, to the millisecond."""
    time = time or datetime.now(UTC)
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _flush_folder(folder: Path) -> None:
    """Force the file's name to the disk, too."""
    for path in (folder, folder.parent):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
