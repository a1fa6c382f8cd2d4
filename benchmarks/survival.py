"""What survives of perfect scores: python benchmarks/survival.py FOLDER... [--minutes 1] [--impressions 1000000]

FOLDERs, training time and where results are kept are those of `graded.py`. The judgments that training may see are taken
for the truth, and a log of people who search by it is simulated, as `gradus study noise` does. For each folder one model
is trained on each of

    perfect   the truth
    clicked   every clicked pair of the log alike
    auto      the scores that `gradus judge` makes of the log
    hinted    the same, with the lists of a teacher as `clicks.run`: LambdaMART over InfoNCE, both trained on `auto`
    taught    the same, and what this teacher says of synthetic queries (`gradus distil`)
    known     the same, with a residual of known queries, as the standard pipelines of `gradus bench` have it

(or on those of `--systems`, which may name click models as well: what that one makes of the log)
and measured against the truth. All have the settings that `gradus init` proposes, and so has the teacher's InfoNCE, which in the
standard pipelines has no exact terms and no prior. Printed are nDCG@10 on the four cells and their mean,
all means over seeds, and the share of the gain of `perfect` over `clicked` that survives.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from graded import SYSTEMS as GRADED
from graded import WORK, folder_settings, grouped, keep, measured, path_of, read

from gradus.workflow.data import Data
from gradus.workflow.distil import Choices

METRIC = "nDCG@10"
ENDS = ("perfect", "clicked")
SYSTEMS = (*ENDS, "auto", "hinted", "taught", "known")
ASKED = ("hinted", "taught", "known")
TEACHER = Choices(unjudged="worthless", learned_from="", synthetic=4000)


def one(folder: Path, system: str, minutes: float, seed: int, impressions: int) -> dict[str, Any]:
    """Train and measure one system of a folder."""
    from gradus.evaluation.runs import read_run
    from gradus.judgments.clicks.estimators import ESTIMATORS
    from gradus.judgments.simulation.truth import truth_of
    from gradus.workflow.data import load_data
    from gradus.workflow.noise_study import CEILING, FLOOR, Habit, seen_by_training, study_judgments

    settings = folder_settings(folder)
    data = load_data(settings)
    name = {"perfect": CEILING, "clicked": FLOOR}.get(system, system if system in ESTIMATORS else "auto")
    known = seen_by_training(data)
    truth = truth_of(known)
    judgments, how = study_judgments(settings, known, truth, Habit(), name, impressions)
    own = GRADED["one-vector" if system == "known" else "prior"]
    values: dict[str, object] = own | {"objective.weight": how.objective.weight}
    if system in ASKED:
        told, lists = teacher(folder, minutes, seed, impressions, replace(data, judgments=judgments))
        judgments, _ = study_judgments(settings, known, truth, Habit(), name, impressions, read_run(lists))
        if system != "hinted":
            values["judgments.distilled"] = str(told)
    out = work(folder, minutes, impressions) / system
    return measured(folder, out, values, minutes, seed, (METRIC,), judgments)


def work(folder: Path, minutes: float, impressions: int) -> Path:
    """Where models and their lessons are."""
    return (WORK / "survival" / f"{folder.name}-{minutes:g}min-{impressions}").resolve()


def teacher(folder: Path, minutes: float, seed: int, impressions: int, data: Data) -> tuple[Path, Path]:
    """What LambdaMART over InfoNCE, both trained on the judgments of a log, tells, and its lists.

    A log has no new documents and so cannot tell which they are: the split of `data` does.
    """
    from gradus.workflow.distil import distil
    from gradus.workflow.distil_reranker import reranked

    at = work(folder, minutes, impressions)
    first, told, lists = at / "info-nce", at / "distilled.parquet", at / "lists.parquet"
    if not (first / "model").exists():
        measured(folder, first, GRADED["info-nce"], minutes, seed, (METRIC,), data.judgments)
    if not told.exists():
        settings = folder_settings(folder)
        distil(settings, told, reranked(settings, first), choices=TEACHER, data=data, lists_out=lists)
    return told, lists


def kept(system: str, impressions: int) -> str:
    """The name that a result is kept by."""
    return f"survival-{system}-{impressions}"


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folders", type=Path, nargs="+", help="NAME-SEED folders; the table averages over seeds"
    )
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--impressions", type=int, default=1_000_000)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, metavar="SYSTEM")
    parser.add_argument("--one", nargs=2, metavar=("SYSTEM", "SEED"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        (folder,), system, seed = args.folders, args.one[0], int(args.one[1])
        result = one(folder, system, args.minutes, seed, args.impressions)
        keep(folder, kept(system, args.impressions), args.minutes, seed, result)
        return
    systems = dict.fromkeys([*ENDS, *args.systems])
    groups = grouped(args.folders)

    def run(job: tuple[Path, int]) -> None:
        for system in systems:
            run_one(*job, system)

    def run_one(folder: Path, seed: int, system: str) -> None:
        if not path_of(folder, kept(system, args.impressions), args.minutes, seed).exists():
            command = [sys.executable, str(Path(__file__).resolve()), str(folder), "--one", system, str(seed)]
            more = ["--minutes", str(args.minutes), "--impressions", str(args.impressions)]
            subprocess.run([*command, *more], check=True)
            print(folder.name, system, "done", file=sys.stderr)

    jobs = sorted((job for members in groups.values() for job in members), key=lambda job: job[1])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, jobs))
    for group, members in groups.items():
        found = {s: read(members, kept(s, args.impressions), args.minutes) for s in systems}
        cells = list(found["perfect"][0]["cells"])
        means = {s: [mean(r["cells"][cell][METRIC] for r in found[s]) for cell in cells] for s in systems}
        for values in means.values():
            values.append(mean(values))
        columns = [f"{group}, {METRIC}", *cells, "mean"]
        print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
        for system, values in means.items():
            shares = [
                (value - floor) / (ceiling - floor)
                for value, floor, ceiling in zip(values, means["clicked"], means["perfect"], strict=True)
            ]
            shown = [f"{v:.3f} ({100 * share:.0f} %)" for v, share in zip(values, shares, strict=True)]
            print(f"| {system} | " + " | ".join(shown) + " |")
        print()


if __name__ == "__main__":
    main()
