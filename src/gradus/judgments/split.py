"""The four-way split: queries and documents that training may see, and those it may not.

Queries and documents are each divided into *parts*: train, validation and novel. A part of the queries
and a part of the documents make a *cell*. Training sees only pairs whose query and document are both
train. The four test cells ask four different questions: does the model order what it was trained on
(in-domain), new queries (novel-query), new documents (novel-document), and both at once (zero-shot)?
Validation is held out of the train parts for early stopping, so that no test cell steers the training.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.judgments import Judgments
from gradus.settings import SplitSettings

PARTS = ("train", "validation", "novel")
CELLS = ("in-domain", "novel-query", "novel-document", "zero-shot")

_SIDES = {  # cell → whether its queries and whether its documents are unseen in training
    "in-domain": (False, False),
    "novel-query": (True, False),
    "novel-document": (False, True),
    "zero-shot": (True, True),
}

Rows = NDArray[np.int64]
Labels = Sequence[str | None] | NDArray[np.object_]
"""One part per row, `None` where a row has no label."""


@dataclass(frozen=True)
class Split:
    """The part of every query and of every document.

    Attributes:
        query_part: (n_queries,) of `PARTS`, for the rows of `Judgments.queries`.
        document_part: (n_documents,) of `PARTS`, for the rows of `Judgments.documents`.

    Raises:
        JudgmentsError: A part that is not one of `PARTS`.
    """

    query_part: NDArray[np.object_]
    document_part: NDArray[np.object_]

    def __post_init__(self) -> None:
        for part in {*self.query_part, *self.document_part}:
            if part not in PARTS:
                raise JudgmentsError(f"{part!r} is no part of a split; the parts are {', '.join(PARTS)}")

    def training(self, judgments: Judgments) -> NDArray[np.bool_]:
        """(p,) mask of the pairs that training may see: query and document both train."""
        return np.asarray(
            (self.query_part[judgments.query] == "train")
            & (self.document_part[judgments.document] == "train")
        )

    def cell(self, name: str) -> tuple[Rows, Rows]:
        """The query rows of a test cell, and the document rows that make up its searched corpus.

        Raises:
            JudgmentsError: `name` is not one of `CELLS`.
        """
        if name not in CELLS:
            raise JudgmentsError(f"{name!r} is no cell of the split; the cells are {', '.join(CELLS)}")
        return self._rows(name, "novel")

    def validation_cells(self) -> dict[str, tuple[Rows, Rows]]:
        """The cells with validation in the place of novel, as `cell` gives them.

        A cell without queries or without documents is left out. In-domain, which holds nothing out, is
        there to be weighed against the others: it alone would only ever ask for more training.
        """
        cells = {name: self._rows(name, "validation") for name in CELLS}
        cells = {name: rows for name, rows in cells.items() if len(rows[0]) and len(rows[1])}
        return cells if cells.keys() != {"in-domain"} else {}

    def counts(self, judgments: Judgments) -> dict[str, dict[str, int]]:
        """For every cell its `queries`, `documents` and judged `pairs`.

        An entry `validation` after the cells counts the rows held out for early stopping, and the pairs
        with at least one of them and nothing novel.
        """
        query, document = self.query_part[judgments.query], self.document_part[judgments.document]
        table = {}
        for name in CELLS:
            queries, documents = self.cell(name)
            new_query, new_document = _SIDES[name]
            pairs = (query == _part(new_query, "novel")) & (document == _part(new_document, "novel"))
            table[name] = {"queries": len(queries), "documents": len(documents), "pairs": int(pairs.sum())}
        held = (query == "validation") | (document == "validation")
        table["validation"] = {
            "queries": int((self.query_part == "validation").sum()),
            "documents": int((self.document_part == "validation").sum()),
            "pairs": int((held & (query != "novel") & (document != "novel")).sum()),
        }
        return table

    def _rows(self, cell: str, unseen: str) -> tuple[Rows, Rows]:
        new_query, new_document = _SIDES[cell]
        return (
            np.flatnonzero(self.query_part == _part(new_query, unseen)),
            np.flatnonzero(self.document_part == _part(new_document, unseen)),
        )


def make_split(
    judgments: Judgments,
    settings: SplitSettings,
    query_part: Labels | None = None,
    document_part: Labels | None = None,
) -> Split:
    """Divide queries and documents into parts.

    Given labels are honoured. A row without a label takes the label of its group, else it is train: a
    catalogue's documents that no judgment mentions join the corpus that training may know. Without any
    labels, the novel part is drawn by the seed. The validation part is drawn from train by the seed,
    unless labels name one. Draws depend on ids (or group values) and the seed, never on the order of the
    rows; a share is met as closely as whole groups allow, and train is never left empty.

    Args:
        judgments: The judged pairs, with their tables of queries and documents.
        settings: Shares, group columns and seed.
        query_part: (n_queries,) given labels, or `None` for none at all.
        document_part: (n_documents,) given labels, or `None` for none at all.

    Raises:
        JudgmentsError: A group column that is no field, a label that is no part, labels of another
            length than the table, or labels that put one group into two parts.
    """
    sides = (
        ("query", judgments.queries, settings.query_group, settings.novel_queries, query_part),
        ("document", judgments.documents, settings.document_group, settings.novel_documents, document_part),
    )
    return Split(*(
        _parts(side, table, group, novel, settings.validation, settings.seed, labels)
        for side, table, group, novel, labels in sides
    ))  # fmt: skip


def _part(is_unseen: bool, unseen: str) -> str:
    return unseen if is_unseen else "train"


def _parts(
    side: str, table: Table, group: str, novel: float, validation: float, seed: int, labels: Labels | None
) -> NDArray[np.object_]:
    """The part of every row of one table."""
    units = _units(side, table, group)
    sizes = Counter(units)
    if labels is None:
        part_of = dict.fromkeys(_draw(sizes, novel * len(table), seed, side), "novel")
    else:
        part_of = _labelled_units(side, table, units, labels)
    if "validation" not in part_of.values():
        train = {unit: size for unit, size in sizes.items() if part_of.get(unit, "train") == "train"}
        held = _draw(train, validation * sum(train.values()), seed, side)
        part_of.update(dict.fromkeys(held, "validation"))
    parts = np.empty(len(table), object)
    parts[:] = [part_of.get(unit, "train") for unit in units]
    return parts


def _units(side: str, table: Table, group: str) -> list[str]:
    """What is drawn as a whole: each row's group, or the row itself where it has none."""
    alone = [f"id:{name}" for name in table.ids]
    if not group:
        return alone
    if group not in {field.name for field in table.fields}:
        names = ", ".join(field.name for field in table.fields)
        where = "query.fields" if side == "query" else "catalog.fields"
        raise JudgmentsError(
            f"split.{side}_group is {group!r}, which is no field; the fields are {names}. "
            f"Declare the column under [{where}], with weight 0 if it is not to be encoded"
        )
    values = table.columns[group]
    return [own if value is None else f"group:{value}" for own, value in zip(alone, values, strict=True)]


