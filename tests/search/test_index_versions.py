"""Versions: built beside the live one, swapped, rolled back, kept while they are open, removed after."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_index_backends import SCHEMA, assert_same, held, made

from gradus.errors import SearchError
from gradus.search.index import versions as module
from gradus.search.index.backends import create_index, open_index
from gradus.search.index.versions import Versions


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "index")


def numbers(versions: Versions) -> list[int]:
    return [version.number for version in versions.all()]


def build(versions: Versions, count: int) -> int:
    return versions.build("exact", SCHEMA, made(count), {"documents": count}).number


def test_a_new_version_is_in_use_only_once_it_goes_live(versions: Versions) -> None:
    assert versions.live() is None
    with pytest.raises(SearchError, match=r"there is no index in .*gradus index build MODEL"):
        versions.open()
    assert build(versions, 3) == 1
    with pytest.raises(SearchError, match="there is no index"):
        versions.open()
    versions.go_live(1)
    assert build(versions, 4) == 2
    with versions.open() as opened:
        assert opened.version.number == 1
        assert_same(opened.index, held(made(3)))
        versions.go_live(2)
        assert_same(opened.index, held(made(3)))  # who has a version open keeps it
    with versions.open() as opened:
        assert opened.version.about == {"documents": 4}
        assert opened.version.live
        assert_same(opened.index, held(made(4)))
    assert [version.live for version in versions.all()] == [False, True]
    with pytest.raises(SearchError, match="holds no version 7; it holds: 1, 2"):
        versions.go_live(7)


def test_rolling_back_goes_through_what_was_live_and_is_still_there(versions: Versions) -> None:
    for count in (3, 4, 5, 6):
        versions.go_live(build(versions, count))
    assert versions.roll_back().number == 3
    with versions.open() as opened:
        assert_same(opened.index, held(made(5)))
    versions.go_live(4)
    versions.go_live(4)  # a second time changes nothing
    assert versions.roll_back().number == 3
    assert versions.roll_back().number == 2
    assert versions.prune(1) == [1, 3, 4]
    with pytest.raises(SearchError, match="no earlier version to go back to"):
        versions.roll_back()
    assert versions.live() == versions.all()[0]


def test_pruning_spares_the_live_the_latest_and_those_in_use(versions: Versions) -> None:
    for count in (3, 4, 5, 6, 7):
        build(versions, count)
    versions.go_live(2)
    with versions.open(1) as opened:
        assert versions.prune(3) == [3]
        assert numbers(versions) == [1, 2, 4, 5]
        assert_same(opened.index, held(made(3)))
    assert versions.prune(3) == [1]
    assert versions.prune(1) == [4, 5]
    assert numbers(versions) == [2]
    versions.go_live(build(versions, 3))
    assert numbers(versions) == [2, 3]


def test_a_build_that_was_killed_leaves_a_draft_that_pruning_removes(
    versions: Versions, tmp_path: Path
) -> None:
    versions.go_live(build(versions, 3))
    program = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_index_backends import SCHEMA, made
from gradus.search.index import versions
write = versions._write
def die(path, values):
    if path.name == "version.json":
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, values)
versions._write = die
versions.Versions(Path(sys.argv[1])).build("exact", SCHEMA, made(5), {})
"""
    command = [sys.executable, "-c", program, str(versions.folder), str(Path(__file__).parent)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    assert (versions.folder / "000002" / "data" / "index.json").is_file()
    assert numbers(versions) == [1]
    assert build(versions, 4) == 3
    assert versions.prune(5) == [2]
    assert numbers(versions) == [1, 3]


def test_a_version_that_is_being_built_is_not_pruned(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, pruned = module.create_index, []

    def create(*given: object) -> object:
        pruned.append(versions.prune(1))
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "create_index", create)
    build(versions, 3)
    assert pruned == [[]]
    assert numbers(versions) == [1]


def test_a_swap_that_fails_leaves_the_live_version(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions.go_live(build(versions, 3))
    build(versions, 4)

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            versions.go_live(2)
    live = versions.live()
    assert live is not None
    assert live.number == 1


def test_damaged_files_are_named(versions: Versions) -> None:
    versions.go_live(build(versions, 3))
    for name in ("live.json", "000001/version.json"):
        path = versions.folder / name
        before = path.read_text()
        for damaged in ("{", "[]", "{}", "null"):
            path.write_text(damaged)
            with pytest.raises(SearchError, match=f"{name} is damaged; build the index anew"):
                versions.open()
        path.write_text(before)
    versions.open().close()


def test_versions_on_a_server_have_names_and_no_address_in_files(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_client")
    versions = Versions(tmp_path / "index", str(tmp_path / "qdrant"), "shop")
    versions.go_live(versions.build("qdrant", SCHEMA, made(20), {}).number)
    versions.go_live(versions.build("qdrant", SCHEMA, made(30), {}).number)
    with versions.open() as opened:
        assert opened.version.name == "shop-000002"
        assert_same(opened.index, held(made(30)))
    written = [path.read_text() for path in (tmp_path / "index").rglob("*.json")]
    assert not any(str(tmp_path) in text for text in written)
    assert versions.prune(1) == [1]
    again = Versions(tmp_path / "other", str(tmp_path / "qdrant"), "shop")
    assert again.build("qdrant", SCHEMA, made(5), {}).name == "shop-000001"  # that name is free again
    with pytest.raises(SearchError, match=r"set index\.url"):
        Versions(tmp_path / "third").build("qdrant", SCHEMA, made(5), {})


def test_what_cannot_be_removed_from_its_server_stays_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another backend is used from now on, and the address of the one before is gone from the settings."""
    pytest.importorskip("qdrant_client")
    before = Versions(tmp_path / "index", str(tmp_path / "qdrant"), "shop")
    before.go_live(before.build("qdrant", SCHEMA, made(5), {}).number)
    versions = Versions(tmp_path / "index")
    for count in (3, 4):
        versions.go_live(build(versions, count))
    assert versions.prune(1) == [2]
    assert "version 1 in" in caplog.text
    assert "set index.url" in caplog.text
    assert numbers(versions) == [1, 3]
    with pytest.raises(SearchError, match=r"needs the address of its server: set index\.url"):
        versions.open(1)
    assert before.prune(1) == [1]


def test_a_folder_of_qdrant_that_somebody_has_open_is_told(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_client")
    place = str(tmp_path / "qdrant#shop")
    told = pytest.raises(SearchError, match=r"Qdrant does not answer as it should: .*already accessed")
    with create_index("qdrant", place, SCHEMA, made(5)), told:
        open_index("qdrant", place)


def test_numbers_count_up_beyond_what_was_removed(versions: Versions) -> None:
    for _ in range(3):
        versions.go_live(build(versions, 3))
    versions.go_live(1)
    assert versions.prune(1) == [2, 3]
    assert build(versions, 3) == 4
