"""Many-to-many GCL of logits against a naive loop, against arithmetic, and at its limits."""

from math import log

import naive
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Case, shuffled
from torch import Tensor

from gradus.objectives.many_to_many import Denominator, many_to_many_of_logits
from gradus.objectives.pairs import Pairs

DENOMINATORS: list[Denominator] = ["all", "unjudged", "lower"]
WEIGHTS = [0.0, 0.0, 0.25, 0.5, 0.5, 1.0, 3.0]  # zeros, and ties on purpose

every_denominator = pytest.mark.parametrize("denominator", DENOMINATORS)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Batches of up to 5 × 6 with any pairs judged, any weights, and any cells ignored."""
    n_q, n_d = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    cells = [(i, j) for i in range(n_q) for j in range(n_d)]
    numbers = st.floats(-30, 30, allow_nan=False)
    logits = [[draw(numbers) for _ in range(n_d)] for _ in range(n_q)]
    judged = draw(st.lists(st.sampled_from(cells), unique=True))
    weight = {cell: draw(st.sampled_from(WEIGHTS)) for cell in judged}
    return Case(logits, weight, draw(st.sets(st.sampled_from(cells))))


def gradient(logits: Tensor, pairs: Pairs, denominator: Denominator) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    loss = many_to_many_of_logits(logits, pairs, denominator)
    loss.backward()
    assert logits.grad is not None
    return loss.detach(), logits.grad


@every_denominator
@settings(deadline=None, max_examples=50)
@given(case=cases())
def test_it_is_the_equation(denominator: Denominator, case: Case) -> None:
    logits, pairs = case.tensors()
    expected = naive.loss(case, denominator)
    assert float(many_to_many_of_logits(logits, pairs, denominator)) == pytest.approx(
        expected, rel=1e-12, abs=1e-12
    )


@every_denominator
@settings(deadline=None, max_examples=50)
@given(case=cases(), data=st.data())
def test_the_order_of_queries_documents_and_pairs_does_not_matter(
    denominator: Denominator, case: Case, data: st.DataObject
) -> None:
    logits, pairs = case.tensors()
    torch.testing.assert_close(
        many_to_many_of_logits(*shuffled(logits, pairs, data), denominator),
        many_to_many_of_logits(logits, pairs, denominator),
        rtol=1e-12, atol=1e-12,
    )  # fmt: skip


@every_denominator
@settings(deadline=None, max_examples=10)
@given(case=cases())
def test_queries_and_documents_play_the_same_part(denominator: Denominator, case: Case) -> None:
    logits, pairs = case.tensors()
    torch.testing.assert_close(
        many_to_many_of_logits(logits.T, pairs.flipped(), denominator),
        many_to_many_of_logits(logits, pairs, denominator),
    )


@every_denominator
@settings(deadline=None, max_examples=10)
@given(case=cases())
def test_gradients_agree_with_finite_differences(denominator: Denominator, case: Case) -> None:
    logits, pairs = case.tensors()
    # Away from ±30, where a cross-entropy is flat and a finite difference of it is only rounding.
    logits = (logits / 10).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: many_to_many_of_logits(z, pairs, denominator), (logits,))


# exp Z = [[2, 1], [1, 3]]; W = [[1, ½], [·, 1]]
TWO = Case([[log(2), 0.0], [0.0, log(3)]], {(0, 0): 1.0, (0, 1): 0.5, (1, 1): 1.0})


@pytest.mark.parametrize(
    ("denominator", "rows", "columns"),
    [
        # Row 0 sums to 2 + 1, row 1 to 1 + 3, column 0 to 2 + 1, column 1 to 1 + 3.
        ("all", (log(3 / 2), log(3 / 1), log(4 / 3)), (log(3 / 2), log(4 / 1), log(4 / 3))),
        # (1, 0) is the only unjudged pair: it competes with (1, 1) in its row and with (0, 0) in its column.
        ("unjudged", (0.0, 0.0, log(4 / 3)), (log(3 / 2), 0.0, 0.0)),
        # The pair of weight ½ competes with nothing judged; the two of weight 1 compete with it.
        ("lower", (log(3 / 2), 0.0, log(4 / 3)), (log(3 / 2), 0.0, log(4 / 3))),
    ],
)
def test_two_by_two_by_hand(
    denominator: Denominator, rows: tuple[float, ...], columns: tuple[float, ...]
) -> None:
    logits, pairs = TWO.tensors()
    expected = sum(w * (r + c) for w, r, c in zip((1, 0.5, 1), rows, columns, strict=True)) / (2 * 2.5)
    assert float(many_to_many_of_logits(logits, pairs, denominator)) == pytest.approx(expected, rel=1e-12)


def test_the_optimum_of_a_query_sets_documents_apart_by_the_log_of_their_weights() -> None:
    # With one query the document-to-query direction is constant (a softmax over one), so what is left is
    # the cross-entropy of softmax(s / τ) to w / Σw, whose minimum is s_1 − s_2 = τ log(w_1 / w_2).
    tau, weight = 0.07, torch.tensor([1.0, 0.5, 0.125, 0.9], dtype=torch.float64)
    similarity = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    pairs = Pairs(torch.zeros(4, dtype=torch.long), torch.arange(4), weight)
    optimizer = torch.optim.LBFGS([similarity], lr=0.01, max_iter=2000, tolerance_grad=1e-14,
                                  tolerance_change=1e-18, line_search_fn="strong_wolfe")  # fmt: skip

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = many_to_many_of_logits(similarity[None] / tau, pairs, "all")
        loss.backward()
        return loss

    optimizer.step(step)  # type: ignore[no-untyped-call]
    gaps = similarity.detach()[:, None] - similarity.detach()
    torch.testing.assert_close(gaps, tau * torch.log(weight[:, None] / weight), rtol=0, atol=1e-7)


@every_denominator
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits_stay_finite(denominator: Denominator, dtype: torch.dtype) -> None:
    rng = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (6, 7), generator=rng) * 2 - 1
    case = Case(
        (signs * 1e4).tolist(), {(i, j): 1 + i % 3 for i in range(6) for j in range(i, 7, 2)}, {(0, 1)}
    )
    logits, pairs = case.tensors(dtype)
    loss, grad = gradient(logits, pairs, denominator)
    assert float(loss) == pytest.approx(naive.loss(case, denominator), rel=1e-6)
    assert torch.isfinite(grad).all()
    # A float32 of 1e4 has steps of 1e-3, which is what a probability may then be off by.
    _, exact = gradient(logits.double(), pairs, denominator)
    torch.testing.assert_close(grad.double(), exact, rtol=1e-3, atol=1e-4)


@every_denominator
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_computed_in_float32(denominator: Denominator, dtype: torch.dtype) -> None:
    rng = torch.Generator().manual_seed(1)
    logits = (100 * torch.randn(8, 9, generator=rng)).to(dtype)
    pairs = Pairs(torch.arange(8), torch.arange(8), torch.rand(8, generator=rng))
    loss, grad = gradient(logits, pairs, denominator)
    reference, exact = gradient(logits.float(), pairs, denominator)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, reference)
    assert grad.dtype == dtype
    assert torch.equal(grad, exact.to(dtype))


@every_denominator
@pytest.mark.parametrize("weight", [{}, {(0, 0): 0.0, (1, 2): 0.0}], ids=["no pairs", "zero weights"])
def test_without_weight_there_is_nothing_to_learn(
    denominator: Denominator, weight: dict[tuple[int, int], float]
) -> None:
    logits, pairs = Case([[1.0, -2.0, 3.0], [0.5, 1e4, -1e4]], weight).tensors(torch.float32)
    loss, grad = gradient(logits, pairs, denominator)
    assert float(loss) == 0
    assert torch.equal(grad, torch.zeros(2, 3))


@every_denominator
def test_a_pair_of_weight_zero_is_a_negative_like_an_unjudged_one(denominator: Denominator) -> None:
    logits = [[1.0, 2.0, 3.0], [0.0, 1.0, 0.5]]
    with_zero = Case(logits, {(0, 0): 1.0, (0, 1): 0.0, (1, 2): 0.5}).tensors()
    without = Case(logits, {(0, 0): 1.0, (1, 2): 0.5}).tensors()
    assert torch.equal(
        many_to_many_of_logits(*with_zero, denominator), many_to_many_of_logits(*without, denominator)
    )


@every_denominator
def test_a_row_and_column_with_nothing_to_compete_with_are_silent(denominator: Denominator) -> None:
    # Query 0 has one positive and ignores the rest; so does document 0. Query 1 learns as usual.
    case = Case(
        [[5.0, 1.0, 2.0], [3.0, 0.5, 0.25]],
        {(0, 0): 1.0, (1, 1): 1.0},
        {(0, 1), (0, 2), (1, 0)},
    )
    logits, pairs = case.tensors()
    loss, grad = gradient(logits, pairs, denominator)
    assert float(loss) == pytest.approx(log(1 + torch.e ** (0.25 - 0.5)) / 4, rel=1e-12)
    assert torch.equal(grad[0], torch.zeros(3, dtype=torch.float64))
    assert torch.equal(grad[:, 0], torch.zeros(2, dtype=torch.float64))


@every_denominator
def test_ignored_pairs_get_no_gradient(denominator: Denominator) -> None:
    ignored = {(0, 2), (2, 0), (1, 3)}
    weight = {(0, 0): 1.0, (1, 1): 0.5, (2, 2): 0.5, (2, 3): 0.25}
    logits = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(3, 4).tolist()
    _, grad = gradient(*Case(logits, weight, ignored).tensors(), denominator)
    assert [float(grad[cell]) for cell in ignored] == [0.0, 0.0, 0.0]
    assert float(grad[0, 1]) != 0


@every_denominator
def test_a_positive_that_is_also_ignored_stays_a_positive(denominator: Denominator) -> None:
    weight = {(0, 0): 1.0, (0, 1): 0.5}
    logits = [[1.0, 2.0, 3.0]]
    plain = many_to_many_of_logits(*Case(logits, weight).tensors(), denominator)
    assert torch.equal(
        many_to_many_of_logits(*Case(logits, weight, {(0, 0), (0, 1)}).tensors(), denominator), plain
    )


def test_scaling_all_weights_changes_nothing() -> None:
    logits, pairs = TWO.tensors()
    tenfold = Pairs(pairs.query, pairs.document, pairs.weight * 10)
    for denominator in DENOMINATORS:
        torch.testing.assert_close(
            many_to_many_of_logits(logits, tenfold, denominator),
            many_to_many_of_logits(logits, pairs, denominator),
        )
