"""Peers: what a worker hears from its supervisor, and asks the other workers through it."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any
from uuid import uuid4

_LOG = logging.getLogger("gradus.service")

Handler = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True)
class Ready:
    """A worker answers from now on."""


@dataclass(frozen=True)
class Question:
    """What a worker asks all others, or the supervisor asks one.

    Attributes:
        number: Its own, among all questions.
        what: Which handler answers it.
        value: What that gets.
    """

    number: str
    what: str
    value: Any = None


@dataclass(frozen=True)
class Answer:
    """What one worker answers.

    Attributes:
        number: The question's.
        value: What the handler returned; `None` where it failed.
        slot: Whose answer it is; the supervisor puts it in.
    """

    number: str
    value: Any
    slot: int = -1


@dataclass(frozen=True)
class Complete:
    """No more answers come to a question: everybody has answered, or has ended."""

    number: str


@dataclass(frozen=True)
class _Pending:
    answers: dict[int, Any] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class Peers:
    """The other workers of a service, as one of them knows them. Used in its event loop's thread.

    Args:
        wire: To the supervisor.
        slot: The place among the workers that this one holds.
    """

    def __init__(self, wire: Connection, slot: int) -> None:
        self.slot = slot
        self._wire = wire
        self._pending: dict[str, _Pending] = {}
        self._handlers: Mapping[str, Handler] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, handlers: Mapping[str, Handler], gone: Callable[[], None]) -> None:
        """Say that this worker is ready, and answer what it is asked.

        Args:
            handlers: What is asked → what answers it.
            gone: Called when the supervisor has ended.
        """
        self._handlers = handlers
        loop = asyncio.get_running_loop()

        def read() -> None:
            with suppress(RuntimeError):  # the loop has ended
                try:
                    while True:
                        loop.call_soon_threadsafe(self._take, self._wire.recv())
                except (EOFError, OSError):
                    loop.call_soon_threadsafe(gone)

        threading.Thread(target=read, name="gradus-peers", daemon=True).start()
        self._send(Ready())

    async def ask(self, what: str, value: Any = None, seconds: float | None = None) -> dict[int, Any]:
        """What every other worker answers, by their slots.

        Args:
            what: Their handler.
            value: What it gets.
            seconds: How long to wait for those who do not answer; `None` for as long as they run.
        """
        question = Question(uuid4().hex, what, value)
        pending = self._pending[question.number] = _Pending()
        try:
            self._send(question)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await pending.complete.wait()
        finally:
            del self._pending[question.number]
        return pending.answers

    def _take(self, message: object) -> None:
        if isinstance(message, Question):
            task = asyncio.get_running_loop().create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif isinstance(message, Answer | Complete) and message.number in self._pending:
            pending = self._pending[message.number]
            if isinstance(message, Answer):
                pending.answers[message.slot] = message.value
            else:
                pending.complete.set()

    async def _answer(self, question: Question) -> None:
        try:
            value = await self._handlers[question.what](question.value)
        except Exception:
            _LOG.exception("no answer to what another worker asked: %s", question.what)
            value = None
        self._send(Answer(question.number, value))

    def _send(self, message: object) -> None:
        with suppress(OSError):  # the supervisor has ended, and this worker is about to
            self._wire.send(message)
