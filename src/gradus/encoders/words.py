"""Category and number values as the text that a text tower reads."""

from collections.abc import Sequence
from typing import Any

from gradus.catalog.fields import Field


def as_text(field: Field, values: Sequence[Any]) -> Sequence[Any]:
    """Values of a number field as `"12 pads"` (value, then the field's name as words).

    A searcher writes the quantity beside the number, so both sides meet in the same words. Values of
    all other types are returned as they are.
    """
    if field.type != "number":
        return values
    name = field.name.replace("_", " ")
    return [None if value is None else f"{value:.10g} {name}" for value in values]
