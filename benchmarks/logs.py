"""How fast a log becomes cells: python benchmarks/logs.py --events 10_000_000

Generates a log (Zipf queries, swapped results, clicks by a position-based model) as Parquet, then runs, each in a
process of its own with two threads:

    bare     one hand-written DuckDB query with the same groups and sums, its result taken as an Arrow table
    by_hand  the same query after what a log needs first: broken rows, robots and repeated rows left out, queries
             in one form, rows in order
    gradus   the whole way from the Parquet file to Cells: checks, filters, normal forms, order; and how long of it
             DuckDB took for the statements that it was given
    score    the same and what follows, the click model's estimates from the cells

and prints time (imports apart), CPU time and peak memory of each, and the ratios of gradus to the first two and to
its own statements. CPU time is what to compare on a busy machine.
"""

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

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

SOUND = """
WITH sound AS (
    SELECT * FROM '{path}'
    WHERE page IS NOT NULL AND document IS NOT NULL AND trim(query) <> '' AND position BETWEEN 1 AND 9999
        AND time BETWEEN TIMESTAMP '2000-01-01' AND now()::TIMESTAMP
),
days AS (
    SELECT session, count(*) AS n, count(*) FILTER (WHERE click) AS clicks
    FROM sound GROUP BY session, time::DATE
),
robots AS (SELECT DISTINCT session FROM days WHERE n > 5000 OR (n >= 50 AND clicks >= 0.9 * n)),
log AS (
    SELECT page, document, position, bool_or(click) AS click,
        lower(trim(query)) AS query
    FROM sound ANTI JOIN robots ON sound.session = robots.session
    GROUP BY ALL
),
"""

COUNT = """
clicks AS (SELECT page, position FROM {log} WHERE click),
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
    count(*) FILTER (WHERE click) AS clicks,
    count(*) FILTER (WHERE position <= last) AS above_last,
    count(*) FILTER (WHERE click AND position = last) AS at_last
FROM {log} AS log
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


def bare(path: Path, folder: Path) -> Sized:
    """The cells as an Arrow table, by one query."""
    return query("WITH" + COUNT.format(log=f"'{path}'"), folder)


def by_hand(path: Path, folder: Path) -> Sized:
    """The cells of the sound rows, in order, as an Arrow table, by one query."""
    return query(SOUND.format(path=path) + COUNT.format(log="log") + "ORDER BY ALL", folder)


def query(sql: str, folder: Path) -> Sized:
    """The result of a query, with the limits that gradus works under."""
    import duckdb

    con = duckdb.connect(
        config={
            "threads": THREADS,
            "memory_limit": MEMORY,
            "temp_directory": str(folder),
            "preserve_insertion_order": False,
        }
    )
    rows: Sized = con.sql(sql).to_arrow_table()
    return rows


def gradus(path: Path, folder: Path) -> Sized:
    """The cells, as `gradus judge` makes them."""
    from gradus.judgments.logs.aggregate import aggregate
    from gradus.judgments.logs.engine import open_engine
    from gradus.judgments.logs.read_log import read_impressions
    from gradus.judgments.logs.staging import stage
    from gradus.settings.evidence import LogSettings

    settings = LogSettings(path=str(path))
    staged = {"impressions": stage(path, folder / "staged")}
    with open_engine("duckdb", folder, MEMORY, THREADS) as engine:
        time_statements(engine)
        return aggregate(engine, read_impressions(engine, staged, settings), settings).cells


STATEMENTS: list[float] = []
"""Seconds that DuckDB took for each statement, or for each batch of a result that is streamed."""


def timed(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same, its seconds noted."""

    def noted(*given: Any) -> Any:
        start = time.perf_counter()
        try:
            return work(*given)
        finally:
            STATEMENTS.append(time.perf_counter() - start)

    return noted


def time_statements(engine: Any) -> None:
    """Note how long the engine works, and nothing of what is done with its results."""
    import pyarrow as pa

    for name in ("rows", "keep", "stream"):
        setattr(engine, name, timed(getattr(engine, name)))
    begin = engine.stream

    def stream(expression: Any) -> pa.RecordBatchReader:
        batches = begin(expression)
        each = timed(lambda: next(batches, None))
        return pa.RecordBatchReader.from_batches(batches.schema, iter(each, None))

    engine.stream = stream


def score(path: Path, folder: Path) -> Sized:
    """The scores of the log's pairs, aggregation included."""
    from gradus.judgments.clicks.score import score_clicks
    from gradus.settings import ClicksSettings

    cells: Any = gradus(path, folder)
    return score_clicks(cells, ClicksSettings()).scores.score


PARTS: dict[str, Callable[[Path, Path], Sized]] = {
    "bare": bare,
    "by_hand": by_hand,
    "gradus": gradus,
    "score": score,
}
IMPORTS = {
    "bare": ["duckdb", "pyarrow"],
    "by_hand": ["duckdb", "pyarrow"],
    "gradus": ["ibis.backends.duckdb", "gradus.judgments.logs.aggregate", "gradus.judgments.logs.read_log"],
    "score": [
        "ibis.backends.duckdb",
        "gradus.judgments.logs.aggregate",
        "gradus.judgments.logs.read_log",
        "gradus.judgments.clicks.score",
    ],
}
ROWS = {"bare": "cells", "by_hand": "cells", "gradus": "cells", "score": "pairs"}


def measure(part: str, path: Path) -> None:
    """Run one part in this process; what it took, imports apart, goes to standard output."""
    for module in IMPORTS[part]:
        importlib.import_module(module)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        start, cpu = time.perf_counter(), time.process_time()
        result = PARTS[part](path, Path(folder))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    found = {"rows": len(result), "seconds": seconds, "cpu": cpu, "peak": peak, "statements": sum(STATEMENTS)}
    print(json.dumps(found))


def run(part: str, path: Path) -> dict[str, float]:
    """Run one part in a process of its own; what it took."""
    command = [sys.executable, __file__, "--part", part, "--log", str(path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"  {part:8}{result['seconds']:8.2f} s {result['cpu']:8.2f} s CPU {result['peak']:8,.0f} MB "
        f"{result['rows']:12,} {ROWS[part]}"
        + (f", {result['statements']:.2f} s in DuckDB" if result["statements"] else ""),
        flush=True,
    )
    return result


def main() -> None:
    """Generate a log, and run each part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the log is written; a temporary folder by default")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help="a log that was generated before")
    options = parser.parse_args()
    if options.part:
        measure(options.part, options.log)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = options.log or Path(folder) / "log.parquet"
        if not options.log:
            generate(path, options.events)
            print(f"{options.events:,} events, {path.stat().st_size / 2**20:,.0f} MB of Parquet")
        # In turns, so that both meet the same load of the machine.
        runs = [
            {part: run(part, path) for part in ("bare", "by_hand", "gradus")} for _ in range(options.repeats)
        ]
        run("score", path)
    for other in ("bare", "by_hand"):
        for name, key in (("time", "seconds"), ("CPU time", "cpu"), ("peak memory", "peak")):
            ours, theirs = (min(each[part][key] for each in runs) for part in ("gradus", other))
            print(
                f"gradus to {other}, ratio of {name}: {ours / theirs:.2f}, the best of each among {options.repeats}"
            )
    # Of one run each, so that both are of the same moment.
    shares = [each["gradus"]["seconds"] / each["gradus"]["statements"] for each in runs]
    print(
        f"gradus to its own statements, ratio of time: {statistics.median(shares):.2f}, median of {options.repeats}"
    )


if __name__ == "__main__":
    main()
