"""The contrastive loss in four ways, side by side: python benchmarks/loss.py [--sizes 1024 4096 16384] [--dims 256 512]

InfoNCE in both directions of B query and B document embeddings with D numbers each, forward and backward:

    naive                  Z in memory, a cross-entropy of its rows and one of its columns, autograd
    open_clip              the same as ClipLoss computes it: one product for the rows, another for the columns
    sentence-transformers  CachedMultipleNegativesRankingLoss on given embeddings, in chunks of 32 rows, its default
    gradus                 pairwise GCL
    gradus, 20 judged      many-to-many GCL with 20 judged pairs a query, each competing with what weighs less

Every measurement is a process of its own, and the ways take turns, so that what else the machine does meets all
alike. On a CPU, one thread: seconds are of processor time, the least of all repetitions in all turns; memory is the
growth of the resident set over the inputs at its peak, embeddings' gradients included. With --device cuda: seconds
of the device, memory of PyTorch's allocator, and logits of bfloat16 embeddings. The share is that of the fastest
measured product of matrices, at 8 B² D operations: Z once forward and once backward, and the two products of its
gradient. Naive needs a quarter less. The first four are one number, and the script checks that.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from gradus.objectives.many_to_many import many_to_many
from gradus.objectives.pairs import Pairs
from gradus.objectives.pairwise import pairwise

SCALE = 20.0
JUDGED = 20
Backward = Callable[[Tensor, Tensor], float]


def naive(queries: Tensor, documents: Tensor) -> float:
    """Cross-entropies of logits in memory."""
    target = torch.arange(len(queries), device=queries.device)
    logits = SCALE * queries @ documents.T
    return _back((cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2)


def open_clip(queries: Tensor, documents: Tensor) -> float:
    """The formula of open_clip's ClipLoss in one process."""
    target = torch.arange(len(queries), device=queries.device)
    of_queries, of_documents = SCALE * queries @ documents.T, SCALE * documents @ queries.T
    return _back((cross_entropy(of_queries, target) + cross_entropy(of_documents, target)) / 2)


def sentence_transformers(queries: Tensor, documents: Tensor) -> float:
    """The loss stage of CachedMultipleNegativesRankingLoss; unit vectors spare it the cosine."""
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
    from sentence_transformers.util import dot_score

    loss = CachedMultipleNegativesRankingLoss(
        torch.nn.Sequential(torch.nn.Identity()),
        scale=SCALE,
        similarity_fct=dot_score,
        directions=("query_to_doc", "doc_to_query"),
        partition_mode="per_direction",
    )
    return float(loss.calculate_loss([[queries], [documents]], with_backward=True))


def ours(queries: Tensor, documents: Tensor) -> float:
    """Pairwise GCL."""
    diagonal = torch.arange(len(queries), device=queries.device)
    pairs = Pairs(diagonal, diagonal, torch.ones(len(queries), device=queries.device))
    return _back(pairwise(queries, documents, torch.tensor(SCALE, device=queries.device), pairs))


def ours_judged(queries: Tensor, documents: Tensor) -> float:
    """Many-to-many GCL; query i has judged the documents i + k² of the batch."""
    size, device = len(queries), queries.device
    query = torch.arange(size, device=device).repeat_interleave(JUDGED)
    document = (query + torch.arange(JUDGED, device=device).square().repeat(size)) % size
    weight = torch.rand(len(query), generator=torch.Generator().manual_seed(1)).to(device)
    pairs = Pairs(query, document, weight)
    return _back(many_to_many(queries, documents, torch.tensor(SCALE, device=device), pairs))


WAYS: dict[str, Backward] = {
    "naive": naive,
    "open_clip": open_clip,
    "sentence-transformers": sentence_transformers,
    "gradus": ours,
    f"gradus, {JUDGED} judged": ours_judged,
}


def _back(loss: Tensor) -> float:
    loss.backward()
    return float(loss.detach())


def embeddings(size: int, dim: int, device: str) -> tuple[Tensor, Tensor]:
    """Unit vectors; a query is near its document."""
    rng = torch.Generator().manual_seed(0)
    documents = torch.randn(size, dim, generator=rng)
    queries = documents + 2 * torch.randn(size, dim, generator=rng)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    first, second = (normalize(vectors).to(device, dtype) for vectors in (queries, documents))
    return first.requires_grad_(), second.requires_grad_()


