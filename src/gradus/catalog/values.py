"""Raw cells to the values of a field, one cell at a time, with every bad cell accounted for."""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradus.catalog.fields import Field
from gradus.catalog.table import ImageSource
from gradus.catalog.text import normalise

_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class BadCell:
    """A cell that its field's type cannot hold.

    Attributes:
        row: Row of the catalogue, from 0.
        column: Name of the field.
        value: What the cell holds.
        reason: What is wrong with it and what to do.
    """

    row: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row + 1}, column {self.column!r}: {self.value!r} {self.reason}"


def read_values(field: Field, cells: Iterable[Any], folder: Path) -> tuple[list[Any], list[BadCell]]:
    """A column as the values of a field.

    Args:
        field: The field, which says how cells are read.
        cells: One raw cell per row, as Arrow gives them to Python.
        folder: What image paths are relative to.

    Returns:
        One value per row, as `Table.columns` describes them, and the cells that could not be read,
        whose values are `None`.
    """
    values: list[Any] = []
    bad: list[BadCell] = []
    for row, cell in enumerate(cells):
        value: Any = None
        try:
            if field.type == "number":
                value = read_number(cell)
            elif field.type == "image":
                value = read_image(cell, folder)
            else:
                value = normalise(read_text(cell)) or None
        except ValueError as error:
            bad.append(BadCell(row, field.name, read_text(cell)[:80], str(error)))
        values.append(value)
    return values, bad


def read_text(cell: Any) -> str:
    """A raw cell as text, not normalised: empty for a missing one, a list's items joined by "; ".

    A whole number that a tool stored as a float (2011.0, as pandas does beside missing values) loses
    its point.
    """
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    if isinstance(cell, float):
        if math.isnan(cell):
            return ""
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, list | tuple):
        return "; ".join(text for text in map(read_text, cell) if text)
    if isinstance(cell, dict):
        return json.dumps(cell, ensure_ascii=False, default=read_text)
    return str(cell)


def read_id(cell: Any) -> str:
    """A raw cell as an id: stripped, otherwise as it is written, so that files agree on it."""
    return read_text(cell).strip()


def read_number(cell: Any) -> float | None:
    """A raw cell as a finite number; `None` where it is empty or NaN.

    Full-width digits count as digits and commas between groups of three as thousands separators. A
    comma anywhere else is refused: it may be a decimal comma, and a guess would be wrong by powers of ten.

    Raises:
        ValueError: Anything else; the message is the remedy.
    """
    if isinstance(cell, bool | int | float):
        number = float(cell)
    else:
        text = normalise(read_text(cell))
        if text.lower() in ("", "nan"):
            return None
        if _THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        if not _NUMBER.fullmatch(text):
            hint = "write a decimal point" if "," in text else "write digits alone, or empty the cell"
            raise ValueError(f"is not a number; {hint}, or give the field the type text or category")
        number = float(text)
    if math.isnan(number):
        return None
    if math.isinf(number):
        raise ValueError("is not finite; write a finite number or empty the cell")
    return number


def read_image(cell: Any, folder: Path) -> ImageSource | None:
    """A raw cell as the source of an image.

    Args:
        cell: A path, encoded bytes, or the `{bytes, path}` that Hugging Face `datasets` stores.
        folder: What a relative path is relative to.

    Raises:
        ValueError: A cell of another kind, or the address of a web page; the message is the remedy.
    """
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return cell or None
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if not isinstance(cell, str):
        raise ValueError("is neither a path nor an image's bytes")
    text = cell.strip()
    if text.startswith(("http://", "https://")):
        raise ValueError("is a web address; download the images and give their paths")
    return folder / text if text else None
