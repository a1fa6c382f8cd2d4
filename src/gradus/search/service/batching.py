"""Batching: what arrives while other work is done is done together."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gradus.search.service.problems import Problem

Item = TypeVar("Item")
Result = TypeVar("Result")
Vector = NDArray[np.float32]

MOST_WAITING = 1000
"""Items that may wait; more are sent away, since they would be late in any case."""


class Batcher(Generic[Item, Result]):
    """Has the items of concurrent requests worked on together.

    An item that finds nobody at work is taken at once; those that come meanwhile form the next batch. So one client
    waits for nobody, and many share a pass through the encoder and over the index.

    Args:
        work: Items to their results. Called in a thread of its own, one call at a time.
        most: Items in a batch.
        told: Called with each batch's size.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Sequence[Result]], most: int, told: Callable[[int], None]
    ) -> None:
        self._work = work
        self._most = most
        self._told = told
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._thread = ThreadPoolExecutor(1, "gradus-batch")
        self._running: asyncio.Task[None] | None = None

    async def result(self, item: Item) -> Result:
        """What work makes of an item.

        Raises:
            Problem: Too many items wait already.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise Problem(503, "overloaded", "too many searches at once; try again", {"Retry-After": "1"})
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            # Who has left, or was cut off by the time limit, needs no result.
            batch = [(item, future) for item, future in taken if not future.done()]
            if not batch:
                continue
            self._told(len(batch))
            try:
                results = await loop.run_in_executor(self._thread, self._work, [item for item, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    def close(self, last: Callable[[], None]) -> None:
        """Do something in the thread after all its work, and let it end."""
        self._thread.submit(last)
        self._thread.shutdown(wait=False)


class VectorCache:
    """The vectors of the queries that were asked last, by the queries' digests. For one thread.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._vectors: OrderedDict[str, Vector] = OrderedDict()

    def get(self, digest: str) -> Vector | None:
        """A vector, which counts as asked now; `None` if it is not kept."""
        if digest in self._vectors:
            self._vectors.move_to_end(digest)
        return self._vectors.get(digest)

    def put(self, digest: str, vector: Vector) -> None:
        """Keep a vector; the one that was asked longest ago goes where there are too many."""
        self._vectors[digest] = vector
        self._vectors.move_to_end(digest)
        if len(self._vectors) > self._most:
            self._vectors.popitem(last=False)