def measure(way: Backward, size: int, dim: int, device: str, seconds: float) -> dict[str, float]:
    """One way, repeated for about so many seconds."""
    way(*embeddings(64, dim, device))
    operands = embeddings(size, dim, device)
    peak = fastest_product(dim, device)
    before = _memory(device)
    _reset_peak(device)
    times, loss = [], 0.0
    while not times or sum(times) + min(times) < seconds:
        operands[0].grad = operands[1].grad = None
        start = _clock(device)
        loss = way(*operands)
        times.append(_clock(device) - start)
        if len(times) == 1:
            megabytes = (_peak(device) - before) / 2**20
    peak = max(peak, fastest_product(dim, device))
    return {"loss": loss, "seconds": min(times), "megabytes": megabytes, "peak": peak}


def fastest_product(dim: int, device: str) -> float:
    """Operations a second of the better of a square product and a tile's."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    best = 0.0
    side, turns = (1024, 10) if device == "cpu" else (8192, 20)
    for rows, inner in ((side // 2, dim), (side, side)):
        a, b = (torch.randn(rows, inner, device=device).to(dtype) for _ in range(2))
        out = torch.empty(rows, rows, device=device, dtype=dtype)
        for _ in range(3):
            start = _clock(device)
            for _ in range(turns):
                torch.mm(a, b.T, out=out)
            best = max(best, turns * 2 * rows * rows * inner / (_clock(device) - start))
    return best


def _clock(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def _memory(device: str) -> int:
    if device == "cpu":
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    return torch.cuda.memory_allocated()


def _reset_peak(device: str) -> None:
    if device == "cpu":
        Path("/proc/self/clear_refs").write_text("5")  # the peak of the resident set starts anew
    else:
        torch.cuda.reset_peak_memory_stats()


def _peak(device: str) -> int:
    if device == "cpu":
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return torch.cuda.max_memory_allocated()


def main() -> None:
    """Print a table per size and dimension."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 4096, 16384])
    parser.add_argument("--dims", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="What the repetitions of a turn may take."
    )
    parser.add_argument("--turns", type=int, default=1, help="Of all ways, one after the other.")
    parser.add_argument("--large", action="store_true", help="Ours at 65,536, too.")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        torch.set_num_threads(1)
        found = measure(WAYS[args.ways[0]], args.sizes[0], args.dims[0], args.device, args.seconds)
        print(json.dumps(found))
        return
    for size in [*args.sizes, *([65536] if args.large else [])]:
        for dim in args.dims:
            table(size, dim, [way for way in args.ways if size < 65536 or way.startswith("gradus")], args)


def table(size: int, dim: int, ways: list[str], args: argparse.Namespace) -> None:
    """Measure some ways and print them."""
    print(f"\n### B = {size:,}, D = {dim}, {args.device}\n", flush=True)
    found: dict[str, dict[str, float]] = {}
    for way in ways * args.turns:
        flags = ["--sizes", str(size), "--dims", str(dim), "--device", args.device]
        command = [sys.executable, __file__, "--here", "--ways", way, "--seconds", str(args.seconds), *flags]
        turn = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        best = found.setdefault(way, turn)
        best["seconds"] = min(best["seconds"], turn["seconds"])
        best["megabytes"] = max(best["megabytes"], turn["megabytes"])
        best["peak"] = max(best["peak"], turn["peak"])
    losses = [result["loss"] for way, result in found.items() if "judged" not in way]
    tolerance = 1e-5 if args.device == "cpu" else 1e-2
    assert max(losses) - min(losses) <= tolerance * max(losses), found
    peak = max(result["peak"] for result in found.values())
    print(f"fastest product: {peak / 1e9:.0f} GFLOP/s\n")
    print("| | seconds | of naive | MB | of naive | share of the fastest product |")
    print("|---|---|---|---|---|---|")
    base = found.get("naive", {})
    for way, result in found.items():
        cells = [f"{result['seconds']:.3f}", _ratio(result, base, "seconds", ".2f")]
        cells += [f"{result['megabytes']:.0f}", _ratio(result, base, "megabytes", ".1%")]
        share = 8 * size * size * dim / result["seconds"] / peak
        print(f"| {way} | {' | '.join(cells)} | {share:.0%} |", flush=True)


def _ratio(result: dict[str, float], base: dict[str, float], key: str, form: str) -> str:
    return f"{result[key] / base[key]:{form}}" if base else "–"


if __name__ == "__main__":
    main()
