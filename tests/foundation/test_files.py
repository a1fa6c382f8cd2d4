"""Files and folders that appear whole or not at all."""

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gradus.files import atomic_file, atomic_folder, remove_leftovers

Atomic = Callable[[Path], AbstractContextManager[Path]]


def write(aside: Path, text: str) -> None:
    """Write text to the file, or to a file in the folder, that a block was given."""
    (aside / "inner.txt" if aside.is_dir() else aside).write_text(text)


def content(path: Path) -> str:
    return (path / "inner.txt" if path.is_dir() else path).read_text()


@pytest.fixture(params=[atomic_file, atomic_folder], ids=["file", "folder"])
def atomic(request: pytest.FixtureRequest) -> Atomic:
    chosen: Atomic = request.param
    return chosen


def test_it_appears_when_the_block_ends_and_not_before(atomic: Atomic, tmp_path: Path) -> None:
    target = tmp_path / "made" / "target"
    with atomic(target) as aside:
        write(aside, "new")
        assert not target.exists()
    assert content(target) == "new"
    assert list(target.parent.iterdir()) == [target]


def test_it_replaces_an_older_one(atomic: Atomic, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for text in ("old", "new"):
        with atomic(target) as aside:
            write(aside, text)
    assert content(target) == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_replaced_folder_keeps_nothing_of_the_older_one(tmp_path: Path) -> None:
    target = tmp_path / "target"
    for name in ("old.txt", "new.txt"):
        with atomic_folder(target) as aside:
            (aside / name).touch()
    assert [path.name for path in target.iterdir()] == ["new.txt"]


@pytest.mark.parametrize("error", [ValueError("bad row"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_block_that_fails_leaves_the_older_one_and_nothing_else(
    atomic: Atomic, tmp_path: Path, error: BaseException
) -> None:
    target = tmp_path / "target"
    with atomic(target) as aside:
        write(aside, "old")

    def fail() -> None:
        with atomic(target) as aside:
            write(aside, "half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert content(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_that_is_full_only_when_flushed_leaves_nothing(
    atomic: Atomic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)

    def save() -> None:
        with atomic(tmp_path / "target") as aside:
            write(aside, "new")

    with pytest.raises(OSError, match="No space left"):
        save()
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_what_was_written(atomic: Atomic, tmp_path: Path) -> None:
    target = tmp_path / "target"
    with atomic(target) as aside:
        write(aside, "new")
    assert target.stat().st_mode & 0o044 == 0o044


def test_leftovers_of_killed_writers_go_and_their_neighbours_stay(tmp_path: Path) -> None:
    for name in ("model", "model2", ".model2.x1"):
        (tmp_path / name).mkdir()
    (tmp_path / ".model.x1").mkdir()
    (tmp_path / ".model.x1" / "half").touch()
    (tmp_path / ".model.x2").touch()
    remove_leftovers(tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".model2.x1", "model", "model2"]


def test_a_folder_moved_away_by_a_writer_killed_right_then_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target == path:
            raise KeyboardInterrupt  # as a kill, it ends the writer between its two renames
        return replace(self, target)

    writer = atomic_folder(path)
    (writer.__enter__() / "weights").write_text("new")
    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        writer.__exit__(None, None, None)
    monkeypatch.undo()
    assert not path.exists()
    remove_leftovers(path)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert (path / "weights").read_text() == "old"
