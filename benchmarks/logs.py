"""How fast a log becomes cells: python benchmarks/logs.py --events 10_000_000

Generates a log (Zipf queries, swapped results, clicks by a position-based model) as Parquet, then runs, each in a
process of its own with two threads:

    bare     one hand-written DuckDB query with the same groups and sums, its result taken as an Arrow table
    gradus   the whole way from the Parquet file to Cells: checks, filters, normal forms, order

and prints time (imports apart), CPU time and peak memory of both, and their ratios. CPU time is what to compare on a
busy machine.
"""

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

THREADS = 2
MEMORY = "1500MB"

LOG = """
COPY (
    WITH pages AS (
        SELECT p, CAST(pow({queries}, random()) - 1 AS INTEGER) AS q FROM range({pages}) AS t(p)
    ),
    shown AS (
        SELECT p, q, CAST(k AS INTEGER) AS position, CAST(k + floor(3 * random()) AS INTEGER) AS d
        FROM pages, range(1, 11) AS t(k)
    )
    SELECT
        'page-' || p AS page,
        'session-' || (p // 3) AS session,
        'query number ' || q AS query,
        'DOC' || ((q * 37 + d * 101) % {documents}) AS document,
        position,
        TIMESTAMP '2026-01-01' + to_seconds(CAST(p * (30 * 86400.0 / {pages}) AS BIGINT)) AS time,
        random() < (0.4 / position) * ((d * 7919 + q * 31) % 97) / 97 AS click
    FROM shown
) TO '{path}' (FORMAT parquet)
"""

BARE = """
WITH clicks AS (SELECT page, position FROM '{path}' WHERE click),
cut AS (
    SELECT
        page,
        position AS previous,
        coalesce(lead(position) OVER (PARTITION BY page ORDER BY position), 1000000) AS upto,
        max(position) OVER (PARTITION BY page) AS last
    FROM clicks
    UNION ALL
    SELECT page, 0, min(position), max(position) FROM clicks GROUP BY page
)
SELECT
    query, document, position, coalesce(previous, 0) AS previous,
    count(*) AS impressions,
    count_if(click) AS clicks,
    count_if(position <= last) AS above_last,
    count_if(click AND position = last) AS at_last
FROM '{path}' AS log
LEFT JOIN cut ON log.page = cut.page AND log.position > cut.previous AND log.position <= cut.upto
GROUP BY ALL
"""


def generate(path: Path, events: int) -> None:
    """Write a log of this many impressions."""
    import duckdb

    con = duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY})
    pages, queries, documents = events // 10, max(events // 100, 100), max(events // 50, 200)
    con.execute("SELECT setseed(0.5)")
    con.execute(LOG.format(path=path, pages=pages, queries=f"{queries}.0", documents=documents))


def bare(path: Path, folder: Path) -> int:
    """Aggregate by one query; the number of cells."""
    import duckdb

    con = duckdb.connect(
        config={
            "threads": THREADS,
            "memory_limit": MEMORY,
            "temp_directory": str(folder),
            "preserve_insertion_order": False,
        }
    )
    return con.sql(BARE.format(path=path)).to_arrow_table().num_rows


def gradus(path: Path, folder: Path) -> int:
    """Aggregate as `gradus judge` does; the number of cells."""
    from gradus.judgments.logs.aggregate import aggregate
    from gradus.judgments.logs.engine import open_engine
    from gradus.judgments.logs.read_log import read_impressions
    from gradus.judgments.logs.staging import stage
    from gradus.settings.evidence import LogSettings

    settings = LogSettings(path=str(path))
    staged = {"impressions": stage(path, folder / "staged")}
    with open_engine("duckdb", folder, MEMORY, THREADS) as engine:
        return len(aggregate(engine, read_impressions(engine, staged, settings), settings).cells)


PARTS = {"bare": bare, "gradus": gradus}
IMPORTS = {
    "bare": ["duckdb", "pyarrow"],
    "gradus": ["ibis.backends.duckdb", "gradus.judgments.logs.aggregate", "gradus.judgments.logs.read_log"],
}


def measure(part: str, path: Path) -> None:
    """Run one part in this process; what it took, imports apart, goes to standard output."""
    for module in IMPORTS[part]:
        importlib.import_module(module)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        start, cpu = time.perf_counter(), time.process_time()
        cells = PARTS[part](path, Path(folder))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(json.dumps({"cells": cells, "seconds": seconds, "cpu": cpu, "peak": peak}))


def main() -> None:
    """Generate a log, and run each part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the log is written; a temporary folder by default")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        measure(options.part, options.log)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "log.parquet"
        generate(path, options.events)
        print(f"{options.events:,} events, {path.stat().st_size / 2**20:,.0f} MB of Parquet")
        best: dict[str, dict[str, float]] = {}
        for _ in range(options.repeats):
            for part in PARTS:
                command = [sys.executable, __file__, "--part", part, "--log", str(path)]
                run = subprocess.run(
                    command,
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=os.environ | {"OMP_NUM_THREADS": "1"},
                )
                result = json.loads(run.stdout.splitlines()[-1])
                print(
                    f"  {part:8}{result['seconds']:8.2f} s {result['cpu']:8.2f} s CPU {result['peak']:8.0f} MB",
                    flush=True,
                )
                if part not in best or result["seconds"] < best[part]["seconds"]:
                    best[part] = result
    for part, result in best.items():
        print(
            f"{part:8}{result['seconds']:8.2f} s {result['cpu']:8.2f} s CPU {result['peak']:8.0f} MB {result['cells']:12,} cells"
        )
    for name, key in (("times", "seconds"), ("CPU times", "cpu"), ("peak memory", "peak")):
        print(f"ratio of {name}: {best['gradus'][key] / best['bare'][key]:.2f}")


if __name__ == "__main__":
    main()
