"""Batching: queries that arrive while others are encoded are encoded together, and repeated ones not at all."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from gradus.search.query import Query
from gradus.search.service.problems import Problem

Vector = NDArray[np.float32]

MOST_WAITING = 1000
"""Queries that may wait; more are sent away, since they would be late in any case."""


class Batcher:
    """Encodes queries of concurrent requests together.

    A query that finds the encoder idle is encoded at once; those that come meanwhile form the next batch. So one
    client waits for nobody, and many share the cost of a pass through the encoder.

    Args:
        embed: Queries to vectors (n, D). Called in a thread of its own, one call at a time.
        most: Queries in a batch.
        told: Called with each batch's size.
    """

    def __init__(
        self, embed: Callable[[Sequence[Query]], Vector], most: int, told: Callable[[int], None]
    ) -> None:
        self._embed = embed
        self._most = most
        self._told = told
        self._waiting: list[tuple[Query, asyncio.Future[Vector]]] = []
        self._thread = ThreadPoolExecutor(1, "gradus-encoder")
        self._running: asyncio.Task[None] | None = None

    async def vector(self, query: Query) -> Vector:
        """The vector (D,) of a query.

        Raises:
            Problem: Too many queries wait already.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise Problem(503, "overloaded", "too many searches at once; try again", {"Retry-After": "1"})
        future: asyncio.Future[Vector] = asyncio.get_running_loop().create_future()
        self._waiting.append((query, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            # Who has left, or was cut off by the time limit, needs no vector.
            batch = [(query, future) for query, future in taken if not future.done()]
            if not batch:
                continue
            self._told(len(batch))
            try:
                vectors = await loop.run_in_executor(self._thread, self._embed, [query for query, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), vector in zip(batch, vectors, strict=True):
                if not future.done():
                    future.set_result(vector)

    def close(self) -> None:
        """Let the thread end when its work is done."""
        self._thread.shutdown(wait=False)


class VectorCache:
    """The vectors of the queries that were asked last, by the queries' digests.

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
