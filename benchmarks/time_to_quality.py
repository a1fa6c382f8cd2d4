"""Time to quality: python benchmarks/time_to_quality.py FOLDER... [--minutes 2]

How soon does many-to-many training reach what a constant-weight baseline reaches in the end? FOLDERs are those of
`graded.py`. The baselines train with one thread for 2 × MINUTES of processor time, which docs/experiments.md shows to be
past their plateau:

    info-nce                our own, constant weights, 1,024 pairs a batch
    sentence-transformers   its trainer with MultipleNegativesRankingLoss on the same pairs, towers, augmentation,
                            batch size, learning rate and schedule, in as many steps (needs `pip install datasets`)

Many-to-many then trains for 1/64, 1/32, 1/16 and 1/8 of that time, each time from nothing and to the end of its schedule.
Its time is that of the first validation at or above the baseline's best, in the shortest of these runs that has one; the
baseline's is that of its best. All measure nDCG@10 on the four validation cells, inside their time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from graded import folder_settings, values_of
from torch import Tensor

from gradus.settings import Settings
from gradus.training.optimizer import make_optimizer
from gradus.training.task import Task
from gradus.workflow.data import Data, load_data
from gradus.workflow.training import _prepared, _Validation, make_batches, train

SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 8)
Trace = list[tuple[float, float]]
"""Seconds of processor time and the validation metric then."""


def trained(settings: Settings, data: Data, seconds: float) -> tuple[Trace, int]:
    """A run of `gradus train`, and its steps."""
    values = {
        "training.minutes": seconds / 60,
        "training.patience": 0,
        "training.seed": 0,
        "training.checkpoint_minutes": 1e9,
    }
    with tempfile.TemporaryDirectory() as name:
        summary = train(settings.with_values(values), Path(name) / "run", data=data, clock=time.process_time)
        lines = (Path(name) / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [(line["seconds"], line["validation"]) for line in found], summary.steps


def sentence_transformers(settings: Settings, data: Data, steps: int) -> Trace:
    """The same with sentence-transformers' trainer."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import InputModule
    from transformers import TrainerCallback

    torch.manual_seed(0)
    batches = make_batches(data, settings)
    encoder, queries, documents = _prepared(data, settings, batches, torch.device("cpu"), lambda *_: None)
    validation = _Validation(data, encoder, queries, documents, settings.split.seed)
    rng = np.random.default_rng(0)

    class Rows(InputModule):
        """Our towers; a text is q and the row of a query, or d and the row of a document."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.penalty = encoder, torch.zeros(())

        def preprocess(self, inputs: list[str], **_: Any) -> dict[str, Tensor]:
            """Rows of queries as they are, those of documents below zero."""
            return {"input_ids": torch.tensor([[int(t[1:]) if t[0] == "q" else ~int(t[1:])] for t in inputs])}

        def forward(self, features: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
            """Adds the sentence embedding."""
            rows = features["input_ids"][:, 0].numpy()
            asks = bool(rows[0] >= 0)
            side, prepared = ("query", queries) if asks else ("document", documents)
            found = encoder(side, prepared, rows if asks else ~rows, rng)
            self.penalty = found.penalty if asks else self.penalty + found.penalty
            return features | {"sentence_embedding": found.merged}

        def save(self, *_: Any, **__: Any) -> None:
            """Nothing is kept."""

    rows = Rows()

    class Loss(MultipleNegativesRankingLoss):
        """With the penalty on the residual, as in our objectives."""

        def forward(self, *args: Any, **options: Any) -> Tensor:
            return super().forward(*args, **options) + rows.penalty

    model = SentenceTransformer(modules=[rows], device="cpu")
    started, trace, every = time.process_time(), [], max(1, batches.steps)

    class Measure(TrainerCallback):
        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            if state.global_step % every == 0 or state.global_step == steps:
                value = validation.measure()
                trace.append((time.process_time() - started, value))

    pairs = {
        "anchor": [f"q{row}" for row in batches.query.tolist()],
        "positive": [f"d{row}" for row in batches.document.tolist()],
    }
    chosen = settings.training
    with tempfile.TemporaryDirectory() as name:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=name, max_steps=steps, per_device_train_batch_size=chosen.batch, learning_rate=chosen.learning_rate,
            weight_decay=chosen.weight_decay, warmup_steps=round(chosen.warmup * steps), lr_scheduler_type="cosine",
            max_grad_norm=chosen.clip, seed=0, use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True,
            logging_strategy="no",
        )  # fmt: skip
        optimizer = make_optimizer(
            Task(encoder, settings.objective, queries, documents), chosen, settings.encoder
        )
        SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_dict(pairs), loss=Loss(model),
            callbacks=[Measure()], optimizers=(optimizer, None),
        ).train()  # fmt: skip
    return trace


def best(trace: Trace) -> tuple[float, float]:
    """Of the best validation, the first time and the value."""
    value = max(value for _, value in trace)
    return next(at for at, found in trace if found == value), value


def one(folder: Path, minutes: float, out: Path) -> None:
    """Measure a folder, and write what was found."""
    torch.set_num_threads(1)
    settings = folder_settings(folder)
    data = load_data(settings)
    baseline = settings.with_values(values_of("info-nce"))
    trace, steps = trained(baseline, data, 120 * minutes)
    theirs = sentence_transformers(baseline, data, steps)
    ours = [trained(settings, data, 120 * minutes * share)[0] for share in SHARES]
    result = {"folder": folder.name, "info-nce": trace, "sentence-transformers": theirs, "many-to-many": ours}
    out.write_text(json.dumps(result), encoding="utf-8")


def show(result: dict[str, Any]) -> None:
    """Print the rows of a folder."""
    for name in ("info-nce", "sentence-transformers"):
        seconds, target = best(result[name])
        reached = [at for trace in result["many-to-many"] for at, value in trace if value >= target]
        ours = f"{reached[0]:.1f} | {reached[0] / seconds:.3f}" if reached else "not reached | "
        print(f"| {result['folder']} | {name} | {target:.3f} | {seconds:.1f} | {ours} |", flush=True)


def main() -> None:
    """Measure each folder in a process of its own, two at a time, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.out:
        one(args.folders[0], args.minutes, args.out)
        return
    print("| data | baseline | its best nDCG@10 | seconds | many-to-many, seconds | ratio |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for folder in args.folders:
            out = Path(name) / folder.name
            command = [
                sys.executable,
                str(Path(__file__).resolve()),
                str(folder),
                "--minutes",
                str(args.minutes),
            ]
            subprocess.run([*command, "--out", str(out)], check=True)
            show(json.loads(out.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
