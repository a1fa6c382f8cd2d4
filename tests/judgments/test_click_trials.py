"""Grouping cells by pair and level keeps every count."""

import numpy as np
import pytest
from click_logs import cells_of
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import LogError
from gradus.judgments.clicks.trials import make_trials

CELLS = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 4), st.integers(1, 4), st.just(0), st.integers(1, 9), st.just(0)
    ).flatmap(lambda row: st.integers(0, row[4]).map(lambda clicks: (*row[:5], clicks))),
    min_size=1,
    max_size=40,
)


@given(CELLS)
def test_counts_are_those_of_a_naive_loop(rows):
    cells = cells_of(rows)
    trials = make_trials(cells, cells.position - 1, 4, cells.impressions, cells.clicks)
    naive = {}
    for query, document, position, _, impressions, clicks in rows:
        shown, clicked = naive.get((query, document, position - 1), (0, 0))
        naive[query, document, position - 1] = (shown + impressions, clicked + clicks)
    pair = trials.pair
    found = {
        (trials.query[pair[row]], trials.document[pair[row]], trials.level[row]): (
            trials.shown[row],
            trials.clicks[row],
        )
        for row in range(len(trials.level))
    }
    assert found == naive
    for row in range(len(trials)):
        mine = [r for r in rows if r[:2] == (trials.query[row], trials.document[row])]
        number = sum(r[4] for r in mine)
        assert trials.impressions[row] == number
        assert trials.place[row] == pytest.approx(sum(r[4] * np.log(r[2]) for r in mine) / number)


@given(CELLS, st.data())
def test_taking_pairs_takes_their_counts(rows, data):
    cells = cells_of(rows)
    trials = make_trials(cells, cells.position - 1, 4, cells.impressions, cells.clicks)
    pairs = np.array(data.draw(st.lists(st.integers(0, len(trials) - 1), min_size=1, max_size=8)))
    taken = trials.take(pairs)
    for place, pair in enumerate(pairs):
        mine, theirs = slice(*taken.start[place : place + 2]), slice(*trials.start[pair : pair + 2])
        for name in ("level", "shown", "clicks"):
            np.testing.assert_array_equal(getattr(taken, name)[mine], getattr(trials, name)[theirs])


def test_an_empty_log_is_an_error():
    cells = cells_of([(0, 0, 1, 0, 1, 0)]).take(np.zeros(0, int))
    with pytest.raises(LogError, match="no impressions that count"):
        make_trials(cells, cells.position, 1, cells.impressions, cells.clicks)
