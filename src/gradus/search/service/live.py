"""Versions: the engine in use and the ones before it, swapped while requests are under way."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from gradus.search.engine import Engine
from gradus.search.query import Query
from gradus.search.service.batching import Batcher, Vector, VectorCache
from gradus.search.service.metrics import Metrics
from gradus.search.service.problems import Problem
from gradus.settings import ServiceSettings

T = TypeVar("T")


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
        self._batcher = Batcher(engine.embed, settings.batch, metrics.batch.observe)

    async def vector(self, query: Query) -> Vector:
        """The vector (D,) of a query, from the cache or a batch."""
        digest = query.digest()
        kept = self._cache.get(digest)
        self._metrics.cached.labels("hit" if kept is not None else "miss").inc()
        if kept is not None:
            return kept
        vector = await self._batcher.vector(query)
        self._cache.put(digest, vector)
        return vector

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

    def close_if_unused(self) -> None:
        """Let go of the engine once it is retired and the last request that used it has ended."""
        if self.retired and self.users == 0:
            self._batcher.close()
            self.engine.close()


class Live:
    """The versions in memory. All methods are called in the event loop's thread.

    Args:
        engine: The first one.
        load: Makes an engine of what lies on the disk now.
        settings: How many versions stay, and their bounds.
        metrics: Told about them.
    """

    def __init__(
        self, engine: Engine, load: Callable[[], Engine], settings: ServiceSettings, metrics: Metrics
    ) -> None:
        self._load = load
        self._settings = settings
        self._metrics = metrics
        self._swapping = asyncio.Lock()
        self._versions: dict[str, Version] = {}
        self._enter(engine)

    @property
    def current(self) -> Version:
        """The version that answers where a request names none."""
        return next(reversed(self._versions.values()))

    @property
    def names(self) -> list[str]:
        """The versions in memory, the current one last."""
        return list(self._versions)

    @contextmanager
    def use(self, name: str | None = None) -> Iterator[Version]:
        """A version that stays open while the block runs, whatever is swapped meanwhile.

        Raises:
            Problem: No version of that name is in memory.
        """
        if name is not None and name not in self._versions:
            raise Problem(404, "unknown-version", "no such version is kept", kept=self.names)
        version = self.current if name is None else self._versions[name]
        version.users += 1
        try:
            yield version
        finally:
            version.users -= 1
            version.close_if_unused()

    async def swap(self, name: str | None = None) -> str:
        """Make another version current, and say which was: one in memory, or what lies on the disk now.

        Requests under way end with the version that they began with. Where the disk holds a version that is in
        memory already, that one becomes current.

        Raises:
            Problem: No version of that name is in memory.
            GradusError: What lies on the disk cannot be loaded; the current version stays.
        """
        async with self._swapping:
            before = self.current.engine.version
            if name is None:
                self._enter(await asyncio.to_thread(self._load))
                return before
            with self.use(name) as version:
                self._enter(version.engine)
            return before

    def close(self) -> None:
        """Let go of every version; no request may be under way."""
        for version in self._versions.values():
            version.retired = True
            version.close_if_unused()

    def _enter(self, engine: Engine) -> None:
        """Make an engine current, and retire the oldest beyond those that stay."""
        kept = self._versions.pop(engine.version, None)
        if kept is not None and kept.engine is not engine:
            engine.close()
        self._versions[engine.version] = kept or Version(engine, self._settings, self._metrics)
        while len(self._versions) > self._settings.versions:
            oldest = self._versions.pop(next(iter(self._versions)))
            oldest.retired = True
            oldest.close_if_unused()
        self._metrics.serves(self.current.engine.version, len(self.current.engine.documents))
