"""Systems compared, query by query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradus.errors import EvaluationError
from gradus.evaluation.effect import PairedEffect, paired_effect
from gradus.evaluation.holm import holm
from gradus.evaluation.permutation import paired_permutation
from gradus.evaluation.results import Evaluation


@dataclass(frozen=True)
class Comparison:
    """One system against the first, by one metric in one cell.

    Attributes:
        cell: The cell of the split.
        metric: The metric.
        baseline: The first system.
        system: The other one.
        baseline_mean: Mean over the queries that both answered.
        system_mean: Likewise.
        difference: `system_mean` − `baseline_mean`.
        low: Lower end of the difference's 95 % interval.
        high: Upper end.
        p_value: Of a paired permutation test, corrected by Holm over all rows of the comparison.
        queries: How many queries both were measured on.
        p_uncorrected: The same p-value for a reader of this row alone.
        effect: The size of the difference, relative, standardised, and in queries won and lost.
    """

    cell: str
    metric: str
    baseline: str
    system: str
    baseline_mean: float
    system_mean: float
    difference: float
    low: float
    high: float
    p_value: float
    queries: int
    p_uncorrected: float
    effect: PairedEffect


def compare(evaluations: Sequence[Evaluation], metrics: Sequence[str]) -> list[Comparison]:
    """Each further system against the first, for every cell and metric.

    Raises:
        EvaluationError: Fewer than two systems, or no cell, query or metric in common.
    """
    if len(evaluations) < 2:
        raise EvaluationError("a comparison needs two evaluated models or more")
    baseline, *others = evaluations
    rows: list[Comparison] = []
    for other in others:
        for cell in [cell for cell in baseline.cells if cell in other.cells]:
            ours, theirs = baseline.cells[cell], other.cells[cell]
            place = {query: row for row, query in enumerate(theirs.query_ids)}
            common = [(row, place[q]) for row, q in enumerate(ours.query_ids) if q in place]
            if not common:
                continue
            mine, its = np.array(common).T
            for metric in [m for m in metrics if m in ours.per_query and m in theirs.per_query]:
                a, b = ours.per_query[metric][mine], theirs.per_query[metric][its]
                both = ~np.isnan(a) & ~np.isnan(b)
                if not both.any():
                    continue
                result = paired_permutation(b, a)
                rows.append(
                    Comparison(
                        cell, metric, baseline.name, other.name, float(a[both].mean()), float(b[both].mean()),
                        result.difference, result.low, result.high, result.p_value, result.n,
                        result.p_value, paired_effect(b, a),
                    )
                )  # fmt: skip
    if not rows:
        raise EvaluationError("the evaluations have no cell, query and metric in common; evaluate both anew")
    corrected = holm([row.p_value for row in rows])
    return [replace(row, p_value=float(p)) for row, p in zip(rows, corrected, strict=True)]
