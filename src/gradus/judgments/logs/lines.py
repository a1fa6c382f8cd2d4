"""The lines of a text file of any size and state, in blocks of clean UTF-8.

Whatever the file, memory stays within a few blocks: a line beyond `LONGEST_LINE` is passed over without being
held, and a gzip stream is unpacked piece by piece. A line that cannot be read costs itself alone:

1. bytes come in chunks; gzip is known by its first two bytes, UTF-16 by its byte order mark;
2. NUL bytes before a line are dropped, as a log that was truncated while being written leaves them; a line
   with others is rejected;
3. a line that is not UTF-8 is read in the encoding that most such lines of the file are in, or rejected;
4. where a gzip stream breaks off, the rest of its last line is rejected.
"""

import codecs
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST_LINE = 16 << 20
"""Bytes that a line may have."""

Reject = Callable[[int, str, bytes], None]
"""Takes a rejected row: its line number from 1, the reason, what it holds."""

_CHUNK = 1 << 20
_BLOCK = 8 << 20
_RAW = 2000
"""Bytes that are kept of a line that is passed over."""
_GZIP = b"\x1f\x8b"
_BOM = codecs.BOM_UTF8
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_ENCODINGS = ("cp932", "euc_jp", "cp1252")
_KANA = re.compile("[\u3041-\u30fe]")
_JAPANESE = re.compile("[\x00-\x7f\u3000-\u30fe\u4e00-\u9fff\uff01-\uff5e]*")
_LATIN = re.compile(
    "[\x00-\x7f\xa0-\xff\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u20ac\u2122\u2018-\u201d]*"
)
_LATIN_SIGNS = re.compile("[\xa1-\xa9\xab-\xaf\xb1\xb3-\xbf\xd7\xf7]")


@dataclass(frozen=True)
class Block:
    """Consecutive lines of a file that can be read.

    Attributes:
        lines: UTF-8, without the line feed that ends them (a carriage return before it is kept).
        numbers: The number of each line in the file, from 1.
        last: Whether no further block follows.
    """

    lines: list[bytes]
    numbers: Sequence[int]
    last: bool


def read_blocks(path: Path, reject: Reject) -> Iterator[Block]:
    """The lines of a file, plain or compressed by gzip; at least one block, which may be empty.

    Raises:
        OSError: The file cannot be opened or read.
    """
    cleaner = _Cleaner(reject)
    blocks = _raw_blocks(path, reject, cleaner)
    for data, first, last in blocks:
        yield cleaner.clean(data, first, last)


def _raw_blocks(path: Path, reject: Reject, cleaner: "_Cleaner") -> Iterator[tuple[bytes, int, bool]]:
    """Whole lines of a file as (bytes, number of the first line, whether they are the last)."""
    pending, number, over = bytearray(), 1, b""
    cut = None
    try:
        for chunk in _text_chunks(path, cleaner):
            if over:
                end = chunk.find(b"\n")
                if end < 0:
                    continue
                reject(number, _too_long(), over)
                chunk, number, over = chunk[end + 1 :], number + 1, b""
            pending += chunk
            if pending.startswith(b"\0"):
                pending = pending.lstrip(b"\0")
            if len(pending) < min(_BLOCK, LONGEST_LINE):
                continue
            end = pending.rfind(b"\n", max(0, len(pending) - len(chunk)))
            end = end if end >= 0 else pending.rfind(b"\n")
            if end >= 0:
                data = bytes(pending[:end])
                del pending[: end + 1]
                yield data, number, False
                number += data.count(b"\n") + 1
                if pending.startswith(b"\0"):
                    pending = pending.lstrip(b"\0")
            if len(pending) > LONGEST_LINE:
                over = bytes(pending[:_RAW])
                pending = bytearray()
    except _CutError as error:
        cut = str(error)
    if over:
        reject(number, _too_long() if cut is None else cut, over)
    elif cut is not None:
        # What stands behind the last line feed is only a part of a line.
        end = pending.rfind(b"\n") + 1
        reject(number + pending.count(b"\n"), cut, bytes(pending[end : end + _RAW]))
        del pending[end:]
    yield bytes(pending.removesuffix(b"\n")), number, True


def _too_long() -> str:
    return f"longer than {LONGEST_LINE >> 20} MB"


class _CutError(Exception):
    """A compressed file that ends early, or is damaged from here on."""


