"""What a policy shows: fixed without interventions, and with the propensities that it logs."""

import numpy as np
import pytest

from gradus.errors import LogError
from gradus.judgments.simulation.policy import Policy, Ranker
from gradus.judgments.simulation.truth import Truth, random_truth

TRUTH = Truth(
    ["many", "two"],
    [f"d{row}" for row in range(6)],
    np.array([0, 0, 0, 0, 0, 0, 1, 1]),
    np.array([0, 1, 2, 3, 4, 5, 2, 4]),
    np.array([0.1, 0.9, 0.3, 0.8, 0.0, 0.5, 0.2, 0.7]),
)


def fill(policy, query, page=4, seed=0, truth=TRUTH, moment=None):
    ranker = Ranker(policy, truth, page, np.random.default_rng(seed))
    query = np.asarray(query)
    moment = np.zeros(len(query)) if moment is None else moment
    return ranker.fill(query, moment, np.random.default_rng(seed + 1))


def test_a_perfect_ranker_sorts_by_relevance_and_leaves_room_below_the_last():
    pair, propensity = fill(Policy(noise=0), [1, 0])
    assert pair.tolist() == [[7, 6, -1, -1], [1, 3, 5, 2]]
    assert propensity is None


def test_documents_sit_still_without_interventions():
    pair, _ = fill(Policy(noise=0.5), np.zeros(500, int), moment=np.linspace(0, 0.999, 500))
    assert len(np.unique(pair, axis=0)) == 1


def test_noise_is_drawn_once_an_epoch():
    truth = random_truth(1, 30, 0)
    pair, _ = fill(Policy(noise=0.5, epochs=4), np.zeros(400, int), 10, 0, truth, np.arange(400) / 400)
    for epoch in range(4):
        assert len(np.unique(pair[epoch * 100 : (epoch + 1) * 100], axis=0)) == 1
    assert len(np.unique(pair, axis=0)) == 4


def test_more_noise_ranks_worse():
    truth = random_truth(300, 30, 0)

    def mean_of_the_first(noise):
        return truth.relevance[fill(Policy(noise=noise), np.arange(300), 1, 0, truth)[0]].mean()

    assert mean_of_the_first(0) > mean_of_the_first(0.3) > mean_of_the_first(3) > 0


@pytest.mark.parametrize("swaps", [0.1, 1.0])
def test_swaps_move_a_document_by_one_place(swaps):
    n = 20_000
    pair, propensity = fill(Policy(noise=0, swaps=swaps), np.zeros(n, int))
    assert propensity is None
    order = [1, 3, 5, 2]
    at = np.array([[(pair[:, place] == which).mean() for place in range(4)] for which in order])
    half = swaps / 2  # the couple is one of two with even chances
    want = np.array([
        [1 - half, half, 0, 0],
        [half, 1 - 2 * half, half, 0],
        [0, half, 1 - 2 * half, half],
        [0, 0, half, 1 - half],
    ])  # fmt: skip
    assert at == pytest.approx(want, abs=5 * np.sqrt(0.25 / n))


@pytest.mark.parametrize(
    "policy", [Policy(0, randomised=1), Policy(0, randomised=0.4), Policy(0, swaps=0.6, randomised=0.2)]
)
@pytest.mark.parametrize(("query", "size"), [(0, 4), (1, 2)])
def test_propensities_are_the_frequencies_and_sum_to_one(policy, query, size):
    n = 40_000
    pair, propensity = fill(policy, np.full(n, query))
    assert (pair[:, size:] == -1).all()
    assert np.isnan(propensity[:, size:]).all()
    table = np.zeros((8, 4))
    for which in np.unique(pair[:, :size]):
        for place in range(size):
            there = pair[:, place] == which
            logged = np.unique(propensity[there, place].round(12))
            assert len(logged) == 1  # it belongs to the document and the position, not to the page
            assert there.mean() == pytest.approx(logged[0], abs=5 * np.sqrt(0.25 / n))
            table[which, place] = logged[0]
    assert table.sum(axis=0)[:size] == pytest.approx(np.ones(size))
    assert table.sum(axis=1)[table.any(axis=1)] == pytest.approx(np.ones(size))


def test_every_page_holds_a_document_once():
    truth = random_truth(50, 12, 3)
    policy = Policy(noise=1, epochs=3, swaps=0.5, randomised=0.3)
    query = np.random.default_rng(0).integers(0, 50, 2000)
    pair, _ = fill(policy, query, 10, 0, truth, np.linspace(0, 0.999, 2000))
    assert (truth.query[pair] == query[:, None]).all()
    assert all(len(set(row)) == 10 for row in pair.tolist())


@pytest.mark.parametrize(
    "values", [{"noise": -1}, {"epochs": 0}, {"swaps": 1.5}, {"randomised": -0.1}, {"swaps": float("nan")}]
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(LogError, match=str(next(iter(values.values())))):
        Policy(**values)
