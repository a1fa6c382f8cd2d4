"""What a pipeline's lists are worth to a log's scores: python benchmarks/hints.py FOLDER... [--impressions 1000000]

FOLDERs are those of `graded.py`. The judgments that training may see are taken for the truth and a log of people who
search by it is simulated, as `survival.py` does. Its pairs are scored by

    alone       what the log says
    noise       the same, with a run whose scores are drawn by chance as `clicks.run`
    bm25        with the run of BM25 over all texts
    lambdamart  with that of LambdaMART over InfoNCE, as `gradus distil --lists` writes it, both trained on `alone`

and held against the truth, by bands of impressions: mean within-query Spearman correlation / root mean squared error /
share of pairs whose 90 % interval holds the truth; and the mean width of all intervals.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from estimators import BANDS, against, shown
from graded import folder_settings
from numpy.typing import NDArray
from survival import teacher

ALL = (1, np.inf)
DEPTH = 100


def measure(folder: Path, impressions: int, minutes: float, seed: int) -> None:
    """Print a line per run."""
    from gradus.encoders.bm25 import Bm25, joined_texts
    from gradus.evaluation.runs import Run, read_run
    from gradus.judgments.clicks.score import score_clicks
    from gradus.judgments.simulation.simulate import Simulation, simulate_cells
    from gradus.judgments.simulation.truth import query_names, truth_of
    from gradus.workflow.click_hints import score_hinted
    from gradus.workflow.data import load_data
    from gradus.workflow.noise_study import Habit, as_judgments, seen_by_training

    settings = folder_settings(folder)
    data = load_data(settings)
    known, habit = seen_by_training(data), Habit()
    truth = truth_of(known)
    at = settings.clicks.seed  # as `survival.py` has it, whose teacher is asked
    cells = simulate_cells(Simulation(truth, habit.users, habit.policy, impressions=impressions, seed=at))
    alone = score_clicks(cells, settings.clicks)

    train = np.flatnonzero(data.split.document_part == "train")
    asked = np.intersect1d(np.flatnonzero(data.split.query_part == "train"), known.query)
    ids = np.array(data.documents.ids, object)[train]
    texts = dict(zip(known.queries.ids, query_names(known.queries), strict=True))

    def run(name: str, score: Callable[[str], NDArray[np.float32]]) -> Run:
        names = [known.queries.ids[row] for row in asked]
        scores = [score(texts[name]) for name in names]
        best = [np.argsort(-row, kind="stable")[:DEPTH] for row in scores]
        values = [row[rows].tolist() for row, rows in zip(scores, best, strict=True)]
        return Run(name, names, [ids[rows].tolist() for rows in best], values)

    own = replace(data, judgments=as_judgments(alone.scores, known))
    _, lists = teacher(folder, minutes, seed, impressions, own)
    rng, index = np.random.default_rng(seed), Bm25([joined_texts(data.documents)[row] for row in train])
    runs = {
        "noise": run("noise", lambda text: rng.normal(size=len(train))),
        "bm25": run("bm25", index.scores),
        "lambdamart": read_run(lists),
    }
    found = {"alone": alone}
    for name, each in runs.items():
        found[name] = score_hinted(cells, settings.clicks, settings.root, each, texts.__getitem__)
    for name, result in found.items():
        scores = result.scores
        true = truth.attraction_of(scores.query, scores.document)
        line = [folder.name, name]
        for few, many in (*BANDS, ALL):
            band = (scores.count >= few) & (scores.count < many)
            ends = scores.low[band], scores.high[band]
            line.append(shown(*against(true[band], scores.query[band], scores.score[band], *ends)))
        print("| " + " | ".join([*line, f"{np.mean(scores.high - scores.low):.3f}"]) + " |", flush=True)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--impressions", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=1.0)
    args = parser.parse_args()
    print("| | clicks.run | 1–20 | 20–200 | 200– | all | width |\n|---|---|---|---|---|---|---|")
    for folder in args.folders:
        measure(folder, args.impressions, args.minutes, int(folder.name.rpartition("-")[2]))


if __name__ == "__main__":
    main()
