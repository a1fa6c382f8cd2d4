"""The Triton kernel against plain PyTorch: on a CPU in Triton's interpreter, on a GPU where there is one."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from gradus.objectives.many_to_many import Denominator, many_to_many
from gradus.objectives.pairs import Pairs

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@needs_triton
def test_it_computes_what_plain_pytorch_computes() -> None:
    # Triton reads the variable when it is imported, so the interpreter gets a process of its own.
    script = Path(__file__).with_name("interpreted_kernel.py")
    done = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) == 8
    for result in results:
        *_, queries, documents, scale = result["errors"]
        forward = result["errors"][:-3]
        assert max(forward) < 1e-5, result
        # A gradient of bfloat16 embeddings is a product of bfloat16 gradients of logits: 8 bits of each.
        assert max(queries, documents, scale) < (1e-5 if "float32" in result["type"] else 1e-2), result


@needs_cuda
@needs_triton
@pytest.mark.parametrize("denominator", ["all", "unjudged", "lower"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_on_a_gpu_the_loss_is_the_one_of_the_cpu(
    denominator: Denominator, dtype: torch.dtype, tolerance: float
) -> None:
    n_q, n_d, dim = 9000, 1500, 96
    rng = torch.Generator().manual_seed(0)
    embeddings = [normalize(torch.randn(n, dim, generator=rng)).to(dtype) for n in (n_q, n_d)]
    judged = torch.randperm(n_q * n_d, generator=rng)[:50_000]
    weight = torch.randint(0, 4, (50_000,), generator=rng) / 3
    pairs = Pairs(judged // n_d, judged % n_d, weight, judged[:100] // n_d, judged[-100:] % n_d)
    results = []
    for device in ("cpu", "cuda"):
        inputs = [one.detach().to(device).requires_grad_() for one in (*embeddings, torch.tensor(20.0))]
        loss = many_to_many(*inputs, pairs.to(torch.device(device)), denominator)
        results.append([loss.detach(), *torch.autograd.grad(loss, inputs)])
    for exact, found in zip(*results, strict=True):
        difference = (found.cpu().float() - exact.float()).norm() / exact.float().norm()
        assert float(difference) < tolerance
