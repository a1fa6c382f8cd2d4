"""The loss without the matrix against the one with it, and what it holds in memory."""

from dataclasses import replace
from functools import partial
from typing import Any

import naive
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Case
from torch import Tensor
from torch.nn.functional import normalize
from torch.utils._python_dispatch import TorchDispatchMode

from gradus.objectives import kernel, masses
from gradus.objectives.kernel import Kernel
from gradus.objectives.many_to_many import Denominator, many_to_many, many_to_many_of_logits
from gradus.objectives.masses import Masses, of_logits
from gradus.objectives.pairs import Pairs
from gradus.objectives.tiles import tiled

DENOMINATORS: list[Denominator] = ["all", "unjudged", "lower"]
every_denominator = pytest.mark.parametrize("denominator", DENOMINATORS)


@pytest.fixture(params=["recomputed", "kept"])
def always_tiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch in tiles, whatever its size; exponentials in memory or not."""
    monkeypatch.setattr(masses, "DENSE", 0)
    monkeypatch.setattr(kernel, "KEPT", {"recomputed": 0, "kept": 1 << 24}[request.param])


def batch(
    n_q: int, n_d: int, dim: int, scale: float, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor, Pairs]:
    """Unit vectors, a scale, an eighth of the pairs judged (some weigh nothing), and as many ignored, some twice."""
    rng = torch.Generator().manual_seed(seed)
    queries = normalize(torch.randn(n_q, dim, generator=rng, dtype=torch.float64)).to(dtype)
    documents = normalize(torch.randn(n_d, dim, generator=rng, dtype=torch.float64)).to(dtype)
    some = max(1, n_q * n_d // 8)
    judged = torch.randperm(n_q * n_d, generator=rng)[:some]
    ignored = torch.randint(n_q * n_d, (some,), generator=rng)
    weight = torch.randint(0, 4, (some,), generator=rng) / 3
    pairs = Pairs(judged // n_d, judged % n_d, weight, ignored // n_d, ignored % n_d)
    return queries, documents, torch.tensor(scale, dtype=dtype), pairs


def gradients(value: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(value, inputs)


def close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Equal up to a share of the largest entry."""
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * float(expected.abs().max()) + 1e-30)


@settings(deadline=None, max_examples=80)
@given(
    n_q=st.integers(1, 9), n_d=st.integers(1, 9), dim=st.integers(1, 4), size=st.integers(1, 5),
    scale=st.sampled_from([0.1, 5.0, 100.0, 700.0, 3e3, 1e5]), symmetric=st.booleans(), kept=st.booleans(),
    seed=st.integers(0, 10_000),
)  # fmt: skip
def test_tiles_of_any_size_find_what_the_matrix_holds(
    n_q: int, n_d: int, dim: int, size: int, scale: float, symmetric: bool, kept: bool, seed: int
) -> None:
    queries, documents, s, pairs = batch(n_q, n_d, dim, scale, seed)
    pairs, inputs = pairs.positives(), (queries, documents, s)
    for one in inputs:
        one.requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "KEPT", 1 << 24 if kept else 0)
        found = Masses(*tiled(*inputs, pairs, symmetric, partial(Kernel, size=size)))
        expected = of_logits(queries @ documents.T * s, pairs, symmetric)
        values = [value(one, seed) for one in (found, expected)]
        torch.testing.assert_close(*values, rtol=1e-11, atol=1e-11)
        assert (found.columns is None) == (not symmetric)
        for ours, theirs in zip(gradients(values[0], *inputs), gradients(values[1], *inputs), strict=True):
            # Logits of 10⁵ are known to no more than 10⁻¹¹.
            close(ours, theirs, 1e-10 * max(1.0, scale / 1e3))


def value(found: Masses, seed: int) -> Tensor:
    """A number that every mass and logit moves; what holds nothing is left out."""
    rng = torch.Generator().manual_seed(seed)
    parts = [one for one in (found.rows, found.columns, found.own) if one is not None]
    total = torch.zeros((), dtype=found.own.dtype)
    for part in parts:
        some = torch.rand(len(part), generator=rng, dtype=torch.float64)
        total = total + (torch.where(part > -1e30, part, 0.0) * some).sum()
    return total


