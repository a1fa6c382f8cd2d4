"""Progress, reported by work that takes long and shown by whoever called it."""

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]
"""Called with the stage's name, steps done, steps in all, and a note (throughput, best metric)."""


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """Report nothing."""
