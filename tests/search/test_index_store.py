"""The store of the embedded indexes: killed, damaged, out of space, shared; and random changes against a dict."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_index_backends import SCHEMA, D, assert_same, held, made

from gradus.errors import SearchError
from gradus.search.index import base as bases
from gradus.search.index import ivf
from gradus.search.index import store as stores
from gradus.search.index.backends import create_index, open_index
from gradus.search.index.exact import ExactIndex
from gradus.search.index.filters import Between, OneOf
from gradus.search.index.index import Documents, Schema

WRITER = """
import sys
import numpy as np
from gradus.search.index import store
from gradus.search.index.backends import open_index
from gradus.search.index.index import Documents

store._FEWEST_CHANGES = 20  # a new base every few changes, so that kills meet that as well
index = open_index("exact", sys.argv[1])
turn = int(sys.argv[2])
while True:
    turn += 1
    vector = np.full((1, 4), turn, np.float32)
    index.upsert(Documents([f"d{turn % 50}"], vector))
    if turn % 3 == 0:
        index.delete([f"d{(turn - 2) % 50}"])
    print(turn, flush=True)
"""


def state_after(turns: int) -> dict[str, float]:
    """What the writer's documents are after some of its turns."""
    truth: dict[str, float] = {}
    for turn in range(1, turns + 1):
        truth[f"d{turn % 50}"] = turn
        if turn % 3 == 0:
            truth.pop(f"d{(turn - 2) % 50}", None)
    return truth


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    place = str(tmp_path / "index")
    create_index("exact", place, Schema(4), Documents([], np.zeros((0, 4), np.float32))).close()
    random, turn = np.random.default_rng(0), 0
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, place, str(turn)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            turn = int(writer.stdout.readline())
            time.sleep(random.uniform(0, 0.3))
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout.read().splitlines(keepends=True):
                turn = int(line) if line.endswith("\n") else turn
        with open_index("exact", place) as index:
            documents = index.documents()
            found = dict(zip(documents.ids, documents.vectors[:, 0].tolist(), strict=True))
        # The turn that was under way may have put its document, and may have removed the other one.
        begun = state_after(turn) | {f"d{(turn + 1) % 50}": turn + 1}
        assert found in (state_after(turn), begun, state_after(turn + 1))
        turn += found != state_after(turn)
        if found == begun != state_after(turn):  # finish it, so that the next writer starts from a whole turn
            with open_index("exact", place) as index:
                index.delete([f"d{(turn - 2) % 50}"])


def test_a_torn_change_at_the_end_is_cut_off_with_a_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    documents = made(5)
    create_index("exact", str(tmp_path / "index"), SCHEMA, documents).close()
    journal = tmp_path / "index" / "journal-1.log"
    with open_index("exact", str(tmp_path / "index")) as index:
        index.delete(["d1"])
        whole = journal.stat().st_size
        index.delete(["d2"])
    record = journal.read_bytes()
    for end in range(whole + 1, len(record), 37):
        journal.write_bytes(record[:end])
        with open_index("exact", str(tmp_path / "index"), read_only=True) as index:
            assert index.count() == 4  # a reader leaves the file to its writer
        assert journal.stat().st_size == end
        caplog.clear()
        with open_index("exact", str(tmp_path / "index")) as index:
            assert index.count() == 4
            index.upsert(Documents(["later"], documents.vectors[:1]))
        assert f"journal-1.log: cut off {end - whole} bytes" in caplog.text
        with open_index("exact", str(tmp_path / "index")) as index:
            assert index.count() == 5