def _text_chunks(path: Path, cleaner: "_Cleaner") -> Iterator[bytes]:
    """The content of a file in pieces: UTF-8 without its byte order mark, where it says what it is."""
    with path.open("rb") as file:
        start = file.peek(2)[:2]
        chunks = iter(lambda: file.read(_CHUNK), b"")
        if start == _GZIP:
            chunks = _unzipped(chunks)
        first = next(chunks, b"")
        encoding = _UTF16.get(first[:2])
        if encoding is None:
            yield first.removeprefix(_BOM)
            yield from chunks
            return
        # Half of a surrogate pair becomes bytes that are no UTF-8, so that its line is found below.
        cleaner.encoding = "utf-8"
        decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        yield decoder.decode(first[2:]).encode("utf-8", "surrogatepass")
        for chunk in chunks:
            yield decoder.decode(chunk).encode("utf-8", "surrogatepass")


def _unzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A gzip stream unpacked, in pieces of at most a chunk; it may have several members.

    Raises:
        _CutError: It ends early or is damaged, after all that comes before.
    """
    member = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        while chunk:
            if member.eof:
                chunk = chunk.lstrip(b"\0")
                if not chunk:
                    break
                member = zlib.decompressobj(wbits=31)
            before = member.copy()
            try:
                data = member.decompress(chunk, _CHUNK)
            except zlib.error:
                yield from _until_damage(before, chunk)
                raise _CutError("the gzip stream is damaged here") from None
            if data:
                yield data
            chunk = member.unused_data if member.eof else member.unconsumed_tail
    # What the decompressor still holds comes without further input.
    while not member.eof and (data := member.decompress(member.unconsumed_tail, _CHUNK)):
        yield data
    if not member.eof:
        raise _CutError("the gzip stream breaks off here")


def _until_damage(member: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    """What a chunk unpacks to up to the byte that is wrong."""
    try:
        for at in range(len(chunk)):
            data = member.decompress(chunk[at : at + 1])
            if data:
                yield data
    except zlib.error:
        return


class _Cleaner:
    """Takes the lines that cannot be text out of blocks, and brings the others to UTF-8.

    Attributes:
        encoding: What lines that are not UTF-8 are read in; empty until the first is seen.
    """

    def __init__(self, reject: Reject) -> None:
        self.encoding = ""
        self._reject = reject

    def clean(self, data: bytes, first: int, last: bool) -> Block:
        """The lines of a block that can be read; the others are rejected."""
        lines = data.split(b"\n") if data or not last else []
        numbers: Sequence[int] = range(first, first + len(lines))
        longest = len(data) > LONGEST_LINE and max(map(len, lines)) > LONGEST_LINE
        if not longest and b"\0" not in data and _is_utf8(data):
            return Block(lines, numbers, last)
        self.encoding = self.encoding or _likely_encoding([line for line in lines if not _is_utf8(line)])
        kept, kept_numbers = [], []
        for number, line in zip(numbers, lines, strict=True):
            line = line.lstrip(b"\0")
            text, reason = self._read(line)
            if reason:
                self._reject(number, reason, line)
            else:
                kept.append(text)
                kept_numbers.append(number)
        return Block(kept, kept_numbers, last)

    def _read(self, line: bytes) -> tuple[bytes, str]:
        """A line as UTF-8, or why it cannot be."""
        if len(line) > LONGEST_LINE:
            return b"", _too_long()
        if b"\0" in line:
            return b"", "holds a NUL byte"
        if _is_utf8(line):
            return line, ""
        if self.encoding == "utf-8":
            return b"", "half a surrogate pair of UTF-16"
        try:
            return line.decode(self.encoding).encode(), ""
        except UnicodeDecodeError:
            return b"", f"neither UTF-8 nor {self.encoding}"


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _likely_encoding(lines: list[bytes]) -> str:
    """The encoding in which most of the lines read as plausible text; empty without lines.

    Japanese text misread as Latin is full of signs, Latin text misread as Japanese of rare kanji, but short
    words of either may pass as the other; then kana decide.
    """

    def score(encoding: str) -> tuple[int, int]:
        plausible = kana = 0
        for line in lines:
            try:
                text = line.decode(encoding)
            except UnicodeDecodeError:
                continue
            if encoding == "cp1252":
                plausible += bool(_LATIN.fullmatch(text)) and not _LATIN_SIGNS.search(text)
            elif _JAPANESE.fullmatch(text):
                plausible += 1
                kana += bool(_KANA.search(text))
        return plausible, kana

    # Of equals the last wins: Latin over Japanese without any kana.
    return max(reversed(_ENCODINGS), key=score) if lines else ""
