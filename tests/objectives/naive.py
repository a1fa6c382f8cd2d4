"""The objectives as their equations are written: one loop per sum, one number at a time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from hypothesis import strategies as st
from torch import Tensor

from gradus.objectives.pairs import Pairs

Cell = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """A batch in the words of the equations: W as a dictionary, ignored cells as a set."""

    logits: list[list[float]]
    weight: Mapping[Cell, float]
    ignored: set[Cell] = field(default_factory=set)

    def tensors(self, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Pairs]:
        """The same batch as the objectives read it."""
        cells = list(self.weight)
        ignored = sorted(self.ignored)
        pairs = Pairs(
            torch.tensor([i for i, _ in cells], dtype=torch.long),
            torch.tensor([j for _, j in cells], dtype=torch.long),
            torch.tensor([self.weight[cell] for cell in cells], dtype=torch.float64),
            torch.tensor([i for i, _ in ignored], dtype=torch.long),
            torch.tensor([j for _, j in ignored], dtype=torch.long),
        )
        return torch.tensor(self.logits, dtype=dtype), pairs

    def transposed(self) -> "Case":
        return Case(
            [list(column) for column in zip(*self.logits, strict=True)],
            {(j, i): w for (i, j), w in self.weight.items()},
            {(j, i) for i, j in self.ignored},
        )


def shuffled(logits: Tensor, pairs: Pairs, data: st.DataObject) -> tuple[Tensor, Pairs]:
    """The same batch with its queries, its documents and its pairs in any other order."""
    rows = torch.tensor(data.draw(st.permutations(range(logits.shape[0]))))
    columns = torch.tensor(data.draw(st.permutations(range(logits.shape[1]))))
    order = torch.tensor(data.draw(st.permutations(range(len(pairs.weight)))), dtype=torch.long)
    row_of, column_of = torch.argsort(rows), torch.argsort(columns)
    return logits[rows][:, columns], Pairs(
        row_of[pairs.query[order]], column_of[pairs.document[order]], pairs.weight[order],
        row_of[pairs.ignored_query], column_of[pairs.ignored_document],
    )  # fmt: skip


def loss(case: Case, denominator: str) -> float:
    """−(1 / 2ΣW) Σ_ij W_ij [log(exp Z_ij / D_ij) + log(exp Z_ij / D'_ij)]."""
    total = sum(case.weight.values())
    if total == 0:
        return 0.0
    flipped = case.transposed()
    parts = [
        w * (_cross_entropy(case, i, j, denominator) + _cross_entropy(flipped, j, i, denominator))
        for (i, j), w in case.weight.items()
        if w > 0
    ]
    return math.fsum(parts) / (2 * total)


def _cross_entropy(case: Case, i: int, j: int, denominator: str) -> float:
    row = case.logits[i]
    competing = [row[k] for k in range(len(row)) if k == j or _competes(case, i, j, k, denominator)]
    top = max(competing)
    return top + math.log(math.fsum(math.exp(z - top) for z in competing)) - row[j]


def _competes(case: Case, i: int, j: int, k: int, denominator: str) -> bool:
    own, other = case.weight[i, j], case.weight.get((i, k), 0.0)
    if other == 0 and (i, k) in case.ignored:
        return False
    return {"all": True, "unjudged": other == 0, "lower": other < own}[denominator]
