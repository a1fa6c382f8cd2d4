"""Every objective by its name: what it is, which batches and options it takes, how it is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from torch import Tensor

from gradus.objectives.bias import WithBias
from gradus.objectives.bixse import bixse
from gradus.objectives.cosent import cosent
from gradus.objectives.directions import both_ways
from gradus.objectives.directions import per_query as each_query_alike
from gradus.objectives.info_nce import info_nce
from gradus.objectives.lambda_loss import lambda_loss
from gradus.objectives.listwise import listwise
from gradus.objectives.many_to_many import Denominator, many_to_many
from gradus.objectives.objective import Dense, Objective, of_logits
from gradus.objectives.pairwise import pairwise
from gradus.objectives.per_positive import per_positive
from gradus.objectives.rince import rince
from gradus.objectives.sigmoid import sigmoid


@dataclass(frozen=True)
class Kind:
    """One objective.

    Attributes:
        summary: What it does, in one line.
        source: The paper.
        batches: What a batch is: sampled pairs, or documents with every query judged for them.
        weights: What it reads of a weight: its size, how it compares with others, or that it is above 0.
        temperature: Where τ starts, unless told otherwise.
        options: What `make` takes, by keyword; the settings of `[objective]` with the same names.
        make: Makes the objective; its learned parameters, if any, are new ones.
    """

    summary: str
    source: str
    batches: Literal["pairs", "many-to-many"]
    weights: Literal["size", "order", "presence"]
    temperature: float
    options: tuple[str, ...]
    make: Callable[..., Objective]

    def objective(self, values: Mapping[str, Any]) -> Objective:
        """The objective, with its options taken from a mapping that may hold more."""
        return self.make(**{name: values[name] for name in self.options})


def _directed(objective: Objective, directions: str) -> Objective:
    return both_ways(objective) if directions == "both" else objective


def _of_lists(loss: Dense) -> Callable[..., Objective]:
    """What makes an objective of a loss of queries asking; options but `directions` go to the loss."""

    def make(directions: str, **options: Any) -> Objective:
        return _directed(of_logits(partial(loss, **options)), directions)

    return make


def _of_pairs(objective: Callable[..., Tensor]) -> Callable[..., Objective]:
    def make(directions: str) -> Objective:
        return partial(objective, symmetric=directions == "both")

    return make


def _many_to_many(denominator: Denominator, directions: str, per_query: bool) -> Objective:
    if per_query:
        one_way = partial(many_to_many, denominator=denominator, symmetric=False)
        return _directed(each_query_alike(one_way), directions)
    return partial(many_to_many, denominator=denominator, symmetric=directions == "both")


OBJECTIVES: dict[str, Kind] = {
    "many-to-many": Kind(
        "weighted cross-entropy of every judged pair of the batch",
        "arXiv 2404.08535, from pairs to all judged pairs",
        batches="many-to-many",
        weights="size",
        temperature=0.07,
        options=("denominator", "directions", "per_query"),
        make=_many_to_many,
    ),
    "pairwise": Kind(
        "weighted cross-entropy of sampled pairs: Generalized Contrastive Learning",
        "arXiv 2404.08535",
        batches="pairs",
        weights="size",
        temperature=0.07,
        options=("directions",),
        make=_of_pairs(pairwise),
    ),
    "info-nce": Kind(
        "cross-entropy of sampled pairs, all of weight 1: the loss of CLIP",
        "arXiv 1807.03748, arXiv 2103.00020",
        batches="pairs",
        weights="presence",
        temperature=0.07,
        options=("directions",),
        make=_of_pairs(info_nce),
    ),
    "per-positive": Kind(
        "cross-entropy of every positive, higher grades masked, all weighing the same",
        "ICML 2008 (ListMLE)",
        batches="many-to-many",
        weights="order",
        temperature=0.07,
        options=("directions", "per_query"),
        make=_of_lists(per_positive),
    ),
    "listwise": Kind(
        "KL divergence to the softmax of the weights, and InfoNCE against unjudged documents",
        "ICML 2007 (ListNet)",
        batches="many-to-many",
        weights="size",
        temperature=0.07,
        options=("directions", "target_temperature", "info_nce_term"),
        make=_of_lists(listwise),
    ),
    "rince": Kind(
        "an InfoNCE per rank of weights, each with a temperature",
        "arXiv 2201.11736",
        batches="many-to-many",
        weights="order",
        temperature=0.07,
        options=("directions", "ranks", "rank_temperatures", "rank_sums"),
        make=_of_lists(rince),
    ),
    "lambda-loss": Kind(
        "NDCG-Loss2++: every two documents of a query, weighing what their order is worth in nDCG",
        "CIKM 2018",
        batches="many-to-many",
        weights="size",
        temperature=0.07,
        options=("directions",),
        make=_of_lists(lambda_loss),
    ),
    "cosent": Kind(
        "every two cells of the batch, the one judged higher to be the more similar",
        "kexue.fm/archives/8847",
        batches="many-to-many",
        weights="order",
        temperature=0.1,
        options=(),
        make=lambda: of_logits(cosent),
    ),
    "bixse": Kind(
        "binary cross-entropy, the weight as the probability of relevance",
        "arXiv 2508.06781",
        batches="many-to-many",
        weights="size",
        temperature=0.07,
        options=("bias",),
        make=lambda bias: WithBias(bixse, bias),
    ),
    "sigmoid": Kind(
        "a yes-or-no question per cell, positives weighted: the loss of SigLIP",
        "arXiv 2303.15343",
        batches="many-to-many",
        weights="size",
        temperature=0.07,
        options=("bias",),
        make=lambda bias: WithBias(sigmoid, bias),
    ),
}
"""Name → objective, in the order in which they are listed."""
