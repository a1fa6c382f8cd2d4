"""What every metric is: a frozen set of parameters with a name, applied to all queries at once."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from gradus.errors import EvaluationError
from gradus.evaluation.scoring import BoolArray, FloatArray, Ranked, is_relevant


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A metric of ranked lists.

    Its name is `str(metric)`: the class's `name`, the parameters that differ from their defaults, and the
    cutoff: `nDCG@10`, `nDCG(gain=exp)@10`, `RBP(p=0.9)`. `parse_metric` reads it back.

    Unjudged documents count as score 0, unless the metric says otherwise. A query is undefined, NaN, where
    no ranking could earn anything: it has no judged document that the metric counts as relevant. Such
    queries are left out of means.

    Attributes:
        cutoff: Only ranks 1 to `cutoff` count; None for the whole list. A metric that means nothing
            without it redeclares it as required.
    """

    name: ClassVar[str]
    higher_is_better: ClassVar[bool] = True

    cutoff: int | None = None

    def __post_init__(self) -> None:
        if self.cutoff is not None and self.cutoff < 1:
            raise EvaluationError(f"{self}: the cutoff must be at least 1")

    def __call__(self, ranked: Ranked) -> FloatArray:
        """Compute the metric for each query; (n_queries,), NaN where it is undefined."""
        return np.where(self.defined(ranked), self.values(ranked), np.nan)

    def __str__(self) -> str:
        given = [
            f"{field.name}={_text(getattr(self, field.name))}"
            for field in fields(self)
            if field.name != "cutoff" and getattr(self, field.name) != field.default
        ]
        parameters = f"({','.join(given)})" if given else ""
        return f"{self.name}{parameters}" + ("" if self.cutoff is None else f"@{self.cutoff}")

    @abstractmethod
    def values(self, ranked: Ranked) -> FloatArray:
        """Compute the metric for each query; (n_queries,), anything where `defined` is false."""

    def defined(self, ranked: Ranked) -> BoolArray:
        """Whether each query has a judged document that counts as relevant; (n_queries,)."""
        return ranked.relevant() > 0


@dataclass(frozen=True, kw_only=True)
class BinaryMetric(Metric):
    """A metric that knows only relevant and not relevant.

    Attributes:
        rel: A document is relevant when its score is above 0 and at least `rel`. The default 0 takes any
            positive score, as integer-grade tools do with any positive grade.
    """

    rel: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.rel <= 1:
            raise EvaluationError(f"{self}: rel must be a score from 0 to 1")

    def hits(self, ranked: Ranked) -> BoolArray:
        """Whether the document at each rank within the cutoff is relevant; (n_queries, ranks)."""
        return is_relevant(ranked.gains[:, : self.cutoff], self.rel)

    def defined(self, ranked: Ranked) -> BoolArray:
        """Whether each query has a relevant document; (n_queries,)."""
        return ranked.relevant(self.rel) > 0


def ranks(count: int) -> FloatArray:
    """The ranks 1 to `count`; (count,)."""
    return np.arange(1, count + 1, dtype=np.float64)


def tops(ranked: Ranked, top: str) -> FloatArray:
    """The score that counts as the top of the scale for each query; (n_queries, 1).

    Args:
        ranked: What was returned.
        top: `scale` for 1, the top of the score scale; `query` for the query's best judged score (1 where
            it has none above 0).
    """
    best = ranked.ideal(1)
    return np.where(best > 0, best, 1.0) if top == "query" else np.ones_like(best)


def check_top(metric: Metric, top: str) -> None:
    """Raise EvaluationError unless `top` is one that `tops` knows."""
    if top not in ("scale", "query"):
        raise EvaluationError(f"{metric}: top must be scale or query")


def _text(value: float | str) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
