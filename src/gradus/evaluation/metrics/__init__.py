"""Metrics of ranked lists against float judgments; one per file."""

from gradus.evaluation.metrics.average_precision import MAP
from gradus.evaluation.metrics.base import Metric
from gradus.evaluation.metrics.err import ERR
from gradus.evaluation.metrics.judged import Judged
from gradus.evaluation.metrics.kendall import KendallTau
from gradus.evaluation.metrics.ndcg import NDCG
from gradus.evaluation.metrics.precision import Precision
from gradus.evaluation.metrics.rank_of_best import RankOfBest
from gradus.evaluation.metrics.rbp import RBP
from gradus.evaluation.metrics.recall import Recall
from gradus.evaluation.metrics.reciprocal_rank import RR
from gradus.evaluation.metrics.registry import METRICS, parse_metric

__all__ = [
    "ERR",
    "MAP",
    "METRICS",
    "NDCG",
    "RBP",
    "RR",
    "Judged",
    "KendallTau",
    "Metric",
    "Precision",
    "RankOfBest",
    "Recall",
    "parse_metric",
]
