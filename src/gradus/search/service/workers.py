"""Workers: processes that answer on one socket, and the supervisor that keeps them running.

uvicorn has a supervisor, too. It restarts its workers to reload them, which breaks connections that are kept open; it
stops everything, or starts processes in a loop, where a replacement cannot load what lies on the disk; and its workers
outlive it when it is killed. Here, workers swap in place, replacements wait longer and longer, and workers stop
when the supervisor is gone.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any
from uuid import uuid4

from gradus.errors import SearchError
from gradus.search.service.peers import Answer, Complete, Question, Ready

_LOG = logging.getLogger("gradus.service")

_PAUSES = (1.0, 30.0)
"""Seconds before a worker that could not start is started again: at first, and at most."""

_LAST = 5.0
"""Seconds beyond those for draining after which a worker is killed."""

_CHECKS = 4
"""How often workers are asked whether they are there, in the time after which a silent one is killed."""

_THERE = "there"
"""The number of that question; each worker has one of them to answer at a time."""

Work = Callable[[socket.socket, int, Connection], None]
"""What a worker does until SIGTERM: it answers on a socket, in a slot, and hears its supervisor on a wire."""


@dataclass(eq=False)
class _Worker:
    """A process in its slot."""

    slot: int
    process: ForkServerProcess
    wire: Connection
    ready: bool = False
    deaf: bool = False
    asked: float | None = None
    """When it was asked whether it is there; `None` once it has answered."""


@dataclass(frozen=True)
class _Relayed:
    """A question that is under way: who asked, and who has yet to answer."""

    asker: _Worker
    waiting: set[_Worker]


class Workers:
    """A supervisor of workers. For the main thread, since it hears signals.

    A worker that ends is replaced; so is one whose event loop stands still, which is killed. SIGHUP has one of them
    swap, and tell the others; SIGTERM and SIGINT have all finish what is under way, and end.

    Args:
        work: What each does; a function that can be pickled.
        count: How many.
        listening: Where they take connections; closed in the end.
        preload: Modules that are imported once for all.
        drain: Seconds that they may take to end.
        silence: Seconds without an answer after which one is killed.
        told: Called when all are ready for the first time.
    """

    def __init__(
        self,
        work: Work,
        count: int,
        listening: socket.socket,
        preload: Sequence[str],
        drain: float,
        silence: float,
        told: Callable[[], None],
    ) -> None:
        self._work, self._count, self._listening = work, count, listening
        self._drain, self._silence, self._told = drain, silence, told
        self._began = False
        self._next_check = time.monotonic()
        self._workers: dict[int, _Worker] = {}
        self._pauses: dict[int, float] = {}
        self._due: dict[int, float] = dict.fromkeys(range(count), 0.0)
        self._relayed: dict[str, _Relayed] = {}
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))

    def run(self) -> None:
        """Run until told to end.

        Raises:
            SearchError: A worker ended before all were ready for the first time.
        """
        share_cores(self._count)
        with _signals() as heard:
            try:
                while self._turn(heard):
                    pass
            finally:
                self._stop()

    def _turn(self, heard: socket.socket) -> bool:
        """Do what is due, and wait for what happens next; `False` when told to end."""
        now = time.monotonic()
        for slot in [slot for slot, at in self._due.items() if at <= now]:
            del self._due[slot]
            self._start(slot)
        if self._next_check <= now:
            self._next_check = now + self._silence / _CHECKS
            self._check(now)
        wires: dict[Any, _Worker] = {w.wire: w for w in self._workers.values() if not w.deaf}
        ends: dict[Any, _Worker] = {w.process.sentinel: w for w in self._workers.values()}
        patience = min([self._next_check, *self._due.values()]) - now
        happened = wait([heard, *wires, *ends], patience)
        for source in happened:
            if source in wires:
                self._read(wires[source])
        for source in happened:
            if source in ends:
                self._replace(ends[source])
        numbers = heard.recv(256) if heard in happened else b""
        if signal.SIGHUP in numbers:
            self._swap()
        return not {signal.SIGTERM, signal.SIGINT} & set(numbers)

    def _start(self, slot: int) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=self._work, args=(self._listening, slot, theirs), name=f"gradus-{slot}"
        )
        process.start()
        theirs.close()  # so that its end is noticed here
        self._workers[slot] = _Worker(slot, process, ours)

    def _check(self, now: float) -> None:
        """Ask workers whether they are there, and kill those that have not answered for too long."""
        for worker in self._workers.values():
            if worker.asked is None:
                if worker.ready:
                    worker.asked = now
                    _send(worker, Question(_THERE, "there"))
            elif now - worker.asked >= self._silence and not worker.wire.poll():
                _LOG.error(
                    "worker %d (process %d) has not answered for %.3g s and is killed",
                    *(worker.slot, worker.process.pid, now - worker.asked),
                )
                worker.process.kill()

    def _read(self, worker: _Worker) -> None:
        try:
            message = worker.wire.recv()
        except (EOFError, OSError):
            worker.deaf = True  # it has ended, or is about to
            return
        if isinstance(message, Ready):
            worker.ready = True
            self._pauses.pop(worker.slot, None)
            if not self._began and sum(other.ready for other in self._workers.values()) == self._count:
                self._began = True
                self._told()
        elif isinstance(message, Question):
            others = {other for other in self._workers.values() if other is not worker}
            self._relayed[message.number] = _Relayed(worker, others)
            for other in others:
                # One that is not ready yet reads it when it is, and so misses no swap.
                _send(other, message)
            self._complete()
        elif isinstance(message, Answer) and message.number == _THERE:
            worker.asked = None
        elif isinstance(message, Answer) and message.number in self._relayed:
            relayed = self._relayed[message.number]
            relayed.waiting.discard(worker)
            _send(relayed.asker, Answer(message.number, message.value, worker.slot))
            self._complete()

    def _complete(self) -> None:
        """Tell who asked that nobody is left to answer."""
        for number in [number for number, relayed in self._relayed.items() if not relayed.waiting]:
            _send(self._relayed.pop(number).asker, Complete(number))

    def _replace(self, worker: _Worker) -> None:
        worker.process.join()
        code = worker.process.exitcode
        worker.wire.close()
        del self._workers[worker.slot]
        for relayed in self._relayed.values():
            relayed.waiting.discard(worker)
        self._complete()
        if not self._began:
            raise SearchError(f"a worker ended with {code} before it could serve; what it said stands above")
        first, most = _PAUSES
        pause = 0.0 if worker.ready else self._pauses.get(worker.slot, first)
        self._pauses[worker.slot] = min(2 * pause, most) or first
        self._due[worker.slot] = time.monotonic() + pause
        _LOG.error(
            "worker %d (process %d) ended with %s; another one starts in %g s",
            *(worker.slot, worker.process.pid, code, pause),
        )

    def _swap(self) -> None:
        """Have one worker swap as if it were asked to; it tells the others if that succeeds."""
        ready = [worker for worker in self._workers.values() if worker.ready]
        for worker in ready[:1]:
            _send(worker, Question(uuid4().hex, "lead"))

    def _stop(self) -> None:
        """Take no more connections, let workers finish, and kill those who do not."""
        self._listening.close()
        for worker in self._workers.values():
            worker.process.terminate()
        end = time.monotonic() + self._drain + _LAST
        for worker in self._workers.values():
            worker.process.join(max(0.0, end - time.monotonic()))
            if worker.process.exitcode is None:
                _LOG.error(
                    "worker %d (process %d) does not end and is killed", worker.slot, worker.process.pid
                )
                worker.process.kill()
                worker.process.join()


class Shared(socket.socket):
    """A socket that others listen on as well.

    It stays as it is when a server starts to listen on it with a backlog, which then only says how many
    connections are taken in a turn: with one, none of the workers takes them all.
    """

    def listen(self, backlog: int = 0) -> None:
        """Nothing: it listens."""


def share_cores(count: int) -> None:
    """Let processes that this one starts use no more threads together than there are cores, unless told otherwise."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // count)))


def _send(worker: _Worker, message: object) -> None:
    with suppress(OSError):  # it has ended, which is noticed elsewhere
        worker.wire.send(message)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that the numbers of signals come through while the block runs, a byte each."""
    heard, heard_by = socket.socketpair()
    heard_by.setblocking(False)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    wakeup = signal.set_wakeup_fd(heard_by.fileno())
    try:
        yield heard
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        heard.close()
        heard_by.close()
