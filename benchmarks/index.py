"""Vector indexes on real embeddings, side by side: python benchmarks/index.py VECTORS.npz [--documents 100000]

VECTORS.npz holds `v`, the documents' unit vectors (n, D), and `q`, those of queries. Documents are repeated with
noise until there are as many as asked for. Every index gets the same vectors and a number per document, of which a
filter admits one in a hundred.

    numpy      every dot product, by hand
    exact      the exact index of Gradus          ivf       the approximate one
    usearch, hnswlib, faiss-hnsw, faiss-ivf, edge (qdrant-edge-py)                 alternatives, called directly

Each is a process of its own: seconds to build, bytes on disk, resident memory, milliseconds per query one at a time
(median and 99th percentile), and recall@10 with and without the filter against exact search.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.encoders.nearest import nearest
from gradus.search.index.backends import create_index, open_index
from gradus.search.index.filters import Between
from gradus.search.index.index import Documents, Schema

K, EVERY = 10, 100
Vectors = NDArray[np.float32]
Search = Callable[[Vectors, bool], list[int]]


def grown(vectors: Vectors, count: int, noise: float) -> Vectors:
    """The vectors, repeated with noise of the given length until there are `count`."""
    random = np.random.default_rng(0)
    more = vectors[random.integers(0, len(vectors), max(0, count - len(vectors)))]
    more = more + noise / np.sqrt(vectors.shape[1]) * random.standard_normal(more.shape, np.float32)
    every = np.concatenate([vectors[:count], more]).astype(np.float32)
    return np.ascontiguousarray(every / np.linalg.norm(every, axis=1, keepdims=True))


def by_hand(folder: Path, vectors: Vectors, tags: NDArray[np.int64]) -> Search:
    """Every dot product."""
    rows = np.flatnonzero(tags == 0)
    few = vectors[rows]

    def search(query: Vectors, filtered: bool) -> list[int]:
        scores = (few if filtered else vectors) @ query
        best = np.argpartition(-scores, K)[:K]
        best = best[np.argsort(-scores[best])]
        return [int(row) for row in (rows[best] if filtered else best)]

    return search


def gradus(backend: str) -> Callable[[Path, Vectors, NDArray[np.int64]], Search]:
    """An index of Gradus."""

    def build(folder: Path, vectors: Vectors, tags: NDArray[np.int64]) -> Search:
        place = str(folder / "index")
        schema = Schema(vectors.shape[1], {"tag": "number"})
        ids = [str(row) for row in range(len(vectors))]
        create_index(backend, place, schema, Documents(ids, vectors, {"tag": tags.tolist()})).close()
        index = open_index(backend, place)

        def search(query: Vectors, filtered: bool) -> list[int]:
            where = {"tag": Between(0, 0)} if filtered else None
            return [int(doc_id) for doc_id in index.search(query[None], K, where)[0].ids]

        return search

    return build


def usearch(folder: Path, vectors: Vectors, tags: NDArray[np.int64]) -> Search:
    """Usearch's HNSW in half precision; it has no filters."""
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16", expansion_add=128, expansion_search=128)
    index.add(np.arange(len(vectors)), vectors)
    index.save(str(folder / "graph"))
    index = Index.restore(str(folder / "graph"), view=True)
    index.expansion_search = 128
    return lambda query, filtered: [int(key) for key in index.search(query, K).keys]


def hnswlib(folder: Path, vectors: Vectors, tags: NDArray[np.int64]) -> Search:
    """hnswlib, whose filter is a call back into Python for each document it meets."""
    import hnswlib

    index = hnswlib.Index("ip", vectors.shape[1])
    index.init_index(len(vectors), ef_construction=128, M=16)
    index.add_items(vectors)
    index.set_ef(128)
    index.save_index(str(folder / "graph"))

    def search(query: Vectors, filtered: bool) -> list[int]:
        admitted = (lambda row: tags[row] == 0) if filtered else None
        return [int(row) for row in index.knn_query(query, K, num_threads=1, filter=admitted)[0][0]]

    return search


