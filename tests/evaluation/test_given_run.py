"""A run file as a stage, against a loop over ids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import EvaluationError
from gradus.evaluation.baselines.given_run import GivenRun
from gradus.evaluation.runs import Run

TEXT = (Field("text"),)
QUERIES = Table(["q0", "q1", "q2"], TEXT, {"text": ["x"] * 3})
DOCUMENTS = Table([f"d{n}" for n in range(6)], TEXT, {"text": ["x"] * 6})


@given(
    st.lists(st.lists(st.integers(0, 8), unique=True, max_size=8), min_size=2, max_size=2),
    st.sets(st.integers(0, 5), min_size=1),
    st.integers(1, 8),
)
def test_lists_are_cut_down_to_what_is_searched(lists: list[list[int]], some: set[int], depth: int) -> None:
    lists[0] = [0, *(d for d in lists[0] if d)]  # or nothing might be known
    ids = [[f"d{d}" for d in found] for found in lists]  # d6 and above are not in the catalogue
    run = Run("theirs", ["q2", "q0"], ids, [[1.0 - n / 10 for n in range(len(found))] for found in lists])
    rows = np.array(sorted(some, reverse=True))
    order, scores = GivenRun(run, QUERIES, DOCUMENTS)(np.array([0, 1, 2]), rows, depth)
    assert order.shape == scores.shape == (3, min(depth, len(rows)))
    for place, found in enumerate([lists[1], [], lists[0]]):
        kept = [(d, n) for n, d in enumerate(found) if d in some][: order.shape[1]]
        assert [int(rows[at]) for at in order[place] if at >= 0] == [d for d, _ in kept]
        assert scores[place, : len(kept)].tolist() == [np.float32(1.0 - n / 10) for _, n in kept]
        assert (order[place, len(kept) :] == -1).all()
        assert (scores[place, len(kept) :] == -np.inf).all()


def test_a_run_of_something_else() -> None:
    for query, document in (("q0", "e1"), ("p0", "d1")):
        with pytest.raises(EvaluationError, match=f"{query}.*{document}.*q0.*d0"):
            GivenRun(Run("theirs", [query], [[document]], [[1.0]]), QUERIES, DOCUMENTS)
