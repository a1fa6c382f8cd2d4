"""The service as a process of its own: killed, stopped, and swapped while it is asked."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tiny_service import click, lines, make_model, make_shop
from typer.testing import CliRunner

from gradus.cli.main import app
from gradus.search.client import Client


@contextmanager
def running(shop: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service, and where it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gradus", "serve", "model", "--settings", "gradus.toml", *flags],
        cwd=shop,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said.startswith("Serving http://127.0.0.1:"):
            raise AssertionError(f"{said}{process.communicate(timeout=30)}")
        yield process, said.split()[1]
    finally:
        process.kill()
        process.communicate(timeout=30)


def until(met: Callable[[], bool]) -> None:
    """Wait for something that will come."""
    end = time.monotonic() + 60
    while not met():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.slow
def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    make_shop(tmp_path)
    acknowledged: list[tuple[str, str]] = []

    def customer(url: str, number: int) -> None:
        with httpx.Client(base_url=url) as client:
            try:
                for visit in range(10_000):
                    found = client.post("/search", json={"text": f"nut {number}", "k": 3}).json()
                    event = click(found["query_id"], found["hits"][visit % 3]["doc_id"])
                    answer = client.post("/feedback", json={"events": [event]})
                    if answer.status_code == 200:
                        acknowledged.append(
                            (event["query_id"], event["event_attributes"]["object"]["object_id"])
                        )
            except httpx.HTTPError:
                pass  # the service is gone

    with running(tmp_path) as (process, url):
        customers = [threading.Thread(target=customer, args=(url, number)) for number in range(4)]
        for thread in customers:
            thread.start()
        until(lambda: len(acknowledged) >= 40)
        process.send_signal(signal.SIGKILL)
        for thread in customers:
            thread.join()
    # As a kill in the middle of a write leaves it.
    for kind in ("events", "queries"):
        (file,) = (tmp_path / "served" / kind).iterdir()
        with file.open("ab") as torn:
            torn.write(b'{"application":"gra')
    with running(tmp_path) as (_, url), Client(url) as client:
        found = client.search("nut")
        client.click(found, found.hits[0].doc_id)
    events = {
        (line["query_id"], line["event_attributes"]["object"]["object_id"])
        for line in lines(tmp_path / "served" / "events")
    }
    queries = {
        line["query_id"]: line["query_response_hit_ids"] for line in lines(tmp_path / "served" / "queries")
    }
    assert set(acknowledged) <= events
    assert all(doc_id in queries[query_id] for query_id, doc_id in events)
    assert (found.query_id, found.hits[0].doc_id) in events


@pytest.mark.parametrize("endless", [b"a: b\r\n", b"a"], ids=["headers", "one header"])
def test_a_head_that_does_not_end_is_cut_off_and_others_are_served(tmp_path: Path, endless: bytes) -> None:
    make_shop(tmp_path)
    with running(tmp_path) as (_, url):
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=60) as hostile:
            hostile.sendall(b"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ")
            piece = endless * (60_000 // len(endless))
            with suppress(ConnectionError):
                for _ in range(1000):  # 60 MB, unless it is stopped
                    hostile.sendall(piece)
                raise AssertionError("60 MB of head were taken")
        # A large head that ends is no attack.
        large = {"x": "a" * 30_000}
        assert httpx.get(f"{url}/health/live", headers=large).status_code == 200


def test_a_request_under_way_is_answered_before_the_service_stops(tmp_path: Path) -> None:
    make_shop(tmp_path)
    body = json.dumps({"text": "red nut"}).encode()
    with running(tmp_path) as (process, url):
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=60) as under_way:
            under_way.sendall(
                b"POST /search HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                + f"content-length: {len(body)}\r\nexpect: 100-continue\r\n\r\n".encode()
            )
            assert under_way.recv(1000).startswith(b"HTTP/1.1 100")  # it is being read
            process.send_signal(signal.SIGTERM)
            until(lambda: not answers(url))
            assert process.poll() is None
            under_way.sendall(body)
            answer = under_way.recv(100_000)
        assert answer.startswith(b"HTTP/1.1 200")
        process.wait(60)
    assert [line["user_query"] for line in lines(tmp_path / "served" / "queries")] == ["red nut"]


def answers(url: str) -> bool:
    """Whether new connections are taken."""
    try:
        return httpx.get(f"{url}/health/live").is_success
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_a_signal_swaps_without_losing_a_request(tmp_path: Path) -> None:
    make_shop(tmp_path)
    with running(tmp_path) as (process, url), Client(url) as client:
        before = client.health().version
        statuses: list[int] = []
        done = threading.Event()

        def customer() -> None:
            with httpx.Client(base_url=url, timeout=60) as mine:
                while not done.is_set():
                    statuses.append(mine.post("/search", json={"text": f"nut {len(statuses)}"}).status_code)

        customers = [threading.Thread(target=customer) for _ in range(3)]
        for thread in customers:
            thread.start()
        make_model(tmp_path / "model", seed=1)
        process.send_signal(signal.SIGHUP)
        until(lambda: client.health().version != before)
        count = len(statuses)
        until(lambda: len(statuses) > count + 10)
        # What cannot be loaded is not swapped in.
        now = client.health().version
        (tmp_path / "model" / "config.json").write_text("{")
        process.send_signal(signal.SIGHUP)
        count = len(statuses)
        until(lambda: len(statuses) > count + 30)
        assert client.health().version == now
        done.set()
        for thread in customers:
            thread.join()
        assert set(statuses) == {200}


def test_what_cannot_be_served_is_one_line(tmp_path: Path) -> None:
    settings = ["--settings", str(make_shop(tmp_path).root / "gradus.toml")]
    keys = str(tmp_path / "keys.json")
    key = CliRunner().invoke(app, ["key", "shop", "--keys", keys])
    assert len(key.stdout.strip()) == 43  # 32 bytes in base64
    for flags, said in {
        ("--service.host", "0.0.0.0"): "service.keys is empty; make a key with gradus key NAME",  # noqa: S104
        ("--service.keys", "none.json"): "none.json (service.keys)",
        ("--service.host", "192.0.2.1", "--service.keys", keys): "cannot listen on service.host '192.0.2.1'",
        ("--service.log", "catalog.csv"): "catalog.csv: File exists",
    }.items():
        done = CliRunner().invoke(app, ["serve", str(tmp_path / "model"), *settings, *flags])
        assert done.exit_code == 2, done.output
        assert said in done.stderr
        assert len([line for line in done.stderr.splitlines() if not line.endswith(" …")]) == 1
