"""Lines of files in any state: what is read, what is rejected, and that memory stays bounded."""

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.judgments.logs import lines
from gradus.judgments.logs.lines import read_blocks

Rejected = list[tuple[int, str, bytes]]


def read(path: Path) -> tuple[dict[int, bytes], Rejected]:
    """All readable lines by their number, and the rejected ones."""
    rejected: Rejected = []
    found: dict[int, bytes] = {}
    for block in read_blocks(path, lambda *row: rejected.append(row)):
        for number, line in zip(block.numbers, block.lines, strict=True):
            assert number not in found
            found[number] = line
    return found, rejected


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "log.txt"
    path.write_bytes(data)
    return path


@given(st.lists(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]))), st.booleans())
def test_any_lines_come_back_with_their_numbers_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], packed: bool
) -> None:
    # Without a leading byte order mark of their own, which is not the text's.
    rows = [text.lstrip("\ufeff").encode() for text in texts]
    data = b"".join(row + b"\n" for row in rows)
    path = written(tmp_path_factory.mktemp("lines"), gzip.compress(data) if packed else data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_CHUNK", 7)
        patch.setattr(lines, "_BLOCK", 11)
        found, rejected = read(path)
    assert {number: line for number, line in found.items() if line} == {
        number: row for number, row in enumerate(rows, 1) if row
    }
    assert rejected == []


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_beyond_the_limit_is_passed_over_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 2 << 20)
    path = tmp_path / "log.txt"
    with gzip.open(path, "wb", compresslevel=1) if packed else path.open("wb") as file:
        file.write(b"before\n")
        for _ in range(200):
            file.write(b"x" * (1 << 20))
        file.write(b"\nafter\n")
    tracemalloc.start()
    found, rejected = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == {1: b"before", 3: b"after"}
    assert [(line, reason) for line, reason, _ in rejected] == [(2, "longer than 2 MB")]
    assert rejected[0][2].startswith(b"xxx")
    # The line has 200 MB; a few chunks of 1 MB and the limit itself are held.
    assert peak < 20 << 20


def test_a_line_beyond_the_limit_at_the_end_and_within_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 1000)
    path = written(tmp_path, b"a\n" + b"x" * 1001 + b"\nb\n" + b"y" * 1000 + b"\n" + b"z" * 5000)
    found, rejected = read(path)
    assert found == {1: b"a", 3: b"b", 4: b"y" * 1000}
    assert [line for line, _, _ in rejected] == [2, 5]


def test_all_rows_before_the_cut_of_a_gzip_file(tmp_path: Path) -> None:
    rows = [f"{number},{number**7}".encode() for number in range(5000)]
    whole = gzip.compress(b"\n".join(rows) + b"\n")
    found, rejected = read(written(tmp_path, whole[: len(whole) // 2]))
    [(line, reason, raw)] = rejected
    assert reason == "the gzip stream breaks off here"
    assert list(found.values()) == rows[: line - 1]
    assert 1000 < line < 4000
    assert rows[line - 1].startswith(raw)


def test_all_rows_before_the_damage_of_a_gzip_file(tmp_path: Path) -> None:
    rows = [f"{number},{number**7}".encode() for number in range(5000)]
    whole = bytearray(gzip.compress(b"\n".join(rows) + b"\n"))
    whole[-8:-4] = b"\0\0\0\0"  # the checksum, behind all rows
    found, rejected = read(written(tmp_path, bytes(whole)))
    assert list(found.values()) == rows
    assert [(line, reason) for line, reason, _ in rejected] == [(5001, "the gzip stream is damaged here")]


def test_gzip_members_one_after_the_other_and_a_misnamed_file(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(b"a\nb\n") + gzip.compress(b"c\n") + b"\0\0\0")
    assert read(path) == ({1: b"a", 2: b"b", 3: b"c"}, [])
    plain = tmp_path / "plain.gz"
    plain.write_bytes(b"a\n")
    assert read(plain)[0] == {1: b"a"}


def test_lines_in_another_encoding_are_read_in_the_one_that_most_are_in(tmp_path: Path) -> None:
    texts = ["六角ボルト", "ねじ M8", "机", "ナット"]
    mixed = [text.encode("cp932" if row % 2 else "utf-8") for row, text in enumerate(texts * 3)]
    found, rejected = read(written(tmp_path, b"\n".join([*mixed, b"\x82\xff broken"])))
    assert [line.decode() for line in found.values()] == texts * 3
    assert [(line, reason) for line, reason, _ in rejected] == [(13, "neither UTF-8 nor cp932")]


@pytest.mark.parametrize(
    ("texts", "encoding"),
    [
        (["écran plat", "Müller & Söhne", "año"], "cp1252"),
        (["écran"], "cp1252"),
        (["スクリュー", "クラス"], "cp932"),
        (["ねじ", "六角ナット"], "euc_jp"),
    ],
)
def test_the_encoding_is_told_by_what_reads_as_text(tmp_path: Path, texts: list[str], encoding: str) -> None:
    found, rejected = read(written(tmp_path, "\n".join(["id", *texts]).encode(encoding)))
    assert [line.decode() for line in found.values()] == ["id", *texts]
    assert rejected == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    text = "クエリ,id\nねじ,1\n"
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    found, rejected = read(written(tmp_path, (mark + text).encode(encoding)))
    assert [line.decode() for line in found.values() if line] == ["クエリ,id", "ねじ,1"]
    assert rejected == []


def test_half_a_surrogate_pair_in_utf_16_costs_its_line_alone(tmp_path: Path) -> None:
    text = "\ufeffa\nb\ud83dc\nd\n".encode("utf-16-le", "surrogatepass")
    found, rejected = read(written(tmp_path, text))
    assert found == {1: b"a", 3: b"d"}
    assert [(line, reason) for line, reason, _ in rejected] == [(2, "half a surrogate pair of UTF-16")]


def test_nul_bytes_before_a_line_are_dropped_and_within_it_reject_it(tmp_path: Path) -> None:
    found, rejected = read(written(tmp_path, b"a\n" + b"\0" * (3 << 20) + b"b\nc\0d\ne\n"))
    assert found == {1: b"a", 2: b"b", 4: b"e"}
    assert rejected == [(3, "holds a NUL byte", b"c\0d")]


def test_an_empty_file_has_one_empty_block(tmp_path: Path) -> None:
    assert [block.lines for block in read_blocks(written(tmp_path, b""), lambda *row: None)] == [[]]
