"""Times side by side, by clocks that the test moves."""

import threading
from collections import Counter
from itertools import pairwise

import pytest

from gradus.insight.latency import ROUNDS, WARM, Stopwatch, measure_latency, peak_memory


class Machine:
    """A machine on which time passes only while a system works."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.asked: list[tuple[str, int]] = []

    def system(self, name: str, seconds: float, cores: float = 1.0) -> object:
        def answer(row: int) -> None:
            self.asked.append((name, row))
            self.wall += seconds * (1 + row)
            self.cpu += seconds * (1 + row) * cores

        return answer

    def measure(self, **systems: object) -> dict:
        return measure_latency(
            systems, range(100), clients=1, seed=5, wall=lambda: self.wall, cpu=lambda: self.cpu
        )


def test_arithmetic() -> None:
    machine = Machine()
    found = machine.measure(slow=machine.system("slow", 0.002, cores=2.0), fast=machine.system("fast", 0.001))
    fast, slow = found["fast"], found["slow"]
    # Times are 1, 2, … 100 ms; a quantile between two of them is on the line that joins them.
    assert fast.queries == 100
    assert fast.mean_ms == pytest.approx(50.5)
    assert fast.p50_ms == pytest.approx(50.5)
    assert fast.p95_ms == pytest.approx(1 + 0.95 * 99)
    assert fast.p99_ms == pytest.approx(1 + 0.99 * 99)
    assert fast.cpu_ms == pytest.approx(50.5)
    assert fast.per_core == pytest.approx(1000 / 50.5)
    assert fast.throughput == pytest.approx(100 / 5.05)
    assert (fast.clients, fast.clients_p50_ms) == (1, pytest.approx(50.5))
    assert slow.p95_ms == pytest.approx(2 * fast.p95_ms)
    assert slow.cpu_ms == pytest.approx(4 * fast.cpu_ms)
    assert slow.per_core == pytest.approx(fast.per_core / 4)


def test_systems_take_turns_after_warming_up() -> None:
    machine = Machine()
    machine.measure(a=machine.system("a", 1), b=machine.system("b", 1))
    warm, alone = machine.asked[: 2 * WARM], machine.asked[2 * WARM : 2 * WARM + 200]
    assert Counter(name for name, _ in warm) == {"a": WARM, "b": WARM}
    assert Counter(alone) == {(name, row): 1 for name in "ab" for row in range(100)}
    together = machine.asked[2 * WARM + 200 :]
    assert Counter(together) == Counter(alone)
    # Interleaved: with 200 random draws each half holds some 50 of each; the chance of fewer than 25 is nil.
    assert all(Counter(name for name, _ in half)["a"] > 25 for half in (alone[:100], alone[100:]))
    changes = sum(before != after for (before, _), (after, _) in pairwise(together))
    assert ROUNDS - 1 <= changes <= 2 * ROUNDS - 1


def test_the_seed_sets_the_order() -> None:
    orders = []
    for seed in (0, 0, 1):
        machine = Machine()
        measure_latency({"a": machine.system("a", 1)}, range(20), clients=1, seed=seed)
        orders.append(machine.asked)
    assert orders[0] == orders[1] != orders[2]


def test_clients_ask_at_the_same_time() -> None:
    # Each answer waits for a second query to arrive: with one client none would ever come.
    pair = threading.Barrier(2)
    together = False

    def system(row: int) -> None:
        if together:
            pair.wait(timeout=10)

    def wall() -> float:
        return 0.0

    asked = []

    def counted(row: int) -> None:
        nonlocal together
        asked.append(row)
        together = len(asked) > WARM + 16
        system(row)

    found = measure_latency({"a": counted}, range(16), clients=2, wall=wall)["a"]
    assert found.clients == 2
    assert Counter(asked)[15] == 2
    assert len(asked) == WARM + 32


def test_a_failure_of_a_client_is_raised() -> None:
    calls = []

    def system(row: int) -> None:
        calls.append(row)
        if len(calls) > WARM + 20:
            raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        measure_latency({"a": system}, range(20), clients=3)


def test_stopwatch_and_memory() -> None:
    with Stopwatch() as watch:
        sum(range(200_000))
    assert watch.seconds > 0
    assert watch.cpu_seconds > 0
    before = peak_memory()
    held = bytearray(50_000_000)
    held[::4096] = b"x" * len(held[::4096])
    after = peak_memory()
    if before is not None and after is not None:
        assert after >= before
        assert after > len(held)
