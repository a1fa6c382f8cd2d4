"""Consensus: scores from grades, what each rater is like, and the pairs on which they differ most."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradus.judgments.grades.agreement import spread
from gradus.judgments.grades.dawid_skene import fit_dawid_skene
from gradus.judgments.grades.fit import Fit
from gradus.judgments.grades.grades import Grades
from gradus.judgments.grades.mean import fit_mean
from gradus.judgments.grades.ordinal import fit_ordinal
from gradus.judgments.scores import Scores

MODELS: dict[str, Callable[[Grades], Fit]] = {
    "ordinal": fit_ordinal,
    "dawid-skene": fit_dawid_skene,
    "mean": fit_mean,
}
"""The models of `grades.model`."""


@dataclass(frozen=True)
class Rater:
    """What a rater is like, in units of the scale from 0 to 1.

    Attributes:
        name: The rater.
        grades: How many grades they gave.
        bias: How much they grade above the others.
        noise: Standard deviation of their grades around truth and bias, slips aside.
        slips: Share of their grades that have nothing to do with the pair; 0 in models without.
    """

    name: str
    grades: int
    bias: float
    noise: float
    slips: float


@dataclass(frozen=True)
class Disagreement:
    """A pair on which raters differ.

    Attributes:
        query: Text or id of the query.
        document: The document's id.
        grades: Rater → grade as written.
        spread: Greatest difference of two grades once each rater's bias is taken off, from 0 to 1 and a little
            more.
        score: The consensus.
    """

    query: str
    document: str
    grades: dict[str, str]
    spread: float
    score: float


@dataclass(frozen=True)
class Consensus:
    """What grades come to.

    Attributes:
        grades: The grades.
        scores: One score per graded pair, counting its grades.
        raters: What each rater is like.
    """

    grades: Grades
    scores: Scores
    raters: tuple[Rater, ...]

    def disagreements(self, most: int = 50) -> list[Disagreement]:
        """The pairs on which raters differ most beyond their biases; of equals the most uncertain comes first."""
        grades, scores = self.grades, self.scores
        bias = np.array([rater.bias for rater in self.raters])
        width = spread(grades.values[grades.level] - bias[grades.rater], grades.pair, len(scores))
        dense = grades.dense()
        # Differences of equal grades are the same up to rounding; without it their order would be one of noise.
        keys = (-np.round(scores.high - scores.low, 9), -np.round(width, 9))
        order = np.lexsort(keys)[:most]
        return [
            Disagreement(
                scores.queries[scores.query[pair]],
                scores.documents[scores.document[pair]],
                {
                    name: grades.levels[level]
                    for name, level in zip(grades.raters, dense[pair], strict=True)
                    if level >= 0
                },
                float(width[pair]),
                float(scores.score[pair]),
            )
            for pair in order
            if width[pair] > 0
        ]


def judge_grades(grades: Grades, model: str) -> Consensus:
    """Combine the raters' grades into scores.

    Args:
        grades: The grades.
        model: A key of `MODELS`.

    Raises:
        JudgmentsError: The model does not do for this scale.
    """
    fit = MODELS[model](grades)
    scores = Scores(
        "grades", grades.queries, grades.documents, grades.query, grades.document,
        fit.score, fit.low, fit.high, grades.per_pair.astype(float),
    )  # fmt: skip
    columns = zip(grades.raters, grades.per_rater, fit.bias, fit.noise, fit.slips, strict=True)
    raters = tuple(Rater(name, int(n), float(b), float(s), float(e)) for name, n, b, s, e in columns)
    return Consensus(grades, scores, raters)
