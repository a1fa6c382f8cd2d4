"""The losses as their equations are written, queries asking: one loop per sum, one number at a time."""

import math
from collections.abc import Callable, Iterator

from naive import Case, Cell

from gradus.objectives.rince import Sums


def positives(case: Case) -> list[Cell]:
    return [cell for cell, w in case.weight.items() if w > 0]


def lists(case: Case) -> Iterator[tuple[int, dict[int, float]]]:
    """Each query that has a positive, with W_ij of its positives."""
    for i in range(len(case.logits)):
        own = {j: case.weight[i, j] for a, j in positives(case) if a == i}
        if own:
            yield i, own


def unjudged(case: Case, i: int) -> list[int]:
    """The documents that are neither positive nor ignored."""
    columns = range(len(case.logits[0]))
    return [k for k in columns if not case.weight.get((i, k)) and (i, k) not in case.ignored]


def log_sum_exp(values: list[float]) -> float:
    if not values:
        return -math.inf
    top = max(values)
    return top + math.log(math.fsum(math.exp(z - top) for z in values))


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def per_positive(case: Case) -> float:
    entropies = []
    for i, own in lists(case):
        row = case.logits[i]
        for j, w in own.items():
            rivals = [row[k] for k in unjudged(case, i)] + [row[k] for k in own if own[k] <= w]
            entropies.append(log_sum_exp(rivals) - row[j])
    return mean(entropies)


def listwise(case: Case, target_temperature: float = 0.1, info_nce_term: float = 0.3) -> float:
    values = []
    for i, own in lists(case):
        row = case.logits[i]
        of_target = log_sum_exp([w / target_temperature for w in own.values()])
        of_logits = log_sum_exp([row[j] for j in own])
        divergence = 0.0
        for j, w in own.items():
            target, predicted = w / target_temperature - of_target, row[j] - of_logits
            divergence += math.exp(target) * (target - predicted)
        below = [row[k] for k in unjudged(case, i)]
        values.append(
            divergence + info_nce_term * mean([log_sum_exp([row[j], *below]) - row[j] for j in own])
        )
    return mean(values)


def rince(case: Case, ranks: int = 4, rank_temperatures: float = 2.0, rank_sums: Sums = "in") -> float:
    values = []
    for i, own in lists(case):
        rank_of = {j: ranks - math.ceil(w * ranks) for j, w in own.items()}
        total = 0.0
        for r in range(ranks):
            tau = 1 + (rank_temperatures - 1) * r / (ranks - 1) if ranks > 1 else 1.0
            x = [z / tau for z in case.logits[i]]
            here = [x[j] for j in own if rank_of[j] == r]
            below = [x[k] for k in unjudged(case, i)] + [x[j] for j in own if rank_of[j] > r]
            if here and (rank_sums == "out" or (rank_sums == "out-in" and r == 0)):
                total += math.fsum(log_sum_exp([z, *below]) - z for z in here)
            elif here:
                total += log_sum_exp(here + below) - log_sum_exp(here)
        values.append(total)
    return mean(values)


def lambda_loss(case: Case, mu: float = 10.0) -> float:
    values = []
    for i, own in lists(case):
        row, listed = case.logits[i], [*own, *unjudged(case, i)]
        by_logit = sorted(listed, key=lambda j: -row[j])
        rank = {j: 1 + by_logit.index(j) for j in listed}
        best = sum(w / math.log2(1 + r) for r, w in enumerate(sorted(own.values(), reverse=True), 1))
        total = 0.0
        for j in own:
            for k in listed:
                gap = (own[j] - own.get(k, 0.0)) / best
                if gap > 0:
                    apart = abs(rank[j] - rank[k])
                    rho = abs(1 / math.log2(1 + rank[j]) - 1 / math.log2(1 + rank[k]))
                    delta = abs(1 / math.log2(1 + apart) - 1 / math.log2(2 + apart))
                    total += (rho + mu * delta) * gap * softplus(row[k] - row[j]) / math.log(2)
        values.append(total)
    return mean(values)


def cells(case: Case) -> Iterator[tuple[float, float]]:
    """Weight and logit of every cell that is not ignored."""
    for i, row in enumerate(case.logits):
        for j, z in enumerate(row):
            w = case.weight.get((i, j), 0.0)
            if w > 0 or (i, j) not in case.ignored:
                yield w, z


def cosent(case: Case) -> float:
    known = list(cells(case))
    gaps = [lower - higher for w, higher in known for v, lower in known if w > v]
    return log_sum_exp([0.0, *gaps])


def sigmoid(case: Case, bias: float) -> float:
    if not positives(case):
        return 0.0
    terms = [w * softplus(-z - bias) if w > 0 else softplus(z + bias) for w, z in cells(case)]
    return math.fsum(terms) / sum(w for w, _ in cells(case))


def bixse(case: Case, bias: float) -> float:
    if not positives(case):
        return 0.0
    terms = [w * softplus(-z - bias) + (1 - w) * softplus(z + bias) for w, z in cells(case)]
    return math.fsum(terms) / len(positives(case))


Naive = Callable[[Case], float]
