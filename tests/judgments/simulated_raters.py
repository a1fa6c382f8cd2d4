"""Raters of known bias, noise and slips."""

import numpy as np

from gradus.judgments.grades.grades import Grades


def grades_of(table, levels=None):
    """Grades from rows of (pair, rater) level indices, -1 for none."""
    table = np.asarray(table)
    pair, rater = np.nonzero(table >= 0)
    levels = table.max() + 1 if levels is None else levels
    rows = np.arange(len(table))
    return Grades(
        [f"q{row}" for row in rows], ["d"], [f"r{column}" for column in range(table.shape[1])],
        [str(level) for level in range(levels)], np.linspace(0, 1, levels),
        rows, np.zeros_like(rows), pair, rater, table[pair, rater],
    )  # fmt: skip


def simulate(truth, bias, noise, slips, levels, per_pair, seed):
    """Every pair graded by `per_pair` raters drawn anew: the level nearest to truth + bias + logistic noise."""
    rng = np.random.default_rng(seed)
    table = np.full((len(truth), len(bias)), -1)
    for row, true in enumerate(truth):
        for rater in rng.permutation(len(bias))[:per_pair]:
            seen = true + bias[rater] + noise[rater] * np.sqrt(3) / np.pi * rng.logistic()
            table[row, rater] = np.clip(np.rint(seen * (levels - 1)), 0, levels - 1)
    slipped = (table >= 0) & (rng.random(table.shape) < slips)
    table[slipped] = rng.choice(table[table >= 0], slipped.sum())
    return grades_of(table, levels)
