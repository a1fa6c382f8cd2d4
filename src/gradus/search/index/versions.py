"""Versions: indexes side by side in a folder, one of them live.

    index/live.json              which version is live, and which were before it
    index/000003/version.json    what it was made of; missing while it is being made
    index/000003/data            an embedded backend's files; a server has a collection or table instead

A version is made beside the live one, and `live.json` is then replaced whole. Who has a version open holds a lock on
its folder, so that it stays until the last of them is done.
"""

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from gradus.errors import GradusError, SearchError
from gradus.files import atomic_file
from gradus.search.index.backends import EMBEDDED, create_index, drop_index, open_index
from gradus.search.index.index import Documents, Index, Schema

_log = logging.getLogger(__name__)

_LIVE, _ABOUT, _DRAFT, _DATA = "live.json", "version.json", "draft.json", "data"


@dataclass(frozen=True)
class Version:
    """An index in its folder.

    Attributes:
        number: Counts up from 1.
        backend: Its backend.
        name: Of its collection or table; empty for an embedded backend.
        about: What it was made of, JSON values.
        live: Whether it is the one in use.
    """

    number: int
    backend: str
    name: str
    about: Mapping[str, Any] = field(default_factory=dict)
    live: bool = False


@dataclass(frozen=True)
class Opened:
    """A version that stays as long as it is open."""

    version: Version
    index: Index
    _lock: int

    def close(self) -> None:
        """Close the index, and let its version go."""
        self.index.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Versions:
    """The versions in a folder.

    Args:
        folder: Where they are; need not be there yet.
        url: The server's address, for backends that have one. It is not written anywhere: it may hold a password.
        prefix: What names of collections or tables begin with.
    """

    def __init__(self, folder: Path, url: str = "", prefix: str = "gradus") -> None:
        self.folder = folder
        self._url = url
        self._prefix = prefix

    def all(self) -> list[Version]:
        """The versions that were completed, the oldest first.

        Raises:
            SearchError: A file is damaged.
        """
        live = self._pointer()[0]
        found = []
        for folder in self._folders():
            path = folder / _ABOUT
            if path.is_file():
                about = _read(path)
                number = int(folder.name)
                found.append(Version(number, about["backend"], about["name"], about["about"], number == live))
        return found

    def live(self) -> Version | None:
        """The version in use, if there is one.

        Raises:
            SearchError: A file is damaged, or the version is gone.
        """
        number = self._pointer()[0]
        return None if number is None else self._version(number)

    def build(self, backend: str, schema: Schema, documents: Documents, about: Mapping[str, Any]) -> Version:
        """Make a new version; it is not live yet.

        Raises:
            SearchError: As for `create_index`.
            MissingExtraError: The backend's library is not installed.
        """
        folder, number = self._new_folder()
        name = "" if backend in EMBEDDED else f"{self._prefix}-{number:06d}"
        facts = {"backend": backend, "name": name, "about": dict(about)}
        lock = _held(folder, fcntl.LOCK_SH)
        try:
            # Says what to remove should this process die.
            _write(folder / _DRAFT, facts)
            create_index(backend, self._location(folder, backend, name), schema, documents).close()
            _write(folder / _ABOUT, facts)
            (folder / _DRAFT).unlink()
        finally:
            os.close(lock)
        return Version(number, backend, name, about)

    def go_live(self, number: int) -> None:
        """Make a version the one in use.

        Raises:
            SearchError: There is no such version.
        """
        self._version(number)
        live, before = self._pointer()
        history = [past for past in before if past != number]
        if live is not None and live != number:
            history.append(live)
        _write(self.folder / _LIVE, {"live": number, "before": history})

    def roll_back(self) -> Version:
        """Make the version that was live before the one in use live again.

        Raises:
            SearchError: There is none any more.
        """
        left = self._earlier()
        if not left:
            raise SearchError(f"{self.folder} holds no earlier version to go back to; build one")
        _write(self.folder / _LIVE, {"live": left[-1], "before": left[:-1]})
        return self._version(left[-1])

    def prune(self, keep: int) -> list[int]:
        """Remove all but the live version and the latest others, `keep` in all; and drafts of builds that died.

        What is open anywhere on this machine stays, and with a warning what its server does not let go.

        Returns:
            The numbers of the versions that were removed.
        """
        versions = self.all()
        others = [version.number for version in versions if not version.live]
        spare = max(0, keep - (len(versions) - len(others)))
        kept = {version.number for version in versions if version.live} | set(others[len(others) - spare :])
        removed = []
        for folder in self._folders():
            number = int(folder.name)
            if number in kept or not any(folder.iterdir()):
                continue  # an empty one was made a moment ago
            try:
                lock = _held(folder, fcntl.LOCK_EX)
            except BlockingIOError:
                continue  # in use, or being made
            try:
                self._remove(folder)
            except GradusError as error:
                # Of its server, mostly. What went live before must not seem to have failed.
                _log.warning("version %d in %s cannot be removed, and stays: %s", number, self.folder, error)
                continue
            finally:
                os.close(lock)
            removed.append(number)
        return removed

    def open(self, number: int | None = None, read_only: bool = True) -> Opened:
        """Open a version, the live one unless a number is given.

        Raises:
            SearchError: There is none, or as for `open_index`.
        """
        while True:
            version = self.live() if number is None else self._version(number)
            if version is None:
                raise SearchError(
                    f"there is no index in {self.folder}; build one with: gradus index build MODEL"
                )
            folder = self._folder(version.number)
            try:
                lock = _held(folder, fcntl.LOCK_SH)
            except (BlockingIOError, FileNotFoundError):
                if number is None and self.live() != version:
                    continue  # another one went live, and this one was removed, between the two looks
                raise SearchError(f"version {version.number} in {self.folder} is being removed") from None
            try:
                location = self._location(folder, version.backend, version.name)
                return Opened(version, open_index(version.backend, location, read_only), lock)
            except SearchError as error:
                os.close(lock)
                raise SearchError(f"{error}{self._way_back(version)}") from None
            except BaseException:
                os.close(lock)
                raise

    def _way_back(self, version: Version) -> str:
        """What is said of a live version that cannot be opened, where there is one to go back to."""
        earlier = version.live and self._earlier()
        return "; or go back to the version before it with: gradus index rollback" if earlier else ""

    def _earlier(self) -> list[int]:
        """The versions that were live before the one in use and are still there, the last one last."""
        there = {version.number for version in self.all()}
        return [number for number in self._pointer()[1] if number in there]

    def _folder(self, number: int) -> Path:
        return self.folder / f"{number:06d}"

    def _folders(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("[0-9]" * 6) if path.is_dir())

    def _version(self, number: int) -> Version:
        for version in self.all():
            if version.number == number:
                return version
        numbers = ", ".join(str(version.number) for version in self.all()) or "none"
        raise SearchError(f"{self.folder} holds no version {number}; it holds: {numbers}")

    def _new_folder(self) -> tuple[Path, int]:
        number = max((int(folder.name) for folder in self._folders()), default=0)
        live, before = self._pointer()
        number = max(number, live or 0, *before, 0)  # a number is never used twice, even for what was removed
        while True:
            number += 1
            try:
                self._folder(number).mkdir(parents=True)
                return self._folder(number), number
            except FileExistsError:
                continue  # another process builds, too

    def _location(self, folder: Path, backend: str, name: str) -> str:
        if backend in EMBEDDED:
            return str(folder / _DATA)
        if not self._url:
            raise SearchError(f"the index backend {backend!r} needs the address of its server: set index.url")
        return f"{self._url}#{name}"

    def _remove(self, folder: Path) -> None:
        path = folder / (_ABOUT if (folder / _ABOUT).is_file() else _DRAFT)
        if path.is_file():
            facts = _read(path)
            drop_index(facts["backend"], self._location(folder, facts["backend"], facts["name"]))
        shutil.rmtree(folder)

    def _pointer(self) -> tuple[int | None, list[int]]:
        path = self.folder / _LIVE
        if not path.is_file():
            return None, []
        values = _read(path)
        return values["live"], values["before"]


def _held(folder: Path, kind: int) -> int:
    """A handle that holds a lock on a folder until it is closed, or its process ends."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        _ = values["before"] if path.name == _LIVE else values["about"]
    except (ValueError, KeyError, TypeError):
        raise SearchError(f"{path} is damaged; build the index anew with: gradus index build MODEL") from None
    return values


def _write(path: Path, values: Mapping[str, Any]) -> None:
    with atomic_file(path) as aside:
        aside.write_text(json.dumps(values, ensure_ascii=False, indent=1), "utf-8")
