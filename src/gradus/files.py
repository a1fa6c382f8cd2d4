"""Files that appear whole or not at all: written aside, flushed to disk, then renamed; and logs that grow."""

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, it replaces `path`.

    When the block raises (a full disk, an interrupt), the temporary file is removed and an older
    `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        _flush(aside)
        aside.chmod(0o644)
        aside.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise _named(error, path) from None
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; when the block ends well, it replaces `path`.

    A folder that was at `path` before is removed only after the new one is complete.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield aside
        for inside in (aside, *aside.rglob("*")):
            _flush(inside)
        aside.chmod(0o755)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
            path.replace(old / path.name)
            aside.replace(path)
            _flush(path.parent)
            shutil.rmtree(old)
        else:
            aside.replace(path)
            _flush(path.parent)
    except OSError as error:
        raise _named(error, path) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Remove what writers of `path` left beside it when they were killed; none may be at work.

    A folder whose writer was killed between moving the old one away and the new one in is put back.
    """
    for aside in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if aside.is_dir():
            old = aside / path.name
            if aside.name.startswith(f".{path.name}.old.") and old.exists() and not path.exists():
                old.replace(path)
            shutil.rmtree(aside)
        else:
            aside.unlink()


def log_lines(folder: Path) -> Iterator[tuple[Path, int, bytes]]:
    """Each line of a folder's `*.jsonl` files with its file and number, in order of the files' names.

    Others may be writing: what stands behind the last line break of a file is not there yet.
    """
    for path in sorted(folder.glob("*.jsonl")):
        complete, _, _ = path.read_bytes().rpartition(b"\n")
        for number, line in enumerate(complete.splitlines(), 1):
            yield path, number, line


def _named(error: OSError, path: Path) -> OSError:
    """The error, naming what was written: a full disk alone does not say where."""
    if error.errno is not None and error.filename is None:
        error.filename = str(path)
    return error


def _flush(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk, so that neither outruns the other when power fails."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
