"""The run's metrics: one JSON object per line, and TensorBoard where asked."""

import json
from pathlib import Path
from typing import Any

from gradus.errors import MissingExtraError
from gradus.files import atomic_file


class MetricsLog:
    """Appends to `metrics.jsonl` in a folder.

    Args:
        folder: Where; made if missing.
        tensorboard: Also write `tensorboard/` in it.
        lines: How many of the lines there to keep: a run that was killed had gone on after its checkpoint.
        step: The step that the run goes on from.
    """

    def __init__(self, folder: Path, tensorboard: bool, lines: int = 0, step: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "metrics.jsonl"
        kept: list[str] = []
        if lines and self.path.exists():
            kept = self.path.read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
        with atomic_file(self.path) as aside:
            aside.write_text("".join(kept), encoding="utf-8")
        self.board: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise MissingExtraError("training.tensorboard", "tensorboard") from None
            self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, values: dict[str, float]) -> None:
        """One line, flushed at once."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step} | {k: round(v, 6) for k, v in values.items()}) + "\n")
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush what TensorBoard still holds."""
        if self.board is not None:
            self.board.close()
