"""Staging: every row of any file is staged as it stands or rejected with a reason."""

import csv
import errno
import gzip
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradus.errors import LogError
from gradus.judgments.logs import lines
from gradus.judgments.logs.reading import is_damaged, log_files, read_some
from gradus.judgments.logs.rejects import Rejects
from gradus.judgments.logs.staging import Staged, stage

HEADER = "query,document,position\n"


def staged(tmp_path: Path, files: Mapping[str, bytes | str]) -> Staged:
    """Stage a folder of the given files; counts must reconcile with what was written."""
    log = tmp_path / "log"
    for name, content in files.items():
        path = log / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    result = stage(log, tmp_path / "staged")
    written = sum(pq.read_metadata(path).num_rows for path in result.paths)
    assert written == result.staged
    assert pq.read_metadata(result.rejects).num_rows == result.rejected.total()
    assert result.read == result.staged + result.rejected.total()
    return result


def rows(result: Staged) -> list[dict[str, Any]]:
    return [row for path in result.paths for row in pq.read_table(path).to_pylist()]


def rejects(result: Staged) -> list[tuple[str, int, str]]:
    return [(r["file"], r["line"], r["reason"]) for r in pq.read_table(result.rejects).to_pylist()]


def as_csv(table: Sequence[Sequence[str]], delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(table)
    return out.getvalue().encode()


CELLS = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=8)
TABLES = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12)
QUOTED = st.text(st.sampled_from('a",\r\n é|\t'), max_size=6)


@given(
    st.lists(st.tuples(QUOTED, QUOTED), min_size=1, max_size=12), st.sampled_from([",", "\t"]), st.booleans()
)
@settings(deadline=None, max_examples=150)
def test_any_csv_of_quoted_cells_comes_back(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str]], delimiter: str, packed: bool
) -> None:
    # A cell of nothing but line ends is kept as well, since all are quoted.
    data = as_csv([("query", "document"), *table], delimiter, csv.QUOTE_ALL)
    name = ("log.csv" if delimiter == "," else "log.tsv") + (".gz" if packed else "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_CHUNK", 7)
        patch.setattr(lines, "_BLOCK", 11)
        result = staged(tmp_path_factory.mktemp("log"), {name: gzip.compress(data) if packed else data})
    assert [(row["query"], row["document"]) for row in rows(result)] == table
    assert rejects(result) == []


@given(TABLES, st.sampled_from(["csv", "csv.gz", "tsv", "jsonl", "jsonl.gz", "parquet"]))
@settings(deadline=None, max_examples=150)
def test_any_rows_come_back_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, ...]], kind: str
) -> None:
    names = ("query", "document", "検索 id")
    records = [dict(zip(names, row, strict=True)) for row in table]
    folder = tmp_path_factory.mktemp("log")
    if kind == "parquet":
        path = folder / "log.parquet"
        pq.write_table(pa.Table.from_pylist(records), path)
        result = stage(path, folder / "staged")
        assert result.paths == (path,)
    else:
        if kind.startswith("jsonl"):
            data = "".join(json.dumps(row) + "\n" for row in records).encode()
        else:
            data = as_csv([names, *table], "\t" if kind == "tsv" else ",", csv.QUOTE_ALL)
        result = staged(folder, {f"log.{kind}": gzip.compress(data) if kind.endswith("gz") else data})
    assert rows(result) == records
    assert result.read == result.staged == len(table)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), JSON, min_size=1), min_size=1, max_size=8))
