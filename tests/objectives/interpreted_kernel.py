"""Run by test_kernel_triton.py with TRITON_INTERPRET=1: the Triton kernel on a CPU against plain PyTorch, as JSON."""

import json
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gradus.objectives.kernel import Kernel
from gradus.objectives.kernel_triton import TritonKernel
from gradus.objectives.pairs import Pairs
from gradus.objectives.tiles import tiled

BLOCKS = partial(TritonKernel, size=32, block=16)
# Whole blocks; cut ones, in several slabs, with more columns than a program multiplies at a time; a single row.
SHAPES = [(32, 32, 16), (45, 37, 70), (1, 20, 8)]


def masses(
    kernel: object, queries: Tensor, documents: Tensor, s: Tensor, pairs: Pairs, symmetric: bool
) -> list:
    """The masses, the positives' logits, and the gradients of a weighted sum of them all."""
    inputs = [one.detach().clone().requires_grad_() for one in (queries, documents, s)]
    found = [one for one in tiled(*inputs, pairs, symmetric, kernel) if one is not None]
    total = sum((one * torch.linspace(0.5, 1.5, len(one))).sum() for one in found)
    return [one.detach().float() for one in (*found, *torch.autograd.grad(total, inputs))]


def errors(shape: tuple[int, int, int], dtype: torch.dtype, scale: float, symmetric: bool) -> list[float]:
    """The largest difference in each result, as a share of its largest entry."""
    n_q, n_d, dim = shape
    rng = torch.Generator().manual_seed(0)
    queries, documents = (normalize(torch.randn(n, dim, generator=rng)).to(dtype) for n in (n_q, n_d))
    judged = torch.randperm(n_q * n_d, generator=rng)[: n_q * n_d // 8]
    ignored = torch.randint(n_q * n_d, (n_q * n_d // 16,), generator=rng)
    pairs = Pairs(judged // n_d, judged % n_d, torch.ones(len(judged)), ignored // n_d, ignored % n_d)
    s = torch.tensor(scale)
    found = masses(BLOCKS, queries, documents, s, pairs, symmetric)
    exact = masses(Kernel, queries.float(), documents.float(), s, pairs, symmetric)
    return [
        float((one - other).abs().max() / other.abs().max()) for one, other in zip(found, exact, strict=True)
    ]


if __name__ == "__main__":
    cases = [(shape, dtype, 20.0, True) for shape in SHAPES for dtype in (torch.float32, torch.bfloat16)]
    cases += [(SHAPES[1], torch.float32, 20.0, False), (SHAPES[1], torch.float32, 900.0, True)]
    print(json.dumps([{"case": str(case), "type": str(case[1]), "errors": errors(*case)} for case in cases]))
