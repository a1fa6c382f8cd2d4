"""How long whole systems take, side by side.

All systems are asked in one process, in turn and in random order: whatever else the machine does falls on all of them
alike, so that ratios hold where absolute times do not. Every system is asked some queries first that do not count.
"""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

System = Callable[[int], object]
"""Answers a query, given by its row, from its text and pictures to the list of documents."""

Clock = Callable[[], float]
"""Seconds, from any origin."""

WARM = 10
"""Queries of each system that do not count."""

ROUNDS = 4
"""Turns that each system gets with several clients."""


@dataclass(frozen=True)
class Latency:
    """How long a system takes.

    Attributes:
        queries: Queries timed one at a time.
        mean_ms: Mean time of a query, in milliseconds.
        p50_ms: Median.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        cpu_ms: Mean processor time of a query, over all cores.
        per_core: Queries that one core answers in a second: 1000 / `cpu_ms`.
        clients: Clients that ask at the same time in the following.
        throughput: Queries answered per second, of all clients.
        clients_p50_ms: Median time of a query, waiting included.
        clients_p95_ms: 95th percentile.
        clients_p99_ms: 99th percentile.
    """

    queries: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float
    per_core: float
    clients: int
    throughput: float
    clients_p50_ms: float
    clients_p95_ms: float
    clients_p99_ms: float


class Stopwatch:
    """Times what runs inside it: `with Stopwatch() as watch: …`.

    Attributes:
        seconds: By the clock.
        cpu_seconds: Time that the processors worked for this process.
    """

    def __enter__(self) -> "Stopwatch":
        self.seconds, self.cpu_seconds = -perf_counter(), -process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += perf_counter()
        self.cpu_seconds += process_time()


def measure_latency(
    systems: Mapping[str, System],
    queries: Sequence[int],
    *,
    clients: int = 4,
    seed: int = 0,
    wall: Clock = perf_counter,
    cpu: Clock = process_time,
) -> dict[str, Latency]:
    """Time systems on the same queries.

    Args:
        systems: Name → system.
        queries: Rows of the queries; every system answers each of them once alone and once among `clients`.
        clients: Threads that ask a system at the same time.
        seed: Seed of the order.
        wall: The time that passes.
        cpu: The time that the processors of this process work.

    Returns:
        Name → its times.
    """
    rng = np.random.default_rng(seed)
    names = list(systems)
    for name in names:
        for row in queries[:WARM]:
            systems[name](row)
    alone: dict[str, list[float]] = {name: [] for name in names}
    worked = dict.fromkeys(names, 0.0)
    jobs = [(name, row) for name in names for row in queries]
    for place in rng.permutation(len(jobs)).tolist():
        name, row = jobs[place]
        began, busy = wall(), cpu()
        systems[name](row)
        worked[name] += cpu() - busy
        alone[name].append(wall() - began)
    together: dict[str, list[float]] = {name: [] for name in names}
    spent = dict.fromkeys(names, 0.0)
    for part in np.array_split(rng.permutation(np.array(queries, np.int64)), ROUNDS):
        for name in rng.permutation(names).tolist():
            began = wall()
            together[name] += _ask_together(systems[name], part.tolist(), clients, wall)
            spent[name] += wall() - began
    return {
        name: _summary(np.array(alone[name]), worked[name], clients, np.array(together[name]), spent[name])
        for name in names
    }


def peak_memory() -> int | None:
    """The most memory that this process ever held, in bytes; `None` where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _ask_together(system: System, rows: Sequence[int], clients: int, wall: Clock) -> list[float]:
    """The times of queries that some clients ask, each its next one as soon as it has its answer."""
    waiting, times, failures = iter(rows), list[float](), list[Exception]()
    one_at_a_time = threading.Lock()

    def ask() -> None:
        while not failures:
            with one_at_a_time:
                row = next(waiting, None)
            if row is None:
                return
            began = wall()
            try:
                system(row)
            except Exception as error:
                failures.append(error)
                return
            times.append(wall() - began)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return times


def _summary(
    alone: NDArray[np.float64], worked: float, clients: int, together: NDArray[np.float64], spent: float
) -> Latency:
    p50, p95, p99 = (1000 * np.quantile(alone, (0.5, 0.95, 0.99))).tolist()
    clients_p50, clients_p95, clients_p99 = (1000 * np.quantile(together, (0.5, 0.95, 0.99))).tolist()
    # A clock of the processor that ticks coarsely may not have moved.
    worked = max(worked, 1e-9)
    return Latency(
        queries=len(alone),
        mean_ms=float(1000 * alone.mean()),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        cpu_ms=1000 * worked / len(alone),
        per_core=len(alone) / worked,
        clients=clients,
        throughput=len(together) / max(spent, 1e-9),
        clients_p50_ms=clients_p50,
        clients_p95_ms=clients_p95,
        clients_p99_ms=clients_p99,
    )