@every_denominator
@pytest.mark.parametrize("scale", [1.0, 50.0, 2000.0])
@pytest.mark.usefixtures("always_tiled")
def test_the_loss_is_the_equation(denominator: Denominator, scale: float) -> None:
    queries, documents, s, pairs = batch(5, 7, 3, scale)
    cells = list(zip(pairs.query.tolist(), pairs.document.tolist(), strict=True))
    case = Case(
        (queries @ documents.T * s).tolist(),
        dict(zip(cells, pairs.weight.tolist(), strict=True)),
        set(zip(pairs.ignored_query.tolist(), pairs.ignored_document.tolist(), strict=True)),
    )
    loss = float(many_to_many(queries, documents, s, pairs, denominator))
    assert loss == pytest.approx(naive.loss(case, denominator), rel=1e-12)


@every_denominator
@pytest.mark.parametrize("scale", [14.0, 100.0, 2000.0])
@pytest.mark.parametrize(("n_q", "n_d"), [(900, 800), (3, 1600), (769, 1)])
@pytest.mark.usefixtures("always_tiled")
def test_gradients_through_whole_and_cut_tiles(
    denominator: Denominator, scale: float, n_q: int, n_d: int
) -> None:
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        *inputs, pairs = batch(n_q, n_d, 16, scale, dtype=dtype)
        for one in inputs:
            one.requires_grad_()
        queries, documents, s = (one.detach().double().requires_grad_() for one in inputs)
        exact = many_to_many_of_logits(queries @ documents.T * s, pairs, denominator)
        found = many_to_many(*inputs, pairs, denominator)
        assert found.dtype == dtype
        close(found.detach().double(), exact.detach(), tolerance)
        # A float32 logit of 2,000 has steps of 1e-4: that far a probability may be off, whoever computes it.
        allowed = tolerance if dtype == torch.float64 else max(tolerance, scale * 6e-7)
        theirs = gradients(exact, queries, documents, s)
        for ours, expected in zip(gradients(found, *inputs), theirs, strict=True):
            close(ours.double(), expected, allowed)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("scale", [3.0, 900.0])
@pytest.mark.usefixtures("always_tiled")
def test_gradients_agree_with_finite_differences(scale: float, symmetric: bool) -> None:
    *inputs, pairs = batch(4, 5, 3, scale)
    pairs = pairs.positives()
    some = torch.rand(4 + 5 * symmetric + len(pairs.query), generator=torch.Generator().manual_seed(1))

    def total(queries: Tensor, documents: Tensor, s: Tensor) -> Tensor:
        found = tiled(queries, documents, s, pairs, symmetric, partial(Kernel, size=2))
        return (torch.cat([one for one in found if one is not None]) * some).sum()

    assert torch.autograd.gradcheck(total, [one.requires_grad_() for one in inputs], atol=1e-4)


def test_only_what_underflows_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # At s = 1,000 in float32, a row whose cosines are all below −0.9 sums to 0 beside one with a cosine of 1.
    again: list[int] = []
    log_sums = Kernel.log_sums

    def counted(self: Kernel) -> Tensor:
        again.append(len(self.queries))
        return log_sums(self)

    monkeypatch.setattr(Kernel, "log_sums", counted)
    north = torch.tensor([[0.0, 1.0]])
    queries = torch.cat([north.expand(3, 2), -north])
    documents = normalize(torch.tensor([[0.1, 1.0], [-0.1, 1.0], [0.0, 1.0]]))
    none = torch.zeros(0, dtype=torch.long)
    pairs = Pairs(none, none, torch.zeros(0))
    rows, columns, _ = tiled(queries, documents, torch.tensor(1000.0), pairs)
    assert again == [1]
    expected = of_logits(1000 * queries @ documents.T, pairs)
    torch.testing.assert_close(rows, expected.rows)
    torch.testing.assert_close(columns, expected.columns)


