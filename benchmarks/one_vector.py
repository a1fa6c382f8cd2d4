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
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

from graded import WORK, folder_settings, grouped, keep, measured, path_of, read, values_of

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

    file = folder_settings(folder).root / "gradus.toml"
    work = (WORK / "one-vector" / f"{folder.name}-{minutes:g}min-seed{seed}").resolve()
    if not (work / "info-nce" / "model").exists():
        measured(folder, work / "info-nce", values_of("info-nce"), minutes, seed, (METRIC,))
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
    return measured(folder, work / system, values, minutes, seed, (METRIC,))


def main() -> None:
    """Run what is missing, then print the table."""
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
            if not path_of(folder, system, args.minutes, args.one).exists():
                keep(folder, system, args.minutes, args.one, one(folder, system, args.minutes, args.one))
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
