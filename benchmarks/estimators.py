"""Click models against a known truth: python benchmarks/estimators.py [--impressions 100000 …]

Logs of simulated people (position-based, cascade, dynamic Bayesian network) who search 5,000 queries (`--queries`) with
20 documents each: in changing orders with swaps, in one order with a tenth of the pages shuffled at random and their
propensities logged, and in one order throughout. Every estimator scores every pair; its scores are held against the truth
by bands of impressions: mean within-query Spearman correlation (queries with at least three pairs in the band), root
mean squared error, and the share of pairs whose 90 % interval holds the truth. `ips` is given what `logged` finds in
another log of the same people, of 1 million impressions, all pages shuffled; `logged` itself takes part where
propensities are logged. Seconds are of processor time; memory is the peak that NumPy allocates on top of the log. The
last line of a log says how far `auto` is behind the best estimator, in Spearman, at worst; logs that it refuses are left
out there.
"""

import argparse
import time
import tracemalloc
from collections.abc import Iterable
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.audit.ranks import rank_correlation
from gradus.judgments.clicks.estimators import ESTIMATORS, fit
from gradus.judgments.clicks.identify import identify
from gradus.judgments.clicks.ips import fit_ips
from gradus.judgments.clicks.logged import fit_logged
from gradus.judgments.clicks.posterior import attractiveness
from gradus.judgments.logs.cells import Cells
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation, simulate_cells
from gradus.judgments.simulation.truth import Truth, random_truth
from gradus.judgments.simulation.users import DBN, PBM, Cascade

Floats = NDArray[np.float64]

PEOPLE = {"pbm": PBM(), "cascade": Cascade(), "dbn": DBN(0.9)}
POLICIES = {
    "swaps": Policy(epochs=6, swaps=0.2),
    "a tenth shuffled": Policy(randomised=0.1),
    "no swaps": Policy(),
}
EXPERIMENT = Policy(randomised=1.0)
BANDS = ((1, 20), (20, 200), (200, np.inf))
PRIORS = ("exposure", "global", "none")


@dataclass(frozen=True)
class Result:
    """One estimator on one log."""

    spearman: tuple[float, ...]
    error: tuple[float, ...]
    held: tuple[float, ...]
    seconds: float
    megabytes: float


def measure(cells: Cells, truth: Truth, estimator: str, prior: str, given: Floats) -> Result:
    """Score a log and hold the scores against the truth; `given` are the propensities of `ips`."""
    start = time.process_time()
    tracemalloc.start()
    model = fit_ips(cells, given) if estimator == "ips" else fit(cells, estimator, identify(cells))
    found = attractiveness(model.trials, model.theta, model.deviation, prior)
    megabytes = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    seconds = time.process_time() - start
    trials, true = model.trials, truth.attraction_of(model.trials.query, model.trials.document)
    compared = []
    for few, many in BANDS:
        band = np.flatnonzero((trials.impressions >= few) & (trials.impressions < many))
        compared.append(
            against(true[band], trials.query[band], found.mean[band], found.low[band], found.high[band])
            if len(band) >= 100
            else (np.nan, np.nan, np.nan)
        )
    spearman, error, held = zip(*compared, strict=True)
    return Result(spearman, error, held, seconds, megabytes)


def against(
    true: Floats, query: NDArray[np.integer], score: Floats, low: Floats, high: Floats
) -> tuple[float, float, float]:
    """Scores against the truth: Spearman within queries, root mean squared error, share of intervals that hold it."""
    off = float(np.sqrt(((score - true) ** 2).mean()))
    return within_query(query, score, true), off, float(((low <= true) & (true <= high)).mean())


def shown(spearman: float, error: float, held: float) -> str:
    """The three in a cell of a table."""
    return "–" if np.isnan(spearman) else f"{spearman:.3f} / {error:.3f} / {held:.0%}"


def log(people: str, policy: Policy, impressions: int, queries: int, seed: int) -> tuple[Cells, Truth]:
    """A log, and the truth that it was made from."""
    truth = random_truth(queries, 20, seed)
    return simulate_cells(
        Simulation(truth, PEOPLE[people], policy, impressions=impressions, seed=seed)
    ), truth


def mean_of(results: Iterable[Result]) -> Result:
    """The means over repetitions."""
    columns = zip(*(astuple(result) for result in results), strict=True)
    spearman, error, held, seconds, megabytes = (np.mean(column, axis=0) for column in columns)
    return Result(tuple(spearman), tuple(error), tuple(held), float(seconds), float(megabytes))


def within_query(query: NDArray[np.integer], x: Floats, y: Floats) -> float:
    """Mean over queries, with at least three pairs that differ, of the rank correlation of x and y."""
    group = np.unique(query, return_inverse=True)[1]
    differs = np.isfinite(rank_correlation(y, y, group))
    rho = rank_correlation(x, y, group)[(np.bincount(group) >= 3) & differs]
    return float(np.nan_to_num(rho).mean()) if len(rho) else float("nan")


def main() -> None:
    """Print a table per log."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--impressions", type=int, nargs="+", default=[30_000, 300_000, 3_000_000])
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--people", nargs="+", choices=PEOPLE, default=list(PEOPLE))
    parser.add_argument("--prior", choices=PRIORS, default="exposure")
    parser.add_argument(
        "--seed", type=int, default=11, help="The first of the seeds that results are means over."
    )
    args = parser.parse_args()
    for policy, how in POLICIES.items():
        names = ["ips", *(name for name in ESTIMATORS if name != "logged" or how.randomised), "auto"]
        for people in args.people:
            elsewhere, _ = log(people, EXPERIMENT, 1_000_000, args.queries, args.seed - 1)
            given = fit_logged(elsewhere).theta
            for impressions in args.impressions:
                print(f"\n### {people}, {policy}, {impressions:,} impressions, prior {args.prior}\n")
                print("| estimator | 1–20 impressions | 20–200 | 200+ | seconds | MB |")
                print("|---|---|---|---|---|---|")
                # A small log has few queries in the upper bands, so there are more of them.
                seeds = range(args.seed, args.seed + (20 if impressions < 100_000 else 3))
                logs = [log(people, how, impressions, args.queries, seed) for seed in seeds]
                told = [identify(cells).supported for cells, _ in logs]
                some = [one for one, supported in zip(logs, told, strict=True) if supported] or logs
                results = {}
                for name in names:
                    if name == "auto" and not any(told):
                        print(f"| auto | refused: {identify(logs[0][0]).reason()} | | | | |", flush=True)
                        continue
                    results[name] = result = mean_of(measure(*one, name, args.prior, given) for one in some)
                    bands = zip(result.spearman, result.error, result.held, strict=True)
                    texts = [shown(*band) for band in bands]
                    print(f"| {name} | {' | '.join(texts)} | {result.seconds:.1f} | {result.megabytes:.0f} |")
                print(f"\n{len(logs)} logs, of which auto refuses {len(logs) - sum(told)}")
                if "auto" in results:
                    best = np.max([r.spearman for name, r in results.items() if name != "auto"], axis=0)
                    behind = np.nanmax(best - results["auto"].spearman)
                    print(f"auto is behind the best by at most {behind:.3f}", flush=True)


if __name__ == "__main__":
    main()
