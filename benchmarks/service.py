"""A service under load, as processes of its own: python benchmarks/service.py [--documents 100000 1000000]

Documents come in families of twenty that share three made-up words; a fourth is their own, and so is a number, of
which a filter admits one in a hundred. An untrained `mini` model embeds them into 256 numbers. `gradus index build`
and `gradus serve` do what they do for everybody. Each client keeps one connection, and asks for ten documents by
the words of a family and a fourth, as soon as it has the last answer; every search is recorded. The clients share
the machine's cores with the service.

Printed for each number of documents and workers:

    the vector search      mean milliseconds inside the service for one client (from its metrics) and of calling the
                           index in this process with the same queries, in turn: back to back, and after a pause of 3 ms
                           before each, as a service sleeps between two requests; recall@10 through HTTP against exact
                           search, with and without the filter
    a row per clients      queries per second, milliseconds (p50, p95, p99), failures, and the service's memory at the
                           row's start and end: the sum over its processes, shared pages counted once (PSS)
"""

import argparse
import asyncio
import csv
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import torch

from gradus.catalog.fields import Field
from gradus.encoders.build import build_encoder
from gradus.encoders.encoder import Side
from gradus.encoders.nearest import nearest
from gradus.encoders.saving import save_model
from gradus.search.engine import Engine
from gradus.search.index.filters import Between
from gradus.settings import EncoderSettings, read_settings
from gradus.workflow.serving import load_engine

PAUSES = (0.0, 0.003)
K, EVERY, DIMENSIONS, WORDS, FAMILY, ASKED = 10, 100, 256, 5000, 20, 200

SETTINGS = """
[catalog]
path = "catalog.csv"
[catalog.fields]
title = {{ type = "text", weight = 1.0 }}
tag = {{ type = "number", weight = 0.0 }}
[query.fields]
query = {{ type = "text" }}
[index]
backend = "{backend}"
[service]
port = 0
rate = 1e9
burst = 1000000000
"""


def words(family: int, random: np.random.Generator) -> str:
    """The three words of a family, and any other one."""
    numbers = [*np.random.default_rng(family).integers(0, WORDS, 3), random.integers(0, WORDS)]
    return " ".join(f"w{number * number % 99991}" for number in numbers)


