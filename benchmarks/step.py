"""Where a training step of mini goes: python benchmarks/step.py FOLDER [--epochs 10]

FOLDER is one of `graded.py`, or what `gradus sample` made. Trains many-to-many with one thread for some epochs, and prints
the share of each part in the processor time of the loop: validation and checkpoints included, reading the catalogue and
describing its pictures not. A part does not count the time of those within it, but for validation, which encodes, too.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from graded import folder_settings

from gradus.encoders.mini_image import ImageFeatures, MiniImage
from gradus.encoders.mini_text import MiniText, TextFeatures
from gradus.training.loop import Run
from gradus.training.task import Task
from gradus.workflow import training
from gradus.workflow.data import load_data


class Shares:
    """Processor time by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.within = 0.0
        self.whole = False

    def watch(self, owner: Any, name: str, part: str, whole: bool = False) -> None:
        """Count the time in a function of a class or module to a part; `whole`: with all that it calls."""
        original: Callable[..., Any] = getattr(owner, name)

        def watched(*given: Any, **named: Any) -> Any:
            if self.whole:
                return original(*given, **named)
            self.whole, outside, self.within = whole, self.within, 0.0
            started = time.process_time()
            try:
                return original(*given, **named)
            finally:
                spent = time.process_time() - started
                self.seconds[part] = self.seconds.get(part, 0.0) + spent - self.within
                self.whole, self.within = False, outside + spent

        setattr(owner, name, watched)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    shares = Shares()
    for owner, name, part in (
        (Run, "fit", "rows and pairs, rest"),
        (Task, "embed", "fusion, residual, normalise"),
        (MiniImage, "forward", "image tower"),
        (MiniText, "forward_all", "text tower"),
        (TextFeatures, "batch", "features"),
        (ImageFeatures, "batch", "features"),
        (Task, "loss", "loss"),
        (torch.Tensor, "backward", "backward"),
        (torch.nn.utils, "clip_grad_norm_", "gradient clipping"),
        (torch.optim.AdamW, "step", "AdamW"),
    ):
        shares.watch(owner, name, part)
    shares.watch(training._Validation, "measure", "validation", whole=True)
    values = {"training.epochs": args.epochs, "training.patience": 0, "training.minutes": 0.0}
    settings = folder_settings(args.folder).with_values(values)
    with tempfile.TemporaryDirectory() as name:
        summary = training.train(settings, Path(name) / "run", data=load_data(settings))
    total = sum(shares.seconds.values())
    print(
        f"{summary.steps} steps, {1000 * total / summary.steps:.0f} ms each\n\n| part | share | ms a step |"
    )
    print("|---|---|---|")
    for part, spent in sorted(shares.seconds.items(), key=lambda item: -item[1]):
        print(f"| {part} | {spent / total:.1%} | {1000 * spent / summary.steps:.1f} |")


if __name__ == "__main__":
    main()
