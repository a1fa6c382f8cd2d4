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
        spread: Greatest difference of two grades on the scale from 0 to 1, once each rater's bias is taken off.
        score: The consensus.
        low: Lower end of its interval.
        high: Upper end.
    """

    query: str
    document: str
    grades: dict[str, str]
    spread: float
    score: float
    low: float
    high: float


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

    def disagreements(self, most: int | None = 50) -> list[Disagreement]:
        """The pairs on which raters differ, most beyond their biases first; of equals the most uncertain.

        Raters differ where their grades do. Where these are the same, they differ if biases put the grades more than
        half a step of the scale apart: one of a generous and one of a strict rater do not mean the same.

        Args:
            most: How many at most; all when `None`.
        """
        grades, scores = self.grades, self.scores
        bias = np.array([rater.bias for rater in self.raters])
        # A truth lies on the scale, whatever a strict rater's best grade would come to.
        unbiased = np.clip(grades.values[grades.level] - bias[grades.rater], 0, 1)
        width = spread(unbiased, grades.pair, len(scores))
        written = spread(grades.values[grades.level], grades.pair, len(scores))
        differ = (written > 0) | (width > np.diff(grades.values).min() / 2)
        dense = grades.dense()
        # Differences of equal grades are the same up to rounding; without it their order would be one of noise.
        keys = (-np.round(scores.high - scores.low, 9), -np.round(width, 9))
        order = np.lexsort(keys)
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
                float(scores.low[pair]),
                float(scores.high[pair]),
            )
            for pair in order[differ[order]][:most]
        ]

    def disagreement_table(self) -> list[list[str | float]]:
        """All disagreements, the worst first, as rows for a file; the first row names the columns.

        The columns are the query and the document, each rater's grade as written (empty where none was given), the
        difference (`Disagreement.spread`), the consensus and the ends of its interval, to four places.
        """
        names = [rater.name for rater in self.raters]
        rows: list[list[str | float]] = [["query", "doc_id", *names, "difference", "score", "low", "high"]]
        for found in self.disagreements(None):
            numbers = (found.spread, found.score, found.low, found.high)
            given = [found.grades.get(name, "") for name in names]
            rows.append([found.query, found.document, *given, *(round(number, 4) for number in numbers)])
        return rows


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
