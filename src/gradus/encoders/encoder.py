"""The encoder: towers for both sides, projections into one space, and the fusion of fields."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.augmentation import Augmentation
from gradus.encoders.exact_terms import ExactTerms
from gradus.encoders.fusion import Fusion
from gradus.encoders.prior import DocumentPrior
from gradus.encoders.residual import Residual, query_keys
from gradus.encoders.tower import Features, Modality, Tower
from gradus.encoders.words import as_text
from gradus.errors import ModelError

Side = Literal["query", "document"]
SIDES: tuple[Side, Side] = ("query", "document")

BLOCK = 4096
"""Rows whose repeated values are encoded once when a table is embedded."""


@dataclass(frozen=True)
class Column:
    """One field of a table made ready: its distinct values, and which of them each row has.

    Categories, numbers and copied texts repeat; each value is prepared, and encoded in a batch, once.

    Attributes:
        features: The distinct values, as the field's tower reads them.
        value: (n,) which distinct value each row has.
        present: (n,) whether the row has a usable value.
    """

    features: Features
    value: NDArray[np.int64]
    present: NDArray[np.bool_]


@dataclass(frozen=True)
class Prepared:
    """A table made ready for an encoder.

    Attributes:
        columns: Every encoded field, by its name.
        evidence: (n,) each row's row in its side's residual; -1 where there is none.
        texts: Field name → (n,) what the exact terms are read from; `None` without exact terms.
        prior: (n, ·) what `DocumentPrior.rows` gave; `None` for queries, and without a prior.
    """

    columns: Mapping[str, Column]
    evidence: NDArray[np.int64]
    texts: Mapping[str, Sequence[str | None]] | None = None
    prior: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.evidence)

    def __getitem__(self, field: str) -> Column:
        return self.columns[field]


def modality(field: Field) -> Modality:
    """Which tower reads the field."""
    return "image" if field.type == "image" else "text"


@dataclass(frozen=True)
class Embedding:
    """What an encoder returns for n rows with f fields.

    Attributes:
        merged: (n, D) the unit vectors, fields fused and the residual added.
        fields: (n, f, D) the unit vector of each field; zero where it is not there.
        present: (n, f) which fields are there.
        penalty: What the residual and the prior add to the objective; 0 without them.
        prior: (n, 1) the number that stands before them, of documents the prior; (n, 0) without one.
    """

    merged: Tensor
    fields: Tensor
    present: Tensor
    penalty: Tensor
    prior: Tensor

    @property
    def whole(self) -> Tensor:
        """(n, 1 + D) the unit vectors that are compared, with the prior; those of `merged` without one."""
        if not self.prior.shape[1]:
            return self.merged
        return torch.cat([self.prior, (1 - self.prior.square()).sqrt() * self.merged], dim=1)


class Encoder(nn.Module):
    """Queries and documents, with any fields, to unit vectors of one space.

    Args:
        fields: The encoded fields of each side.
        towers: Tower per modality (shared by both sides), or per `side.modality` when the sides have
            towers of their own.
        dimensions: D, the length of an embedding. A tower whose `size` is D is used as it is;
            any other is joined by a learned linear projection.
        learn_field_weights: Whether the field weights are learned.
        residual: What documents with evidence have beside their content; `None` for content alone.
        query_residual: The same for queries.
        exact: What `embed` puts beside the dense vector; `None` for the dense vector alone.
        prior: What documents have before the dense vector; `None` for the dense vector alone.

    Raises:
        ModelError: A side has no encoded field, or a field's modality has no tower.
    """

    def __init__(
        self,
        fields: Mapping[Side, Sequence[Field]],
        towers: Mapping[str, Tower],
        dimensions: int,
        learn_field_weights: bool,
        residual: Residual | None = None,
        query_residual: Residual | None = None,
        exact: ExactTerms | None = None,
        prior: DocumentPrior | None = None,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.query_residual = query_residual
        self.exact = exact
        self.prior = prior
        self.fields: dict[Side, tuple[Field, ...]] = {side: tuple(fields[side]) for side in SIDES}
        self.dimensions = dimensions
        self.learn_field_weights = learn_field_weights
        # Module names may hold no dot.
        self.towers = nn.ModuleDict({key.replace(".", "_"): tower for key, tower in towers.items()})
        self.projections = nn.ModuleDict(
            {
                key: nn.Identity() if _size(tower) == dimensions else nn.Linear(_size(tower), dimensions)
                for key, tower in self.towers.items()
            }
        )
        for side in SIDES:
            if not self.fields[side]:
                raise ModelError(f"the {side} side has no field with a weight above 0; see gradus.toml")
            for field in self.fields[side]:
                self.tower_key(side, field)
        self.fusion = nn.ModuleDict({s: Fusion(self.fields[s], learn_field_weights) for s in SIDES})

    @property
    def length(self) -> int:
        """Numbers in what `embed` returns: the prior, D, and those of the exact terms."""
        return self.trained + (self.exact.dimensions if self.exact is not None else 0)

    @property
    def trained(self) -> int:
        """Numbers in what training compares: the prior and D."""
        return (self.prior is not None) + self.dimensions

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def tower_key(self, side: Side, field: Field) -> str:
        """The key in `towers` of the tower that reads a field."""
        for key in (f"{side}_{modality(field)}", modality(field)):
            if key in self.towers:
                return key
        raise ModelError(f"no {modality(field)} tower for the {side} field {field.name!r}")

    def tower(self, side: Side, field: Field) -> Tower:
        """The tower that reads a field."""
        tower = self.towers[self.tower_key(side, field)]
        assert isinstance(tower, Tower)  # noqa: S101 - narrows ModuleDict's type
        return tower

    def field_weights(self, side: Side) -> dict[str, float]:
        """The field weights b_f as they are now, summing to 1."""
        fusion = self.fusion[side]
        assert isinstance(fusion, Fusion)  # noqa: S101 - narrows ModuleDict's type
        return dict(zip(fusion.names, fusion.log_weights.detach().softmax(0).tolist(), strict=True))

    def require(self, side: Side, table: Table) -> None:
        """Raise a ModelError unless the table has every field that the model reads on that side."""
        missing = [f.name for f in self.fields[side] if f.name not in table.columns]
        if missing:
            raise ModelError(f"the model reads the {side} fields {missing}, which the table does not have")

    def residual_of(self, side: Side) -> Residual | None:
        """A side's residual."""
        return self.residual if side == "document" else self.query_residual

    def evidence(self, side: Side, table: Table) -> NDArray[np.int64]:
        """(n,) each row's row in its side's residual; -1 where there is none."""
        residual = self.residual_of(side)
        if residual is None:
            return np.full(len(table), -1)
        return residual.rows(table.ids if side == "document" else query_keys(table, self.fields[side]))

    def prepare(self, side: Side, table: Table, cache: Path | None = None) -> Prepared:
        """Tokenise and decode the encoded fields of a table, once.

        Args:
            side: Whether the rows are queries or documents.
            table: A table with a column for each of the side's encoded fields.
            cache: Folder for decoded images; `None` keeps them in memory.

        Raises:
            ModelError: The table lacks one of the fields.
        """
        self.require(side, table)
        columns = {
            field.name: make_column(
                self.tower(side, field).prepare, as_text(field, table.columns[field.name]), cache
            )
            for field in self.fields[side]
        }
        read = [field for field in self.fields[side] if modality(field) == "text"]
        return Prepared(
            columns,
            self.evidence(side, table),
            None if self.exact is None else {f.name: as_text(f, table.columns[f.name]) for f in read},
            None if self.prior is None or side == "query" else self.prior.rows(table),
        )

    def forward(
        self,
        side: Side,
        prepared: Prepared,
        rows: NDArray[np.int64],
        augmentation: Augmentation | None = None,
        factors: Tensor | None = None,
    ) -> Embedding:
        """Embed rows of a prepared table.

        Args:
            side: Whether the rows are queries or documents.
            prepared: What `prepare` made of the table.
            rows: (n,) rows of the table.
            augmentation: What is left out by chance; `None` for nothing.
            factors: (f,) factors on the field weights.
        """
        fields = self.fields[side]
        present = np.stack([prepared[field.name].present[rows] for field in fields], axis=1)
        rng = None if augmentation is None else augmentation.rng
        # A category or a number is one thing, which augmentation could only take away.
        varied = {"text", "image"}
        if augmentation is not None:
            if side == "document":
                present = augmentation.kept(present, np.array([field.type in varied for field in fields]))
            elif augmentation.whole_queries:
                varied = {"image"}
        units, count = [], 0
        unit_of = np.full((len(rows), len(fields)), -1)  # the last, which is zero, where a field is not there
        # Fields that share a tower go through it together.
        for key in dict.fromkeys(self.tower_key(side, field) for field in fields):
            batches = []
            for number, field in enumerate(fields):
                here = np.flatnonzero(present[:, number])
                if self.tower_key(side, field) == key and len(here):
                    column = prepared[field.name]
                    values, place = np.unique(column.value[rows[here]], return_inverse=True)
                    batches.append(column.features.batch(values, rng if field.type in varied else None))
                    unit_of[here, number] = count + place
                    count += len(values)
            units += self._encode(key, batches)
        units.append(torch.zeros(1, self.dimensions, device=self.device))
        vectors = torch.cat(units)[torch.from_numpy(unit_of).to(self.device)]
        shown = torch.from_numpy(present).to(self.device)
        return self._fuse(side, prepared, rows, vectors, shown, rng, factors)

    def _encode(self, key: str, batches: Sequence[dict[str, Tensor]]) -> list[Tensor]:
        """Unit vectors (b, D) of each of some batches for the tower `key`."""
        tower, projection = self.towers[key], self.projections[key]
        assert isinstance(tower, Tower)  # noqa: S101 - narrows ModuleDict's type
        moved = [{name: v.to(self.device, non_blocking=True) for name, v in b.items()} for b in batches]
        return [
            functional.normalize(projection(encoded).float(), dim=1) for encoded in tower.forward_all(moved)
        ]

    def _fuse(
        self,
        side: Side,
        prepared: Prepared,
        rows: NDArray[np.int64],
        vectors: Tensor,
        shown: Tensor,
        rng: np.random.Generator | None,
        factors: Tensor | None,
    ) -> Embedding:
        """The embedding of rows whose fields have the vectors (n, f, D), of which (n, f) are shown."""
        merged, penalty = self.fusion[side](vectors, shown, factors), vectors.new_zeros(())
        residual = self.residual_of(side)
        if residual is not None:
            merged, penalty = residual(merged, prepared.evidence[rows], rng)
        prior = vectors.new_zeros(len(rows), 0)
        if self.prior is not None and prepared.prior is None:
            prior = self.prior.asked(len(rows))
        elif self.prior is not None and prepared.prior is not None:
            prior, shrinking = self.prior(prepared.prior[rows])
            penalty = penalty + shrinking
        return Embedding(merged, vectors, shown, penalty, prior)

    @torch.no_grad()
    def embed(
        self,
        side: Side,
        prepared: Prepared,
        rows: NDArray[np.int64] | None = None,
        batch: int | None = None,
        factors: Mapping[str, float] | None = None,
    ) -> NDArray[np.float32]:
        """Embed a prepared table without gradients: (n, length) float32, rows of unit length.

        Args:
            side: Whether the rows are queries or documents.
            prepared: What `prepare` made of the table.
            rows: (n,) rows of the table; all of them by default.
            batch: Values of a field that a tower reads at a time; by default as many as suit it.
            factors: Field name → factor on its weight (1 where not named). Exact terms are those of the fields
                whose factor is not 0.
        """
        factor = {f.name: (factors or {}).get(f.name, 1.0) for f in self.fields[side]}
        scale = torch.tensor(list(factor.values()), device=self.device)
        if rows is None:
            rows = np.arange(len(prepared))
        parts = [e.whole.cpu().numpy() for e in self._embeddings(side, prepared, rows, batch, scale)]
        dense = np.concatenate([np.zeros((0, self.trained), np.float32), *parts])
        if self.exact is None or prepared.texts is None:
            return dense
        texts = [values for name, values in prepared.texts.items() if factor[name]]
        exact = self.exact.vectors([[values[row] for values in texts] for row in rows.tolist()])
        return self.exact.beside(dense, exact, side == "query")

    @torch.no_grad()
    def embed_fields(
        self, side: Side, prepared: Prepared, rows: NDArray[np.int64] | None = None, batch: int | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Field name → (n, D) float32 unit vectors of that field alone, zero where it is not there.

        Arguments are those of `embed`.
        """
        parts = [e.fields.cpu().numpy() for e in self._embeddings(side, prepared, rows, batch, None)]
        empty = np.zeros((0, len(self.fields[side]), self.dimensions), np.float32)
        fields = np.concatenate([empty, *parts])
        return {field.name: fields[:, number] for number, field in enumerate(self.fields[side])}

    def _embeddings(
        self,
        side: Side,
        prepared: Prepared,
        rows: NDArray[np.int64] | None,
        batch: int | None,
        factors: Tensor | None,
    ) -> Iterator[Embedding]:
        """The embeddings of rows, some at a time, in evaluation mode.

        Each distinct value of a field is encoded once, among values of similar length, since a batch of texts
        takes as long as its longest one.
        """
        if rows is None:
            rows = np.arange(len(prepared))
        training = self.training
        self.eval()
        fields = self.fields[side]
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            vectors = torch.zeros(len(block), len(fields), self.dimensions, device=self.device)
            present = np.stack([prepared[field.name].present[block] for field in fields], axis=1)
            for number, field in enumerate(fields):
                column, here = prepared[field.name], np.flatnonzero(present[:, number])
                values, place = np.unique(column.value[block[here]], return_inverse=True)
                units = torch.zeros(len(values), self.dimensions, device=self.device)
                order = np.argsort(column.features.lengths[values], kind="stable")
                at_once = batch or self.tower(side, field).at_once
                for first in range(0, len(order), at_once):
                    some = order[first : first + at_once]
                    inputs = column.features.batch(values[some], None)
                    units[some] = self._encode(self.tower_key(side, field), [inputs])[0]
                vectors[here, number] = units[place]
            shown = torch.from_numpy(present).to(self.device)
            yield self._fuse(side, prepared, block, vectors, shown, None, factors)
        self.train(training)


def make_column(
    prepare: Callable[[Sequence[Any], Path | None], Features], values: Sequence[Any], cache: Path | None
) -> Column:
    """A field's values made ready, each distinct one once, by a tower's `prepare`."""
    distinct: dict[Any, int] = {}
    value = np.array([distinct.setdefault(v, len(distinct)) for v in values], np.int64)
    features = prepare(list(distinct), cache)
    return Column(features, value, features.present[value])


def _size(tower: nn.Module) -> int:
    return int(tower.size)  # type: ignore[arg-type]
