"""Rank-biased precision."""

from dataclasses import dataclass
from typing import ClassVar

from gradus.errors import EvaluationError
from gradus.evaluation.metrics.base import Metric, check_top, ranks, tops
from gradus.evaluation.scoring import FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class RBP(Metric):
    """RBP: the rate of gain of a user who goes on to the next rank with probability p.

    RBP = (1 − p) Σ_r (s_r / t) p^(r−1) (Moffat and Zobel, TOIS 2008), with the score s_r as graded
    relevance and t the top of the scale: 1, or the query's best judged score. Unjudged documents count as
    0, so this is the lower bound of RBP over all ways to judge them.

    Attributes:
        p: Probability of going on, between 0 and 1; the user reads 1 / (1 − p) documents on average. There
            is no default, because values at different `p` do not compare.
        top: `scale` or `query`, what t is.
    """

    name: ClassVar[str] = "RBP"

    p: float
    top: str = "scale"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.p < 1:
            raise EvaluationError(f"{self}: p must be between 0 and 1")
        check_top(self, self.top)

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute RBP of each query; (n_queries,)."""
        scores = ranked.scores(self.cutoff)
        weights = (1 - self.p) * self.p ** (ranks(scores.shape[1]) - 1)
        total: FloatArray = (scores / tops(ranked, self.top)) @ weights
        return total
