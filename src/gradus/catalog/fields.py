"""Fields: what a document or a query is made of."""

from dataclasses import dataclass
from typing import Literal, get_args

from gradus.errors import CatalogError

FieldType = Literal["text", "image", "category", "number"]
FIELD_TYPES: tuple[FieldType, ...] = get_args(FieldType)


@dataclass(frozen=True)
class Field:
    """One field of the documents or of the queries.

    Attributes:
        name: The column's name in the catalogue (or in the file of queries).
        type: `text`, `image` (a path, or bytes in Parquet), `category` or `number`.
        weight: The field weight b_f in the fusion normalise(Σ_f b_f e_f). A field of weight 0 is kept
            for filters, splits and display, and is not encoded.
    """

    name: str
    type: FieldType = "text"
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.type not in FIELD_TYPES:
            raise CatalogError(
                f"field {self.name!r} has type {self.type!r}; the types are {', '.join(FIELD_TYPES)}"
            )
        if not (0 <= self.weight < float("inf")):
            raise CatalogError(f"field {self.name!r} has weight {self.weight}; it must be 0 or more")

    @property
    def encoded(self) -> bool:
        """Whether the field enters the embedding."""
        return self.weight > 0
