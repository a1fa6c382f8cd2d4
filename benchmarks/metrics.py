"""Metrics of long lists, against other libraries: python benchmarks/metrics.py --queries 100000 --depth 1000

Grades are whole numbers, so that all can be compared: nDCG@10, MAP, RR and recall of the whole list, of every
query, with 50 judged documents each, of which half are found. Queries come in parts of `--part`; in each part every
library is timed in turn, in processor time, from what it takes to one value per query and metric: Gradus from ids
(lists and dictionaries) and from row numbers (arrays), pytrec_eval and ir-measures from dictionaries. ranx converts
dictionaries to its own form first, which is timed apart; being slow, that is done for the first parts alone. All
values are compared. At the end Gradus does all queries in one call from row numbers, whose memory is printed.

Needs pytrec_eval and ir-measures (the extra `dev`); ranx takes part where it is installed.
"""

import argparse
import importlib.util
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.runs import Run
from gradus.evaluation.scoring import ranked_from_indices, ranked_from_run, score

DOCUMENTS, JUDGED, GRADES = 200_000, 50, 4
METRICS = [parse_metric(name) for name in ("nDCG@10", "MAP", "RR", "R@100000")]
Values = np.ndarray


class Part:
    """Some queries with their lists and grades, as row numbers and as ids."""

    def __init__(self, names: list[str], queries: int, depth: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        # A stride without a common divisor with the number of documents visits each of them once.
        visit = (rng.integers(DOCUMENTS, size=(queries, 1)) + np.arange(2 * depth) * 173) % DOCUMENTS
        self.order = visit[:, :depth]
        picks = np.stack([rng.permutation(2 * depth)[:JUDGED] for _ in range(64)])
        self.judged = np.take_along_axis(visit, picks[rng.integers(64, size=queries)], axis=1)
        self.grades = rng.integers(0, GRADES + 1, self.judged.shape)
        self.query = np.repeat(np.arange(queries), JUDGED)
        self.ids = [f"q{row}" for row in range(queries)]
        self.lists = [[names[row] for row in rows] for rows in self.order.tolist()]
        self.qrels = {
            query: {names[row]: grade for row, grade in zip(rows, grades, strict=True)}
            for query, rows, grades in zip(self.ids, self.judged.tolist(), self.grades.tolist(), strict=True)
        }
        self.scores = [float(value) for value in range(depth, 0, -1)]

    def dictionaries(self) -> dict[str, dict[str, float]]:
        """The lists, as other libraries take them."""
        return {
            q: dict(zip(row, self.scores, strict=True)) for q, row in zip(self.ids, self.lists, strict=True)
        }


def from_rows(part: Part) -> Callable[[], Values]:
    """Gradus from arrays."""

    def run() -> Values:
        ranked = ranked_from_indices(
            part.order,
            part.query,
            part.judged.ravel(),
            part.grades.ravel() / GRADES,
            len(part.ids),
            DOCUMENTS,
        )
        return np.stack(list(score(ranked, METRICS).values()))

    return run


def from_ids(part: Part) -> Callable[[], Values]:
    """Gradus from ids."""
    scores = [part.scores] * len(part.ids)
    qrels = {q: {d: grade / GRADES for d, grade in row.items()} for q, row in part.qrels.items()}

    def run() -> Values:
        ranked = ranked_from_run(Run("run", part.ids, part.lists, scores), part.ids, qrels)
        return np.stack(list(score(ranked, METRICS).values()))

    return run


def pytrec(part: Part) -> Callable[[], Values]:
    """pytrec_eval."""
    import pytrec_eval

    lists = part.dictionaries()
    names = ("ndcg_cut_10", "map", "recip_rank", "set_recall")

    def run() -> Values:
        found = pytrec_eval.RelevanceEvaluator(part.qrels, {"ndcg_cut.10", *names[1:]}).evaluate(lists)
        return np.array([[found[query][name] for query in part.ids] for name in names])

    return run


def ir_measures(part: Part) -> Callable[[], Values]:
    """ir-measures, which asks pytrec_eval here."""
    import ir_measures as ir

    lists = part.dictionaries()
    measures = [ir.nDCG @ 10, ir.AP, ir.RR, ir.SetR]

    def run() -> Values:
        found: dict[Any, dict[str, float]] = {measure: {} for measure in measures}
        for value in ir.iter_calc(measures, part.qrels, lists):
            found[value.measure][value.query_id] = value.value
        return np.array([[found[measure][query] for query in part.ids] for measure in measures])

    return run


def main() -> None:
    """Time every library on every part, compare the values, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--depth", type=int, default=1000)
    parser.add_argument("--part", type=int, default=2000)
    parser.add_argument("--ranx-parts", type=int, default=1)
    args = parser.parse_args()
    names = [f"d{row}" for row in range(DOCUMENTS)]
    seconds: dict[str, list[float]] = {}

    def timed(name: str, run: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = run()
        seconds.setdefault(name, []).append(time.process_time() - start)
        return result

    for number in range(args.queries // args.part):
        part = Part(names, args.part, args.depth, number)
        expected = timed("Gradus, row numbers", from_rows(part))
        for name, make in (
            ("Gradus, ids", from_ids),
            ("pytrec_eval", pytrec),
            ("ir-measures", ir_measures),
        ):
            np.testing.assert_allclose(timed(name, make(part)), expected, atol=1e-9)
        if number < args.ranx_parts and importlib.util.find_spec("ranx"):
            import ranx

            lists = part.dictionaries()
            own = timed("ranx, converting", lambda p=part, r=lists: (ranx.Qrels(p.qrels), ranx.Run(r)))
            metrics = ["ndcg@10", "map", "mrr", "recall"]
            ranx.evaluate(*own, metrics)  # compiles
            found = timed("ranx, converted", lambda o=own, m=metrics: ranx.evaluate(*o, m))
            np.testing.assert_allclose([found[m] for m in metrics], np.nanmean(expected, axis=1), atol=1e-9)
        del part

    print("| library | seconds per 100,000 queries | ratio | queries timed |\n|---|---|---|---|")
    least = min(np.mean(times) for name, times in seconds.items() if not name.startswith("Gradus"))
    for name, times in seconds.items():
        each = np.mean(times)
        scaled = each * 100_000 / args.part
        print(f"| {name} | {scaled:.1f} | {each / least:.2f} | {len(times) * args.part:,} |")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = np.random.default_rng(0)
    whole = object.__new__(Part)
    whole.ids = [""] * args.queries
    whole.order = (rng.integers(DOCUMENTS, size=(args.queries, 1)) + np.arange(args.depth) * 173) % DOCUMENTS
    whole.query = np.repeat(np.arange(args.queries), JUDGED)
    whole.judged = whole.order[:, : 2 * JUDGED : 2].copy()
    whole.grades = rng.integers(0, GRADES + 1, whole.judged.shape)
    start = time.process_time()
    from_rows(whole)()
    took = time.process_time() - start
    size = whole.order.nbytes / 1e9
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"\nall {args.queries:,} queries in one call: {took:.1f} s; the lists are {size:.2f} GB, "
        f"the process took {peak:.2f} GB at most ({before / 1e6:.2f} GB before)"
    )


if __name__ == "__main__":
    main()
