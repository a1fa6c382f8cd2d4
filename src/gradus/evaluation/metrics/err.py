"""Expected reciprocal rank."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradus.errors import EvaluationError
from gradus.evaluation.metrics.base import Metric, check_top, ranks, tops
from gradus.evaluation.scoring import FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class ERR(Metric):
    """ERR: the expected reciprocal rank at which a user who reads downwards stops satisfied.

    ERR@k = Σ_{r ≤ k} (1 / r) R_r Π_{i < r} (1 − R_i), R_r = (2^(max·s_r) − 1) / 2^(max·t)
    (Chapelle et al., CIKM 2009), where s_r is the score of the document at rank r and t the score at the
    top of the scale: 1, or the query's best judged score.

    The grade scale decides what it measures: with max = 4, the usual web scale, a score of 1 stops 15 of 16
    users. With max = 100 only the first document of nearly the top score matters;
    `ERR(max=100,top=query)` over `percent_grades` is the form of the public GCL evaluation.

    Attributes:
        max: Grade that a score of 1 stands for; there is no default, because values at different `max`
            do not compare.
        top: `scale` or `query`, what t is.
    """

    name: ClassVar[str] = "ERR"

    max: float
    top: str = "scale"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.max <= 1000:
            raise EvaluationError(f"{self}: max must be above 0 and at most 1000")
        check_top(self, self.top)

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute ERR of each query; (n_queries,)."""
        scores, top = ranked.scores(self.cutoff), tops(ranked, self.top)
        stop = np.expm1(np.log(2) * self.max * scores) * np.exp2(-self.max * top)
        going = np.cumprod(1 - stop, axis=1)
        arrived = np.concatenate([np.ones((len(scores), 1)), going[:, :-1]], axis=1)
        expected: FloatArray = (arrived * stop) @ (1 / ranks(scores.shape[1]))
        return expected
