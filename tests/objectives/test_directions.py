"""One direction or both, and queries that count alike."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gradus.objectives.directions import both_ways, per_query
from gradus.objectives.many_to_many import Denominator, many_to_many
from gradus.objectives.pairs import Pairs

SCALE = torch.tensor(3.0, dtype=torch.float64)
PAIRS = Pairs(
    torch.tensor([0, 0, 0, 1, 3]),
    torch.tensor([0, 1, 4, 1, 2]),
    torch.tensor([1.0, 0.5, 0.25, 0.5, 0.0], dtype=torch.float64),
    torch.tensor([1, 2]),
    torch.tensor([3, 0]),
)


def embeddings() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    rows = torch.randn(9, 4, dtype=torch.float64, generator=rng)
    queries, documents = normalize(rows, dim=1).split([4, 5])
    return queries, documents


def one_way(denominator: Denominator):
    def objective(queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs) -> Tensor:
        return many_to_many(queries, documents, scale, pairs, denominator, symmetric=False)

    return objective


@pytest.mark.parametrize("denominator", ["all", "unjudged", "lower"])
def test_both_ways_of_one_way_is_many_to_many_as_its_paper_has_it(denominator: Denominator) -> None:
    queries, documents = embeddings()
    torch.testing.assert_close(
        both_ways(one_way(denominator))(queries, documents, SCALE, PAIRS),
        many_to_many(queries, documents, SCALE, PAIRS, denominator),
    )


def test_both_ways_is_the_mean_of_queries_and_documents_asking() -> None:
    seen = []

    def objective(queries: Tensor, documents: Tensor, scale: Tensor, pairs: Pairs) -> Tensor:
        seen.append((queries, documents, pairs.query, pairs.ignored_document))
        return torch.tensor(float(len(queries)))

    queries, documents = embeddings()
    assert float(both_ways(objective)(queries, documents, SCALE, PAIRS)) == (4 + 5) / 2
    assert seen[0] == (queries, documents, PAIRS.query, PAIRS.ignored_document)
    assert seen[1] == (documents, queries, PAIRS.document, PAIRS.ignored_query)


def test_queries_count_alike() -> None:
    queries, documents = embeddings()
    # Query 0's weights 1, ½, ¼ become 4/7, 2/7, 1/7, query 1's ½ becomes 1; query 3 has none to share out.
    weight = torch.tensor([4 / 7, 2 / 7, 1 / 7, 1, 0], dtype=torch.float64)
    normalised = Pairs(PAIRS.query, PAIRS.document, weight, PAIRS.ignored_query, PAIRS.ignored_document)
    torch.testing.assert_close(
        per_query(one_way("lower"))(queries, documents, SCALE, PAIRS),
        one_way("lower")(queries, documents, SCALE, normalised),
    )


def test_documents_count_alike_where_they_ask() -> None:
    queries, documents = embeddings()
    flipped = PAIRS.flipped()
    # Document 1 is asked for by queries 0 and 1 with ½ each; the others by one query.
    weight = torch.tensor([1, 0.5, 1, 0.5, 0], dtype=torch.float64)
    normalised = Pairs(
        flipped.query, flipped.document, weight, flipped.ignored_query, flipped.ignored_document
    )
    there = per_query(one_way("lower"))(queries, documents, SCALE, PAIRS)
    back = one_way("lower")(documents, queries, SCALE, normalised)
    both = both_ways(per_query(one_way("lower")))(queries, documents, SCALE, PAIRS)
    torch.testing.assert_close(both, (there + back) / 2)


def test_no_weight_at_all_is_no_loss() -> None:
    queries, documents = embeddings()
    nothing = Pairs(torch.tensor([1]), torch.tensor([2]), torch.zeros(1, dtype=torch.float64))
    assert float(both_ways(per_query(one_way("all")))(queries, documents, SCALE, nothing)) == 0
