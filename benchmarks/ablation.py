"""Objectives × score-to-weight functions: python benchmarks/ablation.py FOLDER... --systems OBJECTIVE/WEIGHT...

FOLDERs, training, time and where results are kept are those of `graded.py`. Printed is one row per system, best first:
the mean over data sets and seeds of the validation metric, by which a default may be chosen, and nDCG@10 on the four
cells of each data set, which nothing was chosen by. Behind a mean is the greatest distance of a seed from it.
"""

import argparse
from pathlib import Path
from statistics import mean

from graded import grouped, read, run_missing

OBJECTIVES = (
    "many-to-many", "listwise", "bixse", "lambda-loss", "per-positive", "rince", "cosent", "sigmoid", "pairwise",
)  # fmt: skip
METRIC = "nDCG@10"


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folders", type=Path, nargs="+", help="NAME-SEED folders; the table averages over seeds"
    )
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument(
        "--systems", nargs="+", default=[*(f"{o}/linear" for o in OBJECTIVES), "info-nce/constant"]
    )
    args = parser.parse_args()
    groups = grouped(args.folders)
    run_missing(groups, args.systems, args.minutes)
    rows = []
    for system in args.systems:
        found = {group: read(members, system, args.minutes) for group, members in groups.items()}
        validation = mean(result["validation"] for results in found.values() for result in results)
        parts = [spread([result["cells"][cell][METRIC] for result in results])
                 for results in found.values() for cell in results[0]["cells"]]  # fmt: skip
        rows.append((validation, system, parts))
    cells = [f"{group}: {cell}" for group, results in found.items() for cell in results[0]["cells"]]
    print("| objective/weight | validation | " + " | ".join(cells) + " |")
    print("|---|---|" + "---|" * len(cells))
    for validation, system, parts in sorted(rows, reverse=True):
        print(f"| {system} | {validation:.3f} | " + " | ".join(parts) + " |")


def spread(values: list[float]) -> str:
    """The mean, and how far the furthest is from it."""
    middle = mean(values)
    return f"{middle:.3f} ± {max(abs(value - middle) for value in values):.3f}"


if __name__ == "__main__":
    main()
