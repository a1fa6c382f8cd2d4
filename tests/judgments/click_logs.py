"""Cells written by hand, and logs drawn from a truth."""

from collections.abc import Iterable

import numpy as np

from gradus.judgments.logs.cells import Cells
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation, simulate_cells
from gradus.judgments.simulation.truth import Truth, random_truth
from gradus.judgments.simulation.users import Users

MOVING = Policy(epochs=6, swaps=0.2)
"""New releases and swaps of neighbours: the documents move."""


def cells_of(rows: Iterable[tuple[int, int, int, int, float, float]], **more: list[float]) -> Cells:
    """Cells from (query, document, position, previous, impressions, clicks); other counts by name, else 0."""
    table = np.array(list(rows), float).reshape(-1, 6)
    query, document, position, previous = table[:, :4].astype(int).T
    columns = {"impressions": table[:, 4], "clicks": table[:, 5]}
    for name in ("above_last", "last", "utility", "utility_square", "propensity", "logged"):
        columns[name] = np.array(more.get(name, np.zeros(len(table))), float)
    return Cells(
        queries=[f"q{row}" for row in range(query.max() + 1)],
        documents=[f"d{row}" for row in range(document.max() + 1)],
        windows=np.array(["2026-01-01"], "datetime64[s]"),
        query=query.astype(np.int32),
        document=document.astype(np.int32),
        position=position.astype(np.int16),
        previous=previous.astype(np.int16),
        window=np.zeros(len(table), np.int16),
        **columns,
    )


def drawn(
    users: Users, impressions: int = 100_000, policy: Policy = MOVING, seed: int = 0
) -> tuple[Cells, Truth]:
    """A log of 2,000 queries with 20 documents each, and the truth behind it."""
    truth = random_truth(2000, 20, seed)
    return simulate_cells(
        Simulation(truth, users=users, policy=policy, impressions=impressions, seed=seed)
    ), truth
