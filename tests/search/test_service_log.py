"""The log of searches and feedback: what is acknowledged is on the disk, and `gradus judge` reads it."""

import errno
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_service import HOME, Through, click, lines, make_app, make_shop, png, served

from gradus.search.client import Client, ServiceError
from gradus.search.service.feedback import UbiLog, cut_torn_tail, repair
from gradus.workflow.judging import judge


@given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=5), st.binary())
def test_a_torn_tail_is_cut_and_nothing_else(whole: list[bytes], tail: bytes) -> None:
    kept = b"".join(line + b"\n" for line in whole)
    torn = tail.replace(b"\n", b" ")
    handle = os.memfd_create("log")
    try:
        os.write(handle, kept + torn)
        assert cut_torn_tail(handle) == len(torn)
        assert os.pread(handle, 10_000, 0) == kept
    finally:
        os.close(handle)


def test_a_long_torn_tail_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "2026-05-04.jsonl"
    file.write_bytes(b'{"a": 1}\n' + b"x" * 200_000)
    assert repair(tmp_path) == 200_000
    assert file.read_bytes() == b'{"a": 1}\n'


def test_a_log_goes_on_behind_its_last_whole_line(tmp_path: Path) -> None:
    log = UbiLog(tmp_path)
    log.add("event", [{"n": 1}]).result(10)
    log.close()
    (file,) = (tmp_path / "events").iterdir()
    with file.open("ab") as torn:
        torn.write(b'{"n": 2, "act')
    log = UbiLog(tmp_path)
    assert log.add("event", [{"n": 3}, {"n": 4}]).result(10) == 2
    log.close()
    assert lines(tmp_path / "events") == [{"n": 1}, {"n": 3}, {"n": 4}]


def test_two_services_share_a_folder_without_sharing_a_file(tmp_path: Path) -> None:
    logs = [UbiLog(tmp_path), UbiLog(tmp_path)]
    for number in range(20):
        logs[number % 2].add("query", [{"n": number}]).result(10)
    for log in logs:
        log.close()
    assert sorted(path.suffixes for path in (tmp_path / "queries").iterdir()) == [
        [".1", ".jsonl"],
        [".jsonl"],
    ]
    assert sorted(line["n"] for line in lines(tmp_path / "queries")) == list(range(20))
    again = UbiLog(tmp_path)  # takes up the first file that is free
    again.add("query", [{"n": 20}]).result(10)
    again.close()
    assert len(list((tmp_path / "queries").iterdir())) == 2


def test_records_that_wait_are_confirmed_together_searches_before_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed: list[str] = []
    sync, go = os.fsync, threading.Event()

    def watched(handle: int) -> None:
        name = Path(f"/proc/self/fd/{handle}").readlink()
        if name.suffix == ".jsonl":
            assert go.wait(30)
            confirmed.append(name.parent.name)
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    log = UbiLog(tmp_path)
    futures = [log.add("event", [{"n": 0}])]
    while not (tmp_path / "events").exists():
        time.sleep(0.001)  # until the writer is at work on the first
    futures += [log.add(kind, [{"n": number}]) for number in range(50) for kind in ("event", "query")]
    assert not any(future.done() for future in futures)
    go.set()
    assert [future.result(30) for future in futures] == [1] * 101
    log.close()
    assert confirmed == ["events", "queries", "events"]
    assert [line["n"] for line in lines(tmp_path / "events")] == [0, *range(50)]


