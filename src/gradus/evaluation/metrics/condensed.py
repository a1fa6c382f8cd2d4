"""Any metric, on condensed lists."""

from dataclasses import dataclass, field
from typing import ClassVar

from gradus.evaluation.condensed import condense
from gradus.evaluation.metrics.base import Metric
from gradus.evaluation.scoring import BoolArray, FloatArray, Ranked


@dataclass(frozen=True, kw_only=True)
class Condensed(Metric):
    """A metric of the lists without their unjudged documents; see `gradus.evaluation.condensed`.

    Its name is that of the metric with `condensed` before it, as in `condensed nDCG@10`.

    Attributes:
        of: The metric.
    """

    name: ClassVar[str] = "condensed"

    of: Metric = field()

    def __post_init__(self) -> None:
        object.__setattr__(self, "higher_is_better", self.of.higher_is_better)

    def __str__(self) -> str:
        return f"{self.name} {self.of}"

    def values(self, ranked: Ranked) -> FloatArray:
        """Compute the metric of each query's condensed list; (n_queries,)."""
        return self.of.values(condense(ranked))

    def defined(self, ranked: Ranked) -> BoolArray:
        """Whether the metric is defined for each query's condensed list; (n_queries,)."""
        return self.of.defined(condense(ranked))
