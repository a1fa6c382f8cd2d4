"""Versions: the engine in use and the ones before it, swapped while requests are under way."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from gradus.search.engine import Engine, Hit, Wanted
from gradus.search.index.index import Vectors
from gradus.search.query import Query
from gradus.search.service.batching import Batcher, VectorCache
from gradus.search.service.metrics import Metrics
from gradus.search.service.problems import Problem
from gradus.settings import ServiceSettings

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """A search of one request.

    Attributes:
        query: What to look for.
        wanted: How many documents, and which.
        facets: Category fields to count.
    """

    query: Query
    wanted: Wanted
    facets: Sequence[str] = ()


@dataclass(frozen=True)
class Answered:
    """What came of it: the documents, and field → value → count."""

    hits: list[Hit]
    facets: dict[str, dict[str, int]]


class Version:
    """An engine with what is kept for it alone, and how many requests use it.

    Args:
        engine: What answers.
        settings: Bounds of batches and cache.
        metrics: Told about both.
    """

    def __init__(self, engine: Engine, settings: ServiceSettings, metrics: Metrics) -> None:
        self.engine = engine
        self.users = 0
        self.retired = False
        self._metrics = metrics
        self._cache = VectorCache(settings.cache)
        self._batcher = Batcher(self._answer, settings.batch, metrics.batch.observe)

    async def search(self, asked: Asked) -> Answered:
        """Answer a search, together with others that come at the same time."""
        return await self._batcher.result(asked)

    def _answer(self, batch: Sequence[Asked]) -> list[Answered]:
        """Answer a batch, in the batcher's thread: embed what was not asked lately, then look it all up."""
        with self._metrics.stages.labels("encode").time():
            vectors = self._vectors([asked.query for asked in batch])
        with self._metrics.stages.labels("index").time():
            ranked = self.engine.rank(vectors, [asked.wanted for asked in batch])
        return [
            Answered(
                self.engine.hits(found),
                {name: self.engine.facets.count(name, asked.wanted.where) for name in asked.facets},
            )
            for asked, found in zip(batch, ranked, strict=True)
        ]

    def _vectors(self, queries: Sequence[Query]) -> Vectors:
        """The vectors (n, D) of queries, each different one embedded at most once."""
        digests = [query.digest() for query in queries]
        vectors = {digest: self._cache.get(digest) for digest in digests}
        new = {d: query for d, query in zip(digests, queries, strict=True) if vectors[d] is None}
        self._metrics.cached.labels("miss").inc(len(new))
        self._metrics.cached.labels("hit").inc(len(queries) - len(new))
        if new:
            for digest, vector in zip(new, self.engine.embed(list(new.values())), strict=True):
                vectors[digest] = vector
                self._cache.put(digest, vector)
        return np.array([vectors[digest] for digest in digests], np.float32)

    async def run(self, work: Callable[[], T]) -> T:
        """Do work with the engine in a thread; until it has ended the version is in use.

        A request that is cut off by the time limit leaves its thread behind, which still reads the index.
        """
        self.users += 1
        future = asyncio.get_running_loop().run_in_executor(None, work)
        future.add_done_callback(self._leave)
        return await asyncio.shield(future)

    def _leave(self, ended: "asyncio.Future[Any]") -> None:
        if not ended.cancelled():
            ended.exception()  # was raised to the caller, if there still is one
        self.users -= 1
        self.close_if_unused()

    def retire(self) -> None:
        """Let go of the engine as soon as no request uses it."""
        self.retired = True
        self.close_if_unused()

    def close_if_unused(self) -> None:
        """Let go of the engine if it is retired and the last request that used it has ended."""
        if self.retired and self.users == 0:
            # In the thread, where a search may still run that its request did not wait for.
            self._batcher.close(self.engine.close)


class Live:
    """The versions in memory. All methods are called in the event loop's thread.

    Args:
        engine: The first one.
        load: Makes an engine of what lies on the disk now.
        settings: How many versions stay, and their bounds.
        metrics: Told about them.
        beside: Engines that can be named as well, whatever is swapped: what the current one is compared with.
    """

    def __init__(
        self,
        engine: Engine,
        load: Callable[[], Engine],
        settings: ServiceSettings,
        metrics: Metrics,
        beside: Sequence[Engine] = (),
    ) -> None:
        self._load = load
        self._settings = settings
        self._metrics = metrics
        self._swapping = asyncio.Lock()
        self._beside = {one.version: Version(one, settings, metrics) for one in beside}
        self._versions: dict[str, Version] = {}
        self._enter(engine)

    @property
    def current(self) -> Version:
        """The version that answers where a request names none."""
        return next(reversed(self._versions.values()))

    @property
    def names(self) -> list[str]:
        """The versions that take turns, the current one last."""
        return list(self._versions)

    @property
    def engines(self) -> list[Engine]:
        """What a search can name: the current engine, those beside it, and earlier ones, the latest first."""
        current, *earlier = reversed(self._versions.values())
        versions = {v.engine.version: v for v in (current, *self._beside.values(), *earlier)}
        return [version.engine for version in versions.values()]

    @contextmanager
    def use(self, name: str | None = None) -> Iterator[Version]:
        """A version that stays open while the block runs, whatever is swapped meanwhile.

        Raises:
            Problem: No version of that name is in memory.
        """
        known = self._beside | self._versions
        if name is not None and name not in known:
            raise Problem(404, "unknown-version", "no such version is kept", kept=list(known))
        version = self.current if name is None else known[name]
        version.users += 1
        try:
            yield version
        finally:
            version.users -= 1
            version.close_if_unused()

    async def swap(self, name: str | None = None) -> str:
        """Make another version current, and say which was: one in memory, or what lies on the disk now.

        Requests under way end with the version that they began with.

        Raises:
            Problem: No version of that name is in memory.
            GradusError: What lies on the disk cannot be loaded; the current version stays.
        """
        async with self._swapping:
            before = self.current.engine.version
            if name is None:
                self._enter(await asyncio.to_thread(self._load))
                return before
            if name not in self._versions:
                raise Problem(404, "unknown-version", "no such version is kept", kept=self.names)
            self._enter(self._versions[name].engine)
            return before

    def close(self) -> None:
        """Let go of every version; no request may be under way."""
        for versions in (self._versions, self._beside):
            while versions:
                versions.popitem()[1].retire()

    def _enter(self, engine: Engine) -> None:
        """Make an engine current, and retire an older one of its version and the oldest beyond those that stay."""
        kept = self._versions.pop(engine.version, None)
        if kept is not None and kept.engine is not engine:
            # Of the same model and catalogue, but opened later: documents may have been put into its index.
            kept.retire()
            kept = None
        self._versions[engine.version] = kept or Version(engine, self._settings, self._metrics)
        while len(self._versions) > self._settings.versions:
            self._versions.pop(next(iter(self._versions))).retire()
        self._metrics.serves(self.current.engine.version, len(self.current.engine.documents))
