"""A service of several workers: killed one by one and as a whole, swapped, and stopped, while it is asked."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from prometheus_client import CollectorRegistry, Counter
from test_service_process import running, until
from tiny_service import click, lines, make_model, make_shop

from gradus.encoders.saving import load_model
from gradus.errors import ModelError
from gradus.search.service.metrics import joined
from gradus.search.service.peers import Answer, Complete, Peers, Question, Ready
from gradus.workflow.serving import load_engine


def workers_of(process: "subprocess.Popen[str]") -> set[int]:
    """The processes of a service's workers that run."""
    (server,) = (pid for pid in children(process.pid) if "forkserver" in command(pid))
    return set(children(server))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def served(url: str) -> set[tuple[str, str]]:
    """Which worker serves which version."""
    return {
        (line.split('worker="')[1].split('"')[0], line.split('version="')[1].split('"')[0])
        for line in httpx.get(f"{url}/metrics", timeout=60).text.splitlines()
        if line.startswith("gradus_version{")
    }


class Customers:
    """People who search, and click on what they find; each connects anew when the connection breaks."""

    def __init__(self, url: str, count: int) -> None:
        self.statuses: list[int] = []
        self.broken = 0
        self.acknowledged: list[tuple[str, str]] = []
        self._url, self._done = url, threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(number,)) for number in range(count)]

    def _visit(self, number: int) -> None:
        while not self._done.is_set():
            with httpx.Client(base_url=self._url, timeout=60) as client:
                try:
                    while not self._done.is_set():
                        self._search(client, number)
                except httpx.HTTPError:
                    self.broken += 1

    def _search(self, client: httpx.Client, number: int) -> None:
        answer = client.post("/search", json={"text": f"nut {number} {len(self.statuses)}", "k": 3})
        self.statuses.append(answer.status_code)
        found = answer.json()
        event = click(found["query_id"], found["hits"][0]["doc_id"])
        answer = client.post("/feedback", json={"events": [event]})
        self.statuses.append(answer.status_code)
        if answer.status_code == 200:
            self.acknowledged.append((event["query_id"], event["event_attributes"]["object"]["object_id"]))

    def more(self, count: int = 20) -> None:
        """Wait until some more requests were answered."""
        before = len(self.statuses)
        until(lambda: len(self.statuses) >= before + count)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have them at work while the block runs."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in self._threads:
                thread.join()


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_a_killed_supervisor_ends_them_all(tmp_path: Path) -> None:
    make_shop(tmp_path)
    with running(tmp_path, "--service.workers", "2") as (process, url):
        customers = Customers(url, 4)
        with customers.at_work():
            customers.more()
            before = workers_of(process)
            assert len(before) == 2
            victim = max(before)
            os.kill(victim, signal.SIGKILL)
            customers.more()  # the other one goes on
            until(lambda: len(workers_of(process) - before) == 1)
            until(lambda: len(served(url)) == 2)  # and the new one answers the others
            customers.more()
            assert set(customers.statuses) == {200}
            assert customers.broken <= 4  # none but the connections that the killed one held
            alive = workers_of(process)
            process.send_signal(signal.SIGKILL)
            until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in alive))
    events = {
        (line["query_id"], line["event_attributes"]["object"]["object_id"])
        for line in lines(tmp_path / "served" / "events")
    }
    assert set(customers.acknowledged) <= events
    assert len(customers.acknowledged) > 20
    assert set(customers.statuses) == {200}


@pytest.mark.slow
def test_a_worker_that_stands_still_is_killed_and_replaced(tmp_path: Path) -> None:
    make_shop(tmp_path)
    with running(tmp_path, "--service.workers", "2", "--service.seconds", "2") as (process, url):
        customers = Customers(url, 4)
        with customers.at_work():
            customers.more()
            before = workers_of(process)
            victim = max(before)
            os.kill(victim, signal.SIGSTOP)
            until(lambda: victim not in workers_of(process))
            until(lambda: len(served(url)) == 2)
            customers.more()
            assert set(customers.statuses) == {200}
            assert customers.broken <= 4  # none but the connections that it held
            assert before - {victim} <= workers_of(process)  # who answers is left alone
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        said = process.stderr.read() if process.stderr else ""
    assert f"(process {victim}) has not answered for" in said