def make(folder: Path, documents: int, backend: str) -> Path:
    """A catalogue with a model and an index; made once."""
    place = folder / f"{backend}-{documents}"
    if (place / "index" / "live.json").is_file():
        return place
    place.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    titles = [words(row // FAMILY, random) for row in range(documents)]
    with (place / "catalog.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["doc_id", "title", "tag"])
        tags = random.integers(0, EVERY, documents)
        writer.writerows(zip(range(documents), titles, tags, strict=True))
    (place / "gradus.toml").write_text(SETTINGS.format(backend=backend), "utf-8")
    torch.manual_seed(0)
    fields: dict[Side, tuple[Field, ...]] = {"query": (Field("query"),), "document": (Field("title"),)}
    encoder = build_encoder(EncoderSettings(dimensions=DIMENSIONS), fields, titles[:10_000])
    save_model(encoder, place / "model", {})
    subprocess.run([sys.executable, "-m", "gradus", "index", "build", "model"], cwd=place, check=True)
    return place


@contextmanager
def running(place: Path, workers: int) -> Iterator[tuple[int, str]]:
    """A service: its process and its address."""
    command = [sys.executable, "-m", "gradus", "serve", "model", "--service.workers", str(workers)]
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.pid, process.stdout.readline().split()[1]
        finally:
            process.send_signal(signal.SIGTERM)


@dataclass
class Load:
    """What clients met: seconds of each answer, and how many failed."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0


async def client(url: str, number: int, end: float, documents: int, load: Load) -> None:
    """Ask one query after the other over one connection."""
    address, random = urlsplit(url), np.random.default_rng([number, time.time_ns()])
    reader = writer = None
    while time.perf_counter() < end:
        before = time.perf_counter()
        try:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection(address.hostname, address.port)
            body = json.dumps(
                {"text": words(int(random.integers(documents)) // FAMILY, random), "k": K}
            ).encode()
            writer.write(
                b"POST /search HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                + f"content-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            await reader.readexactly(length)
            load.failed += not head.startswith(b"HTTP/1.1 200")
        except (OSError, EOFError, ValueError, IndexError):
            load.failed += 1
            reader = writer = None
            continue
        load.seconds.append(time.perf_counter() - before)
    if writer is not None:
        writer.close()


async def loaded(url: str, clients: int, seconds: float, documents: int) -> Load:
    """Clients at work for some seconds."""
    load, end = Load(), time.perf_counter() + seconds
    await asyncio.gather(*(client(url, number, end, documents, load) for number in range(clients)))
    return load


def megabytes(pid: int) -> float:
    """Memory of a process and all that came from it; what they share is counted once."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = int(rollup.partition("\nPss:")[2].split()[0]) / 1e3
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(megabytes(int(child)) for child in children)


def searching(url: str) -> tuple[float, float]:
    """Seconds that the workers have spent in the index, and in how many batches."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:  # noqa: S310 - an address of our own
        lines = answer.read().decode().splitlines()

    def total(name: str) -> float:
        here = [line for line in lines if line.startswith(name) and 'stage="index"' in line]
        return sum(float(line.rpartition(" ")[2]) for line in here)

    return total("gradus_stage_seconds_sum"), total("gradus_stage_seconds_count")


def asked(url: str, texts: Sequence[str], filtered: bool) -> list[list[str]]:
    """What the service finds."""
    found = []
    for text in texts:
        body = {"text": text, "k": K, "record": False}
        body |= {"filters": {"tag": {"low": 0, "high": 0}}} if filtered else {}
        head = {"content-type": "application/json"}
        request = urllib.request.Request(f"{url}/search", json.dumps(body).encode(), head)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            found.append([hit["doc_id"] for hit in json.load(answer)["hits"]])
    return found


def directly(engine: Engine, texts: Sequence[str], filtered: bool, pause: float) -> float:
    """Mean milliseconds of the index, called in this process; in turn with the encoder, as the service calls it."""
    where, seconds = {"tag": Between(0, 0)} if filtered else None, 0.0
    for text in texts:
        time.sleep(pause)
        vector = engine.embed([engine.ask(text)])
        before = time.perf_counter()
        engine.index.search(vector, K, where)
        seconds += time.perf_counter() - before
    return 1e3 * seconds / len(texts)


def compare(url: str, engine: Engine) -> None:
    """Print what the vector search costs and finds, inside the service and beside it."""
    random, held = np.random.default_rng(1), engine.index.documents()
    tags = np.asarray(held.attributes["tag"], float)
    for label, filtered in (("all", False), ("1 %", True)):
        texts = [words(family, random) for family in random.integers(0, len(tags) // FAMILY, ASKED)]
        vectors = engine.embed([engine.ask(text) for text in texts])
        rows = np.flatnonzero(tags == 0) if filtered else np.arange(len(tags))
        right = [[held.ids[row] for row in rows[best]] for best in nearest(vectors, held.vectors[rows], K)[0]]
        inside, beside, hits = 0.0, {pause: list[float]() for pause in PAUSES}, 0
        for part in range(0, ASKED, 20):  # in turn, so that what else the machine does hits both
            for pause, told in beside.items():
                told.append(directly(engine, texts[part : part + 20], filtered, pause))
            before = searching(url)
            found = asked(url, texts[part : part + 20], filtered)
            after = searching(url)
            inside += 1e3 * (after[0] - before[0]) / (after[1] - before[1]) / (ASKED / 20)
            hits += sum(len(set(a) & set(b)) for a, b in zip(found, right[part : part + 20], strict=True))
        direct, paused = (float(np.mean(told)) for told in beside.values())
        print(
            f"{label}: {inside:.2f} ms inside, {direct:.2f} ms directly, ratio {inside / direct:.2f}; {paused:.2f} ms "
            f"after a pause, ratio {inside / paused:.2f}; recall@{K} {hits / (K * ASKED):.4f}",
            flush=True,
        )


def main() -> None:
    """Measure each number of documents and workers, and print tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=60, help="for each number of clients")
    parser.add_argument("--backend", default="ivf")
    parser.add_argument("--folder", type=Path, default=Path("service-load"), help="keeps what is made")
    given = parser.parse_args()
    for documents in given.documents:
        place = make(given.folder.resolve(), documents, given.backend)
        engine = load_engine(read_settings(place), place / "model")
        for workers in given.workers:
            print(f"\n{documents:,} documents, workers: {workers}\n", flush=True)
            with running(place, workers) as (pid, url):
                compare(url, engine)
                print("\n| clients | queries/s | p50 ms | p95 ms | p99 ms | failed | MB, start | MB, end |")
                print("|" + "---|" * 8)
                for clients in given.clients:
                    asyncio.run(
                        loaded(url, clients, min(3.0, given.seconds), documents)
                    )  # until caches are warm
                    before = megabytes(pid)
                    load = asyncio.run(loaded(url, clients, given.seconds, documents))
                    rate = len(load.seconds) / given.seconds
                    shown = [f"{1e3 * float(np.percentile(load.seconds, p)):.1f}" for p in (50, 95, 99)]
                    memory = f"{before:.0f} | {megabytes(pid):.0f}"
                    print(
                        f"| {clients} | {rate:.0f} | {' | '.join(shown)} | {load.failed} | {memory} |",
                        flush=True,
                    )
        engine.close()


if __name__ == "__main__":
    main()