def _labelled_units(side: str, table: Table, units: list[str], labels: Labels) -> dict[str, str]:
    """Unit → its given part, for the units that have one."""
    if len(labels) != len(table):
        raise JudgmentsError(f"{len(labels)} {side} labels are given for {len(table)} rows")
    part_of: dict[str, str] = {}
    for name, unit, label in zip(table.ids, units, labels, strict=True):
        if label is None:
            continue
        if label not in PARTS:
            raise JudgmentsError(
                f"{side} {name!r} is labelled {label!r}; the parts of a split are {', '.join(PARTS)}"
            )
        if part_of.setdefault(unit, label) != label:
            raise JudgmentsError(
                f"split.{side}_group: the labels put {unit.removeprefix('group:')!r} into both "
                f"{part_of[unit]} and {label} (at {side} {name!r}); correct the labels or drop the group"
            )
    return part_of


def _draw(sizes: dict[str, int], target: float, seed: int, side: str) -> list[str]:
    """Units, drawn by the seed, whose sizes sum to about `target`; never all of them.

    Units come in the order of a keyed hash. One is taken when that brings the sum nearer to the target,
    so a group larger than the whole share is passed over instead of overshooting it.
    """
    key = f"{seed}:{side}".encode()
    order = sorted(sizes, key=lambda unit: hashlib.blake2b(unit.encode(), key=key, digest_size=16).digest())
    taken: list[str] = []
    total = 0
    for unit in order:
        if len(taken) == len(order) - 1:
            break
        if sizes[unit] < 2 * (target - total):
            taken.append(unit)
            total += sizes[unit]
    return taken
