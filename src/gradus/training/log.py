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
        after: Lines of later steps are dropped: those of a run that was killed after its checkpoint.
    """

    def __init__(self, folder: Path, tensorboard: bool, after: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "metrics.jsonl"
        kept = [line for line in self._lines() if json.loads(line)["step"] <= after] if after else []
        with atomic_file(self.path) as aside:
            aside.write_text("".join(kept), encoding="utf-8")
        self.board: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise MissingExtraError("training.tensorboard", "tensorboard") from None
            self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=after or None)

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

    def _lines(self) -> list[str]:
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        # A kill can cut the last line short.
        return [line for line in lines if line.endswith("}\n")]
