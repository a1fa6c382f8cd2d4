"""Three ways to train on graded judgments, at equal time: python benchmarks/graded.py FOLDER... --minutes 2

Each FOLDER, named NAME-SEED, holds a catalogue `catalog.csv` and graded judgments `judgments.csv` with split
columns, as docs/formats.md describes them; its settings are its `gradus.toml`, or else what `gradus init`
proposes. For every folder and system one model is trained with one thread for 2 × MINUTES of processor time
(MINUTES on two cores), two at a time, and measured on the four cells of the split. It is processor time
instead of wall-clock time so that a busy machine does not change who wins. Results are kept in
`benchmarks/results/` as JSON, one file per run; runs that are there already are not repeated.

Systems: `info-nce` (constant weights, the field's habit), `pairwise` (GCL of pairs, linear weights),
`many-to-many` (GCL over all judged pairs of a batch, linear weights). All share towers, augmentation,
schedule and time; the batch size and learning rate of each were tuned on other seeds of the data
(docs/experiments.md). With `--systems` also `exact-terms` (many-to-many with exact terms beside the dense vector)
and `known-queries` (the same with a residual for the queries of training), `prior` (exact terms and the document prior),
`one-vector` (all three), and any OBJECTIVE/WEIGHT, such as `listwise/power:2`.
"""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

from gradus.settings import Settings, read_settings

SYSTEMS = {  # over what `values_of` gives to all
    "info-nce": {"objective.name": "info-nce", "objective.weight": "constant", "training.batch": 1024},
    "pairwise": {"objective.name": "pairwise", "training.batch": 1024},
    "many-to-many": {},
    "exact-terms": {"encoder.exact_terms": 512},
    "known-queries": {"encoder.exact_terms": 512, "encoder.query_residual": 0.1},
    "prior": {"encoder.exact_terms": 512, "encoder.prior": 2.0},
    "one-vector": {"encoder.exact_terms": 512, "encoder.prior": 2.0, "encoder.query_residual": 0.1},
}
COMPARED = ("info-nce", "pairwise", "many-to-many")
METRICS = ("nDCG@10", "ERR(max=4)@10", "RBP(p=0.9)")
OUT = Path(__file__).parent / "results"
WORK = Path("bench")


def values_of(system: str) -> dict[str, object]:
    """The settings of a system, by its name."""
    dense = {"encoder.exact_terms": 0, "encoder.prior": 0.0}
    if system in SYSTEMS:
        return dense | SYSTEMS[system]
    objective, _, weight = system.partition("/")
    batch = {"training.batch": 1024} if objective in ("info-nce", "pairwise") else {}
    return dense | {"objective.name": objective, "objective.weight": weight, **batch}


def folder_settings(folder: Path) -> Settings:
    """A folder's `gradus.toml`, or else what `gradus init` proposes."""
    from gradus.catalog.infer import infer_settings
    from gradus.files import atomic_file

    path = folder / "gradus.toml"
    if not path.exists():
        # Kept, since the cache of decoded images lies beside it.
        path = WORK / folder.name / "gradus.toml"
        with atomic_file(path) as aside:
            aside.write_text(infer_settings((folder / "catalog.csv").resolve()), encoding="utf-8")
    return read_settings(path)


def measured(
    folder: Path,
    out: Path,
    values: dict[str, object],
    minutes: float,
    seed: int,
    metrics: tuple[str, ...],
    judgments: Any = None,
) -> dict[str, Any]:
    """Train with one thread for 2 × `minutes` of processor time into `out`, and measure the cells.

    With `judgments`, it is trained on those and measured against the folder's own.
    """
    from dataclasses import replace

    import torch

    from gradus.workflow.data import load_data, with_distilled
    from gradus.workflow.evaluation import evaluate
    from gradus.workflow.training import train

    torch.set_num_threads(1)
    fixed = {
        "training.minutes": 2 * minutes,
        "training.seed": seed,
        "training.patience": 0,
        "training.checkpoint_minutes": 1e9,
        "evaluation.metrics": metrics,
    }
    settings = folder_settings(folder).with_values(fixed | values)
    data = load_data(settings)
    taught = data if judgments is None else with_distilled(settings, replace(data, judgments=judgments))
    summary = train(settings, out, data=taught, clock=time.process_time)
    evaluation = evaluate(settings, summary.model, data=data)
    return {
        "steps": summary.steps,
        "epochs": summary.epochs,
        "validation": summary.validation,
        "cells": {
            cell: {metric: interval.mean for metric, interval in part.intervals.items()}
            for cell, part in evaluation.cells.items()
        },
    }