class Largest(TorchDispatchMode):
    """Notes the number of cells of the largest tensor that is made."""

    cells = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, tuple | list) else [out]:
            if isinstance(one, Tensor):
                self.cells = max(self.cells, one.untyped_storage().nbytes() // one.element_size())
        return out


@every_denominator
def test_nothing_grows_with_the_matrix(denominator: Denominator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "KEPT", 0)
    n_q, n_d, dim = 1700, 1600, 8
    queries, documents, s, pairs = batch(n_q, n_d, dim, 20.0, dtype=torch.float32)
    pairs = replace(
        pairs, query=pairs.query[:9000], document=pairs.document[:9000], weight=pairs.weight[:9000]
    )
    queries.requires_grad_()
    with Largest() as largest:
        many_to_many(queries, documents, s, pairs, denominator).backward()
    # A tile, or what there is per ignored pair, whose row and column may be sorted together.
    assert largest.cells <= max(kernel.SIZE**2, len(pairs.ignored_query))
    with Largest() as dense:
        many_to_many_of_logits(queries @ documents.T * s, pairs, denominator).backward()
    assert dense.cells >= n_q * n_d


@pytest.mark.usefixtures("always_tiled")
def test_a_graph_may_be_walked_back_twice() -> None:
    queries, documents, s, pairs = batch(6, 7, 3, 20.0)
    queries.requires_grad_()
    loss = many_to_many(queries, documents, s, pairs)
    first = torch.autograd.grad(loss, queries, retain_graph=True)
    assert torch.equal(*first, *torch.autograd.grad(loss, queries))


@every_denominator
@pytest.mark.parametrize("path", ["matrix", "tiles"])
def test_half_precision_embeddings_are_multiplied_in_float32(
    denominator: Denominator, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masses, "DENSE", {"matrix": 1 << 24, "tiles": 0}[path])
    queries, documents, s, pairs = batch(9, 8, 4, 50.0, dtype=torch.bfloat16)
    s = s.float()
    loss = many_to_many(queries.requires_grad_(), documents, s, pairs, denominator)
    exact = many_to_many_of_logits(queries.double() @ documents.double().T * s.double(), pairs, denominator)
    assert loss.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), rel=1e-5)
    assert gradients(loss, queries)[0].dtype == torch.bfloat16


@every_denominator
def test_without_weight_there_is_nothing_to_learn(denominator: Denominator) -> None:
    queries, documents, s, pairs = batch(4, 5, 3, 20.0, dtype=torch.float32)
    inputs = [one.requires_grad_() for one in (queries, documents, s)]
    loss = many_to_many(*inputs, replace(pairs, weight=torch.zeros_like(pairs.weight)), denominator)
    assert float(loss.detach()) == 0
    assert loss.dtype == torch.float32
    assert all(float(one.abs().sum()) == 0 for one in gradients(loss, *inputs))


def test_one_positive_may_be_judged_by_all_queries() -> None:
    # A document with more positives than the running sums' doubling steps of small batches: 300 weights, 7 of them
    # tied, in one column.
    rng = torch.Generator().manual_seed(2)
    queries = normalize(torch.randn(300, 4, generator=rng, dtype=torch.float64))
    documents = normalize(torch.randn(2, 4, generator=rng, dtype=torch.float64))
    weight = torch.rand(300, generator=rng, dtype=torch.float64)
    weight[40:47] = 0.5
    pairs = Pairs(torch.arange(300), torch.zeros(300, dtype=torch.long), weight)
    scale = torch.tensor(9.0, dtype=torch.float64)
    case = Case((9 * queries @ documents.T).tolist(), {(i, 0): float(w) for i, w in enumerate(weight)}, set())
    loss = float(many_to_many(queries, documents, scale, pairs))
    assert loss == pytest.approx(naive.loss(case, "lower"), rel=1e-12)
