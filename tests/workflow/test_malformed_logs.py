"""Malformed logs: none crashes, none costs a good row, and every row that was read is accounted for."""

import csv
import errno
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tracemalloc
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_shop import contents, failure

from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation
from gradus.judgments.simulation.traffic import Traffic
from gradus.judgments.simulation.truth import Truth
from gradus.judgments.simulation.write import write_log
from gradus.settings import read_settings

pytest.importorskip("ibis", reason="needs the logs extra")

from gradus.judgments.logs import lines
from gradus.judgments.logs.staging import stage
from gradus.workflow.judging import Judged, judge

Row = dict[str, Any]
Cell = tuple[str, str, int, int]

NOW = datetime(2026, 2, 1)
QUERIES = ["m4 ボルト", "m6 ナット", "Flügelmutter", "Sechskantschraube für Holz", "hex bolt", "washer"]
DOCUMENTS = [f"d{number}" for number in range(8)]
SETTINGS = """
[catalog]
path = "catalog.csv"
[catalog.fields]
title = { type = "text" }
[log]
path = "log"
[clicks]
estimator = "ctr"
bootstrap = 20
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a catalogue and an empty folder for the log."""
    (tmp_path / "gradus.toml").write_text(SETTINGS)
    rows = [f"{name},part {name}" for name in DOCUMENTS]
    (tmp_path / "catalog.csv").write_text("\n".join(["doc_id,title", *rows]) + "\n")
    (tmp_path / "log").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulation() -> Simulation:
    pairs = len(QUERIES) * len(DOCUMENTS)
    query, document = np.divmod(np.arange(pairs), len(DOCUMENTS))
    truth = Truth(QUERIES, DOCUMENTS, query, document, np.random.default_rng(0).random(pairs))
    return Simulation(truth, policy=Policy(swaps=0.3), traffic=Traffic(days=4), impressions=2000, page=6)


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The rows of a flat log, as texts."""
    folder = tmp_path_factory.mktemp("flat")
    write_log(folder, simulation(), "flat-csv")
    with (folder / "log.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def ubi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    """The events and queries of a UBI log."""
    folder = tmp_path_factory.mktemp("ubi")
    write_log(folder, simulation(), "ubi")
    return {name: pq.read_table(folder / f"ubi_{name}.parquet").to_pylist() for name in ("events", "queries")}


def as_csv(rows: Sequence[Row]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def by_day(rows: Sequence[Row]) -> dict[str, list[Row]]:
    days: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        days[row["time"][:10]].append(row)
    return dict(days)


def judged(**values: Any) -> Judged:
    return judge(read_settings(Path("gradus.toml")).with_values(values), Path("judged"), now=NOW)


def counted(rows: Iterable[Row]) -> dict[Cell, list[float]]:
    """Cells of good rows by a loop: impressions, clicks, impressions above or at the last click, last clicks."""
    pages: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in rows:
        pages[row["page"]][int(row["position"])] = row
    cells: dict[Cell, list[float]] = defaultdict(lambda: [0.0] * 4)
    for page in pages.values():
        clicks = [place for place, row in page.items() if int(row["click"])]
        for place, row in page.items():
            query = " ".join(row["query"].casefold().split())
            above = max((click for click in clicks if click < place), default=0)
            last = max(clicks, default=0)
            found = (1, place in clicks, place <= last, place == last)
            cell = cells[query, row["document"], place, above]
            cell[:] = [count + one for count, one in zip(cell, found, strict=True)]
    return dict(cells)


def cells_of(result: Judged) -> dict[Cell, list[float]]:
    assert result.log is not None
    cells = result.log.cells
    names = [cells.queries[row] for row in cells.query], [cells.documents[row] for row in cells.document]
    keys = zip(*names, cells.position.tolist(), cells.previous.tolist(), strict=True)
    counts = np.stack([cells.impressions, cells.clicks, cells.above_last, cells.last], axis=1).tolist()
    return dict(zip(keys, counts, strict=True))


def check(
    result: Judged,
    good: Sequence[Row],
    *,
    read: int,
    unreadable: Mapping[tuple[str, int], str] | None = None,
    rejected: Mapping[str, int] | None = None,
    filtered: Mapping[str, int] | None = None,
    found: Mapping[str, str] | None = None,
) -> None:
    """A log came to the cells of its good rows; the others are accounted for, written down and spoken of.

    Args:
        result: What it came to.
        good: The rows that must be used.
        read: Rows of the log.
        unreadable: (file, line) → reason, of rows that are none.
        rejected: Reason → rows whose values cannot be used.
        filtered: Reason → rows that must not count.
        found: Health findings → words that are in them.
    """
    unreadable, rejected, filtered = unreadable or {}, dict(rejected or {}), dict(filtered or {})
    assert result.log is not None
    summary = result.log.summary
    assert cells_of(result) == counted(good)
    assert (summary.read, summary.used) == (
        read,
        read - sum(filtered.values()) - len(unreadable) - sum(rejected.values()),
    )
    assert dict(summary.filtered) == filtered
    assert dict(summary.rejected) == dict(Counter(rejected) + Counter(unreadable.values()))
    lost = pq.read_table("judged/unreadable_rows.parquet").to_pylist() if unreadable else []
    assert {(row["file"], row["line"]): row["reason"] for row in lost} == unreadable
    assert Path("judged/unreadable_rows.parquet").exists() == bool(unreadable)
    broken = pq.read_table("judged/rejected_impressions.parquet").to_pylist() if rejected else []
    assert Counter(row["reason"] for row in broken for _ in range(row["rows"] + row["repeats"])) == rejected
    findings = {finding.name: f"{finding.text}; {finding.remedy}" for finding in result.log.findings}
    assert set(findings) == set(found or {})
    for name, words in (found or {}).items():
        assert words in findings[name], findings[name]
    assert not [path for path in Path("judged").iterdir() if path.name.startswith(".")]


UNREADABLE = {"unreadable rows": "unreadable_rows.parquet"}


def test_an_undamaged_log_has_no_findings(shop: Path, flat: list[Row]) -> None:
    (shop / "log/log.csv").write_text(as_csv(flat), encoding="utf-8")
    check(judged(), flat, read=len(flat))


def test_a_truncated_gzip(shop: Path, flat: list[Row]) -> None:
    first, second = flat[:1000], flat[1000:]
    (shop / "log/1.csv").write_text(as_csv(first), encoding="utf-8")
    cut = gzip.compress(as_csv(second).encode())[:-4000]
    (shop / "log/2.csv.gz").write_bytes(cut)
    whole = zlib.decompressobj(wbits=31).decompress(cut).count(b"\n") - 1
    assert 100 < whole < len(second) - 100
    check(
        judged(),
        first + second[:whole],
        read=len(first) + whole + 1,
        unreadable={("2.csv.gz", whole + 2): "the gzip stream breaks off here"},
        found=UNREADABLE,
    )


def test_mixed_encodings(shop: Path, flat: list[Row]) -> None:
    japanese = [row for row in flat if "m" in row["query"][:1]]
    german = [row for row in flat if row["query"][:1] in "FS"]
    english = [row for row in flat if row["query"][:1] in "hw"]
    half = len(japanese) // 2
    (shop / "log/1.csv").write_bytes(as_csv(japanese[:half]).encode("cp932"))
    (shop / "log/2.csv").write_bytes(as_csv(german).encode("latin-1"))
    encodings = ["cp932" if number % 3 else "utf-8" for number in range(len(flat))]
    text = as_csv(japanese[half:] + english).splitlines(keepends=True)
    text.insert(5, "\ud800 neither\n")
    data = [
        line.encode(name, "surrogatepass")
        for line, name in zip(text, encodings, strict=False)
        if "\ud800" not in line
    ]
    data.insert(5, b"p,s,u,\x82\xff,d1,1,,0,0,0,,\n")
    (shop / "log/3.csv").write_bytes(b"".join(data))
    check(
        judged(),
        flat,
        read=len(flat) + 1,
        unreadable={("3.csv", 6): "neither UTF-8 nor cp932"},
        found=UNREADABLE,
    )


def written(ubi: Mapping[str, Sequence[Row]], broken: Mapping[str, set[int]] | None = None) -> dict[str, str]:
    """Write UBI as JSON lines, some of them cut; settings that name them."""
    for name, rows in ubi.items():
        text = [json.dumps(row, default=str, ensure_ascii=False) for row in rows]
        cut = (broken or {}).get(name, set())
        text = [
            line[: 5 + 7 * number % (len(line) - 5)] if number in cut else line
            for number, line in enumerate(text)
        ]
        (Path("log") / f"{name}.jsonl").write_text("\n".join(text) + "\n", encoding="utf-8")
    return {"log.format": "ubi", "log.path": "log/events.jsonl", "log.queries": "log/queries.jsonl"}


def folded(events: Iterable[Row], queries: Iterable[Row]) -> tuple[list[Row], Counter[str]]:
    """The good rows that events come to, as those of a flat log, and what became of the events."""
    texts = {row["query_id"]: row["user_query"] for row in queries}
    happened: dict[tuple[str, str], list[Row]] = defaultdict(list)
    fates = Counter[str]()
    for event in events:
        if event["action_name"] in ("impression", "click"):
            happened[event["query_id"], event["event_attributes"]["object"]["object_id"]].append(event)
        else:
            fates["event that log.actions does not name"] += 1
    good = []
    for (page, document), own in happened.items():
        names = [event["action_name"] for event in own]
        if "impression" not in names:
            fates["action on a document that was not shown"] += len(own)
        elif page not in texts:
            fates["query is missing"] += len(own)
        else:
            place = own[names.index("impression")]["event_attributes"]["position"]["ordinal"]
            good.append(
                {
                    "page": page,
                    "query": texts[page],
                    "document": document,
                    "position": place,
                    "click": "click" in names,
                }
            )
    return good, fates


def test_one_percent_of_broken_json(shop: Path, ubi: dict[str, list[Row]]) -> None:
    rng = np.random.default_rng(0)
    broken = {
        name: set(rng.choice(len(rows), -(-len(rows) // 100), replace=False).tolist())
        for name, rows in ubi.items()
    }
    left = {
        name: [row for place, row in enumerate(rows) if place not in broken[name]]
        for name, rows in ubi.items()
    }
    good, fates = folded(**left)
    assert fates["query is missing"]
    result = judged(**written(ubi, broken))
    check(
        result,
        good,
        read=len(ubi["events"]) + len(broken["queries"]),
        unreadable={
            (f"{name}.jsonl", place + 1): "not a JSON object, or an empty one"
            for name in ubi
            for place in broken[name]
        },
        rejected={"query is missing": fates.pop("query is missing")},
        filtered=fates,
        found=UNREADABLE
        | {
            "events that are not counted": "add_to_cart",
            "actions without impressions": "impressions on every page",
        },
    )
    assert {row["table"] for row in pq.read_table("judged/unreadable_rows.parquet").to_pylist()} == set(ubi)


def test_clicks_without_impressions(shop: Path, ubi: dict[str, list[Row]]) -> None:
    clicked = [
        (event["query_id"], event["event_attributes"]["object"]["object_id"])
        for event in ubi["events"]
        if event["action_name"] == "click"
    ]
    lost = set(clicked[::5])
    events = [
        event
        for event in ubi["events"]
        if event["action_name"] != "impression"
        or (event["query_id"], event["event_attributes"]["object"]["object_id"]) not in lost
    ]
    good, fates = folded(events, ubi["queries"])
    assert fates["action on a document that was not shown"] == len(lost)
    check(
        judged(**written({"events": events, "queries": ubi["queries"]})),
        good,
        read=len(events),
        filtered=fates,
        found={
            "events that are not counted": "purchase",
            "actions without impressions": f"{len(lost)} documents were acted on without being shown",
            "holes in pages": "log every result that was shown",
        },
    )


def test_times_in_the_future_and_times_that_are_none(shop: Path, flat: list[Row]) -> None:
    times = {
        3: "2026-02-01 00:00:01Z",
        500: "2036-01-05T00:00:00Z",
        700: "99999999999999999",
        900: "",
        901: "soon",
    }
    rows = [row | {"time": times.get(number, row["time"])} for number, row in enumerate(flat)]
    (shop / "log/log.csv").write_text(as_csv(rows), encoding="utf-8")
    check(
        judged(),
        [row for number, row in enumerate(flat) if number not in times],
        read=len(flat),
        rejected={"time is in the future": 3, "time is missing or unreadable": 2},
        found={"unusable times": "clocks of the machines"},
    )


@pytest.mark.parametrize("empty", ["", "header"])
def test_an_empty_day(shop: Path, flat: list[Row], empty: str) -> None:
    days = by_day(flat)
    gone = sorted(days)[1]
    header = as_csv(flat).splitlines()[0]
    for day, rows in days.items():
        text = as_csv(rows) if day != gone else header if empty else ""
        (shop / f"log/{day}.csv").write_text(text, encoding="utf-8")
    left = [row for row in flat if row not in days[gone]]
    check(judged(), left, read=len(left), found={"days without rows": "look for lost files"})


def test_a_line_beyond_the_limit(shop: Path, flat: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 1 << 20)
    monkeypatch.setattr(lines, "_BLOCK", 1 << 20)
    text = as_csv(flat).encode().splitlines(keepends=True)
    huge = b"x" * (64 << 20)
    with gzip.open(shop / "log/log.csv.gz", "wb", compresslevel=1) as file:
        file.writelines([*text[:100], huge, b"\n", *text[100:]])
    del huge
    tracemalloc.start()
    try:
        stage(Path("log"), Path("staged"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    check(
        judged(),
        flat,
        read=len(flat) + 1,
        unreadable={("log.csv.gz", 101): "longer than 1 MB"},
        found=UNREADABLE,
    )


def test_columns_that_a_day_lacks(shop: Path, flat: list[Row]) -> None:
    days = by_day(flat)
    without_dwell, without_position = sorted(days)[1:3]
    for day, rows in days.items():
        missing = {without_dwell: "dwell", without_position: "position"}.get(day, "")
        rows = [{name: cell for name, cell in row.items() if name != missing} for row in rows]
        (shop / f"log/{day}.csv").write_text(as_csv(rows), encoding="utf-8")
    check(
        judged(),
        [row for row in flat if row not in days[without_position]],
        read=len(flat),
        rejected={"position is not a whole number": len(days[without_position])},
        found={
            "schema drift": f"position: not in {without_position}.csv, of 4 files",
            "missing positions": "log the position with every impression",
        },
    )


def test_ranks_from_0(shop: Path, flat: list[Row]) -> None:
    rows = [row | {"position": int(row["position"]) - 1} for row in flat]
    (shop / "log/log.csv").write_text(as_csv(rows), encoding="utf-8")
    check(judged(), flat, read=len(flat), found={"first rank": 'set [log] rank = "1"'})


def test_positions_that_are_none(shop: Path, flat: list[Row]) -> None:
    whole, below, above = (
        "position is not a whole number",
        "position is below the first, 1",
        "position is 10,000 or above",
    )
    odd = {
        "NaN": whole,
        "first": whole,
        "": whole,
        "1.5": whole,
        "inf": whole,
        "1e300": whole,
        "1e5": above,
        "-1": below,
        "0": below,
    }
    places = {7 * number: text for number, text in enumerate(odd)}
    rows = [row | {"position": places.get(number, row["position"])} for number, row in enumerate(flat)]
    (shop / "log/log.csv").write_text(as_csv(rows), encoding="utf-8")
    check(
        judged(),
        [row for number, row in enumerate(flat) if number not in places],
        read=len(flat),
        rejected=Counter(odd.values()),
        found={"first rank": "1 impressions are at 0", "missing positions": "6 of 1,"},
    )


def test_rows_written_twice(shop: Path, flat: list[Row]) -> None:
    rows = [row for number, row in enumerate(flat) for _ in range(2 if number % 20 == 0 else 1)]
    (shop / "log/log.csv").write_text(as_csv(rows), encoding="utf-8")
    check(
        judged(),
        flat,
        read=len(rows),
        filtered={"repeats an impression or action": len(rows) - len(flat)},
        found={"repeated positions": "send events once"},
    )


def test_rows_without_a_session_are_not_one_session(shop: Path, flat: list[Row]) -> None:
    rows = [row | {"session": ""} for row in flat]
    (shop / "log/log.csv").write_text(as_csv(rows), encoding="utf-8")
    check(judged(**{"log.robot_events": 100}), flat, read=len(flat))


@pytest.mark.slow
def test_a_million_unique_queries(shop: Path) -> None:
    rows = 1_000_000
    with (shop / "log/log.csv").open("w", encoding="utf-8") as file:
        file.write("page,query,document,position,click\n")
        file.writelines(
            f"p{row},query number {row},{DOCUMENTS[row % 8]},{1 + row % 5},{row % 3 // 2}\n"
            for row in range(rows)
        )
    result = judged()
    assert result.log is not None
    assert (result.log.summary.read, result.log.summary.used) == (rows, rows)
    assert len(result.log.cells) == len(result.fused) == rows
    assert result.log.cells.clicks.sum() == rows // 3
    assert pq.read_metadata("judged/judgments.parquet").num_rows == rows
    [finding] = [finding for finding in result.log.findings if finding.name == "unique queries"]
    assert "log.synonyms" in finding.remedy


def garbage(shop: Path) -> None:
    (shop / "log/log.jsonl").write_bytes(np.random.default_rng(0).bytes(100_000))


def whole_array(shop: Path) -> None:
    (shop / "log/log.json").write_text(json.dumps([{"query": "a"}] * 3))


def no_positions(shop: Path) -> None:
    (shop / "log/log.csv").write_text("query,document,position,click\na,d1,first,1\n")


def damaged_parquet(shop: Path) -> None:
    write_log(shop / "log", simulation(), "flat")
    (shop / "log/truth.parquet").unlink()
    data = bytearray((shop / "log/log.parquet").read_bytes())
    data[1000:9000] = bytes(255 - byte for byte in data[1000:9000])
    (shop / "log/log.parquet").write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "given", "said"),
    [
        (garbage, (), ("log holds no row that can be read", "such as log.jsonl, line")),
        (whole_array, (), ("jq -c '.[]' log.json",)),
        (lambda shop: (shop / "log/log.csv").write_text(""), (), ("log is empty",)),
        (lambda shop: (shop / "log/log.csv").write_text("query,document,position\n"), (), ("log is empty",)),
        (no_positions, (), ("no impression that can be used", "position is not a whole number (1)")),
        (damaged_parquet, (), ("damaged", "log.parquet")),
        (lambda _: None, (), ("the folder log holds no log", ".csv, .tsv, .jsonl")),
        (lambda _: None, ("--log.path", "lgo"), ("no file or folder lgo", "log.path")),
        (lambda _: None, ("--log.path", "catalog.toml"), ("no file or folder", "log.path")),
        (lambda _: None, ("--log.path", "gradus.toml"), ("gradus.toml is of no known format", "CSV, TSV")),
    ],
    ids=[
        "garbage", "an array", "empty", "header only", "nothing usable", "damaged Parquet", "no files", "missing",
        "missing file", "of no known format",
    ],
)  # fmt: skip
def test_a_log_that_cannot_be_used(
    shop: Path, spoil: Callable[[Path], None], given: tuple[str, ...], said: tuple[str, ...]
) -> None:
    spoil(shop)
    before = contents(shop)
    line = failure("judge", *given)
    assert [part for part in said if part not in line] == [], line
    assert contents(shop) == before
    assert not (shop / "judged").exists()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ('postion = "position"', ("log.columns names 'postion'", "did you mean 'position'")),
        ('position = "postion"', ("no column 'postion' (log.columns.position)", "did you mean 'position'")),
    ],
)
def test_a_misspelt_column(shop: Path, flat: list[Row], columns: str, said: tuple[str, ...]) -> None:
    (shop / "log/log.csv").write_text(as_csv(flat), encoding="utf-8")
    (shop / "gradus.toml").write_text(f"{SETTINGS}[log.columns]\n{columns}\n")
    before = contents(shop)
    line = failure("judge")
    assert [part for part in said if part not in line] == [], line
    assert contents(shop) == before


def test_queries_that_are_missing_are_named_by_their_own_key(shop: Path, ubi: dict[str, list[Row]]) -> None:
    written(ubi)
    line = failure(
        "judge", "--log.format", "ubi", "--log.path", "log/events.jsonl", "--log.queries", "qeries.jsonl"
    )
    assert "no file or folder qeries.jsonl (log.queries" in line


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("place", ["staging", "flushing", "writing judgments"])
def test_a_full_disk(shop: Path, flat: list[Row], monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    (shop / "log/log.csv").write_text(as_csv(flat) + "broken\n", encoding="utf-8")
    with monkeypatch.context() as patch:
        target: Any = {"staging": pq.ParquetWriter, "flushing": os, "writing judgments": pq}[place]
        patch.setattr(target, {"staging": "write_table", "flushing": "fsync"}.get(place, "write_table"), full)
        before = contents(shop)
        assert "No space left on device" in failure("judge")
        assert contents(shop) == before
        assert not (shop / "judged").exists()
    judged()
    before = contents(shop)
    with monkeypatch.context() as patch:
        patch.setattr(target, {"staging": "write_table", "flushing": "fsync"}.get(place, "write_table"), full)
        assert "No space left on device" in failure("judge")
    assert contents(shop) == before
    (shop / "log/log.csv").write_text(as_csv(flat), encoding="utf-8")
    judged()
    # What the earlier run rejected says nothing of this one.
    assert not (shop / "judged/unreadable_rows.parquet").exists()


def test_what_a_killed_run_left_behind_goes_with_the_next(shop: Path, flat: list[Row]) -> None:
    (shop / "log/log.csv").write_text(as_csv(flat), encoding="utf-8")
    told = "import os, signal; from gradus.workflow import judging; from gradus.cli.main import app\n"
    told += "judging.fuse = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\napp(['judge'])"
    killed = subprocess.run([sys.executable, "-c", told], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name[:6] for path in Path("judged").iterdir()] == [".work."]
    check(judged(), flat, read=len(flat))  # Which looks for hidden files.


def test_judgments_say_of_which_time_they_speak(shop: Path, flat: list[Row]) -> None:
    (shop / "log/log.csv").write_text(as_csv(flat), encoding="utf-8")
    judged()
    columns = pq.read_table("judged/judgments.parquet")
    moments = [datetime.fromisoformat(row["time"].removesuffix("Z")).replace(microsecond=0) for row in flat]
    assert set(columns["window_start"].to_pylist()) == {min(moments)}
    assert set(columns["window_end"].to_pylist()) == {max(moments)}