def keep(folder: Path, system: str, minutes: float, seed: int, result: dict[str, Any]) -> None:
    """Write a result where `read` finds it."""
    from gradus.files import atomic_file

    about = {"folder": folder.name, "system": system, "minutes": minutes, "seed": seed}
    with atomic_file(path_of(folder, system, minutes, seed)) as aside:
        aside.write_text(json.dumps(about | result, indent=1), encoding="utf-8")


def train_one(folder: Path, system: str, minutes: float, seed: int) -> None:
    """Train and measure one system, and keep the result."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        result = measured(folder, Path(name) / "run", values_of(system), minutes, seed, METRICS)
    keep(folder, system, minutes, seed, result)


def path_of(folder: Path, system: str, minutes: float, seed: int) -> Path:
    """Where a result is kept."""
    name = system.replace("/", "-").replace(":", "")
    return OUT / f"{folder.name}-{name}-{minutes:g}min-seed{seed}.json"


def grouped(folders: list[Path]) -> dict[str, list[tuple[Path, int]]]:
    """Data set → its folders with their seeds."""
    groups: dict[str, list[tuple[Path, int]]] = {}
    for folder in folders:
        name, _, seed = folder.name.rpartition("-")
        groups.setdefault(name, []).append((folder, int(seed)))
    return groups


def run_missing(groups: dict[str, list[tuple[Path, int]]], systems: list[str], minutes: float) -> None:
    """Train what has no result yet, two at a time."""

    def run(job: tuple[Path, int, str]) -> None:
        folder, seed, system = job
        if path_of(folder, system, minutes, seed).exists():
            return
        command = [sys.executable, str(Path(__file__).resolve()), str(folder), "--minutes", str(minutes)]
        subprocess.run([*command, "--one", system, str(seed)], check=True)
        print(f"{folder.name} {system} done", file=sys.stderr)

    OUT.mkdir(exist_ok=True)
    jobs = [(folder, seed, s) for members in groups.values() for folder, seed in members for s in systems]
    jobs.sort(key=lambda job: job[1])  # seed by seed, so that an interrupted run has whole seeds
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, jobs))


def read(members: list[tuple[Path, int]], system: str, minutes: float) -> list[dict[str, Any]]:
    """The results of a system, one per seed."""
    return [
        json.loads(path_of(folder, system, minutes, seed).read_text(encoding="utf-8"))
        for folder, seed in members
    ]


def show(groups: dict[str, list[tuple[Path, int]]], systems: list[str], minutes: float) -> None:
    """Print a table per data set: means over seeds, and ratios to the others."""
    for group, members in groups.items():
        results = {system: read(members, system, minutes) for system in systems}
        cells = list(results[systems[0]][0]["cells"])
        for metric in METRICS:
            print(f"\n### {group}, {minutes:g} minutes on two cores, {metric}, {len(members)} seed(s)\n")
            print("| system | " + " | ".join(cells) + " | steps |")
            print("|---|" + "---|" * (len(cells) + 1))
            means = {s: [mean(r["cells"][c][metric] for r in results[s]) for c in cells] for s in systems}
            for system in systems:
                values = [
                    f"{value:.3f} ({min(each):.3f}–{max(each):.3f})"
                    for value, each in (
                        (value, [r["cells"][cell][metric] for r in results[system]])
                        for value, cell in zip(means[system], cells, strict=True)
                    )
                ]
                steps = mean(r["steps"] for r in results[system])
                print(f"| {system} | " + " | ".join(values) + f" | {steps:.0f} |")
            for other in systems[:-1]:
                ratios = [
                    f"{100 * (ours / theirs - 1):+.1f} %"
                    for ours, theirs in zip(means[systems[-1]], means[other], strict=True)
                ]
                print(f"| {systems[-1]} against {other} | " + " | ".join(ratios) + " | |")


def main() -> None:
    """Run what is missing, then print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="NAME-SEED folders; tables average over seeds")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--systems", nargs="+", default=list(COMPARED))
    parser.add_argument("--one", nargs=2, metavar=("SYSTEM", "SEED"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        system, seed = args.one[0], int(args.one[1])
        train_one(args.folders[0], system, args.minutes, seed)
        return
    groups = grouped(args.folders)
    run_missing(groups, args.systems, args.minutes)
    show(groups, args.systems, args.minutes)


if __name__ == "__main__":
    main()