def test_what_the_disk_has_not_confirmed_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = UbiLog(tmp_path)
    log.add("event", [{"n": 0}]).result(10)

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", broken)
        for kind in ("event", "query"):
            with pytest.raises(OSError, match="Input/output error"):
                log.add(kind, [{"n": 1}]).result(10)
    assert log.add("event", [{"n": 2}]).result(10) == 1
    log.close()
    assert lines(tmp_path / "events") == [{"n": 0}, {"n": 2}]


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """No file may grow beyond a size: writes come up short, then fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    log = UbiLog(tmp_path)
    log.add("event", [{"n": 0}]).result(10)
    with full_at(20):
        with pytest.raises(OSError, match="File too large"):
            log.add("event", [{"n": 1, "long": "x" * 100}]).result(10)
        assert log.failing
        assert lines(tmp_path / "events") == [{"n": 0}]
        assert log.add("event", [{"n": 2}]).result(10) == 1  # what fits still goes in
    assert log.add("event", [{"n": 3}]).result(10) == 1
    assert not log.failing
    log.close()
    assert [line["n"] for line in lines(tmp_path / "events")] == [0, 2, 3]


def test_with_a_full_disk_searches_go_on_and_feedback_says_so(tmp_path: Path) -> None:
    app, _ = make_app(make_shop(tmp_path / "shop"), log=tmp_path / "log")
    with served(app) as raw, Client(HOME, transport=Through(raw)) as client:
        with full_at(0):
            found = client.search("red nut", k=3)
            assert len(found.hits) == 3
            with pytest.raises(ServiceError, match=r"nothing was recorded.*\(disk-full, 507\)"):
                client.click(found, found.hits[0].doc_id)
            assert client.health().status == "degraded"
            assert 'gradus_unrecorded_total{kind="event"} 1.0' in raw.get("/metrics").text
        found = client.search("red nut", k=3)
        client.click(found, found.hits[0].doc_id)
        assert client.health().status == "ready"
    (event,) = lines(tmp_path / "log" / "events")
    assert event["query_id"] == found.query_id
    assert found.query_id in {line["query_id"] for line in lines(tmp_path / "log" / "queries")}


def test_a_service_without_a_log_says_so(tmp_path: Path) -> None:
    app, _ = make_app(make_shop(tmp_path))
    with served(app) as raw:
        answer = raw.post("/feedback", json={"events": [click("q", "d")]})
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:gradus:problem:no-log")
        assert raw.get("/health/ready").json()["recording"] is False


def test_the_loop_closes(tmp_path: Path) -> None:
    """Search, click, judge: what was clicked is judged better than what stood beside it."""
    pytest.importorskip("ibis", reason="reading logs is an extra")
    shop = make_shop(tmp_path / "shop")
    app, _ = make_app(shop, log=tmp_path / "served")
    wanted: dict[str, str] = {}
    shown: dict[str, set[str]] = {}
    with served(app) as raw, Client(HOME, transport=Through(raw)) as client:
        for visit in range(60):
            for text in ("red nut", "blue washer", "緑 ボルト"):
                # Filters and k vary what stands where, as changing catalogues do.
                bounds = {"size": (2.5 * (visit % 4), None)}
                found = client.search(text, k=4 + visit % 3, filters=bounds, session_id=f"s-{visit}")
                names = [hit.doc_id for hit in found.hits]
                wanted.setdefault(text, names[2])
                shown.setdefault(text, set()).update(names)
                if wanted[text] in names and visit % 5:
                    client.click(found, wanted[text])
        by_picture = client.search(image=png("red"), k=3)
        client.click(by_picture, by_picture.hits[0].doc_id)
    events, queries = lines(tmp_path / "served" / "events"), lines(tmp_path / "served" / "queries")
    assert len(queries) == 181
    assert 60 < len(events) < 180
    settings = shop.with_values(
        {
            "log.path": str(tmp_path / "served" / "events"),
            "log.queries": str(tmp_path / "served" / "queries"),
            "log.format": "ubi",
            "clicks.estimator": "ctr",
            "query.fields": {"query": {"type": "text"}},  # a log's queries are texts
        }
    )
    judged = judge(settings, tmp_path / "judged")
    assert judged.log is not None
    # Three pictures shown and one clicked for a search without words; everything else is used.
    assert judged.log.summary.rejected == {"query is missing": 4}
    fused = judged.fused
    scores: dict[str, dict[str, float]] = {}
    for query, document, score in zip(fused.query, fused.document, fused.score, strict=True):
        scores.setdefault(fused.queries[query], {})[fused.documents[document]] = float(score)
    assert set(scores) == set(wanted)
    for text, best in wanted.items():
        assert set(scores[text]) == shown[text]
        assert scores[text][best] > max(score for name, score in scores[text].items() if name != best)


def test_records_are_json_that_others_read(tmp_path: Path) -> None:
    log = UbiLog(tmp_path)
    log.add("query", [{"user_query": 'a "b"\n\u2028 ナット'}]).result(10)
    log.close()
    (file,) = (tmp_path / "queries").iterdir()
    data = file.read_bytes()
    assert data.count(b"\n") == 1
    assert json.loads(data) == {"user_query": 'a "b"\n\u2028 ナット'}
