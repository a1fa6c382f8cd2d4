r"""The journal: changes in the order in which they were made, each on the disk before it counts.

A record is a head of 20 bytes (mark `GJ1\n`, length of the body, CRC-32 of the body, CRC-32 of the head so far) and
its body. A process that is killed while it writes leaves a torn record at the end, which nobody was told had been
written: opening for writing cuts off a last record that is not whole. Damage before whole records is refused.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from gradus.errors import SearchError

_MARK = b"GJ1\n"
_HEAD = struct.Struct("<4sQI")
_CHECK = struct.Struct("<I")
_HEAD_BYTES = _HEAD.size + _CHECK.size


class Journal:
    """A file of records that is appended to."""

    def __init__(self, path: Path, end: int) -> None:
        self.path = path
        self.end = end
        self._file = os.open(path, os.O_WRONLY)
        self._broken = False

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty journal on the disk."""
        handle = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
        os.fsync(handle)
        os.close(handle)
        return cls(path, 0)

    def append(self, body: bytes) -> None:
        """Add a record; when this returns, it is on the disk.

        Raises:
            OSError: It could not be written (a full disk); the journal is as it was before.
            SearchError: An earlier failure could not be undone; the index has to be opened anew.
        """
        if self._broken:
            raise SearchError(f"{self.path} could not be written to before; open the index anew")
        record = _head(body) + body
        try:
            written = 0
            while written < len(record):
                written += os.pwrite(self._file, record[written:], self.end + written)
            os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
        except OSError as error:
            self._broken = True  # unless what was written can be taken back
            os.ftruncate(self._file, self.end)
            os.fsync(self._file)
            self._broken = False
            error.filename = str(self.path)
            raise
        self.end += len(record)

    def close(self) -> None:
        """Let go of the file, to which nothing can be added any more."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._broken = -1, True


def read_records(path: Path) -> tuple[list[bytes], int, int]:
    """The bodies of a journal's records, where the last one ends, and how many torn bytes come after it.

    Raises:
        SearchError: A record is damaged that is not the torn end of the file.
    """
    data = path.read_bytes()
    bodies, end = [], 0
    for body, after in _records(data):
        bodies.append(body)
        end = after
    # The end is torn where nothing that was acknowledged follows it.
    place = data.find(_MARK, end + 1)
    while place >= 0:
        if next(_records(data[place:]), None) is not None:
            raise SearchError(
                f"{path} is damaged at byte {end:,}, before a change that was written later; "
                "restore a snapshot or build the index anew"
            )
        place = data.find(_MARK, place + 1)
    return bodies, end, len(data) - end


def cut(path: Path, end: int) -> None:
    """Cut off what follows a place in a file."""
    with path.open("r+b") as file:
        file.truncate(end)
        os.fsync(file.fileno())


def _head(body: bytes) -> bytes:
    head = _HEAD.pack(_MARK, len(body), zlib.crc32(body))
    return head + _CHECK.pack(zlib.crc32(head))


def _records(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each whole record's body and the place after it, up to the first that is not whole."""
    place = 0
    while len(data) >= place + _HEAD_BYTES:
        head = data[place : place + _HEAD.size]
        mark, length, expected = _HEAD.unpack(head)
        (check,) = _CHECK.unpack_from(data, place + _HEAD.size)
        if mark != _MARK or check != zlib.crc32(head):
            return
        body = data[place + _HEAD_BYTES : place + _HEAD_BYTES + length]
        if len(body) < length or zlib.crc32(body) != expected:
            return
        place += _HEAD_BYTES + length
        yield body, place