@settings(deadline=None, max_examples=50)
def test_any_json_keeps_its_rows_and_its_values(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    data = "".join(json.dumps(record) + "\n" for record in records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_CHUNK", 20)
        patch.setattr(lines, "_BLOCK", 60)
        result = staged(tmp_path_factory.mktemp("log"), {"log.jsonl": data})
    found = rows(result)
    assert len(found) == len(records)
    for row, record in zip(found, records, strict=True):
        for name, value in record.items():
            assert same(row[name], value), (row, record)


def same(cell: Any, value: Any) -> bool:
    """Whether a staged cell holds a JSON value: nesting kept, scalars as texts, or all of it as JSON."""
    if isinstance(cell, dict) and isinstance(value, dict):
        return all(same(cell[name], value.get(name)) for name in cell) and set(value) <= set(cell)
    if isinstance(cell, list) and isinstance(value, list):
        return len(cell) == len(value) and all(map(same, cell, value))
    if cell is None or value is None:
        return cell is None and value in (None, {})
    if isinstance(value, str) and cell == value:
        return True
    return isinstance(cell, str) and loosened(cell) == loosened(value)


def loosened(value: Any) -> Any:
    """A JSON value as its widest column spells it: no nulls or empty objects, scalars as texts, nesting as JSON or not."""
    if isinstance(value, dict):
        return {name: kept for name, inner in value.items() if (kept := loosened(inner)) is not None} or None
    if isinstance(value, list):
        return [loosened(inner) for inner in value]
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return loosened(json.loads(value))
        except ValueError:
            return value
    return json.dumps(value) if isinstance(value, bool | int) else value


def test_broken_lines_of_json_cost_themselves_alone(tmp_path: Path) -> None:
    good = [json.dumps({"query": f"q{n}", "e": {"object_id": n}}) for n in range(1000)]
    broken = {100 * n: good[100 * n][: 5 + n] for n in range(10)}
    text = "\n".join(broken.get(n, line) for n, line in enumerate(good))
    result = staged(tmp_path, {"log.jsonl": text})
    assert rejects(result) == [("log.jsonl", n + 1, "not a JSON object, or an empty one") for n in broken]
    assert [row["e"]["object_id"] for row in rows(result)] == [str(n) for n in range(1000) if n not in broken]


def test_json_that_other_readers_would_take_is_taken(tmp_path: Path) -> None:
    text = '[\n{"q": "a"},\n{"q": "b", "x": NaN}\n]\n{"q": "\\ud83d"}\n{"q": "\\u0000"}\n"text"\n\n7\n{ }\n'
    result = staged(tmp_path, {"log.json": text})
    assert [row["q"] for row in rows(result)] == ["a", "b", "�", "\0"]
    assert [line for _, line, _ in rejects(result)] == [1, 4, 7, 9, 10]


def test_brackets_without_end_are_rejected(tmp_path: Path) -> None:
    deep = '{"a":' + "[" * 200_000 + "]" * 200_000 + "}"
    result = staged(tmp_path, {"log.jsonl": f'{{"a": [1]}}\n{deep}\n{{"b": 2}}\n'})
    assert rows(result) == [{"a": ["1"], "b": None}, {"a": None, "b": "2"}]
    assert rejects(result) == [("log.jsonl", 2, "not a JSON object, or an empty one")]


def test_nesting_is_kept_and_types_do_not_differ_between_days(tmp_path: Path) -> None:
    first = {"event": {"object": {"object_id": 7}, "position": {"ordinal": 1}}, "hits": ["a", "b"]}
    second = {"event": {"object": {"object_id": "x-7", "name": "nut"}}, "hits": ["c"], "dwell": 1.5}
    result = staged(tmp_path, {"1.jsonl": json.dumps(first), "2.jsonl": json.dumps(second)})
    assert len({pq.read_schema(path) for path in result.paths}) == 1
    assert [row["event"] for row in rows(result)] == [
        {"object": {"object_id": "7", "name": None}, "position": {"ordinal": "1"}},
        {"object": {"object_id": "x-7", "name": "nut"}, "position": None},
    ]
    assert [row["hits"] for row in rows(result)] == [["a", "b"], ["c"]]
    assert [row["dwell"] for row in rows(result)] == [None, "1.5"]


def test_a_value_that_is_a_list_on_one_day_and_a_text_on_another_becomes_text(tmp_path: Path) -> None:
    result = staged(tmp_path, {"1.jsonl": '{"hits": ["a", "b"]}', "2.jsonl": '{"hits": "a"}'})
    assert [row["hits"] for row in rows(result)] == ['["a", "b"]', "a"]


def test_an_object_whose_keys_are_ids_becomes_text(tmp_path: Path) -> None:
    record = {"shown": {f"d{n}": n for n in range(300)}, "Case": {"A": 1, "a": 2}}
    [row] = rows(staged(tmp_path, {"log.jsonl": json.dumps(record)}))
    assert {name: json.loads(cell) for name, cell in row.items()} == record


def test_rows_of_csv_with_too_few_or_too_many_cells(tmp_path: Path) -> None:
    text = HEADER + "a,d1,1\nb,d2\n\nc,d3,3,3\n,,\nd,d4,4\n"
    result = staged(tmp_path, {"log.csv": text})
    assert [row["query"] for row in rows(result)] == ["a", "", "d"]
    assert rejects(result) == [("log.csv", 3, "too few cells"), ("log.csv", 5, "too many cells")]


def test_quotes_as_typed_and_quotes_never_closed(tmp_path: Path) -> None:
    text = (
        HEADER + '"two\nlines, one cell",d1,1\n"hex bolt,d2,2\n5" screw,d3,3\n"exact" words,d4,4\n'
        '"open, d5,5,6\nx,d6,6\n"say ""hi""",d7,7\n'
    )
    result = staged(tmp_path, {"log.csv": text})
    assert [row["query"] for row in rows(result)] == [
        "two\nlines, one cell", '"hex bolt', '5" screw', '"exact" words', "x", 'say "hi"',
    ]  # fmt: skip
    assert rejects(result) == [("log.csv", 7, "a quote that is never closed")]


def test_a_quote_never_closed_does_not_swallow_a_large_file(tmp_path: Path) -> None:
    good = "".join(f"q{n},d{n},{n}\n" for n in range(50_000))
    result = staged(tmp_path, {"log.csv": HEADER + '"open,1\n' + good})
    assert result.staged == 50_000
    assert rejects(result) == [("log.csv", 2, "a quote that is never closed")]


def test_carriage_returns(tmp_path: Path) -> None:
    text = 'query,document,position\r\na,d1,1\r\nb\rc,d2,2\r\n"e\r\nf",d3,"3"\r\n'
    result = staged(tmp_path, {"log.csv": text})
    assert [tuple(row.values()) for row in rows(result)] == [
        ("a", "d1", "1"), ("b\rc", "d2", "2"), ("e\r\nf", "d3", "3"),
    ]  # fmt: skip


def test_a_carriage_return_within_a_row_of_one_cell(tmp_path: Path) -> None:
    assert rows(staged(tmp_path, {"log.csv": "query\nb\rc\n\nd\n"})) == [{"query": "b\rc"}, {"query": "d"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_read_off_the_header(tmp_path: Path, delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in (("query", "document"), ("a", "d1")))
    assert rows(staged(tmp_path, {"log.csv": text})) == [{"query": "a", "document": "d1"}]


def test_header_names_that_repeat_but_for_their_case_or_are_empty(tmp_path: Path) -> None:
    [row] = rows(staged(tmp_path, {"log.csv": "id,ID,,Id\n1,2,3,4\n"}))
    assert row == {"id": "1", "ID_2": "2", "column_3": "3", "Id_3": "4"}


def test_a_header_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    files = {"1.csv": "query,click\na,1\n", "2.tsv": "query\tclick\tpage\tclick \na\t1\tp\t0\n"}
    with pytest.raises(
        LogError, match=r"2\.tsv: the header names 'click' more than once; rename the columns"
    ):
        staged(tmp_path, files)


def test_a_column_spelled_anew_on_another_day_is_the_same(tmp_path: Path) -> None:
    files = {
        "1.csv": "Query,doc\na,d1\n",
        "2.csv": "query,DOC\nb,d2\n",
        "3.jsonl": '{"QUERY": "c", "doc": 3}',
    }
    result = staged(tmp_path, files)
    assert rows(result) == [
        {"Query": "a", "doc": "d1"}, {"Query": "b", "doc": "d2"}, {"Query": "c", "doc": "3"},
    ]  # fmt: skip
    assert result.drift() == []


def test_keys_that_are_ids_are_no_drift_and_what_is_null_throughout_is(tmp_path: Path) -> None:
    days = [
        {"shown": {f"d{day}-{n}": n for n in range(150)}, "dwell": 1 if day else None, "click": {"at": 3}}
        for day in range(2)
    ]
    result = staged(tmp_path, {f"{day}.jsonl": json.dumps(row) for day, row in enumerate(days)})
    assert result.files[0].columns == ("shown", "click.at")
    assert [str(drift) for drift in result.drift()] == ["dwell: of 2 files only in 1.jsonl"]


def test_rejects_that_find_no_room_are_no_fault_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Rejects, "flush", full)
    monkeypatch.setattr("gradus.judgments.logs.rejects._BATCH", 2)
    with pytest.raises(OSError, match="No space left"):
        staged(tmp_path, {"log.csv": HEADER + "broken\n" * 3})


def test_an_array_is_told_apart_from_lines(tmp_path: Path) -> None:
    array = [{"query": "a"}, {"query": "b"}]
    for indent, command in ((None, "jq -c '.[]' log.json"), (1, "jq -c '.[]' log.json")):
        with pytest.raises(LogError, match=re.escape(command)):
            staged(tmp_path, {"log.json": json.dumps(array, indent=indent)})
    with pytest.raises(LogError, match=re.escape("jq -c . log.json")):
        staged(tmp_path, {"log.json": json.dumps(array[0], indent=1)})


def test_mixed_encodings_in_csv(tmp_path: Path) -> None:
    body = "ねじ,d1,1\n".encode() + "ナット,d2,2\n".encode("cp932") + b"\x82\xff,d3,3\na,d4,4\n"
    result = staged(tmp_path, {"log.csv": HEADER.encode() + body})
    assert [row["query"] for row in rows(result)] == ["ねじ", "ナット", "a"]
    assert rejects(result) == [("log.csv", 4, "neither UTF-8 nor cp932")]


def test_a_folder_of_days_with_an_empty_one_a_cut_one_and_others_that_differ(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"{n**9},d{n},1\n" for n in range(3000)).encode())
    result = staged(
        tmp_path,
        {
            "2024-01-01.csv": HEADER + "a,d1,1\n",
            "2024-01-02.csv": "",
            "2024-01-03.csv": HEADER,
            "2024-01-04.csv": "position,query,document,dwell\n2,b,d2,9\n",
            "2024-01-05.csv.gz": gzip.compress(HEADER.encode()) + whole[:-2000],
            "2024-01-06.csv": "query,document\nc,d3\n",
            "more/2024-01-07.tsv": "query\tdocument\tposition\ne\td5\t5\n",
            "_SUCCESS": "",
            ".hidden.csv": "x,y\n1,2\n",
            "notes.md": "# notes",
            "more/3.csv.bz2": "",
            "_old/4.log": "",
        },
    )
    assert result.skipped == ("more/3.csv.bz2", "notes.md")
    by_file = {file.name: (file.staged, dict(file.rejected)) for file in result.files}
    cut = by_file.pop("2024-01-05.csv.gz")
    assert by_file == {
        "2024-01-01.csv": (1, {}),
        "2024-01-02.csv": (0, {}),
        "2024-01-03.csv": (0, {}),
        "2024-01-04.csv": (1, {}),
        "2024-01-06.csv": (1, {}),
        "more/2024-01-07.tsv": (1, {}),
    }
    assert cut[0] > 1000
    assert cut[1] == {"the gzip stream breaks off here": 1}
    assert {row["query"]: row["position"] for row in rows(result) if row["query"] in set("abce")} == {
        "a": "1", "b": "2", "c": None, "e": "5",
    }  # fmt: skip
    assert {(drift.column, drift.present if len(drift.present) < 3 else drift.absent) for drift in result.drift()} == {
        ("dwell", ("2024-01-04.csv",)), ("position", ("2024-01-06.csv",)),
    }  # fmt: skip
    assert [str(drift) for drift in result.drift()] == [
        "position: not in 2024-01-06.csv, of 5 files", "dwell: of 5 files only in 2024-01-04.csv",
    ]  # fmt: skip


def test_parquet_is_used_where_it_lies_and_a_damaged_file_is_one_reject(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    pq.write_table(pa.table({"query": ["a"], "items": [[{"id": 7}]]}), log / "1.parquet")
    (log / "2.parquet").write_bytes((log / "1.parquet").read_bytes()[:-20])
    result = stage(log, tmp_path / "staged")
    assert result.paths == (log / "1.parquet",)
    assert stage(log / "1.parquet", tmp_path / "alone").skipped == ()
    assert [(file.read, file.staged) for file in result.files] == [(1, 1), (1, 0)]
    assert result.files[0].columns == ("query", "items[].id")
    assert rejects(result) == [("2.parquet", 1, "not a readable Parquet file")]
    assert not list((tmp_path / "staged").glob("part-*"))


def test_a_line_beyond_the_limit_in_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 3 << 20)
    huge = b'{"query": "' + b"x" * (40 << 20) + b'"}\n'
    data = b'{"query": "a"}\n' + huge + b'{"query": "b"}\n'
    result = staged(tmp_path, {"log.jsonl.gz": gzip.compress(data, 1)})
    assert [row["query"] for row in rows(result)] == ["a", "b"]
    [row] = pq.read_table(result.rejects).to_pylist()
    assert (row["line"], row["reason"], len(row["text"])) == (2, "longer than 3 MB", 500)


def test_a_log_without_rows_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        LogError, match=r"holds no row that can be read: not a JSON object, or an empty one \(2\)"
    ):
        staged(tmp_path, {"log.jsonl": "x\ny\n", "2.csv": "a,b\n"})
    with pytest.raises(LogError, match="no file or folder"):
        stage(tmp_path / "missing", tmp_path / "staged")
    with pytest.raises(LogError, match=r"of no known format; a log is CSV, TSV"):
        log_files(Path(__file__))
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogError, match="holds no log"):
        log_files(tmp_path / "empty")


def test_the_first_rows_of_the_first_file_that_has_any(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("")
    (tmp_path / "2.csv").write_text(HEADER + "broken\n" + "a,d,1\n" * 10)
    table, rejected = read_some(tmp_path, 3)
    assert (table.num_rows, rejected) == (3, 1)


def test_the_first_rows_behind_a_parquet_file_that_is_damaged(tmp_path: Path) -> None:
    pq.write_table(pa.table({"query": [f"{n**9}" for n in range(3000)]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"query": ["a"]}), tmp_path / "2.parquet")
    data = bytearray((tmp_path / "1.parquet").read_bytes())
    data[10:5000] = bytes(255 - byte for byte in data[10:5000])
    (tmp_path / "1.parquet").write_bytes(data)
    assert [is_damaged(tmp_path / f"{n}.parquet") for n in (1, 2)] == [True, False]
    table, rejected = read_some(tmp_path, 3)
    assert (table.to_pylist(), rejected) == ([{"query": "a"}], 1)
