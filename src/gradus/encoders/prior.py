"""The document prior: how good a document is, whatever is asked, as one more number of its vector.

Some documents do well for every query that they fit: a brand that people like, a part that is always in stock. A
dense vector can say so only by leaning towards all queries at once, and it learns it by heart, document by
document, so that new ones gain nothing. Here it has a place of its own:

    b_j = tanh(Σ_f u_f[v_jf] + r_j),    penalty λ (Σ u² / n + mean r²)

with an effect u for each value v of the category and number fields, which new documents share, and what evidence
adds for the document alone, r_j. Both start at 0 and are shrunk the more the less evidence there is (random effects;
n is the number of documents with evidence). It stands before the dense unit vector v:

    document [b, √(1 − b²) v],    query [√a, √(1 − a) v],    score √a b + √((1 − a)(1 − b²)) v_q · v_d.

Both have unit length, so every index serves them unchanged. Trained with the rest, since only what the queries do
not explain is appeal: the mean of a document's judgments also says how easy its queries were.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradus.catalog.table import Table
from gradus.encoders.words import as_text
from gradus.errors import ModelError

SHARE = 0.1
"""The share a of a query's squared length that asks for the prior: with τ = 0.05, b = ±0.5 is ±3 logits."""

FILE = "prior.json"

Rows = NDArray[np.int64]


class DocumentPrior(nn.Module):
    """Effects of values, and of documents with evidence.

    Args:
        values: Field → its values that have an effect.
        ids: The ids of the documents that training has evidence for.
        shrinkage: λ.
    """

    def __init__(self, values: Mapping[str, Sequence[str]], ids: Sequence[str], shrinkage: float) -> None:
        super().__init__()
        self.values = {field: list(known) for field, known in values.items()}
        self.ids = list(ids)
        self.shrinkage = shrinkage
        self.effects = nn.Parameter(torch.zeros(sum(map(len, self.values.values()))))
        self.own = nn.Parameter(torch.zeros(len(self.ids)))

    @cached_property
    def _places(self) -> list[dict[str, int]]:
        """Value → its place among the effects, for each field; id → its place, last."""
        places, start = [], 0
        for known in self.values.values():
            places.append({value: start + number for number, value in enumerate(known)})
            start += len(known)
        return [*places, {name: number for number, name in enumerate(self.ids)}]

    def rows(self, documents: Table) -> Rows:
        """(n, f + 1) the places of each document's values, and behind them its own; -1 where it has none."""
        types = {field.name: field for field in documents.fields}
        columns: list[Sequence[Any]] = [as_text(types[name], documents.columns[name]) for name in self.values]
        found = [
            [known.get(value, -1) for value in column]
            for known, column in zip(self._places, [*columns, documents.ids], strict=True)
        ]
        return np.array(found, np.int64).T

    def forward(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """The priors.

        Args:
            rows: (n, f + 1) as `rows` gives them.

        Returns:
            (n, 1) the numbers b, and the penalty.
        """
        place = torch.from_numpy(rows).to(self.own.device)
        known, at = place >= 0, place.clamp_min(0)
        effects = (
            self.effects[at[:, :-1]] * known[:, :-1]
            if len(self.effects)
            else self.own.new_zeros(len(rows), 1)
        )
        own = self.own[at[:, -1]] * known[:, -1]
        mean = self.effects.square().sum() / max(1, len(self.ids))
        penalty = self.shrinkage * (mean + own.square().mean())
        return torch.tanh(effects.sum(dim=1) + own)[:, None], penalty

    def asked(self, count: int) -> Tensor:
        """(count, 1) the same number of queries, √a."""
        return self.own.new_full((count, 1), SHARE**0.5)

    def save(self, path: Path) -> None:
        """Write what there is an effect for; the effects are in the model's `state_dict`."""
        content = {"shrinkage": self.shrinkage, "values": self.values, "ids": self.ids}
        path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "DocumentPrior":
        """The prior of a file, with effects yet to be loaded.

        Raises:
            ModelError: The file is missing or damaged.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(content["values"], content["ids"], content["shrinkage"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{path} does not list what a model's prior is for: {error!r}") from None


def valued(documents: Table) -> dict[str, list[str]]:
    """Category and number field → its distinct values, sorted: what has an effect on the prior."""
    return {
        field.name: sorted(
            {value for value in as_text(field, documents.columns[field.name]) if value is not None}
        )
        for field in documents.encoded
        if field.type in ("category", "number")
    }


def extended(known: DocumentPrior | None, documents: Table, shrinkage: float) -> DocumentPrior | None:
    """A prior that also has the effects of these documents; what is known keeps its own. `None` where λ is 0.

    Args:
        known: A model's.
        documents: Those that training has evidence for.
        shrinkage: λ.
    """
    if not shrinkage or not len(documents):
        return None
    old = known if known is not None else DocumentPrior({}, [], shrinkage)
    new, ids = valued(documents), list(dict.fromkeys([*old.ids, *documents.ids]))
    fields = [*old.values, *(field for field in new if field not in old.values)]
    values = {
        field: list(dict.fromkeys([*old.values.get(field, []), *new.get(field, [])])) for field in fields
    }
    made = DocumentPrior(values, ids, shrinkage)
    start = begin = 0
    with torch.no_grad():
        made.own[: len(old.ids)] = old.own
        for field, kept in old.values.items():
            made.effects[start : start + len(kept)] = old.effects[begin : begin + len(kept)]
            start, begin = start + len(values[field]), begin + len(kept)
    return made