def test_damage_before_the_end_of_the_journal_is_refused(tmp_path: Path) -> None:
    create_index("exact", str(tmp_path / "index"), SCHEMA, made(5)).close()
    journal = tmp_path / "index" / "journal-1.log"
    with open_index("exact", str(tmp_path / "index")) as index:
        index.delete(["d1"])
        whole = journal.stat().st_size
        index.delete(["d2"])
    for place in (0, 5, 13, 17, whole // 2, whole - 1):
        before = journal.read_bytes()
        journal.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
        with pytest.raises(SearchError, match=r"journal-1\.log is damaged at byte 0.*build the index anew"):
            open_index("exact", str(tmp_path / "index"))
        journal.write_bytes(before)
    open_index("exact", str(tmp_path / "index")).close()


@pytest.mark.parametrize(
    "name", ["vectors-1.npy", "documents-1.arrow", "cells-1.npz", "index.json", "journal-1.log"]
)
def test_every_damaged_or_missing_file_is_named_with_the_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivf.IvfIndex, "layout", ivf.Layout(ivf.arrange, 10))
    create_index("ivf", str(tmp_path / "index"), SCHEMA, made(50)).close()
    path = tmp_path / "index" / name
    before = path.read_bytes()
    if before:
        half = len(before) // 2
        for damaged in (before[:half], before[:half] + b"\xff\x00\xff" + before[half + 3 :]):
            path.write_bytes(damaged)
            for read_only in (True, False):
                with pytest.raises(SearchError, match=rf"{name} is damaged.*build the index anew"):
                    open_index("ivf", str(tmp_path / "index"), read_only)
    path.unlink()
    with pytest.raises(SearchError, match=f"no index at|{name} is missing; .*build the index anew"):
        open_index("ivf", str(tmp_path / "index"))
    path.write_bytes(before)
    open_index("ivf", str(tmp_path / "index")).close()


def test_a_full_disk_leaves_the_index_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = made(20)
    index = create_index("exact", str(tmp_path / "index"), SCHEMA, documents)
    real = os.pwrite

    def full(file: int, data: bytes, place: int) -> int:
        if len(data) > 100:
            return real(file, data[:100], place)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left on device"):
        index.upsert(Documents(["new"], documents.vectors[:1]))
    assert_same(index, held(documents), 30)
    monkeypatch.setattr(os, "pwrite", real)
    index.upsert(Documents(["new"], 2 * documents.vectors[:1]))
    index.close()
    with open_index("exact", str(tmp_path / "index")) as again:
        assert_same(again, held(documents) | {"new": (2 * documents.vectors[0], {})}, 30)


def test_a_base_that_was_never_finished_is_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compaction that dies just before it counts leaves files of a next generation behind."""
    documents = made(20)
    with ExactIndex.create(str(tmp_path / "index"), SCHEMA, documents) as index:
        index.delete(["d3"])
        truth = held(documents)
        del truth["d3"]

        def die(path: Path) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(stores, "atomic_file", die)
            with pytest.raises(KeyboardInterrupt):
                index.compact()
        assert (tmp_path / "index" / "vectors-2.npy").is_file()
        index.delete(["d4"])
        del truth["d4"]
    with ExactIndex.open(str(tmp_path / "index")) as index:
        assert not (tmp_path / "index" / "vectors-2.npy").exists()
        assert_same(index, truth, 30)
        index.compact()
        assert_same(index, truth, 30)


def test_a_change_counts_even_where_the_disk_has_no_room_for_a_new_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    documents = made(20)
    monkeypatch.setattr(stores, "_FEWEST_CHANGES", 3)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with ExactIndex.create(str(tmp_path / "index"), SCHEMA, documents) as index:
        with monkeypatch.context() as patch:
            patch.setattr(bases, "write_columns", full)
            assert index.delete(documents.ids[:10]) == 10
        assert "no new base could be written" in caplog.text
        assert not (tmp_path / "index" / "vectors-2.npy").exists()
        index.delete(documents.ids[10:11])
        assert (tmp_path / "index" / "vectors-2.npy").exists()
        assert_same(index, dict(list(held(documents).items())[11:]))


def test_a_new_base_that_may_not_be_on_the_disk_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`index.json` was replaced already when the folder could not be flushed: no change goes to the old journal."""
    documents = made(20)
    monkeypatch.setattr(stores, "_FEWEST_CHANGES", 3)
    real = os.fsync

    def fails_for_folders(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        real(file)

    with ExactIndex.create(str(tmp_path / "index"), SCHEMA, documents) as index:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fails_for_folders)
            assert index.delete(documents.ids[:10]) == 10
        assert_same(index, dict(list(held(documents).items())[10:]))
        with pytest.raises(SearchError, match="open the index anew"):
            index.delete(documents.ids[10:11])
    with ExactIndex.open(str(tmp_path / "index")) as index:
        assert_same(index, dict(list(held(documents).items())[10:]))


def test_one_process_writes_and_others_read_what_was_when_they_opened(tmp_path: Path) -> None:
    documents = made(30)
    place = str(tmp_path / "index")
    with ExactIndex.create(place, SCHEMA, documents) as writer:
        with pytest.raises(SearchError, match="another process writes to"):
            open_index("exact", place)
        with open_index("exact", place, read_only=True) as reader:
            writer.delete(["d1"])
            writer.compact()  # removes the files that the reader has mapped
            assert_same(reader, held(documents), 40)
            with open_index("exact", place, read_only=True) as later:
                assert later.count() == 29


