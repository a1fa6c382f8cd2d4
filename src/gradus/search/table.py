"""A catalogue as an index takes it: with the fields that documents are filtered by."""

from typing import Literal

from gradus.catalog.table import Table
from gradus.search.index.index import Documents, Schema, Vectors


def attributes_of(table: Table) -> dict[str, Literal["category", "number"]]:
    """The fields of a catalogue that can be filtered by, with their types."""
    return {
        field.name: field.type for field in table.fields if field.type == "category" or field.type == "number"
    }


def as_documents(table: Table, vectors: Vectors) -> tuple[Schema, Documents]:
    """A catalogue's documents with their vectors (n, D), to be filtered by its categories and numbers."""
    attributes = attributes_of(table)
    columns = {name: table.columns[name] for name in attributes}
    return Schema(vectors.shape[1], attributes), Documents(table.ids, vectors, columns)