def faiss(kind: str) -> Callable[[Path, Vectors, NDArray[np.int64]], Search]:
    """faiss, whose filter is a selection of ids."""

    def build(folder: Path, vectors: Vectors, tags: NDArray[np.int64]) -> Search:
        import faiss

        ip, cells = faiss.METRIC_INNER_PRODUCT, int(2 * len(vectors) ** 0.5)
        dimensions = vectors.shape[1]
        if kind == "hnsw":
            index = faiss.IndexHNSWFlat(dimensions, 16, ip)
            index.hnsw.efConstruction = 128
        else:
            index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimensions), dimensions, cells, ip)
            index.train(vectors)
        index.add(vectors)
        faiss.write_index(index, str(folder / "index"))
        rows = faiss.IDSelectorBatch(np.flatnonzero(tags == 0))
        make = faiss.SearchParametersHNSW if kind == "hnsw" else faiss.SearchParametersIVF
        width = {"efSearch": 128} if kind == "hnsw" else {"nprobe": 25}
        ways = {True: make(sel=rows, **width), False: make(**width)}

        def search(query: Vectors, filtered: bool) -> list[int]:
            return [int(row) for row in index.search(query[None], K, params=ways[filtered])[1][0]]

        return search

    return build


def edge(folder: Path, vectors: Vectors, tags: NDArray[np.int64]) -> Search:
    """Qdrant Edge."""
    import qdrant_edge as q

    (folder / "shard").mkdir()
    config = q.EdgeConfig(vectors=q.EdgeVectorParams(vectors.shape[1], q.Distance.Dot))
    shard = q.EdgeShard.create(str(folder / "shard"), config)
    shard.update(q.UpdateOperation.create_field_index("tag", q.PayloadSchemaType.Integer))
    for start in range(0, len(vectors), 1000):
        rows = range(start, min(start + 1000, len(vectors)))
        points = [q.Point(row, vectors[row].tolist(), {"tag": int(tags[row])}) for row in rows]
        shard.update(q.UpdateOperation.upsert_points(points))
    while shard.optimize():
        pass
    shard.flush()
    few = q.Filter(must=[q.FieldCondition("tag", match=q.MatchValue(0))])

    def search(query: Vectors, filtered: bool) -> list[int]:
        request = q.QueryRequest(
            query=q.Query.Nearest(query.tolist()), limit=K, filter=few if filtered else None
        )
        return [int(point.id) for point in shard.query(request)]

    return search


ENGINES: dict[str, Callable[[Path, Vectors, NDArray[np.int64]], Search]] = {
    "numpy": by_hand,
    "exact": gradus("exact"),
    "ivf": gradus("ivf"),
    "usearch": usearch,
    "hnswlib": hnswlib,
    "faiss-hnsw": faiss("hnsw"),
    "faiss-ivf": faiss("ivf"),
    "edge": edge,
}


def measure(name: str, file: Path, count: int, noise: float, asked: int) -> dict[str, Any]:
    """One engine, in this process."""
    with np.load(file) as held:
        vectors, queries = grown(held["v"], count, noise), held["q"][:asked].astype(np.float32)
    tags = np.random.default_rng(1).integers(0, EVERY, len(vectors))
    folder = Path(tempfile.mkdtemp())
    try:
        before = time.perf_counter()
        search = ENGINES[name](folder, vectors, tags)
        took = time.perf_counter() - before
        row: dict[str, Any] = {"engine": name, "build s": round(took, 1)}
        row["disk MB"] = round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6)
        row["peak MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
        for label, rows in (("all", np.arange(len(vectors))), ("1 %", np.flatnonzero(tags == 0))):
            if name == "usearch" and label != "all":
                continue
            right = rows[nearest(queries, vectors[rows], K)[0]]
            seconds, hits = [], 0
            for query, wanted in zip(queries, right, strict=True):
                before = time.perf_counter()
                found = search(query, label != "all")
                seconds.append(time.perf_counter() - before)
                hits += len(set(found) & set(wanted.tolist()))
            row[f"{label}: recall"] = round(hits / right.size, 4)
            row[f"{label}: p50 ms"] = round(1e3 * float(np.percentile(seconds, 50)), 3)
            row[f"{label}: p99 ms"] = round(1e3 * float(np.percentile(seconds, 99)), 3)
        return row
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure every engine in a process of its own and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--noise", type=float, default=0.5, help="length of the noise on a repeated vector")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        row = measure(given.engines[0], given.vectors, given.documents, given.noise, given.queries)
        print(json.dumps(row))
        return
    for place, name in enumerate(given.engines):
        numbers = [str(given.documents), "--noise", str(given.noise), "--queries", str(given.queries)]
        command = [sys.executable, __file__, str(given.vectors), "--here", "--engines", name, "--documents"]
        done = subprocess.run([*command, *numbers], stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        if place == 0:
            print("| " + " | ".join(row) + " |\n|" + "---|" * len(row))
        print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