def test_cells_keep_their_recall_under_filters_and_deletions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filters of every width, many deletions, and clusters that a filter cuts across."""
    monkeypatch.setattr(ivf.IvfIndex, "layout", ivf.Layout(ivf.arrange, 100))
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, D))
    cluster = random.integers(0, 40, 6000)
    vectors = (centres[cluster] + 0.3 * random.normal(size=(6000, D))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    documents = Documents(
        [str(row) for row in range(6000)],
        vectors,
        {"colour": [f"c{c}" for c in cluster], "price.net": list(range(6000))},
    )
    exact = create_index("exact", str(tmp_path / "exact"), SCHEMA, documents)
    cells = create_index("ivf", str(tmp_path / "ivf"), SCHEMA, documents)
    queries = random.normal(size=(50, D)).astype(np.float32)
    gone = [str(row) for row in range(0, 6000, 4)]
    for _ in range(2):
        for where in (
            None,
            {"price.net": Between(high=5400)},
            {"price.net": Between(high=600)},
            {"price.net": Between(high=60)},
            {"colour": OneOf(frozenset({"c1"}))},
            {"colour": OneOf(frozenset({f"c{c}" for c in range(20)})), "price.net": Between(low=3000)},
        ):
            right, found = exact.search(queries, 10, where), cells.search(queries, 10, where)
            hits = [len(set(a.ids) & set(b.ids)) for a, b in zip(right, found, strict=True)]
            assert sum(hits) / (10 * len(queries)) >= 0.95
        assert exact.delete(gone) == cells.delete(gone) == len(gone)
        gone = []


def test_the_files_are_plain(tmp_path: Path) -> None:
    """What is written can be opened without Gradus."""
    import pyarrow as pa

    documents = made(9)
    create_index("exact", str(tmp_path / "index"), SCHEMA, documents).close()
    assert np.array_equal(np.load(tmp_path / "index" / "vectors-1.npy"), documents.vectors)
    table = pa.ipc.open_file(tmp_path / "index" / "documents-1.arrow").read_all()
    assert table["id"].to_pylist() == list(documents.ids)
    assert table["field:colour"].to_pylist() == documents.attributes["colour"]
    assert table["field:price.net"].to_pylist() == documents.attributes["price.net"]
    assert json.loads((tmp_path / "index" / "index.json").read_text())["schema"]["dimensions"] == D


IDS = st.integers(0, 12).map(lambda number: f"d{number}")
VALUES = st.tuples(st.sampled_from([None, "red", "blue"]), st.sampled_from([None, -1.5, 0.0, 2.0]))
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), st.dictionaries(IDS, VALUES, max_size=5)),
        st.tuples(st.just("delete"), st.lists(IDS, max_size=4)),
        st.tuples(st.just("compact"), st.none()),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(changes=CHANGES, seed=st.integers(0, 99), colour=st.sampled_from(["red", "blue", "none"]))
def test_any_changes_leave_what_a_dict_would_hold(
    changes: list[tuple[str, object]], seed: int, colour: str
) -> None:
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        start = made(4, seed)
        truth = held(start)
        index = ExactIndex.create(f"{folder}/index", SCHEMA, start)
        act: dict[str, Callable[[], object]] = {"compact": lambda: index.compact()}
        for name, what in changes:
            if name == "upsert" and isinstance(what, dict):
                vectors = random.normal(size=(len(what), D)).astype(np.float32)
                columns = zip(*what.values(), strict=True) if what else ((), ())
                attributes = dict(zip(SCHEMA.attributes, map(list, columns), strict=True))
                documents = Documents(list(what), vectors, attributes)
                index.upsert(documents)
                truth |= held(documents)
            elif name == "delete" and isinstance(what, list):
                assert index.delete(what) == len(set(what) & set(truth))
                truth = {doc_id: value for doc_id, value in truth.items() if doc_id not in what}
            elif name == "reopen":
                index.close()
                index = ExactIndex.open(f"{folder}/index")
            else:
                act[name]()
            assert_same(index, truth, 4, {"colour": OneOf(frozenset({colour}))})
            assert_same(index, truth, 20)
        assert_same(index, truth, 5, {"price.net": Between(-1.5, 0.0)})
        index.close()