@pytest.mark.slow
def test_a_swap_reaches_every_worker_and_no_request_is_lost(tmp_path: Path) -> None:
    make_shop(tmp_path)
    with running(tmp_path, "--service.workers", "2") as (process, url):
        customers = Customers(url, 4)
        with customers.at_work():
            first = {version for _, version in served(url)}
            assert {worker for worker, _ in served(url)} == {"0", "1"}
            make_model(tmp_path / "model", seed=1)
            answer = httpx.post(f"{url}/admin/swap", json={}, timeout=60).json()
            assert (answer["behind"], {answer["before"]}) == (0, first)
            # The answer came when all had swapped.
            assert served(url) == {(worker, answer["version"]) for worker in ("0", "1")}
            make_model(tmp_path / "model", seed=2)
            process.send_signal(signal.SIGHUP)
            until(lambda: not {answer["version"]} & {version for _, version in served(url)})
            now = served(url)
            assert len(now) == 2
            assert len({version for _, version in now}) == 1
            # A kept version that all have; and one that the disk does not give.
            back = httpx.post(f"{url}/admin/swap", json={"version": answer["version"]}, timeout=60).json()
            assert back["behind"] == 0
            weights = (tmp_path / "model" / "config.json").read_text()
            (tmp_path / "model" / "config.json").write_text("{")
            refused = httpx.post(f"{url}/admin/swap", json={}, timeout=60)
            assert refused.status_code == 409
            assert served(url) == {(worker, answer["version"]) for worker in ("0", "1")}
            assert (set(customers.statuses), customers.broken) == ({200}, 0)
            # A replacement that cannot load waits for what it can; the other one goes on alone.
            os.kill(min(workers_of(process)), signal.SIGKILL)
            customers.more()
            (tmp_path / "model" / "config.json").write_text(weights)
            until(lambda: len(served(url)) == 2)
            customers.more()
            assert set(customers.statuses) == {200}
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        said = process.stderr.read() if process.stderr else ""
    assert "not swapped" in said
    assert "Traceback" not in said
    assert len(list((tmp_path / "served" / "queries").iterdir())) >= 2  # each its own


def test_workers_share_a_model_that_nobody_writes_over(tmp_path: Path) -> None:
    shop = make_shop(tmp_path).with_values({"service.workers": 2})
    engine = load_engine(shop, tmp_path / "model")
    own = load_model(tmp_path / "model")
    (copy,) = (tmp_path / ".gradus" / "models").iterdir()
    file = copy / "model.safetensors"
    ranges = [
        tuple(int(end, 16) for end in line.split()[0].split("-"))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(file))
    ]
    parameters = dict(engine.encoder.named_parameters())
    outside = [
        name
        for name, parameter in parameters.items()
        if not any(start <= parameter.data_ptr() < end for start, end in ranges)
    ]
    assert (len(parameters) > 3, outside) == (True, [])
    # Whoever copies another model over the one that is served, byte by byte, leaves what is served alone.
    (tmp_path / "model" / "model.safetensors").write_bytes(b"half")
    asked, unmapped = [engine.ask("red nut")], replace(engine, encoder=own)
    assert np.allclose(engine.embed(asked), unmapped.embed(asked), atol=1e-6)  # aligned otherwise
    with pytest.raises(ModelError, match="damaged"):
        load_engine(shop, tmp_path / "model")
    before = file.read_bytes()
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.zero_()
    assert file.read_bytes() == before  # what one process changes is its own
    engine.close()
    # A damaged copy is made anew.
    make_model(tmp_path / "model", seed=0)
    file.unlink()
    file.write_bytes(b"half")
    load_engine(shop, tmp_path / "model").close()
    assert file.read_bytes() == before


def test_metrics_of_workers_are_joined_with_their_slots() -> None:
    families = []
    for count in (3, 4):
        registry = CollectorRegistry()
        Counter("found", "Things.", ("kind",), registry=registry).labels("nut").inc(count)
        families.append(list(registry.collect()))
    text = joined({1: families[1], 0: families[0]}).decode()
    assert [line for line in text.splitlines() if line.startswith("found_total")] == [
        'found_total{kind="nut",worker="0"} 3.0',
        'found_total{kind="nut",worker="1"} 4.0',
    ]
    assert text.count("# TYPE found_total counter") == 1


def test_answers_of_other_workers_are_gathered_until_all_have_ended() -> None:
    async def ask() -> tuple[dict[int, int], dict[int, int], list[Any]]:
        ours, theirs = Pipe()
        peers, heard, ended = Peers(theirs, 0), [], asyncio.Event()

        async def double(value: int) -> int:
            return 2 * value

        peers.join({"double": double}, ended.set)
        asked = asyncio.create_task(peers.ask("double", 21))
        await asyncio.sleep(0)
        heard += [ours.recv(), ours.recv()]
        number = heard[1].number
        for message in (Answer(number, 42, 3), Answer("another", 1, 3), Question("q", "double", 4)):
            ours.send(message)
        heard.append(await asyncio.to_thread(ours.recv))
        ours.send(Question("r", "what nobody answers"))
        heard.append(await asyncio.to_thread(ours.recv))
        assert not asked.done()
        ours.send(Complete(number))
        impatient = await peers.ask("double", seconds=0.01)
        answers = await asked
        ours.close()
        await ended.wait()
        return answers, impatient, heard

    answers, impatient, heard = asyncio.run(ask())
    assert (answers, impatient) == ({3: 42}, {})
    assert isinstance(heard[0], Ready)
    assert heard[1] == Question(heard[1].number, "double", 21)
    assert heard[2:] == [Answer("q", 8), Answer("r", None)]
