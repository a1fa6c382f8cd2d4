"""How a command fails: one line on standard error and an exit code, never a traceback for a user's mistake."""

import errno
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from gradus.errors import GradusError

USER_ERROR = 2


class Commands(TyperGroup):
    """The top group of commands, which turns what users can cause into one line and an exit code.

    Anything else is a defect of Gradus and keeps its traceback.
    """

    def main(self, args: Sequence[str] | None = None, **named: Any) -> Any:  # type: ignore[override]
        """Run a command and exit: 0, a command's own code, 2 for a user's error, 130 (Typer's) for Ctrl-C."""
        named |= {"prog_name": "gradus", "standalone_mode": False}
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(given or ["--help"], **named)
        except GradusError as error:
            code = _fail(str(error))
        except typer.TyperException as error:
            code = _fail(f"{error.format_message().rstrip('.')}; see {_help_of(error)}")
        except OSError as error:
            code = _fail(_about(error))
        except Exception as error:
            # safetensors reports a full disk with an error of its own.
            if "No space left on device" not in str(error):
                raise
            code = _fail(_disk_full(""))
        sys.exit(code or 0)


def _fail(message: str) -> int:
    print(f"gradus: {' '.join(message.split())}", file=sys.stderr)
    return USER_ERROR


def _help_of(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'gradus'} --help"


def _about(error: OSError) -> str:
    path = "" if error.filename is None else str(error.filename)
    if error.errno == errno.ENOSPC or "No space left on device" in str(error):
        return _disk_full(path)
    return f"{path}: {error.strerror or error}" if path else str(error)


def _disk_full(path: str) -> str:
    place = f": {path}" if path else ""
    return (
        f"No space left on device{place}; free some space and run the command again, nothing was half-written"
    )
