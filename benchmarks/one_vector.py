"""One vector against two stages: python benchmarks/one_vector.py FOLDER... [--minutes 2]

FOLDERs, training time and where results are kept are those of `graded.py`. For each folder:

    two-stages   InfoNCE, and its best 100 re-ranked by LambdaMART, as `gradus bench` measures it
    one-vector   many-to-many with exact terms, the document prior, a residual of known queries, and that re-ranker
                 distilled on synthetic queries (`gradus distil --synthetic`)

The last is what a search would serve: one dot product of two vectors, with nothing behind it. Its re-ranker is fitted
anew inside `gradus distil`, so that nothing of the test cells is looked at. Printed are nDCG@10 on the four cells, the
mean over seeds with least and greatest, and how far one vector is from two stages.
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

from graded import WORK, folder_settings, grouped, path_of, read, values_of

METRIC = "nDCG@10"
SYSTEMS = ("two-stages", "one-vector")
DISTILLED = ("--unjudged", "worthless", "--depth", "60", "--synthetic", "4000")
PIPELINES = """\
settings = "{settings}"
[first.info-nce]
kind = "model"
model = "info-nce"
[[pipeline]]
name = "two-stages"
first = "info-nce"
reranker = "lambdamart"
depth = 100
[latency]
queries = 0
"""


def one(folder: Path, system: str, minutes: float, seed: int) -> dict[str, Any]:
    """Train and measure one system of a folder."""
    from gradus.workflow.bench import bench

    folder_settings(folder)  # makes what is not there
    file = folder / "gradus.toml" if (folder / "gradus.toml").exists() else WORK / folder.name / "gradus.toml"
    work = (WORK / "one-vector" / f"{folder.name}-{minutes:g}min-seed{seed}").resolve()
    if not (work / "info-nce" / "model").exists():
        trained(folder, work / "info-nce", values_of("info-nce"), minutes, seed)
    if system == "two-stages":
        (work / "pipelines.toml").write_text(PIPELINES.format(settings=file.resolve()), encoding="utf-8")
        (found,) = bench(work / "pipelines.toml", work / "bench").pipelines
        return {"cells": {cell: {METRIC: part.metrics[METRIC].mean} for cell, part in found.cells.items()}}
    told = work / "distilled.parquet"
    if not told.exists():
        command = [sys.executable, "-m", "gradus", "distil", "--settings", str(file), "--out", str(told)]
        teacher = ["--reranker", "lambdamart", "--first", str(work / "info-nce")]
        subprocess.run([*command, *teacher, *DISTILLED], check=True)
    values = values_of("one-vector") | {"judgments.distilled": str(told)}
    return trained(folder, work / system, values, minutes, seed)


def trained(folder: Path, out: Path, values: dict[str, object], minutes: float, seed: int) -> dict[str, Any]:
    """Train as `graded.py` does, and keep the model."""
    import torch

    from gradus.workflow.data import load_data
    from gradus.workflow.evaluation import evaluate
    from gradus.workflow.training import train

    torch.set_num_threads(1)
    fixed = {
        "training.minutes": 2 * minutes,
        "training.seed": seed,
        "training.patience": 0,
        "training.checkpoint_minutes": 1e9,
        "evaluation.metrics": (METRIC,),
    }
    settings = folder_settings(folder).with_values(fixed | values)
    data = load_data(settings)
    summary = train(settings, out, data=data, clock=time.process_time)
    found = evaluate(settings, summary.model, data=data)
    cells = {cell: {METRIC: part.intervals[METRIC].mean} for cell, part in found.cells.items()}
    return {
        "steps": summary.steps,
        "epochs": summary.epochs,
        "validation": summary.validation,
        "cells": cells,
    }


def main() -> None:
    """Run what is missing, then print the table."""
    from gradus.files import atomic_file

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folders", type=Path, nargs="+", help="NAME-SEED folders; the table averages over seeds"
    )
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--one", type=int, metavar="SEED", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        (folder,) = args.folders
        for system in SYSTEMS:
            out = path_of(folder, system, args.minutes, args.one)
            if not out.exists():
                about = {"folder": folder.name, "system": system, "minutes": args.minutes, "seed": args.one}
                result = about | one(folder, system, args.minutes, args.one)
                with atomic_file(out) as aside:
                    aside.write_text(json.dumps(result, indent=1), encoding="utf-8")
                print(folder.name, system, "done", file=sys.stderr)
        return
    groups = grouped(args.folders)

    def run(job: tuple[Path, int]) -> None:
        command = [sys.executable, str(Path(__file__).resolve()), str(job[0]), "--minutes", str(args.minutes)]
        subprocess.run([*command, "--one", str(job[1])], check=True)

    jobs = sorted((job for members in groups.values() for job in members), key=lambda job: job[1])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, jobs))
    for group, members in groups.items():
        results = {system: read(members, system, args.minutes) for system in SYSTEMS}
        cells = list(results["two-stages"][0]["cells"])
        print(f"| {group}, {METRIC} | " + " | ".join(cells) + " |")
        print("|---|" + "---|" * len(cells))
        for system, found in results.items():
            values = [[result["cells"][cell][METRIC] for result in found] for cell in cells]
            print(
                f"| {system} | "
                + " | ".join(f"{mean(v):.3f} ({min(v):.3f}–{max(v):.3f})" for v in values)
                + " |"
            )
        ratios = [
            mean(r["cells"][cell][METRIC] for r in results["one-vector"])
            / mean(r["cells"][cell][METRIC] for r in results["two-stages"])
            for cell in cells
        ]
        print(
            "| one vector against two stages | "
            + " | ".join(f"{100 * (r - 1):+.1f} %" for r in ratios)
            + " |\n"
        )


if __name__ == "__main__":
    main()
