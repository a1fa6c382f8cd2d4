"""The columns of a file of judgments, grades or other evidence: found by name, and read as ids, numbers, labels and queries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gradus.catalog.fields import Field
from gradus.catalog.read import image_folder, pick_column, read_arrow
from gradus.catalog.table import Table
from gradus.catalog.values import read_id, read_number, read_text, read_values
from gradus.errors import CatalogError, JudgmentsError


@dataclass(frozen=True)
class Columns:
    """A judgments file as an Arrow table, with the words to talk about it.

    Cells are converted once per distinct value: ids, scores and the fields of queries repeat a lot.

    Attributes:
        path: The file.
        arrow: Its content, cells as they were written.
    """

    path: Path
    arrow: pa.Table

    @classmethod
    def read(cls, path: Path, key: str = "judgments.path") -> "Columns":
        """Read a CSV, TSV, JSONL or Parquet file.

        Args:
            path: The file.
            key: The setting that names it.

        Raises:
            JudgmentsError: There is no such file, or it holds no rows.
            CatalogError: The file cannot be read.
        """
        if not path.is_file():
            raise JudgmentsError(f"no file {path} ({key} in gradus.toml)")
        columns = cls(path, read_arrow(path))
        if not columns.arrow.num_rows:
            raise JudgmentsError(f"{path} holds no rows ({key} in gradus.toml)")
        return columns

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __contains__(self, name: str) -> bool:
        return name in self.arrow.column_names

    def at(self, row: int, name: str) -> str:
        """File, row and column as people count them: rows from 1, below a header."""
        return f"{self.path}, row {row + 1}, column {name!r}"

    def nearest(self, name: str, besides: Collection[str]) -> str | None:
        """The column that `name` may be a misspelling of, other than the given ones."""
        others = [column for column in self.arrow.column_names if column not in besides]
        return next(iter(get_close_matches(name, others, 1)), None)

    def ids(self, name: str, key: str) -> NDArray[np.object_]:
        """(p,) the column as ids, none of them empty.

        Raises:
            JudgmentsError: No such column, or an empty cell.
        """
        cells, which = self._distinct(name, key)
        ids = _objects([read_id(cell) for cell in cells])[which]
        if "" in set(ids):
            raise JudgmentsError(f"{self.at(list(ids).index(''), name)} is empty; every row needs an id")
        return ids

    def numbers(self, name: str, key: str) -> NDArray[np.float64]:
        """(p,) the column as finite numbers, NaN where a cell is empty or NaN.

        Raises:
            JudgmentsError: No such column, or a cell that is not a finite number.
        """
        cells, which = self._distinct(name, key)
        numbers = np.empty(len(cells))
        for place, cell in enumerate(cells):
            try:
                number = read_number(cell)
            except ValueError:
                row = int(np.argmax(which == place))
                raise JudgmentsError(
                    f"{self.at(row, name)}: {read_text(cell)!r} is not a finite number"
                ) from None
            numbers[place] = np.nan if number is None else number
        return numbers[which]

    def texts(self, name: str) -> NDArray[np.object_] | None:
        """(p,) an optional column as stripped texts, empty where a cell is; `None` without the column."""
        if name not in self:
            return None
        cells, which = self._distinct(name, name)
        return _objects([read_text(cell).strip() for cell in cells])[which]

    def values(self, field: Field) -> tuple[list[Any], NDArray[np.int64]]:
        """The distinct values of a query field, and (p,) which of them each row has.

        Raises:
            JudgmentsError: No such column, or a cell that is not what the field's type says.
        """
        cells, which = self._distinct(field.name, "query.fields")
        values, bad = read_values(field, cells, image_folder(self.path))
        if bad:
            row = int(np.argmax(which == bad[0].row))
            raise JudgmentsError(f"{self.at(row, field.name)}: {bad[0].value!r} {bad[0].reason}")
        place: dict[Any, int] = {}
        places = np.array([place.setdefault(value, len(place)) for value in values], np.int64)
        return list(place), places[which]

    def queries(self, ids: NDArray[np.object_], fields: Sequence[Field]) -> Table:
        """The queries that the rows describe, in the order of their first rows.

        Args:
            ids: (p,) the query id of each row.
            fields: The fields of a query, each with a column.

        Raises:
            JudgmentsError: As `values`, or rows of one query that differ in a field.
        """
        place: dict[str, int] = {}
        query = np.array([place.setdefault(name, len(place)) for name in ids], np.int64)
        _, first = np.unique(query, return_index=True)
        columns: dict[str, Sequence[Any]] = {}
        for field in fields:
            values, which = self.values(field)
            differs = which != which[first][query]
            if differs.any():
                row = int(np.argmax(differs))
                before = first[query[row]]
                raise JudgmentsError(
                    f"{self.at(row, field.name)}: query {ids[row]!r} has {values[which[row]]!r} here and "
                    f"{values[which[before]]!r} in row {before + 1}; one query id stands for one query"
                )
            columns[field.name] = [values[index] for index in which[first]]
        return Table(list(place), tuple(fields), columns)

    def _distinct(self, name: str, key: str) -> tuple[list[Any], NDArray[np.int64]]:
        """The distinct cells of a column, and (p,) which of them each row has."""
        try:
            column = pick_column(self.arrow, name, self.path, key)
        except CatalogError as error:
            raise JudgmentsError(str(error)) from None
        if pa.types.is_nested(column.type):
            return column.to_pylist(), np.arange(len(column))
        encoded = pa.chunked_array([pa.concat_arrays(column.chunks)]).dictionary_encode("encode").chunk(0)
        return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _objects(items: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(items), object)
    array[:] = items
    return array
