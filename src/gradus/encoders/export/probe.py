"""Made-up rows, on which an export is held to the encoder."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from gradus.catalog.fields import Field
from gradus.catalog.table import Table

ROWS = 8
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789アイウエオ赤青"
_WORDS = 12


def probe(fields: Sequence[Field]) -> Table:
    """A table of `ROWS` rows with a value of every type, of any length; some values missing, one row empty."""
    rng = np.random.default_rng(0)
    columns: dict[str, list[Any]] = {}
    for number, field in enumerate(fields):
        values = [_value(field, row, rng) for row in range(ROWS)]
        values[ROWS - 1] = None
        if len(fields) > 1:
            values[number % (ROWS - 2) + 1] = None
        columns[field.name] = values
    return Table([f"probe {row}" for row in range(ROWS)], tuple(fields), columns)


def _value(field: Field, row: int, rng: np.random.Generator) -> Any:
    if field.type == "number":
        return float(rng.integers(1, 1000))
    if field.type == "image":
        return _picture(rng)
    # The first text is one letter, the shortest there is.
    lengths = [1] if row == 0 else rng.integers(1, 9, 1 if field.type == "category" else _WORDS)
    return " ".join("".join(rng.choice(list(_LETTERS), length)) for length in lengths)


def _picture(rng: np.random.Generator) -> bytes:
    """A smooth picture of random proportions, as PNG."""
    width, height = (int(length) for length in rng.integers(40, 200, 2))
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    file = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()
