"""The table: documents, or queries, as one column of values per field.

Documents and queries have the same shape (an id and fields), so one class serves both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.fields import Field
from gradus.errors import CatalogError

ImageSource = Path | bytes
"""Where an image's encoded bytes are: a file, or the bytes themselves (from Parquet)."""


@dataclass(frozen=True)
class Table:
    """Rows with an id and the values of their fields.

    Attributes:
        ids: One id per row, unique.
        fields: The fields, in the order in which they are shown and fused.
        columns: For every field a sequence with one value per row; `None` where it is missing. Text and
            category values are `str` (NFKC, stripped, never empty), number values finite `float`,
            image values an `ImageSource`.

    Raises:
        CatalogError: A field has no column, a column another length than `ids`, or an id repeats.
    """

    ids: Sequence[str]
    fields: tuple[Field, ...]
    columns: Mapping[str, Sequence[Any]]

    def __post_init__(self) -> None:
        for field in self.fields:
            if field.name not in self.columns:
                raise CatalogError(f"the table has no column for field {field.name!r}")
            if len(self.columns[field.name]) != len(self.ids):
                raise CatalogError(
                    f"field {field.name!r} has {len(self.columns[field.name])} values for {len(self.ids)} ids"
                )
        if len(self.row_of) != len(self.ids):
            raise CatalogError("the table has repeated ids; `gradus check` lists them")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each id."""
        return {name: row for row, name in enumerate(self.ids)}

    @property
    def encoded(self) -> tuple[Field, ...]:
        """The fields that enter the embedding."""
        return tuple(field for field in self.fields if field.encoded)

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> "Table":
        """The table of the given rows, in their order."""
        picked = [int(row) for row in rows]
        columns = {f.name: [self.columns[f.name][row] for row in picked] for f in self.fields}
        return Table([self.ids[row] for row in picked], self.fields, columns)

    def record(self, row: int) -> dict[str, Any]:
        """One row as field name → value, missing values left out."""
        values = {field.name: self.columns[field.name][row] for field in self.fields}
        return {name: value for name, value in values.items() if value is not None}
