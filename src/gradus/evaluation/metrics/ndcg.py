"""Normalised discounted cumulative gain."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradus.errors import EvaluationError
from gradus.evaluation.metrics.base import Metric, ranks
from gradus.evaluation.scoring import FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class NDCG(Metric):
    """nDCG: the discounted gain of the list over that of the best possible list.

    DCG@k = Σ_{r ≤ k} G(s_r) / log₂(r + 1), nDCG@k = DCG@k / ideal DCG@k, where s_r is the score of the
    document at rank r. The gain G(s) is s (linear; Järvelin and Kekäläinen, TOIS 2002) or 2^(max·s) − 1
    (exp; Burges et al., ICML 2005). The ideal list holds all judged documents, retrieved or not.

    Attributes:
        gain: `linear` or `exp`.
        max: Grade that a score of 1 stands for, with exponential gain: `nDCG(gain=exp,max=4)@10` is the
            usual form for grades 0 to 4. With the default 1, the gain 2^s − 1 is close to linear.
    """

    name: ClassVar[str] = "nDCG"

    gain: str = "linear"
    max: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gain not in ("linear", "exp"):
            raise EvaluationError(f"{self}: gain must be linear or exp")
        if not 0 < self.max <= 1000:
            raise EvaluationError(f"{self}: max must be above 0 and at most 1000")
        if self.gain == "linear" and self.max != 1:
            raise EvaluationError(f"{self}: max changes nothing with linear gain; leave it out")

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute nDCG of each query; (n_queries,)."""
        found, ideal = self._dcg(ranked.scores(self.cutoff)), self._dcg(ranked.ideal(self.cutoff))
        return np.divide(found, ideal, out=np.zeros_like(found), where=ideal > 0)

    def _dcg(self, scores: FloatArray) -> FloatArray:
        gains = np.expm1(np.log(2) * self.max * scores) if self.gain == "exp" else scores
        total: FloatArray = gains @ (1 / np.log2(ranks(scores.shape[1]) + 1))
        return total
